"""A file with what somebody heard to a Transcript: ours in JSON, subtitles, plain text.

What a file does not say stays unknown: text alone has one segment without times of its own.
"""

import json
import re
from pathlib import Path
from typing import Any

from ossicle.errors import OptionError
from ossicle.results import Coverage, Segment, Transcript, Word

SUFFIXES = (".json", ".srt", ".vtt", ".txt")
CUE = re.compile(r"(?:(\d+):)?(\d\d):(\d\d)[,.](\d{3})\s*-->\s*(?:(\d+):)?(\d\d):(\d\d)[,.](\d{3})")
TAG = re.compile(r"<[^>]*>|\{\\[^}]*\}")        # of VTT and of what SRT files carry over from ASS
SKIPPED = ("WEBVTT", "NOTE", "STYLE", "REGION")


def read_transcript(path: Path) -> Transcript:
    """Read one file by its suffix. Raises OptionError with what was expected for anything else."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise OptionError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OptionError(f"{path} is no UTF-8 text: {error}") from error
    match path.suffix.lower():
        case ".json":
            return _from_json(text, path)
        case ".srt" | ".vtt":
            return _from_cues(text, path)
        case ".txt":
            return _made((Segment(" ".join(text.split()), 0.0, 0.0),), path)
    raise OptionError(f"expected a transcript in one of {', '.join(SUFFIXES)}, got {path}")


def _from_json(text: str, path: Path) -> Transcript:
    try:
        plain = json.loads(text)
    except ValueError as error:
        raise OptionError(f"{path} is no JSON: {error}") from error
    try:
        return Transcript.from_dict(plain)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(plain, dict) and isinstance(plain.get("segments"), list) and isinstance(plain.get("text"), str):
            return _made(tuple(_segment(entry, path) for entry in plain["segments"]), path, plain.get("language"))
        if isinstance(plain, dict) and isinstance(plain.get("text"), str):
            return _made((Segment(plain["text"], 0.0, 0.0),), path, plain.get("language"))
        raise OptionError(f"{path} is no transcript: expected an object with text, as `ossicle transcribe --format json` writes it "
                          f"({type(error).__name__}: {error})") from error


def _segment(entry: Any, path: Path) -> Segment:
    """A segment as Whisper and its kin write it: {start, end, text, words: [{word, start, end, probability}]}."""
    try:
        words = tuple(Word(str(word.get("word", word.get("text"))), word.get("start"), word.get("end"),
                           word.get("probability", word.get("score"))) for word in entry.get("words") or ())
        return Segment(str(entry["text"]), float(entry["start"]), float(entry["end"]), words=words)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise OptionError(f"{path}: expected segments with start, end and text, got {str(entry)[:80]}") from error


def _from_cues(text: str, path: Path) -> Transcript:
    segments: list[Segment] = []
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.strip().split("\n")
        place = next((number for number, line in enumerate(lines) if CUE.search(line)), None)
        if place is None:
            if lines[0] and not lines[0].startswith(SKIPPED):
                raise OptionError(f"{path}: expected cues with a line like 00:00:01,000 --> 00:00:02,500, got {lines[0][:60]!r}")
            continue
        times = CUE.search(lines[place])
        assert times is not None
        numbers = [int(number or 0) for number in times.groups()]
        start, end = (3600 * h + 60 * m + s + ms / 1000 for h, m, s, ms in (numbers[:4], numbers[4:]))
        said = " ".join(TAG.sub("", " ".join(lines[place + 1 :])).split())
        if said:
            segments.append(Segment(said if not segments else f" {said}", start, end))
    return _made(tuple(segments), path)


def _made(segments: tuple[Segment, ...], path: Path, language: Any = None) -> Transcript:
    duration = max((segment.end for segment in segments), default=0.0)
    return Transcript(
        text="".join(segment.text for segment in segments).strip(),
        language=language if isinstance(language, str) else None,
        duration=duration,
        segments=segments,
        chunks=(),
        coverage=Coverage(duration, duration, 0.0, 0.0),
        source=str(path),
    )
