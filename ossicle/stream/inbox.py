"""What came in for one session, in order: samples of any length and what is no sound, to whole frames that were listened to.

Before anything that is no sound, what is left of a frame is listened to, filled up; so commands fall where they were given.
"""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from ossicle.audio.pcm import Samples
from ossicle.audio.silero import FRAME
from ossicle.stream.endpoint import Endpointer, Listened

T = TypeVar("T")

MAX_FRAMES = 320                     # listened to at once, about 10 s


@dataclass(frozen=True)
class Frame:
    """Sound as it came in, at most 512 samples, and what was heard in it."""

    samples: Samples
    listened: Listened


class Inbox(Generic[T]):
    """Takes samples and entries of another type; gives frames and those entries."""

    def __init__(self, endpointer: Endpointer) -> None:
        self.num_waiting = 0                            # samples that were not given out yet
        self._endpointer = endpointer
        self._entries: deque[Samples | T] = deque()
        self._rest = np.zeros(0, np.float32)            # that came before all entries
        self._listened: deque[Listened] = deque()       # of the frames in it, ahead of their turn
        self._skew = 0                                  # samples that only filled up frames: the endpointer counts them, too

    def add(self, entry: Samples | T) -> None:
        """Take samples (n,) at 16 kHz, or something else."""
        self._entries.append(entry)
        if isinstance(entry, np.ndarray):
            self.num_waiting += len(entry)

    def put_back(self, entry: T) -> None:
        """Give this entry once more, next."""
        self._entries.appendleft(entry)

    @property
    def has_more(self) -> bool:
        """Whether `next` would give something."""
        return self.num_waiting >= FRAME or any(not isinstance(entry, np.ndarray) for entry in self._entries)

    def next(self) -> Frame | T | None:
        """What comes next; None where nothing does, or not a whole frame."""
        while len(self._rest) < FRAME and self._entries:
            entry = self._entries[0]
            if not isinstance(entry, np.ndarray):
                if len(self._rest):
                    break
                self._entries.popleft()
                return entry
            self._entries.popleft()
            self._rest = np.concatenate([self._rest, entry]) if len(self._rest) else entry
        if len(self._rest) < FRAME and not self._entries:
            return None
        listened = self._listen()
        samples, self._rest = self._rest[:FRAME], self._rest[FRAME:]
        self.num_waiting -= len(samples)
        return Frame(samples, listened)

    def place(self, heard: int) -> int:
        """A sample as the endpointer counts, on the session's clock: true for what is newer than the last entry that was no sound."""
        return heard - self._skew

    def best_cut(self, start: int, end: int) -> int:
        """The endpointer's, between two samples on the session's clock."""
        return min(max(start, self._endpointer.best_cut(start + self._skew, end + self._skew) - self._skew), end)

    def _listen(self) -> Listened:
        """What is heard in the next frame; the detector takes all that is there at once, which costs a third."""
        if len(self._rest) < FRAME:
            self._skew += FRAME - len(self._rest)
            return self._endpointer.hear(np.pad(self._rest, (0, FRAME - len(self._rest))))
        if not self._listened:
            count = min(MAX_FRAMES, len(self._rest) // FRAME)
            self._listened.extend(self._endpointer.hear_many(self._rest[: count * FRAME].reshape(-1, FRAME)))
        return self._listened.popleft()
