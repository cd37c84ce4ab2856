"""Is there sound at all? (samples,) at 16 kHz in, yes or no out: a gate on energy, so that silence is not decoded.

Knows nothing of speech: noise passes. The level is low on purpose, since what is dropped here is lost.
"""

import numpy as np

from ossicle.audio.pcm import Samples
from ossicle.audio.resample import SAMPLE_RATE

# Speech in our nine test recordings peaks at -17 to -8 dBFS in such frames, so 45 dB softer still passes; the quietest
# second of them, room noise only, measures -50. 16-bit sound has 18 steps of RMS left at this level.
SILENCE_DBFS = -65.0
FRAME_SECONDS = 0.03                 # shorter than any syllable: one loud frame is enough to pass


def is_silent(samples: Samples, level_dbfs: float = SILENCE_DBFS) -> bool:
    """Whether not one frame is louder than `level_dbfs`; so is no sound at all."""
    return loud_seconds(samples, level_dbfs) == 0.0


def loud_seconds(samples: Samples, level_dbfs: float = SILENCE_DBFS) -> float:
    """How much of the sound is louder than `level_dbfs` (RMS of a frame; a full-scale square wave is 0 dBFS)."""
    frame = round(FRAME_SECONDS * SAMPLE_RATE)
    whole = len(samples) // frame * frame
    limit = np.float32(10 ** (level_dbfs / 10))
    power = np.square(samples[:whole].reshape(-1, frame)).mean(axis=1)       # (frames,)
    loud = int(np.count_nonzero(power > limit)) * frame
    if whole < len(samples) and np.square(samples[whole:]).mean() > limit:
        loud += len(samples) - whole
    return loud / SAMPLE_RATE
