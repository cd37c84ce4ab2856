"""An RTTM file to turns: lines of `SPEAKER recording channel start duration <NA> <NA> speaker <NA> <NA>`.

Knows nothing of sound. Source of the format: NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation
Plan", appendix A. Formats write such files, formats/ that is; here they are read.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from ossicle.errors import OptionError
from ossicle.results import Turn

COMMENTS = (";", "#")
# Kinds of lines that say other things: of words, noises, edits and the people themselves.
OTHER_KINDS = frozenset((
    "SEGMENT", "NOSCORE", "NO_RT_METADATA", "LEXEME", "NON-LEX", "NON-SPEECH", "FILLER", "EDIT", "IP", "SU", "CB", "A/P",
    "SPKR-INFO", "ADDRESSEE", "WORD",
))
MIN_FIELDS, MAX_FIELDS = 8, 10


def read_rttm(path: Path, recording: str | None = None) -> list[Turn]:
    """The turns of one recording, in the order and with the labels of the file; times as written.

    path        the file, or a folder that holds `recording`.rttm
    recording   its name without folder and suffix; it chooses among several that one file speaks of

    Raises OptionError naming the file, the line and what is wrong there, or the recordings that it speaks of.
    """
    path = _find(path, recording)
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise OptionError(f"expected an RTTM file at {path}, found none; check name and folder") from error
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"cannot read the RTTM file {path}: {error}") from error
    turns: dict[str, list[Turn]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        for name, turn in _read_line(line, f"{path}, line {number}"):
            turns.setdefault(name, []).append(turn)
    if len(turns) <= 1:
        return next(iter(turns.values()), [])
    if recording in turns:
        return turns[recording]
    raise OptionError(f"{path} speaks of {len(turns)} recordings ({_some(sorted(turns))}), none of them called {recording!r}; "
                      "name the recording as one of them, or keep the lines of this one only")


def _find(path: Path, recording: str | None) -> Path:
    if not path.is_dir():
        return path
    if recording is None:
        raise OptionError(f"{path} is a folder of RTTM files, and this recording has no name to choose by; name the file")
    return path / f"{recording}.rttm"


def _read_line(line: str, place: str) -> Iterator[tuple[str, Turn]]:
    """The turn of a line with its recording; nothing for a comment or a line of another kind."""
    fields = line.split()
    if not fields or fields[0].startswith(COMMENTS) or fields[0].upper() in OTHER_KINDS:
        return
    if fields[0].upper() != "SPEAKER":
        raise OptionError(f"{place}: an RTTM line must begin with SPEAKER, got {fields[0][:40]!r}; is this an RTTM file?")
    if not MIN_FIELDS <= len(fields) <= MAX_FIELDS:
        why = "a speaker's label must have no spaces" if len(fields) > MAX_FIELDS else "the eighth is the speaker's label"
        raise OptionError(f"{place}: a SPEAKER line must have {MIN_FIELDS} to {MAX_FIELDS} fields, got {len(fields)}; {why}")
    start, seconds = _number(fields[3], f"{place}: the start"), _number(fields[4], f"{place}: the duration")
    yield fields[1], Turn(start, start + seconds, fields[7])


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise OptionError(f"{name} must be seconds, got {text!r}") from error
    if not (math.isfinite(value) and value >= 0):
        raise OptionError(f"{name} must be at least 0, got {text}")
    return value


def _some(names: list[str], limit: int = 8) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
