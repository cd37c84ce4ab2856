"""Requests of version 2 to options: which fields each has, and what may stand in them. Knows nothing of models or replies.

A field that no request of its type has is refused: a misspelt option would otherwise be one that never worked.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from ossicle.errors import OptionError
from ossicle.options import AudioOptions, DecodeOptions, TranscribeOptions
from ossicle.stream_options import EndpointOptions, PolicyOptions, StreamOptions
from ossicle.surfaces.bridge.messages import SAMPLE_RATE, Refused, Request, flag_of, path_of, pcm_of, whole_of
from ossicle.surfaces.settings import near

OPEN_OPTIONS = ("language", "languages", "context", "past_text", "step_seconds", "output", "words", "aligner", "coalesce", "policy",
                "endpoint")
HEARING = ("language", "languages", "context", "words", "aligner", "max_tokens")
FIELDS: dict[str, tuple[str, ...]] = {          # of each request, besides `type` and `id`
    "start": ("protocol",),
    "capabilities": (),
    "transcribe": ("audio", "pcm16", "sample_rate", *HEARING),
    "batch_transcribe": ("audio", *HEARING),
    "start_stream": ("stream_id", "sample_rate", "max_queued_ms", *OPEN_OPTIONS),
    "audio_chunk": ("stream_id", "pcm16", "sample_rate", "ack", "seq"),
    "commit": ("stream_id",),
    "clear": ("stream_id",),
    "stop_stream": ("stream_id",),
    "cancel": ("target",),
    "stop": (),
}
LOWEST_RATE, HIGHEST_RATE = 4_000, 384_000      # Hz; what is further out is a mistake


def check_fields(kind: str, request: Request) -> None:
    """Raise Refused for a field that a request of this type does not have."""
    known = ("type", "id", *FIELDS[kind])
    for name in request:
        if name not in known:
            raise Refused("bad_request", f"{kind} has no field {name!r}{near(name, known)}")


def rate_of(request: Request, default: int = SAMPLE_RATE) -> int:
    """Samples a second of the sound in a request."""
    rate = whole_of(request, "sample_rate", default)
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise Refused("bad_audio", f"sample_rate must be between {LOWEST_RATE} and {HIGHEST_RATE}, got {rate}")
    return rate


def source_of(request: Request) -> Any:
    """The sound of `transcribe`: a path, or samples with their rate."""
    if ("audio" in request) == ("pcm16" in request):
        raise Refused("bad_request", "transcribe needs audio, a path, or pcm16, the sound itself: one of them")
    return path_of(request["audio"]) if "audio" in request else (pcm_of(request), rate_of(request))


def transcribe_options(request: Request, language: str | None) -> TranscribeOptions:
    """How a recording is to be heard.

    language   what the command line forces, where the request says nothing of languages
    """
    spoken = _spoken(request, language)
    limit = whole_of(request, "max_tokens", 0) or None
    return TranscribeOptions(**spoken, words=request.get("words", "attention"), aligner=_text(request, "aligner"),
                             decode=DecodeOptions(max_tokens=limit), audio=AudioOptions())


def stream_options(request: Request, language: str | None) -> tuple[StreamOptions, bool]:
    """How a stream is to be heard, and whether its client wants the words with their times.

    endpoint   "auto", "silero", "energy" or "manual"; true and false for auto and manual; or an object of single options
    policy     a name, or an object of single options
    words      how they are timed, or "none" for events without them
    """
    values: dict[str, Any] = {name: request[name] for name in OPEN_OPTIONS if request.get(name) is not None}
    values |= _spoken(request, language)
    has_words = values.get("words") != "none"
    if not has_words:
        values["words"] = "estimated"                   # the cheapest, as nobody sees them
    for name in ("past_text", "output", "words", "aligner"):
        if name in values:
            _text(request, name)
    if "coalesce" in values:
        flag_of(request, "coalesce")
    endpoint = values.pop("endpoint", {})
    if isinstance(endpoint, bool):
        endpoint = "auto" if endpoint else "manual"
    values["endpoint"] = EndpointOptions(**_inner("endpoint", endpoint, "mode", EndpointOptions))
    values["policy"] = PolicyOptions(**_inner("policy", values.pop("policy", {}), "name", PolicyOptions))
    return StreamOptions(**values), has_words


def shown(options: StreamOptions, has_words: bool) -> dict[str, Any]:
    """The options in force, as a client would write them."""
    plain = asdict(options)
    found = {name: plain[name] for name in OPEN_OPTIONS}
    return found | {"languages": list(options.languages), "words": options.words if has_words else "none"}


def _spoken(request: Request, language: str | None) -> dict[str, Any]:
    languages = request.get("languages") or ()
    if not isinstance(languages, list | tuple):
        raise Refused("bad_request", f"languages must be a list of names, got {languages!r}")
    own = _text(request, "language")
    forced = own if own is not None or languages else language
    return {"language": None if forced == "auto" else forced, "languages": tuple(languages), "context": _text(request, "context") or ""}


def _text(request: Request, name: str) -> str | None:
    value = request.get(name)
    if value is not None and not isinstance(value, str):
        raise Refused("bad_request", f"{name} must be text, got {value!r}")
    return value or None


def _inner(name: str, value: object, first: str, kind: type) -> Mapping[str, Any]:
    """An object of single options, each of them known; a mere name is that of `first`."""
    value = {first: value} if isinstance(value, str) else value
    if not isinstance(value, dict):
        raise Refused("bad_request", f"{name} must be a name or an object, got {value!r}")
    known = [part.name for part in fields(kind)]
    for key, entry in value.items():
        if key not in known:
            raise Refused("bad_request", f"{name} has no option {key!r}{near(key, known)}")
        if isinstance(entry, bool) or not isinstance(entry, str | int | float):
            raise OptionError(f"{name}.{key} must be a number or a name, got {entry!r}")
    return value
