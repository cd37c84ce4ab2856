"""A seed in, speech-like sound out: (samples,) float32 at 16 kHz, the same bits on every machine.

Knows nothing of goldens or models. Syllables of a gliding pulse train and of noise pass through three resonators that
move from vowel to vowel, with bursts and pauses between. Only + - * / on double floats and integers are used, which
IEEE 754 rounds alike everywhere; no function of a mathematics library, whose last bit may differ.
"""

from functools import lru_cache

import numpy as np

RATE = 16000
STEP = 80  # samples between two settings of the resonators: 5 ms
NUM_RESONATORS = 3
PI = 3.141592653589793
VOWELS = [
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
    (490, 1350, 1690),
]
BANDWIDTHS = (80.0, 110.0, 160.0)
HISS = [(2600, 4200, 6100), (1800, 3300, 5200), (3900, 5400, 7000)]
PEAK = 19661  # of 32767: 0.6 of full scale


@lru_cache(maxsize=16)
def speech(num_samples: int, seed: int) -> np.ndarray:
    """Speech-like sound, a whole number of 1/32768 in every sample."""
    out = (speech_int16(num_samples, seed) / 32768).astype(np.float32)
    out.flags.writeable = False
    return out


@lru_cache(maxsize=16)
def speech_int16(num_samples: int, seed: int) -> np.ndarray:
    """The same sound as it would stand in a file."""
    chance = Chance(seed)
    drive: list[float] = []
    formants: list[tuple[float, float, float]] = []  # one per STEP samples
    while len(drive) < num_samples:
        _syllable(chance, drive, formants)
    sound = _resonate(drive[:num_samples], formants)
    scale = PEAK / max(abs(min(sound)), abs(max(sound)))
    floor = Chance(seed + 1)  # the quiet hiss of a room, three units high, so that a pause is not digital silence
    values = [int(value * scale + 32768.5 + 6.0 * floor.number() - 3.0) - 32768 for value in sound]
    return np.array(values, np.int16)


class Chance:
    """Uniform numbers in [0, 1) from a 64-bit linear congruential generator (Knuth's MMIX constants)."""

    def __init__(self, seed: int):
        self.state = (seed * 2862933555777941757 + 3037000493) % 2**64

    def number(self) -> float:
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 40) / 16777216.0

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.number()

    def one_of(self, choices):
        return choices[int(self.number() * len(choices))]


def _syllable(chance: Chance, drive: list[float], formants: list) -> None:
    """Append a consonant, a vowel and perhaps a pause; each a whole number of steps long."""
    if chance.number() < 0.6:
        _noise(chance, drive, formants, int(chance.between(6, 18)), chance.one_of(HISS), chance.between(0.05, 0.2))
    else:  # a stop: silence, then a burst
        _noise(chance, drive, formants, int(chance.between(6, 12)), chance.one_of(VOWELS), 0.0)
        _noise(chance, drive, formants, 3, chance.one_of(VOWELS), 0.6)
    _vowel(chance, drive, formants, int(chance.between(14, 44)))
    if chance.number() < 0.2:
        _noise(chance, drive, formants, int(chance.between(20, 70)), chance.one_of(VOWELS), 0.0)


def _noise(chance: Chance, drive: list[float], formants: list, steps: int, place, loudness: float) -> None:
    length = steps * STEP
    for i in range(length):
        swell = min(i, length - i) / length * 2.0
        drive.append((chance.number() - 0.5) * loudness * swell if loudness else 0.0)
    formants.extend([tuple(float(hertz) for hertz in place)] * steps)


def _vowel(chance: Chance, drive: list[float], formants: list, steps: int) -> None:
    begin, end = chance.one_of(VOWELS), chance.one_of(VOWELS)
    pitch, last_pitch = chance.between(110.0, 220.0), chance.between(90.0, 180.0)
    length, phase, loudness = steps * STEP, 0.0, chance.between(0.4, 1.0)
    for i in range(length):
        part = i / length
        phase += (pitch + (last_pitch - pitch) * part) / RATE
        if phase >= 1.0:
            phase -= 1.0
        swell = min(1.0, 8.0 * part, 3.0 * (1.0 - part))
        pulse = 27.0 / 4.0 * phase * phase * (1.0 - phase) - 0.5625  # an open and a closing throat, no steady part
        drive.append((pulse + 0.05 * (chance.number() - 0.5)) * swell * loudness)
    for i in range(steps):
        formants.append(tuple(a + (b - a) * i / steps for a, b in zip(begin, end, strict=True)))


def _resonate(drive: list[float], formants: list[tuple[float, float, float]]) -> list[float]:
    """Pass the sound through the moving resonators, one after the other."""
    for which in range(NUM_RESONATORS):
        shrink = _exponential(-PI * BANDWIDTHS[which] / RATE)
        out, last, before = [], 0.0, 0.0
        for begin in range(0, len(drive), STEP):
            turn = 2.0 * shrink * _cosine(2.0 * PI * formants[begin // STEP][which] / RATE)
            damp = shrink * shrink
            gain = 1.0 - turn + damp  # one at zero hertz
            for value in drive[begin : begin + STEP]:
                last, before = gain * value + turn * last - damp * before, last
                out.append(last)
        drive = out
    return drive


def _cosine(angle: float) -> float:
    term, total = 1.0, 1.0
    for i in range(1, 16):
        term = -term * angle * angle / ((2 * i - 1) * (2 * i))
        total += term
    return total


def _exponential(power: float) -> float:
    term, total = 1.0, 1.0
    for i in range(1, 16):
        term = term * power / i
        total += term
    return total
