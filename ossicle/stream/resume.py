"""A recorded session gone on with where it ended, however it ended: its folder in, the whole transcript out.

What was final stays to the byte. The sound behind it is heard again, and the utterance that was open begins with what was committed
of it. A session that was told to its end is only read. Knows nothing of models: sessions are opened for it.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ossicle.audio.resample import SAMPLE_RATE
from ossicle.errors import FormatError, StreamError
from ossicle.results import ModelFacts, Transcript, Word
from ossicle.stream.item import ROUNDED, Told
from ossicle.stream.record import COMMANDS, END, EVENTS, HEADER, SOUND, VERSION, line_of, options_from_dict, write_whole
from ossicle.stream.session import Session
from ossicle.stream.transcript import transcript_of
from ossicle.stream_events import (
    Endpoint,
    Failure,
    Final,
    Partial,
    SessionEvent,
    SpeechStarted,
    event_from_dict,
)
from ossicle.stream_options import StreamOptions

BLOCK_SECONDS = 1                    # of sound that is fed at a time
COMMANDED = ("commit", "clear", "options")
FIXED = ("aligner", "record", "coalesce")       # options that a session keeps
QUEUED_SECONDS = 30                  # of sound that may wait: memory stays bounded


@dataclass(frozen=True)
class Recorded:
    """A session as its folder has it."""

    folder: Path
    header: dict[str, Any]
    events: tuple[SessionEvent, ...]
    event_bytes: bytes               # their lines; a torn one at the end is left out
    commands: tuple[tuple[str, int, dict[str, Any] | None], ...]    # name, the sample at which it came, options
    num_samples: int

    @property
    def is_finished(self) -> bool:
        """Whether all was told."""
        is_told = any(name == END for name, _, _ in self.commands) and (self.folder / EVENTS).is_file()
        return is_told and not any(isinstance(event, Failure) for event in self.events)

    def options(self, at: int) -> StreamOptions:
        """Those in force at a sample, but that the session is not recorded again and leaves no step out."""
        changes = [options for _, place, options in self.commands if options is not None and place <= at]
        return replaying(changes[-1] if changes else self.header["options"])

    @property
    def model(self) -> ModelFacts | None:
        """Which model it was."""
        return ModelFacts(**self.header["model"]) if self.header.get("model") else None

    def samples(self, start: int, end: int) -> np.ndarray:
        """(n,) int16 between two samples."""
        return np.fromfile(self.folder / SOUND, "<i2", max(0, min(end, self.num_samples) - start), offset=2 * start)


def find_sessions(folder: Path) -> list[Path]:
    """The folder itself where it is that of a session, else those in it that are, by name. Raises FormatError where there is none."""
    if (folder / HEADER).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{HEADER}"))
    if not found:
        raise FormatError(f"{folder} holds no recorded session: expected {HEADER} in it, or in folders in it; name the folder that a "
                          "session was recorded to")
    return found


def read_session(folder: Path) -> Recorded:
    """Read a session's folder, however it ended. Raises FormatError for one that is none, or of a later version."""
    try:
        header = json.loads((folder / HEADER).read_text("utf-8"))
        if header["version"] != VERSION or header["rate"] != SAMPLE_RATE:
            raise ValueError(f"expected version {VERSION} at {SAMPLE_RATE} Hz, got version {header['version']} at {header['rate']} Hz")
        options_from_dict(header["options"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{folder / HEADER} is not the {HEADER} of a recorded session: {error}") from error
    events, kept = [], b""
    for line in _lines(folder / EVENTS):
        try:
            events.append(event_from_dict(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            break                                       # torn: what follows cannot be trusted either
        kept += line
    commands = []
    for line in _lines(folder / COMMANDS):
        try:
            entry = json.loads(line)
            commands.append((str(entry["command"]), int(entry["at_sample"]), entry.get("options")))
        except (ValueError, KeyError, TypeError):
            break
    sound = folder / SOUND
    if not sound.is_file() and not events:
        raise FormatError(f"{folder} has neither the sound of its session ({SOUND}) nor what was told of it ({EVENTS}); "
                          "put one of them back")
    return Recorded(folder, header, tuple(events), kept, tuple(commands), sound.stat().st_size // 2 if sound.is_file() else 0)


def resume(folder: Path, open_session: Callable[[StreamOptions, Told | None], Session]) -> Transcript:
    """Finish a recorded session, and give all of it; its events.jsonl is complete then. Doing so twice changes nothing.

    Raises FormatError where the folder holds none, StreamError when the session fails again; the folder is then as it was.
    """
    recorded = read_session(folder)
    if recorded.is_finished:
        return recorded_transcript(recorded)
    more = hear_rest(recorded, open_session)
    content = recorded.event_bytes + b"".join(line_of(event.to_dict()) for event in more)
    # Where this is interrupted in between, the rest is heard once more and found empty.
    write_whole(folder / EVENTS, content)
    write_whole(folder / COMMANDS, b"".join(_command_lines(recorded)))
    return recorded_transcript(read_session(folder))


def hear_rest(recorded: Recorded, open_session: Callable[[StreamOptions, Told | None], Session]) -> list[SessionEvent]:
    """The events that a session would have gone on to tell."""
    start, begun = _start(recorded), _open_item(recorded)
    told = _told(begun, start)
    session = open_session(recorded.options(start), told)
    try:
        at = start
        due = [entry for entry in recorded.commands if entry[0] in COMMANDED and entry[1] > start]     # those before are done
        for name, place, options in [*due, ("close", recorded.num_samples, None)]:
            while at < place and not session.is_closed:
                until = min(place, at + BLOCK_SECONDS * SAMPLE_RATE)
                session.feed(recorded.samples(at, until))
                session.wait(QUEUED_SECONDS)
                at = until
            if session.is_closed:                       # it failed
                break
            if options is not None:
                plain = replaying(options)
                session.update(**{entry.name: getattr(plain, entry.name) for entry in fields(plain) if entry.name not in FIXED})
            else:
                getattr(session, name)()
        heard = list(session)
    finally:
        session.close()
    if failed := next((event for event in heard if isinstance(event, Failure)), None):
        raise StreamError(f"the session in {recorded.folder} failed again ({failed.code}): {failed.message}")
    return _joined_events(recorded, begun, start, heard)


def recorded_transcript(recorded: Recorded) -> Transcript:
    """What the session's events say."""
    return transcript_of(recorded.events, recorded.num_samples / SAMPLE_RATE, source=str(recorded.folder), facts=recorded.model)


def replaying(plain: dict[str, Any]) -> StreamOptions:
    """Options as they were kept, for hearing again."""
    return replace(options_from_dict(plain), coalesce=False, record=None)


def _command_lines(recorded: Recorded) -> Iterator[bytes]:
    for name, at, options in recorded.commands:
        if name != END:
            yield line_of({"command": name, "at_sample": at} | ({"options": options} if options else {}))
    yield line_of({"command": END, "at_sample": recorded.num_samples})


def _lines(path: Path) -> list[bytes]:
    """Whole lines: one without its end is torn."""
    content = path.read_bytes() if path.is_file() else b""
    return [line for line in content.splitlines(keepends=True) if line.endswith(b"\n")]


def _start(recorded: Recorded) -> int:
    """The first sample behind what is final."""
    last = next((event for event in reversed(recorded.events) if isinstance(event, Final)), None)
    if last is None:
        return 0
    if last.reason == "clear" and any(isinstance(event, Failure) for event in recorded.events):
        said = [word.end for word in last.words if word.end is not None]        # it failed: the rest of its sound was not heard
        return round((said[-1] if said else last.start) * SAMPLE_RATE)
    # A cut leaves the sound behind it to the next utterance; else all that had come in belonged to this one.
    return min(recorded.num_samples, round((last.end if last.reason == "cut" else last.audio_seconds) * SAMPLE_RATE))


def _open_item(recorded: Recorded) -> list[SessionEvent]:
    """The events of the utterance that has no final one."""
    done = {event.item_id for event in recorded.events if isinstance(event, Final)}
    left = [event for event in recorded.events if event.item_id is not None and event.item_id not in done]
    return [event for event in left if event.item_id == left[-1].item_id]


def _told(begun: Sequence[SessionEvent], start: int) -> Told | None:
    partials = [event for event in begun if isinstance(event, Partial)]
    if not partials:
        return None
    until = max(event.audio_seconds for event in begun)
    words = tuple(_moved_word(word, -start) for event in partials for word in event.words)
    return Told(words, partials[-1].language, round(until * SAMPLE_RATE) - start)


def _joined_events(recorded: Recorded, begun: Sequence[SessionEvent], start: int, heard: Sequence[SessionEvent]) -> list[SessionEvent]:
    """Events of the second session as those of the first: its clock, its numbers, nothing told twice."""
    numbers = [_number(event.item_id) for event in recorded.events if event.item_id is not None]
    offset = max(numbers, default=0) - bool(begun)
    first, revision = (begun[-1].item_id, begun[-1].revision) if begun else (None, 0)
    told_before = {type(event) for event in begun} & {SpeechStarted, Endpoint}
    found: list[SessionEvent] = []
    for event in heard:
        event = _moved(event, start)
        if event.item_id is not None:
            event = replace(event, item_id=f"item_{_number(event.item_id) + offset:05d}")
        if event.item_id is not None and event.item_id == first:
            if type(event) in told_before:
                continue
            revision += 1
            event = replace(event, revision=revision)
        found.append(event)
    if first is not None and not any(isinstance(event, Final) and event.item_id == first for event in found):
        found.insert(0, _closing(begun, revision + 1, max(begun[-1].audio_seconds, start / SAMPLE_RATE)))
    return found


def _closing(begun: Sequence[SessionEvent], revision: int, end: float) -> Final:
    """The last event of an utterance that was not heard of again: what was committed stays."""
    partials = [event for event in begun if isinstance(event, Partial)]
    words = tuple(word for event in partials for word in event.words)
    start = next((event.start for event in begun if isinstance(event, SpeechStarted)), end)
    return Final(
        item_id=begun[-1].item_id, revision=revision, audio_seconds=end, text="".join(word.text for word in words), committed_delta="",
        words=words, language=next((event.language for event in reversed(partials)), None), start=start,
        end=max([start, *(word.end for word in words if word.end is not None)]), reason="close")


def _number(item_id: str) -> int:
    return int(item_id.rpartition("_")[2])


def _moved(event: SessionEvent, start: int) -> SessionEvent:
    values: dict[str, Any] = {"audio_seconds": _later(event.audio_seconds, start)}
    for name in ("start", "end"):
        if hasattr(event, name):
            values[name] = _later(getattr(event, name), start)
    for name in ("words", "pending_words"):
        if hasattr(event, name):
            values[name] = tuple(_moved_word(word, start) for word in getattr(event, name))
    return replace(event, **values)


def _later(seconds: float, num_samples: int) -> float:
    return (round(seconds * SAMPLE_RATE) + num_samples) / SAMPLE_RATE


def _moved_word(word: Word, num_samples: int) -> Word:
    start, end = (None if time is None else round(time + num_samples / SAMPLE_RATE, ROUNDED) for time in (word.start, word.end))
    return replace(word, start=start, end=end)
