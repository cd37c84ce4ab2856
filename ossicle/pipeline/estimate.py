"""Words to times without a model: each gets its share of the loud parts of the sound. A guess, and marked as one."""

from collections.abc import Sequence

import numpy as np

from ossicle.audio.load import SAMPLE_RATE
from ossicle.audio.loudness import STEP_SECONDS, loud_steps
from ossicle.pipeline.spans import Heard, lay_out
from ossicle.text.scripts import is_east_asian, is_spoken

SYLLABLE = 2.5                       # a Han, kana or Hangul character is said as long as so many letters of an alphabet


def estimate_words(words: Sequence[str], samples: np.ndarray) -> list[Heard]:
    """When each word may be said: loud time is handed out in order, by characters that are spoken.

    words     of the whole of `samples`
    returns   one Heard for each, none of them measured; in order, inside the sound
    """
    seconds = len(samples) / SAMPLE_RATE
    loud = np.concatenate([[0.0], np.cumsum(loud_steps(samples))])              # loud steps before each step
    ends = np.cumsum([weight_of(word) for word in words])
    if not len(ends) or loud[-1] == 0:
        return lay_out([Heard(0.0, seconds, False) for _ in words], seconds)
    bounds = np.concatenate([[0.0], ends / ends[-1]]) * loud[-1]                # in loud steps
    # A word begins where loud time goes on and ends where it stopped: a pause between two words belongs to neither.
    starts = np.searchsorted(loud, bounds[:-1], "right") - 1
    stops = np.searchsorted(loud, bounds[1:], "left")
    begun, left = bounds[:-1] - loud[starts], loud[stops] - bounds[1:]          # of a step
    heard = [
        Heard(float(start), min(float(end), seconds), False)
        for start, end in zip((starts + begun) * STEP_SECONDS, (stops - left) * STEP_SECONDS)
    ]
    return lay_out(heard, seconds)


def weight_of(text: str) -> float:
    """How long a text takes to say, in letters of an alphabet."""
    return max(1.0, sum(SYLLABLE if _is_syllable(char) else 1.0 for char in text if is_spoken(char)))


def _is_syllable(char: str) -> bool:
    return is_east_asian(char) or "\uac00" <= char <= "\ud7a3"

