"""Where an utterance begins and where it is over: frames of 32 ms in, what was heard in each out, on the audio clock.

Knows nothing of text.
"""

from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ossicle.audio.pcm import Samples
from ossicle.audio.silero import FRAME
from ossicle.stream_options import EndpointOptions

KEPT_SECONDS = 130                   # of loudness, for the place of a cut
SHORTEST_SECONDS = 0.1               # of a pause that may end an utterance of the longest length


@dataclass(frozen=True, slots=True)
class Listened:
    """One frame."""

    is_speech: bool                  # somebody speaks, hysteresis applied and clicks left out
    onset: int                       # the sample at which the speech now going on, or the last one, began
    silent_samples: int              # since the last frame with speech; 0 in speech
    is_quiet: bool                   # nothing in this frame could belong to speech


class Endpointer(Protocol):
    """What a session needs of a detector. It owns its state: one for each session."""

    def hear(self, frame: Samples) -> Listened:
        """Take the next (512,) samples; the last frame before a commit may be filled up with zeros."""
        ...

    def best_cut(self, start: int, end: int) -> int:
        """The sample between two samples of the recent past at which a cut does least harm: the middle of the softest stretch."""
        ...


def endpointer_of(options: EndpointOptions) -> Endpointer:
    """The detector that the options ask for. Raises MissingExtra for mode silero where its package is not installed."""
    return Energy(options)


class Energy:
    """Speech is what is louder than a fixed level."""

    def __init__(self, options: EndpointOptions, level_dbfs: float = -45.0) -> None:
        self._options, self._level = options, 10 ** (level_dbfs / 10)
        self._at, self._onset, self._run, self._silent = 0, 0, 0, 1 << 40
        self._power: deque[float] = deque(maxlen=round(KEPT_SECONDS * 16_000 / FRAME))

    def hear(self, frame: Samples) -> Listened:
        power = float(np.square(frame).mean())
        self._power.append(power)
        is_loud = power > self._level
        self._run = self._run + 1 if is_loud else 0
        is_speech = self._run * FRAME >= self._options.min_speech_seconds * 16_000 or (is_loud and self._silent < 8 * FRAME)
        if is_speech and self._silent >= self._options.silence_seconds * 16_000:
            self._onset = self._at - (self._run - 1) * FRAME
        self._silent = 0 if is_speech else self._silent + FRAME
        self._at += FRAME
        return Listened(is_speech, self._onset, self._silent, not is_loud)

    def best_cut(self, start: int, end: int) -> int:
        first = self._at // FRAME - len(self._power)
        places = range(max(first, -(-start // FRAME)), max(first, end // FRAME))
        if not places:
            return end
        softest = min(places, key=lambda place: self._power[place - first])
        return min(end, max(start, softest * FRAME + FRAME // 2))


def silence_needed(options: EndpointOptions, utterance_seconds: float) -> float:
    """Seconds of silence that end an utterance of that length: the longer it is, the shorter a pause may be."""
    over = utterance_seconds - (options.max_utterance_seconds - options.search_seconds)
    if over <= 0 or options.search_seconds == 0:
        return options.silence_seconds
    share = min(1.0, over / options.search_seconds)
    return options.silence_seconds + (min(options.silence_seconds, SHORTEST_SECONDS) - options.silence_seconds) * share
