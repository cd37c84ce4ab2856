"""When the words of a chunk are said: by the best way there is for its language and on this machine.

The ways, best first: the forced aligner, attention of the recogniser itself, a share of the loud sound. Where one fails the
next is taken, with one warning for the recording: times may be worse, but hours of decoding are never lost for them.
Texts never change here.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from ossicle.errors import Cancelled, MissingExtra, ModelError
from ossicle.options import SplitOptions, TranscribeOptions
from ossicle.pipeline.align import MAX_SECONDS, align_units, longest_seconds
from ossicle.pipeline.attention import attend_words
from ossicle.pipeline.engine import Engine, Loaded
from ossicle.pipeline.estimate import estimate_words
from ossicle.pipeline.follow import follow
from ossicle.pipeline.spans import Heard
from ossicle.progress import CancelToken
from ossicle.results import Chunk, ModelFacts, Timing, Word
from ossicle.text.languages import lookup_language
from ossicle.text.units import Unit, split_units

logger = logging.getLogger(__name__)

Timer = Callable[[Chunk, np.ndarray], Chunk]    # a chunk and its samples (n,), to the chunk with times
Way = Callable[[Chunk, np.ndarray], list[Heard]]
ROUNDED = 3                                     # digits after the point: the sources of these times are 10 to 80 ms fine


class Listener(Protocol):
    """Who is told how it goes; a Report."""

    aligner: ModelFacts | None
    timings: dict[str, float]

    def warn(self, message: str) -> None:
        """Take a warning."""
        ...


def word_timer(engine: Engine, options: TranscribeOptions, listener: Listener, cancel: CancelToken) -> Timer:
    """What gives the words of one recording their times, chunk by chunk, on the caller's thread.

    It is told of the aligner that was used, of seconds of work (`align`), and of what did not go as asked.
    """
    return untimed if options.words == "none" else _Timer(engine, options, listener, cancel)


def untimed(chunk: Chunk, samples: np.ndarray) -> Chunk:
    """The chunk as it is: the timer of those who ask for no times."""
    return chunk


def split_for_words(options: TranscribeOptions) -> SplitOptions:
    """How to cut where words are to be timed: no chunk longer than what an aligner reads at once."""
    if options.words in ("none", "estimated"):
        return options.split
    return replace(options.split, max_seconds=min(options.split.max_seconds, MAX_SECONDS))


def units_of(text: str, language: str | None, warn: Callable[[str], None]) -> list[Unit]:
    """The aligner's units of a text; Japanese is parted by script, with a warning, where its dictionary is not installed."""
    try:
        return split_units(text, language)
    except MissingExtra as error:
        warn(f"Japanese words are timed by stretches of one script, which is coarser: {error}")
        return split_units(text, language, with_dictionary=False)


def with_times(words: Sequence[Word], heard: Sequence[Heard], start: float, end: float, timing: Timing) -> tuple[Word, ...]:
    """The same words with times that lie in `start` to `end`; `heard` counts from `start`."""
    return tuple(
        replace(word, start=begin, end=stop, timing=timing if entry.is_measured or timing == "estimated" else "interpolated")
        for word, (begin, stop), entry in zip(words, on_clock(heard, start, end), heard, strict=True)
    )


def on_clock(heard: Sequence[Heard], start: float, end: float) -> list[tuple[float, float]]:
    """Starts and ends in `start` to `end`, rounded where every one keeps a length; `heard` counts from `start`."""
    times = [(start + entry.start, min(start + entry.end, end)) for entry in heard]
    rounded = [(max(start, round(begin, ROUNDED)), min(round(stop, ROUNDED), end)) for begin, stop in times]
    return rounded if all(begin < stop for begin, stop in rounded) else times       # hundreds of words may share a second


class _Timer:
    """The timer of one recording; remembers what it warned of, and what is not to be tried again."""

    def __init__(self, engine: Engine, options: TranscribeOptions, listener: Listener, cancel: CancelToken) -> None:
        self._engine, self._options, self._listener, self._cancel = engine, options, listener, cancel
        self._warned: set[str] = set()
        self._has_aligner = options.words in ("auto", "aligner")
        self._has_heads = True

    def __call__(self, chunk: Chunk, samples: np.ndarray) -> Chunk:
        if not chunk.words or all(word.start is not None for word in chunk.words):      # none, or of an earlier run
            return chunk
        began = time.perf_counter()
        heard, timing = self._best(chunk, samples)
        words = with_times(chunk.words, heard, chunk.start, chunk.end, timing)
        self._listener.timings["align"] = self._listener.timings.get("align", 0.0) + time.perf_counter() - began
        return replace(chunk, words=words)

    def _best(self, chunk: Chunk, samples: np.ndarray) -> tuple[list[Heard], Timing]:
        ways: list[tuple[Timing, str, Way]] = [
            ("aligned", "the forced aligner", self._align), ("attention", "attention", self._attend)]
        for timing, name, way in ways:
            if self._cancel.is_cancelled:
                break
            try:
                if timing == "aligned" and not self._aligns(chunk.language):
                    continue
                if timing == "attention" and not (self._has_heads and self._options.words != "estimated"):
                    continue
                return way(chunk, samples), timing
            except Cancelled:
                break
            except Exception as error:          # whatever it is, the text is there and stays
                logger.debug("%s failed", name, exc_info=True)
                self._warn(name, f"words could not be timed by {name} ({_said(error)}); the next best way is taken")
        return estimate_words([word.text for word in chunk.words], samples), "estimated"

    def _aligns(self, language: str | None) -> bool:
        """Whether the aligner is to be asked for this language. Loads it when it is."""
        if not self._has_aligner:
            return False
        found = lookup_language(language) if language else None
        if self._options.words == "auto" and self._options.aligner is None and found is not None and not found.can_align:
            return False                        # not worth loading one
        known = self._aligner().parts.config.support_languages
        return self._options.words == "aligner" or not known or found is None or found.name in known

    def _aligner(self) -> Loaded:
        try:
            return self._engine.aligner(self._options.aligner)
        except BaseException:
            self._has_aligner = False           # not looked for again with every chunk
            raise

    def _align(self, chunk: Chunk, samples: np.ndarray) -> list[Heard]:
        loaded = self._aligner()
        self._listener.aligner = loaded.facts
        words = [word.text for word in chunk.words]
        units = units_of("".join(words), chunk.language, lambda message: self._warn("japanese", message))

        def align(sound: np.ndarray, some: Sequence[Unit]) -> list[Heard]:
            found = self._engine.run(align_units, loaded.parts, sound, some, self._cancel)
            is_heard.append(any(entry.is_measured and entry.end > entry.start for entry in found))
            return found

        is_heard: list[bool] = []
        stretches = list(follow(align, samples, words, units, longest_seconds(loaded.parts)))
        if units and not any(is_heard):
            raise ModelError(f"it placed none of the {len(words)} words of the chunk at {chunk.start:.2f} s")
        return [entry for stretch in stretches for entry in stretch.times]

    def _attend(self, chunk: Chunk, samples: np.ndarray) -> list[Heard]:
        if self._engine.parts.heads is None:
            self._has_heads = False
        words = [word.text for word in chunk.words]
        return self._engine.run(attend_words, self._engine.parts, samples, words, chunk.language)

    def _warn(self, what: str, message: str) -> None:
        if what not in self._warned:
            self._warned.add(what)
            self._listener.warn(message)


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, ModelError | MissingExtra) else f"{type(error).__name__}: {error}"

