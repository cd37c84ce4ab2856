"""A file with what somebody heard to a Transcript: all that `formats` reads, and two forms that hold nothing but text.

Plain text and JSON of a bare `text` have no times: their transcript is one segment of no length.
"""

import json
from pathlib import Path

from ossicle.errors import FormatError
from ossicle.formats.read import read_transcript as read_timed
from ossicle.results import Coverage, Segment, Transcript

SUFFIXES = (".json", ".srt", ".vtt", ".ass", ".txt")


def read_transcript(path: Path) -> Transcript:
    """Read one transcript. Raises FormatError naming the file, what was expected and what came."""
    if path.suffix.lower() not in (".txt", ".json"):
        return read_timed(path)
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise FormatError(f"expected a transcript at {path}, but the system said: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not text in UTF-8: {error}") from error
    if path.suffix.lower() == ".txt":
        return _bare(text, None)
    try:
        plain = json.loads(text)
    except ValueError:
        return read_timed(path)                             # lines of JSON, or an error that says where
    if isinstance(plain, dict) and isinstance(plain.get("text"), str) and "segments" not in plain:
        language = plain.get("language")
        return _bare(plain["text"], language if isinstance(language, str) else None)
    return read_timed(path)


def _bare(text: str, language: str | None) -> Transcript:
    text = " ".join(text.split())
    return Transcript(text, language, 0.0, (Segment(text, 0.0, 0.0),) if text else (), (), Coverage(0.0, 0.0, 0.0, 0.0))
