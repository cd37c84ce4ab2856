"""What a session cost, out of its events: work for each second of sound, seconds of a step, whether steps grow, work in silence.

A session is bounded where the time of its steps does not grow with the time that it runs: the slope is 0 within its error.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ossicle.measure.latency import Distribution, distribution
from ossicle.measure.told import ToldItem

MIN_POINTS = 3                          # through fewer any line fits, and nothing is known of its error


@dataclass(frozen=True)
class Slope:
    """A straight line through points by least squares."""

    per_hour: float                     # how much y grows while x grows by 3600
    error: float                        # standard error of that
    points: int

    @property
    def is_flat(self) -> bool:
        """Whether 0 lies within two standard errors: no growth that could be told from chance."""
        return abs(self.per_hour) <= 2 * self.error


@dataclass(frozen=True)
class Effort:
    """Of any number of sessions together."""

    audio_seconds: float
    work_seconds: float                 # as the sessions told: of steps, waiting left out
    rtf: float | None                   # work for each second of sound
    steps: int
    step_seconds: Distribution | None
    slope: Slope | None                 # of a step's seconds over the sound of its session; None where steps are too few
    silence_seconds: float
    silence_steps_per_minute: float | None      # hearings of sound without speech; should be 0
    drafted: int                        # tokens offered as drafts, and of those the accepted
    accepted: int


def effort(sessions: Sequence[tuple[Sequence[ToldItem], float]]) -> Effort:
    """What sessions cost, each given as its items and the seconds of its sound."""
    items = [item for members, _ in sessions for item in members if item.final is not None]
    finals = [item.final for item in items if item.final is not None]
    audio, work = sum(seconds for _, seconds in sessions), sum(final.timings.total for final in finals)
    steps = step_times(items)
    speech = sum(final.end - final.start for final in finals if final.text.strip())
    silent = max(0.0, audio - speech)
    idle = sum(final.usage.num_steps for final in finals if not final.text.strip())
    return Effort(
        audio_seconds=audio,
        work_seconds=work,
        rtf=work / audio if audio else None,
        steps=len(steps),
        step_seconds=distribution([seconds for _, seconds in steps]),
        slope=slope([time for time, _ in steps], [seconds for _, seconds in steps]) if len(sessions) == 1 else None,
        silence_seconds=silent,
        silence_steps_per_minute=60 * idle / silent if silent else None,
        drafted=sum(final.usage.num_drafted for final in finals),
        accepted=sum(final.usage.num_accepted for final in finals),
    )


def step_times(items: Sequence[ToldItem]) -> list[tuple[float, float]]:
    """(where in the sound of its session, seconds) of each step.

    Finals tell the seconds of all steps of their item, not the moment of each: they are spread evenly over its sound, which over
    a session of many items is the same.
    """
    found = []
    for item in items:
        if item.final is not None:
            seconds = item.final.timings.step_seconds
            room = item.final.end - item.final.start
            found += [(item.final.start + room * (place + 1) / len(seconds), took) for place, took in enumerate(seconds)]
    return found


def slope(x: Sequence[float], y: Sequence[float]) -> Slope | None:
    """Least squares with the standard error of the slope; None where points are too few or all lie above one another.

    The error is that of independent, equal scatter: s / sqrt(sum (x - mean x)^2), s^2 = squared residuals over (n - 2).
    """
    if len(x) < MIN_POINTS:
        return None
    across, up = np.asarray(x, float) - np.mean(x), np.asarray(y, float) - np.mean(y)
    spread = float(across @ across)
    if not spread:
        return None
    rise = float(across @ up) / spread
    left = up - rise * across
    error = math.sqrt(float(left @ left) / (len(x) - 2) / spread)
    return Slope(rise * 3600, error * 3600, len(x))
