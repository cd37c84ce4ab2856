"""One small fixed piece of arithmetic, timed again and again while other work goes on: how fast the machine was meanwhile.

Speed by itself cannot be compared between machines, nor between a busy and an idle hour of one. Work over a yardstick that
was timed in the same minutes can: what slows the one slows the other.
"""

import time

import numpy as np

WIDTH = 512                     # of two square float32 matrices whose product is the yardstick: 0.27 GFLOP, some milliseconds
EVERY_SECONDS = 0.2             # between two of them, so that they take a few hundredths of the time
MIN_PROBES = 5                  # fewer say nothing about a busy machine


class Yardstick:
    """Times the yardstick when it is asked to and the last time is long enough ago."""

    def __init__(self) -> None:
        self._square = np.ones((WIDTH, WIDTH), np.float32)
        self._last = -EVERY_SECONDS
        self._seconds: list[float] = []
        self._square @ self._square                         # wakes the threads of the BLAS

    def probe(self) -> None:
        """Time it once more, unless it was timed a moment ago."""
        started = time.perf_counter()
        if started - self._last < EVERY_SECONDS:
            return
        self._square @ self._square
        self._last = time.perf_counter()
        self._seconds.append(self._last - started)

    @property
    def seconds(self) -> float | None:
        """The mean of all times, as work suffers from every delay and not only from the shortest; None where they are too few."""
        return sum(self._seconds) / len(self._seconds) if len(self._seconds) >= MIN_PROBES else None

    def __len__(self) -> int:
        return len(self._seconds)
