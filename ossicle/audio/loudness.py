"""Which parts of a sound are loud against the rest of it: (samples,) at 16 kHz in, one yes or no for each 10 ms out.

For spreading words over a stretch that is known to hold speech. Whether it holds any is vad.py's to say.
"""

import numpy as np

from ossicle.audio.pcm import Samples
from ossicle.audio.resample import SAMPLE_RATE

STEP_SECONDS = 0.01
STEP = round(STEP_SECONDS * SAMPLE_RATE)
SMOOTH_STEPS = 3                     # a frame is averaged with its neighbours: one period of a low voice is as long as a step
BELOW_PEAK_DB = 35.0                 # speech is seldom softer than that below its loudest vowel
ABOVE_FLOOR = 0.25                   # of the way, in dB, from the quietest to the loudest: where the room itself is loud
FLOOR_PERCENTILE, PEAK_PERCENTILE = 5, 98    # a click is no peak, a dropout no floor
LEAST_POWER = 1e-10


def loud_steps(samples: Samples) -> np.ndarray:
    """(steps,) bool, one for each 10 ms begun; all of them where nothing stands out, as in digital silence."""
    level = levels(samples)
    if not len(level):
        return np.ones(0, bool)
    floor, peak = np.percentile(level, (FLOOR_PERCENTILE, PEAK_PERCENTILE))
    loud = level > max(peak - BELOW_PEAK_DB, floor + ABOVE_FLOOR * (peak - floor))
    return loud if loud.any() else np.ones(len(level), bool)


def levels(samples: Samples) -> np.ndarray:
    """(steps,) smoothed level of each 10 ms in dB; the last step may be shorter."""
    whole = samples[: len(samples) // STEP * STEP].reshape(-1, STEP)                # a view: hours of sound are not copied
    power = np.einsum("ij,ij->i", whole, whole).astype(np.float64) / STEP           # (steps,)
    if rest := len(samples) % STEP:
        power = np.append(power, np.square(samples[-rest:].astype(np.float64)).mean())
    if len(power) >= SMOOTH_STEPS:
        power = np.convolve(np.pad(power, SMOOTH_STEPS // 2, mode="edge"), np.full(SMOOTH_STEPS, 1 / SMOOTH_STEPS), mode="valid")
    return 10 * np.log10(np.maximum(power, LEAST_POWER))
