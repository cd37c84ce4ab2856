"""One line of JSON to a request whose fields are checked, and an error to what is said of it.

Knows the form of messages; what they ask for is somebody else's business.
"""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ossicle.errors import AudioError, Cancelled, MissingExtra, ModelError, OptionError, StreamError

SAMPLE_RATE = 16_000
Request = Mapping[str, Any]

CODES = {                               # every `error.code` of version 2, and what it means; docs/bridge.md lists them
    "bad_json": "the line is no JSON object",
    "bad_request": "a field is missing, or its value is not possible",
    "unknown_type": "no request has this type",
    "unknown_stream": "no stream of this name is open",
    "bad_audio": "the sound cannot be read or used",
    "model_error": "the model cannot be found, loaded or used",
    "overloaded": "too many requests wait; send this one again later",
    "cancelled": "it was cancelled, as was asked for",
    "internal": "a fault of ours; stderr has the traceback",
}


class Refused(Exception):
    """A request that is not carried out; its code is one of CODES."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        assert code in CODES
        self.code = code


def read_line(line: bytes) -> dict[str, Any]:
    """The request in one line. Raises ValueError or RecursionError for what is no JSON, Refused for what is no object."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise Refused("bad_json", f"a request must be a JSON object, got {type(found).__name__}")
    return found


def code_of(error: BaseException) -> str:
    """Which of CODES an error is."""
    match error:
        case Refused():
            return error.code
        case AudioError() | OSError():
            return "bad_audio"
        case Cancelled():
            return "cancelled"
        case ModelError() | MissingExtra():
            return "model_error"
        case OptionError():
            return "bad_request"
        case StreamError():
            return "unknown_stream"
    return "internal"


def text_of(request: Request, name: str, default: str | None = None) -> str:
    """A field that is text, and not empty; without a default it must be there."""
    value = request.get(name, default)
    if value is None or value == "":
        value = default
    if not isinstance(value, str) or not value:
        raise Refused("bad_request", f"{name} must be text, got {_shown(value)}")
    return value


def name_of(request: Request, name: str, default: str | None = None) -> str:
    """A field that names something: text, or a number, which some programs take for names."""
    value = request.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text_of(request, name, default)


def whole_of(request: Request, name: str, default: int, low: int = 0) -> int:
    """A field that is a whole number of at least `low`; some programs write 4.0 for 4."""
    value = request.get(name, default)
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or value in (float("inf"), float("-inf")) \
            or value != int(value) or value < low:
        raise Refused("bad_request", f"{name} must be a whole number of at least {low}, got {_shown(value)}")
    return int(value)


def flag_of(request: Request, name: str, default: bool = False) -> bool:
    """A field that is true or false."""
    value = request.get(name, default)
    value = default if value is None else value
    if not isinstance(value, bool):
        raise Refused("bad_request", f"{name} must be true or false, got {_shown(value)}")
    return value


def choice_of(request: Request, name: str, choices: tuple[str, ...], default: str) -> str:
    """A field that is one of a few words, in capitals or not."""
    value = text_of(request, name, default).lower()
    if value not in choices:
        raise Refused("bad_request", f"{name} must be one of {', '.join(choices)}; got {value!r}")
    return value


def path_of(value: object) -> str:
    """A file's name; requests come by standard input, so that is none, and nothing is fetched."""
    if not isinstance(value, str) or not value:
        raise Refused("bad_request", f"audio must be the path of a sound file, got {_shown(value)}")
    try:
        is_name = b"\0" not in os.fsencode(value)
    except UnicodeError:
        is_name = False
    if not is_name or value == "-" or value.lower().startswith(("http://", "https://")):
        raise Refused("bad_audio", f"audio must be the path of a sound file on this machine, got {value!r}")
    return value


def pcm_of(request: Request) -> np.ndarray:
    """The field `pcm16` as (n,) int16: base64 of 16-bit samples, the low byte first."""
    value = request.get("pcm16")
    if not isinstance(value, str):
        raise Refused("bad_request", f"pcm16 must be base64 text, got {_shown(value)}")
    try:
        sound = base64.b64decode("".join(value.split()), validate=True)      # some encoders break lines
    except (binascii.Error, ValueError) as error:
        raise Refused("bad_audio", f"pcm16 must be base64 text: {error}") from error
    if len(sound) % 2:
        raise Refused("bad_audio", f"pcm16 must hold whole samples of 2 bytes, got {len(sound)} bytes")
    return np.frombuffer(sound, "<i2")


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
