"""Levels of channels to turns: each moment of speech belongs to the channel that is loudest then.

For recordings with one voice per channel, as telephone calls and interviews have them. What leaks from one channel into
another is quieter there, so that it never takes a turn. Knows nothing of models.
"""

from itertools import pairwise

import numpy as np

from ossicle.results import Turn

SMOOTH_STEPS = 5                     # of 10 ms: about one period of a deep voice and its neighbours
FLOOR_DB = 9.0                       # speech stands so far above a channel's own noise
RANGE_DB = 35.0                      # and quiet speech no further below its loud parts
QUIETEST_DB = -65.0                  # of full scale; below is the noise of any recording
GAIN_DB = 6.0                        # a channel recorded too low is lifted by at most so much: a silent one holds only leakage
SWITCH_DB = 3.0                      # whoever is to take over must be louder by this: two talk at once
MIN_STEPS = 10                       # of 10 ms; no turn is shorter
SAME_DB, SAME_SHARE = 0.5, 0.98      # channels whose levels agree so closely and so often hold one sound
TINY = 1e-12


def channel_labels(num_channels: int) -> tuple[str, ...]:
    """What the voices of channels are called, in the order of the channels."""
    return ("LEFT", "RIGHT") if num_channels == 2 else tuple(f"CHANNEL_{number}" for number in range(num_channels))


def turns_by_loudness(power: np.ndarray, steps_per_second: float) -> list[Turn]:
    """Turns of the channels of one recording; they never overlap.

    power     (channels, steps) mean squares, as audio/channels.py takes them
    """
    if not power.size:
        return []
    levels = _levels(power)                                             # (channels, steps) dB
    loud = np.array([_loud(channel) for channel in levels])             # (channels,)
    active = levels > np.array([_threshold(*pair) for pair in zip(levels, loud)])[:, None]
    levels = levels + np.clip(loud.max() - loud, 0, GAIN_DB)[:, None]
    owners = _owners(np.where(active, levels, -np.inf))                 # (steps,) channel, -1 where nobody speaks
    labels = channel_labels(len(power))
    edges = np.flatnonzero(np.diff(owners, prepend=-2, append=-2))
    return [Turn(begin / steps_per_second, end / steps_per_second, labels[owners[begin]])
            for begin, end in pairwise(edges) if owners[begin] >= 0 and end - begin >= MIN_STEPS]


def hold_one_sound(power: np.ndarray) -> bool:
    """Whether all channels hold the same sound, so that their levels tell nothing."""
    levels = _levels(power)
    heard = levels.max(axis=0) > QUIETEST_DB                            # (steps,)
    if not heard.any():
        return False
    spread = levels.max(axis=0)[heard] - levels.min(axis=0)[heard]
    return bool(np.mean(spread < SAME_DB) >= SAME_SHARE)


def _levels(power: np.ndarray) -> np.ndarray:
    kernel = np.ones(SMOOTH_STEPS) / SMOOTH_STEPS
    smooth = np.array([np.convolve(channel, kernel, "same")[: len(channel)] for channel in power])
    return 10 * np.log10(smooth + TINY)


def _loud(levels: np.ndarray) -> float:
    """How loud a channel is where it is loud; a channel without any sound is very quiet."""
    heard = levels[levels > QUIETEST_DB]
    return float(np.percentile(heard, 90)) if len(heard) else QUIETEST_DB


def _threshold(levels: np.ndarray, loud: float) -> float:
    floor = float(np.percentile(levels, 10)) + FLOOR_DB
    return max(min(floor, loud - FLOOR_DB), loud - RANGE_DB, QUIETEST_DB)   # one who never pauses has no floor to see


def _owners(scores: np.ndarray) -> np.ndarray:
    """The channel of each step: the loudest, but whoever has the turn keeps it until another is clearly louder."""
    best = np.argmax(scores, axis=0)
    owners = np.full(scores.shape[1], -1)
    current = -1
    for step, leader in enumerate(best):
        if scores[leader, step] == -np.inf:
            current = -1
        elif current < 0 or scores[current, step] + SWITCH_DB < scores[leader, step]:
            current = int(leader)
        owners[step] = current
    return owners
