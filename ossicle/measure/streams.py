"""Recordings of a manifest through live sessions: which of them make one stream, their sound in, what was told out.

Knows nothing of figures. What was told is kept as it came, so that every figure can be computed again without the model.
"""

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ossicle.checks import require_at_least, require_between
from ossicle.errors import AudioError, Cancelled, StreamError
from ossicle.measure.live import LiveSession, Said
from ossicle.measure.manifest import Item, Manifest
from ossicle.measure.predictions import KeptFile, run_of
from ossicle.measure.told import Arrival, items_told
from ossicle.measure.written import split_written
from ossicle.options import AudioOptions, EngineOptions, TranscribeOptions
from ossicle.progress import CancelToken
from ossicle.recognizer import Recognizer, read_blocks
from ossicle.results import ModelFacts, Word
from ossicle.stream_events import Failure, event_from_dict
from ossicle.stream_options import StreamOptions

SCHEMA = "ossicle-live-prediction/1"
RATE = 16_000                           # of what `read_blocks` gives
FED_SECONDS = 0.1                       # at a time, where sound goes in as fast as it is spoken: as a microphone gives it
FAST_SECONDS = 1.0                      # else
MAX_QUEUED_SECONDS = 30.0               # then the feeder waits: a long recording is not held twice

Grouping = Literal["per-utterance", "chapter-grouped"]


@dataclass(frozen=True)
class FeedOptions:
    """How sound goes in."""

    pace: float | None = None           # seconds of sound for each second; None: as fast as it is heard, events by the audio clock alone
    gap_seconds: float = 0.3            # of silence between two utterances of one stream, as a reader breathes
    tail_seconds: float = 1.0           # of silence behind the last one, so that silence ends it and not the end of the file

    def __post_init__(self) -> None:
        if self.pace is not None:
            require_between("pace", self.pace, 0.1, 100)
        require_at_least("gap_seconds", self.gap_seconds, 0)
        require_at_least("tail_seconds", self.tail_seconds, 0)

    @property
    def is_paced(self) -> bool:
        """Whether the wall's clock and the audio clock are one."""
        return self.pace == 1.0


@dataclass(frozen=True)
class Stream:
    """Recordings that go through one session, one behind the other."""

    id: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class LivePrediction:
    """What a session told of a stream."""

    id: str
    run: str                            # hash of model, options, sound and how it went in
    bounds: tuple[tuple[float, float], ...]     # (offset, seconds) of each recording in the stream
    audio_seconds: float
    work_seconds: float                 # from the first sample to the last event
    arrivals: tuple[Arrival, ...]
    times: tuple[tuple[float | None, float | None], ...] | None = None      # of the words of the references, where they were aligned
    words: tuple[str, ...] = ()         # these

    def to_line(self) -> str:
        """One line of JSON."""
        plain = {part: getattr(self, part) for part in ("id", "run", "bounds", "audio_seconds", "work_seconds", "times", "words")}
        events = [[round(wall, 4), event.to_dict()] for wall, event in self.arrivals]
        return json.dumps({"schema": SCHEMA, **plain, "arrivals": events}, ensure_ascii=False) + "\n"


class LivePredictionFile(KeptFile[LivePrediction]):
    """What was told of each stream, in a file that grows as the work goes on."""

    def __init__(self, path: Path | None) -> None:
        super().__init__(path, SCHEMA, _prediction)


def streams_of(manifest: Manifest, grouping: Grouping) -> list[Stream]:
    """Which recordings make one stream, in the order of the manifest.

    A chapter is what shares an id up to its last hyphen, in LibriSpeech; elsewhere what lies in one folder, or is cut from one file.
    """
    if grouping == "per-utterance":
        return [Stream(item.id, (item,)) for item in manifest.items]
    name = _chapter_of_id if manifest.form == "librispeech" else _folder
    return [Stream(chapter, tuple(sorted(members, key=lambda item: (item.audio, item.start))))
            for chapter, members in groupby(sorted(manifest.items, key=name), name)]


def live_run_of(
    stream: Stream, facts: ModelFacts, options: StreamOptions, engine: EngineOptions | None, feed: FeedOptions, aligner: str | None
) -> str:
    """A hash of everything that decides what is told. Raises AudioError when the sound is not there."""
    parts = [run_of(item, facts, options, engine) + f"{item.start}-{item.end}" for item in stream.items]
    gaps = (feed.gap_seconds if len(parts) > 1 else None, feed.tail_seconds)
    said = json.dumps([parts, feed.pace, gaps, aligner, [item.text for item in stream.items] if aligner else None])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def hear_stream(
    recognizer: Recognizer,
    stream: Stream,
    run: str,
    options: StreamOptions,
    feed: FeedOptions,
    aligner: str | None = None,
    cancel: CancelToken | None = None,
) -> LivePrediction:
    """Feed a stream to a session of its own.

    aligner   the forced aligner that times the words of the references, by name or folder; "" is the model's own; None: untimed

    Raises AudioError for sound that cannot be read, StreamError when the session failed, Cancelled.
    """
    whole, bounds = sound_of(stream, feed)
    arrivals, work = _hear(recognizer, whole, options, feed.pace, cancel or CancelToken())
    words = _times(recognizer, stream, whole, bounds, options, aligner) if aligner is not None else ()
    return LivePrediction(stream.id, run, tuple(bounds), len(whole) / RATE, work, tuple(arrivals),
                          tuple((word.start, word.end) for word in words) or None, tuple(word.text for word in words))


def sound_of(stream: Stream, feed: FeedOptions) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """What goes in: (n,) float32 at 16 kHz with its silences, and (offset, seconds) of each recording in it. Raises AudioError."""
    gap, tail = (np.zeros(round(seconds * RATE), np.float32) for seconds in (feed.gap_seconds, feed.tail_seconds))
    parts: list[np.ndarray] = []
    bounds, place = [], 0
    for item in stream.items:
        sound = _read(item)
        bounds.append((place / RATE, len(sound) / RATE))
        place += len(sound) + len(gap)
        parts += [sound, gap]
    return np.concatenate([*parts[:-1], tail]), bounds


def session_of(stream: Stream, prediction: LivePrediction, language: str | None) -> LiveSession:
    """What was told beside what was said."""
    if prediction.times is not None:
        reference = tuple(Word(text, *times) for text, times in zip(prediction.words, prediction.times))
    else:
        reference = tuple(Word(text) for item in stream.items for text in split_written(item.text))
    said = tuple(Said(item.text, *bounds) for item, bounds in zip(stream.items, prediction.bounds))
    items = tuple(items_told(prediction.arrivals))
    return LiveSession(items, said, reference, prediction.audio_seconds, stream.items[0].language or language)


def _hear(
    recognizer: Recognizer, samples: np.ndarray, options: StreamOptions, pace: float | None, cancel: CancelToken
) -> tuple[list[Arrival], float]:
    """Events with the seconds since the first sample began to come in, and how long it took until the last one."""
    arrivals: list[Arrival] = []
    with recognizer.stream(options) as session:
        began = time.perf_counter()

        def feed() -> None:
            try:
                for block, due in _blocks(samples, pace):
                    if cancel.is_cancelled or session.is_closed:
                        break
                    if due is None:
                        session.wait(MAX_QUEUED_SECONDS)
                    elif (early := due - (time.perf_counter() - began)) > 0:
                        time.sleep(early)
                    session.feed(block)
            except StreamError:                             # it failed: its events say why
                pass
            finally:
                session.close()

        feeder = threading.Thread(target=feed, name="ossicle-feeder", daemon=True)
        feeder.start()
        for event in session:
            arrivals.append((time.perf_counter() - began, event))
        feeder.join()
    if cancel.is_cancelled:
        raise Cancelled("the evaluation was cancelled; what was finished before is kept")
    failure = next((event for _, event in arrivals if isinstance(event, Failure)), None)
    if failure is not None:
        raise StreamError(f"the session failed ({failure.code}): {failure.message}")
    return arrivals, time.perf_counter() - began


def _blocks(samples: np.ndarray, pace: float | None) -> Iterator[tuple[np.ndarray, float | None]]:
    """Sound block by block, and when each is due: once it has been spoken to its end."""
    size = round((FAST_SECONDS if pace is None else FED_SECONDS) * RATE)
    for begin in range(0, len(samples), size):
        block = samples[begin : begin + size]
        yield block, None if pace is None else (begin + len(block)) / RATE / pace


def _read(item: Item) -> np.ndarray:
    blocks = list(read_blocks(item.audio, AudioOptions(start_seconds=item.start, end_seconds=item.end)))
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if not len(samples):
        raise AudioError(f"expected sound in {item.audio}, got a recording without samples")
    return samples


def _times(
    recognizer: Recognizer, stream: Stream, whole: np.ndarray, bounds: Sequence[tuple[float, float]], options: StreamOptions, aligner: str
) -> list[Word]:
    """The words of the references with their times in the stream."""
    words = []
    for item, (offset, seconds) in zip(stream.items, bounds):
        if not item.text.strip():
            continue
        sound = whole[round(offset * RATE) : round((offset + seconds) * RATE)]
        asked = TranscribeOptions(item.language or options.language, aligner=aligner or None)
        for word in recognizer.align((sound, RATE), item.text, options=asked).words:
            if word.start is not None and word.end is not None:
                word = replace(word, start=word.start + offset, end=word.end + offset)
            words.append(word)
    return words


def _chapter_of_id(item: Item) -> str:
    return item.id.rpartition("-")[0] or item.id


def _folder(item: Item) -> str:
    return str(item.audio if item.start or item.end is not None else item.audio.parent)


def _prediction(entry: Mapping[str, Any]) -> LivePrediction:
    times = entry["times"]
    return LivePrediction(
        entry["id"], entry["run"], tuple((offset, seconds) for offset, seconds in entry["bounds"]), entry["audio_seconds"],
        entry["work_seconds"], tuple((wall, event_from_dict(event)) for wall, event in entry["arrivals"]),
        None if times is None else tuple((start, end) for start, end in times), tuple(entry["words"]))
