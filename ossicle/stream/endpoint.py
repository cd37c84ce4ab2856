"""Where an utterance begins and where it is over: frames of 32 ms in, what was heard in each out, on the audio clock.

What speaks for speech in a frame is found in evidence.py; here it becomes onsets and silences, and the past is kept that a cut
needs. The same frames give the same answers, to the bit, however many come at once. Knows nothing of text.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ossicle.audio.pcm import Samples
from ossicle.audio.resample import SAMPLE_RATE
from ossicle.audio.silero import FRAME, is_installed
from ossicle.stream.evidence import QUARTER, SILENT, EnergyEvidence, Evidence, SileroEvidence, measure
from ossicle.stream_options import EndpointOptions

KEPT_SECONDS = 130                   # of the past, for the place of a cut: longer than any utterance
NEVER = 1 << 40                      # samples, two years: nobody has spoken yet
CUT_QUARTERS = 8                     # a cut falls into a stretch of 64 ms: shorter is a closure within a word
ALIKE = 2.0                          # stretches within 3 dB of the softest are as soft: the longest of them is the best place
SHORTEST_SILENCE = 0.1               # seconds that end an utterance of the greatest length


@dataclass(frozen=True, slots=True)
class Listened:
    """One frame."""

    is_speech: bool                  # somebody speaks, hysteresis applied and clicks left out
    onset: int                       # the sample at which the speech now going on, or the last one, began
    silent_samples: int              # since the last frame with speech; waits while it is open whether speech begins again
    is_quiet: bool                   # nothing in this frame could belong to speech


class Endpointer(Protocol):
    """What a session needs of a detector. It owns its state: one for each session."""

    def hear(self, frame: Samples) -> Listened:
        """Take the next (512,) samples; the last frame before a commit may be filled up with zeros."""
        ...

    def hear_many(self, frames: Samples) -> list[Listened]:
        """Take the next (frames, 512) samples: the same answers as one by one, for less work."""
        ...

    def best_cut(self, start: int, end: int) -> int:
        """The sample between two samples of the recent past at which a cut does least harm: the middle of the softest stretch."""
        ...

    def speech_seconds(self, start: int, end: int) -> float | None:
        """How long somebody was heard to speak between two samples of the recent past; None where only the level was looked at."""
        ...


def endpointer_of(options: EndpointOptions) -> Endpointer:
    """The detector that the options ask for. Raises MissingExtra for mode silero where its package is not installed.

    Manual is auto here: that only commit() ends an utterance is the session's business, that silence is not decoded is ours.
    """
    if options.mode == "energy" or (options.mode != "silero" and not is_installed()):
        return Listener(options, EnergyEvidence())
    return Listener(options, SileroEvidence(options, is_lenient=options.mode != "silero"))


def silence_needed(options: EndpointOptions, utterance_seconds: float) -> float:
    """Seconds of silence that end an utterance of this length: fewer and fewer as it nears the longest that it may be."""
    shortest = min(SHORTEST_SILENCE, options.silence_seconds)
    left = options.max_utterance_seconds - utterance_seconds
    if left >= options.search_seconds:
        return options.silence_seconds
    return shortest + (options.silence_seconds - shortest) * max(0.0, left) / options.search_seconds


class Listener:
    """An endpointer over any evidence."""

    def __init__(self, options: EndpointOptions, evidence: Evidence) -> None:
        self._evidence = evidence
        self._runs = Runs(max(1, round(options.min_speech_seconds * SAMPLE_RATE / FRAME)))
        self._powers, self._heard = Past(QUARTER), Past(FRAME)

    def hear(self, frame: Samples) -> Listened:
        """The next (512,) samples."""
        return self.hear_many(frame[np.newaxis])[0]

    def hear_many(self, frames: Samples) -> list[Listened]:
        """The next (frames, 512) samples."""
        sound = measure(frames)
        signs = self._evidence.judge(sound)
        self._powers.add(sound.quarters.ravel())
        if all(sign.heard is not None for sign in signs):
            self._heard.add(np.array([sign.heard for sign in signs], np.float32))
        return [Listened(*self._runs.take(sign.begins, sign.goes_on, sign.back), sign.is_quiet) for sign in signs]

    def best_cut(self, start: int, end: int) -> int:
        """The middle of the softest stretch of at least 64 ms; of several alike the longest, of those the last."""
        first, powers = self._powers.between(start, end)
        if len(powers) < CUT_QUARTERS:
            return max(start, min(end, (start + end) // 2))
        sums = np.convolve(powers, np.ones(CUT_QUARTERS), "valid")
        is_soft = sums <= max(float(sums.min()) * ALIKE, SILENT * CUT_QUARTERS)
        edges = np.diff(np.concatenate(([0], is_soft.astype(np.int8), [0])))
        starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        best = len(starts) - 1 - int(np.argmax((ends - starts)[::-1]))
        middle = first * QUARTER + (int(starts[best]) + int(ends[best]) - 1 + CUT_QUARTERS) * QUARTER // 2
        return max(start, min(end, middle))

    def speech_seconds(self, start: int, end: int) -> float | None:
        """Of speech that the network was heard to hear; loud sound that was let pass is not counted."""
        _, heard = self._heard.between(start, end)
        return float(heard.sum()) * FRAME / SAMPLE_RATE if self._heard.num_added else None


@dataclass
class Runs:
    """Runs of speech out of single frames: a run shorter than `min_frames` is a click."""

    min_frames: int
    at: int = 0                      # where the next frame begins
    onset: int = 0
    start: int | None = None         # of the run that is open
    end: int = -NEVER                # of the last frame with speech

    def take(self, begins: bool, goes_on: bool, back: int) -> tuple[bool, int, int]:
        """One frame: whether there is speech in it, where that began, how long ago the last was.

        begins    a run may begin here, `back` frames ago
        goes_on   a run that is open goes on
        """
        if self.start is None and begins:
            self.start = max(self.at - back * FRAME, self.end, 0)
        elif self.start is not None and not (begins or goes_on):
            self.start = None
        self.at += FRAME
        if self.start is None:
            return False, self.onset, self.at - self.end
        if self.at - self.start < self.min_frames * FRAME:
            return False, self.onset, self.start - self.end
        self.onset, self.end = self.start, self.at
        return True, self.onset, 0


class Past:
    """One number for every so many samples, of the last `KEPT_SECONDS`; memory is bounded, adding costs next to nothing."""

    def __init__(self, samples_each: int) -> None:
        self._each = samples_each
        self._num_kept = KEPT_SECONDS * SAMPLE_RATE // samples_each
        self._values = np.zeros(2 * self._num_kept, np.float32)
        self._filled = 0
        self.num_added = 0

    def add(self, values: np.ndarray) -> None:
        """Take the next (n,) numbers."""
        for at in range(0, len(values), self._num_kept):
            part = values[at : at + self._num_kept]
            if self._filled + len(part) > len(self._values):
                self._values[: self._num_kept] = self._values[self._filled - self._num_kept : self._filled].copy()
                self._filled = self._num_kept
            self._values[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
        self.num_added += len(values)

    def between(self, start: int, end: int) -> tuple[int, np.ndarray]:
        """The place of the first number, and those that lie between two samples, as far as they are kept."""
        oldest = self.num_added - min(self._filled, self._num_kept)
        first = min(max(-(-start // self._each), oldest), self.num_added)
        last = max(first, min(end // self._each, self.num_added))
        offset = self._filled - self.num_added
        return first, self._values[first + offset : last + offset]
