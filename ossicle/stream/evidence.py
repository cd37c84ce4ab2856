"""What speaks for speech in a frame: the sound of frames in, signs out.

Two ways: the Silero network, and the level alone. Both remember only the recent past, and give the same signs for the same
frames, to the bit, however many come at once. Know nothing of utterances; figures behind the constants: docs/live-endpointing.md.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

import numpy as np

from ossicle.audio.pcm import Samples
from ossicle.audio.resample import SAMPLE_RATE
from ossicle.audio.silero import FRAME, PackageSilero, Silero, State, load_silero
from ossicle.options import VadOptions
from ossicle.stream_options import EndpointOptions

QUARTER = 128                        # samples: the finest look at how loud it was
FRAMES_PER_SECOND = SAMPLE_RATE / FRAME
SILENT = 10 ** (VadOptions.silence_dbfs / 10)
LOUD = 10 ** (VadOptions.keep_dbfs / 10)
RESET_FRAMES = round(2 * FRAMES_PER_SECOND)     # of silence, after which the network begins anew; it is not asked there
NEAR_FRAMES = 8                      # a frame below the gate is speech only so near to one above it: the closure of a plosive
POSSIBLE = 0.4                       # share of the threshold that noise does not reach for long, and soft speech does
DOUBT_FRAMES, DOUBT_LEAST = 8, 7     # so many frames of so many above that are speech, too
LOUD_FRAMES = round(1.5 * FRAMES_PER_SECOND)    # of loud sound in which no speech is heard, before its movement is judged
LOUD_LEAST = 0.8                     # share of them that must be loud: taps and clicks are not
VOICE_FRAMES = 3                     # with a voice begin the count anew: single ones are chance, under music too
MOVING_DB, STILL_DB = 3.0, 2.0       # spread of levels from which sound moves, and below which it is still: noise, hum
QUIET_SHARE = 0.2                    # of the threshold, below which a frame is quiet, when also its level is
FLOOR_FRAMES = 256                   # 8 s in which the noise floor is looked for
FLOOR_EVERY = 8                      # frames
FLOOR_SHARE = 0.1                    # of them lie below it
QUIET_DB = 6.0                       # above the floor begins what is not quiet; for the level alone speech goes on there
SPEECH_DB = 9.0                      # and so far above it speech begins, for the level alone
LEAST = 10 ** (-55 / 10)             # softer than this nothing is speech, for the level alone
BACK_FRAMES = 31                     # as far an onset is looked for behind the place where it was noticed


@dataclass(frozen=True)
class Sound:
    """Frames, and how loud they are."""

    frames: Samples                  # (frames, 512)
    quarters: np.ndarray             # (frames, 4) mean squares
    powers: list[float]              # mean square of each frame
    levels: list[float]              # dB of the differences between samples: rumble counts for little


@dataclass(frozen=True, slots=True)
class Sign:
    """What speaks for speech in a frame."""

    begins: bool                     # enough to begin
    goes_on: bool                    # enough to go on
    back: int                        # frames ago that it began
    is_quiet: bool                   # nothing speaks for it
    heard: bool | None               # a voice was heard; None where nobody listened for one


class Evidence(Protocol):
    """A way to look for speech, with its memory."""

    def judge(self, sound: Sound) -> list[Sign]:
        """The next frames."""
        ...


def measure(frames: Samples) -> Sound:
    """How loud each frame is; sums run within frames only, so that a frame has the same numbers in any company."""
    quarters = np.square(frames.reshape(-1, FRAME // QUARTER, QUARTER)).mean(axis=2)
    changes = np.square(frames[:, 1:] - frames[:, :-1]).mean(axis=1)
    levels = [10 * math.log10(float(change) + 1e-12) for change in changes]
    return Sound(frames, quarters, [float(power) for power in quarters.mean(axis=1)], levels)


@dataclass
class Floor:
    """The level of the noise in dB: what a tenth of the last eight seconds lies below."""

    level: float = 0.0
    num_seen: int = 0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=FLOOR_FRAMES))

    def take(self, level: float) -> float:
        """One frame; gives the floor."""
        self.recent.append(level)
        if self.num_seen % FLOOR_EVERY == 0 or len(self.recent) < FLOOR_EVERY:
            self.level = sorted(self.recent)[int(FLOOR_SHARE * len(self.recent))]
        self.num_seen += 1
        return self.level


class SileroEvidence:
    """The network, asked only where it is not silent for long.

    is_lenient   take for speech also what the network doubts for long, and loud sound that moves: speech under music
    """

    def __init__(self, options: EndpointOptions, is_lenient: bool) -> None:
        self._options, self._is_lenient = options, is_lenient
        self._network, self._state = _network() or load_silero(), State()
        self._floor, self._movement = Floor(), Movement()
        self._soft_frames = RESET_FRAMES                # below the gate, up to now
        self._doubts: deque[bool] = deque(maxlen=DOUBT_FRAMES)
        self._is_open = False

    def judge(self, sound: Sound) -> list[Sign]:
        """The next frames."""
        probabilities = self._listen(sound)
        return [self._sign(float(probability), power, level, near) for (probability, near), power, level
                in zip(probabilities, sound.powers, sound.levels, strict=True)]

    def _listen(self, sound: Sound) -> list[tuple[float, bool]]:
        """Probability of speech in each frame, 0 where the network is not asked, and whether it is near to sound above the gate."""
        found: list[tuple[float, bool]] = []
        begin = 0                                       # of the frames that the network gets at once
        for place, power in enumerate([*sound.powers, None]):
            is_soft = power is not None and power <= SILENT
            if power is None or (is_soft and self._soft_frames >= RESET_FRAMES):
                if begin < place:
                    asked = self._network(sound.frames[begin:place].ravel(), self._state)
                    found[begin:place] = [(float(p), near) for p, (_, near) in zip(asked, found[begin:place], strict=True)]
                begin = place + 1
            if power is None:
                break
            if not is_soft and self._soft_frames >= RESET_FRAMES:
                self._state = State()
            self._soft_frames = self._soft_frames + 1 if is_soft else 0
            found.append((0.0, self._soft_frames <= NEAR_FRAMES))
        return found

    def _sign(self, probability: float, power: float, level: float, is_near: bool) -> Sign:
        options, floor = self._options, self._floor.take(level)
        begins = is_near and probability >= options.threshold
        self._is_open = begins or (self._is_open and is_near and probability >= options.stop_threshold)
        heard, back = self._is_open, 0
        if self._is_lenient:
            self._doubts.append(is_near and probability >= options.threshold * POSSIBLE)
            if not heard and self._doubts[-1] and sum(self._doubts) >= DOUBT_LEAST:
                heard, back = True, len(self._doubts) - 1 - self._doubts.index(True)
            moving = self._movement.take(level, power, heard)
        else:
            moving = None
        is_quiet = not heard and moving is None and (
            probability < options.threshold * QUIET_SHARE and (power <= SILENT or level <= floor + QUIET_DB))
        begins = begins or back > 0 or moving is not None
        return Sign(begins, heard or moving is not None, moving or back, is_quiet, heard)


@dataclass
class Movement:
    """Loud sound without a voice: does it move, as music does and speech under it, or is it still, as noise is?"""

    levels: deque[float] = field(default_factory=lambda: deque(maxlen=LOUD_FRAMES))
    loud: deque[bool] = field(default_factory=lambda: deque(maxlen=LOUD_FRAMES))
    is_moving: bool = False
    num_heard: int = 0               # frames in a row with a voice

    def take(self, level: float, power: float, heard: bool) -> int | None:
        """One frame: how many frames ago the sound that moves began, or None for no such sound."""
        self.num_heard = self.num_heard + 1 if heard else 0
        if self.num_heard >= VOICE_FRAMES:
            self.levels.clear()
            self.loud.clear()
            self.is_moving = False
            return None
        self.levels.append(level)
        self.loud.append(power > LOUD)
        if self.loud.count(True) < LOUD_LEAST * LOUD_FRAMES or len(self.loud) < LOUD_FRAMES:
            self.is_moving = False
        else:
            self.is_moving = spread(self.levels) >= (STILL_DB if self.is_moving else MOVING_DB)
        return len(self.loud) - 1 - self.loud.index(True) if self.is_moving and power > LOUD else None


class EnergyEvidence:
    """The level alone, against a noise floor that follows: for machines without the network."""

    def __init__(self) -> None:
        self._floor = Floor()
        self._levels: deque[float] = deque(maxlen=LOUD_FRAMES)
        self._powers: deque[float] = deque(maxlen=LOUD_FRAMES)
        self._is_open = False

    def judge(self, sound: Sound) -> list[Sign]:
        """The next frames."""
        return [self._sign(power, level) for power, level in zip(sound.powers, sound.levels, strict=True)]

    def _sign(self, power: float, level: float) -> Sign:
        floor = self._floor.take(level)
        self._levels.append(level)
        self._powers.append(power)
        still = power > LEAST and len(self._levels) == LOUD_FRAMES and spread(self._levels) < STILL_DB
        begins = power > LEAST and level > floor + SPEECH_DB and not still
        back = 0
        if begins and not self._is_open:
            # The floor may have been too high before, as in a recording that begins in the middle of a word.
            recent = list(zip(self._levels, self._powers, strict=True))[-2 : -BACK_FRAMES - 2 : -1]
            before = [power > LEAST and level > floor + QUIET_DB for level, power in recent]
            back = next((place for place, is_above in enumerate(before) if not is_above), len(before))
        goes_on = power > LEAST and level > floor + QUIET_DB
        self._is_open = begins or (self._is_open and goes_on and not still)
        return Sign(begins, self._is_open, back, not self._is_open and not goes_on, None)


def spread(levels: Iterable[float]) -> float:
    """Decibels between the softest fifth and the loudest: single taps do not count."""
    ranked = sorted(levels)
    fifth = len(ranked) // 5
    return ranked[-1 - fifth] - ranked[fifth]


@cache
def _network() -> Silero | None:
    """The network, which keeps no state, for all sessions; None where it is the package's own, which does."""
    network = load_silero()
    return None if isinstance(network, PackageSilero) else network
