"""Files back to transcripts: our JSON and JSON lines exactly, Whisper's JSON and subtitles of any program as far as they go.

What is read is told from the content, not from the name. Knows nothing of folders or terminals.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ossicle.errors import FormatError
from ossicle.formats.lines import SCHEMA
from ossicle.formats.read_cues import read_ass, read_srt, read_vtt
from ossicle.formats.read_whisper import from_whisper, is_whisper
from ossicle.formats.shape import check
from ossicle.results import Transcript

SRT = re.compile(r"\s*\d+[ \t]*\r?\n\s*\d+:\d\d:\d\d[,.]\d+\s*-->")
KNOWN = "JSON or JSON lines of ossicle, JSON of Whisper and its kin, srt, vtt, ass"


@dataclass(frozen=True, slots=True)
class Failure:
    """An entry of a file that stands for a recording which has no transcript."""

    source: str | None
    message: str


def read_transcript(path: str | Path) -> Transcript:
    """The one transcript of a file. Raises FormatError for a file of several, or of none."""
    found = read_file(path)
    if len(found) != 1:
        raise FormatError(f"expected one transcript in {path}, got {len(found)}")
    if isinstance(found[0], Failure):
        raise FormatError(f"{path} holds no transcript of {found[0].source or 'the recording'}: {found[0].message}")
    return found[0]


def read_file(path: str | Path) -> list[Transcript | Failure]:
    """All that a file holds, in order. Raises FormatError naming the file, what was expected and what came."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise FormatError(f"expected a transcript at {path}, but the system said: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not text in UTF-8 (byte {error.start}), so it is no transcript; ossicle reads {KNOWN}") from error
    return read_text(text, str(path))


def read_text(text: str, name: str) -> list[Transcript | Failure]:
    """The same from the text of a file; `name` is what errors call it."""
    text = text.removeprefix("\ufeff")
    start = text.lstrip()
    if start.startswith("WEBVTT"):
        return [read_vtt(start, name)]
    if start[:13].lower() == "[script info]":
        return [read_ass(start, name)]
    if SRT.match(start):
        return [read_srt(start, name)]
    if start[:1] in ("{", "["):
        return _read_json(start, name)
    raise FormatError(f"{name} is no transcript that ossicle reads; it reads {KNOWN}")


def _read_json(text: str, name: str) -> list[Transcript | Failure]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg.startswith("Extra data") and text.startswith("{"):
            return _read_lines(text, name)
        raise FormatError(f"{name} is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}") from error
    if isinstance(content, dict) and isinstance(content.get("kind"), str) and "segments" not in content:
        return _read_lines(text, name)                   # a file of one line
    entries = content if isinstance(content, list) else [content]
    return [_entry(entry, f"{name}[{place}]" if isinstance(content, list) else name) for place, entry in enumerate(entries)]


def _entry(entry: Any, name: str) -> Transcript | Failure:
    if not isinstance(entry, dict):
        raise FormatError(f"expected a transcript at {name}, got {type(entry).__name__}; ossicle reads {KNOWN}")
    if "schema" not in entry:
        if is_whisper(entry):
            return from_whisper(entry, name)
        raise FormatError(f"{name} is JSON but no transcript: it has neither `schema` nor Whisper's `segments`; ossicle reads {KNOWN}")
    _check_schema(entry["schema"], name)
    if "error" in entry and "text" not in entry:
        error = entry["error"] if isinstance(entry["error"], dict) else {}
        return Failure(entry.get("source"), str(error.get("message", "it failed")))
    check(entry, Transcript, name)
    return Transcript.from_dict(entry)


def _check_schema(schema: object, name: str) -> None:
    if schema == SCHEMA:
        return
    if isinstance(schema, str) and schema.startswith(SCHEMA.rpartition("/")[0] + "/"):
        raise FormatError(f"{name} is in the form {schema}, and this ossicle reads {SCHEMA}; a later ossicle wrote it")
    raise FormatError(f"{name} has schema {schema!r}, expected {SCHEMA!r}: it is another program's JSON")


def _read_lines(text: str, name: str) -> list[Transcript | Failure]:
    """Lines of recordings, one after the other or mixed; each ends with `done` or `error`."""
    found: list[Transcript | Failure] = []
    open_parts: dict[str | None, dict[str, list[Any]]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        entry, place = _line(line, f"{name}, line {number}")
        source, kind = entry.get("source"), entry.pop("kind")
        parts = open_parts.setdefault(source, {"segments": [], "chunks": [], "warnings": []})
        if kind in ("segment", "chunk"):
            parts[f"{kind}s"].append(entry)
        elif kind == "warning":
            parts["warnings"].append(entry.get("message", ""))
        elif kind == "done":
            whole = {**{part: value for part, value in parts.items() if value or part != "chunks"}, **entry}
            found.append(_entry(whole, place))
        elif kind == "error":
            found.append(Failure(source, str(entry.get("message", "it failed"))))
        if kind in ("done", "error"):
            del open_parts[source]
    found += [Failure(source, "its lines end before `done`: the work was interrupted") for source in open_parts]
    return found


def _line(line: str, place: str) -> tuple[dict[str, Any], str]:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise FormatError(f"{place} is not valid JSON: {error.msg} in column {error.colno}") from error
    if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str):
        raise FormatError(f"{place} is no line of a transcript: expected an object with `kind`, got {line[:40]!r}")
    return entry, place
