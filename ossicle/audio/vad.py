"""What of a recording is worth decoding: a `Recording` in, `Speech` out, the answer for every 32 ms of it.

First a gate on energy, then a voice detector on what passed it. Lenient: left out is only what is silent, and what is
both soft and without a trace of speech for long. Loud sound is decoded though the detector hears no speech: under music 5 dB
louder than the voice it hears none (docs/vad.md). Knows nothing of text or of how chunks are cut.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ossicle.audio.pcm import Samples
from ossicle.audio.recording import Recording
from ossicle.audio.resample import SAMPLE_RATE
from ossicle.audio.silero import FRAME, State, is_installed, load_silero
from ossicle.errors import OptionError
from ossicle.options import VadOptions

# A caller's own detector: (samples, rate) to the stretches of speech, as (start, end) in seconds.
Detector = Callable[[Samples, int], Iterable[tuple[float, float]]]

BLOCK_SECONDS = 30                   # listened to at a time
FRAMES_PER_SECOND = SAMPLE_RATE / FRAME
HYSTERESIS = 0.6                     # speech goes on above this share of the threshold
POSSIBLE = 0.25                      # and below this share nothing is taken for it: noise stays there, soft speech does not
SMOOTH_FRAMES = 5                    # a single frame above that is chance
LOUD_FRAMES = 15                     # half a second: a click is not loud sound
MIN_LOUD_SECONDS = 1.0               # nor is a cough, where no speech is near
SHORT_SECONDS = 3.0                  # a recording of one word or two: the detector needs a moment to settle
MIN_SPEECH_FRAMES = 3                # shorter is a click
MAX_DIP_FRAMES = 8                   # within a word: a plosive, the end of a syllable
RESET_SECONDS = 2.0                  # silence after which the detector begins anew; it is not asked there


@dataclass(frozen=True)
class Speech:
    """What was heard in each frame of a recording; the last frame may be shorter than 512 samples."""

    num_samples: int
    active: np.ndarray                  # (frames,) bool: to be decoded
    speech: np.ndarray | None           # (frames,) bool: somebody speaks; None where nobody was asked

    def seconds(self, start: int, end: int) -> float | None:
        """Seconds of speech between two samples; None where nobody was asked."""
        if self.speech is None:
            return None
        first, last = start // FRAME, -(-end // FRAME)
        edges = np.clip(np.arange(first, last + 1) * FRAME, start, end)
        return float(np.diff(edges)[self.speech[first:last]].sum()) / SAMPLE_RATE

    def stretches(self) -> list[tuple[int, int, bool]]:
        """The recording as (start, end, whether to decode) in samples, end to end."""
        changes = np.flatnonzero(np.diff(self.active)) + 1
        bounds = [0, *(int(change) * FRAME for change in changes), self.num_samples]
        return [(start, end, bool(self.active[start // FRAME])) for start, end in pairwise(bounds) if start < end]

    def pauses(self, start: int, end: int) -> list[tuple[int, int]]:
        """Stretches without speech between two samples; none where nobody was asked."""
        if self.speech is None:
            return []
        first, last = -(-start // FRAME), end // FRAME
        return [(at * FRAME, until * FRAME) for at, until in _runs(~self.speech[first:last], first)]


def find_speech(
    recording: Recording, options: VadOptions, detector: Detector | None = None, check: Callable[[], object] = lambda: None
) -> Speech:
    """Listen to a whole recording.

    check      is called now and then; what it raises ends the listening
    detector   a function to ask instead of ours: what it leaves out by more than a pause is not decoded, loud or not
    Raises MissingExtra for the mode silero where its package is not installed, OptionError for stretches that are none.
    """
    num_frames = -(-len(recording) // FRAME)
    if options.mode == "none":
        return Speech(len(recording), np.ones(num_frames, bool), None)
    if detector is not None:
        speech = _asked(recording, detector)
        return Speech(len(recording), _widened(speech, options), speech)
    power = _power(recording)                                                       # (frames,)
    is_loud = power > 10 ** (options.silence_dbfs / 10)
    if options.mode == "energy" or (options.mode == "auto" and not is_installed()):
        return Speech(len(recording), _widened(is_loud, options), None)
    probability = _listen(recording, is_loud, check)
    is_sound = _grown(is_loud, MAX_DIP_FRAMES)
    speech = _speech(probability, options.threshold) & is_sound
    is_possible = _average(probability, SMOOTH_FRAMES) >= options.threshold * POSSIBLE
    keep = _average(power, LOUD_FRAMES) > 10 ** (options.keep_dbfs / 10)
    if recording.seconds < SHORT_SECONDS:
        return Speech(len(recording), _widened(is_loud, options), speech)
    trace = (speech | is_possible) & is_sound
    trace = _grown(trace, round(options.pad_seconds * FRAMES_PER_SECOND)) & is_sound    # words end softly: as long as there is sound
    for start, end in _runs(keep & ~trace):
        near = trace[max(0, start - 1) : end + 1].any()
        if not near and end - start < MIN_LOUD_SECONDS * FRAMES_PER_SECOND:
            keep[start:end] = False
    return Speech(len(recording), _widened(trace | keep, options), speech)


def is_silent(samples: Samples, level_dbfs: float = VadOptions.silence_dbfs) -> bool:
    """Whether no frame is louder than the gate (RMS; a full-scale square wave is 0 dBFS); so is no sound at all."""
    return not (_frame_power(samples) > 10 ** (level_dbfs / 10)).any()


def _power(recording: Recording) -> np.ndarray:
    """Mean square of each frame."""
    found = [_frame_power(samples) for samples in _blocks(recording)]
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def _frame_power(samples: Samples) -> np.ndarray:
    whole = len(samples) // FRAME * FRAME
    power = np.square(samples[:whole].reshape(-1, FRAME)).mean(axis=1)
    return np.append(power, np.square(samples[whole:]).mean()) if whole < len(samples) else power


def _listen(recording: Recording, is_loud: np.ndarray, check: Callable[[], object]) -> np.ndarray:
    """Probability of speech in each frame; 0 in long silence, where the detector is not asked."""
    detector = load_silero()
    probability = np.zeros(len(is_loud), np.float32)
    asked = ~is_loud
    for start, end in _runs(asked.copy()):
        asked[start:end] = end - start < RESET_SECONDS * FRAMES_PER_SECOND
    asked |= is_loud
    step = round(BLOCK_SECONDS * FRAMES_PER_SECOND)
    for start, end in _runs(asked):
        state = State()
        for at in range(start, end, step):
            check()
            until = min(at + step, end)
            probability[at:until] = detector(recording.samples(at * FRAME, until * FRAME), state)
    return probability


def _speech(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Which frames are speech: from the threshold on until well below it, short dips filled, clicks left out."""
    speech = np.zeros(len(probability), bool)
    for start, end in _runs(probability >= threshold * HYSTERESIS):
        above = np.flatnonzero(probability[start:end] >= threshold)
        if len(above):
            speech[start + above[0] : end] = True
    for start, end in _runs(~speech):
        if start > 0 and end < len(speech) and end - start <= MAX_DIP_FRAMES:
            speech[start:end] = True
    for start, end in _runs(speech):
        if end - start < MIN_SPEECH_FRAMES:
            speech[start:end] = False
    return speech


def _asked(recording: Recording, detector: Detector) -> np.ndarray:
    speech = np.zeros(-(-len(recording) // FRAME), bool)
    for stretch in detector(recording.samples(), SAMPLE_RATE):
        try:
            start, end = (float(time) for time in stretch)
        except (TypeError, ValueError) as error:
            raise OptionError(f"a voice detector must give (start, end) in seconds, got {stretch!r}") from error
        if not 0 <= start <= end:                   # also refuses NaN
            raise OptionError(f"a voice detector must give 0 <= start <= end in seconds, got {stretch!r}")
        speech[int(start * FRAMES_PER_SECOND) : -int(-end * FRAMES_PER_SECOND // 1) if end < np.inf else None] = True
    return speech


def _widened(active: np.ndarray, options: VadOptions) -> np.ndarray:
    """With room before and after, and pauses shorter than `min_silence_seconds` filled; the room counts as part of the pause."""
    pad = round(options.pad_seconds * FRAMES_PER_SECOND)
    wide = _grown(active, pad)
    shortest = max(1, options.min_silence_seconds * FRAMES_PER_SECOND - 2 * pad)
    for start, end in _runs(~wide):
        num_edges = (start == 0) + (end == len(wide))
        if end - start - pad * num_edges < shortest:
            wide[start:end] = active.any()
    return wide


def _grown(mask: np.ndarray, num_frames: int) -> np.ndarray:
    grown = mask.copy()
    for start, end in _runs(mask):
        grown[max(0, start - num_frames) : end + num_frames] = True
    return grown


def _average(values: np.ndarray, num_frames: int) -> np.ndarray:
    """The mean around each frame."""
    if not len(values):
        return values
    half = num_frames // 2
    sums = np.concatenate(([0.0], np.cumsum(np.pad(values, (half, half), mode="edge"), dtype=np.float64)))
    return (sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)


def _runs(mask: np.ndarray, first: int = 0) -> list[tuple[int, int]]:
    """Where a mask is true, as (start, end), counted from `first`."""
    edges = np.diff(np.concatenate(([False], mask, [False])).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(start) + first, int(end) + first) for start, end in zip(starts, ends, strict=True)]


def _blocks(recording: Recording) -> Iterable[Samples]:
    step = round(BLOCK_SECONDS * FRAMES_PER_SECOND) * FRAME
    return (recording.samples(at, at + step) for at in range(0, len(recording), step))
