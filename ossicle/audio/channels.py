"""How loud each channel of a recording is, in steps of 10 ms: taken from blocks that pass by on their way to mono.

Knows nothing of speakers. The sound itself is not kept: an hour of stereo leaves 6 MB here.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ossicle.audio.pcm import Block, Feed, to_float
from ossicle.options import AudioOptions

STEPS_PER_SECOND = 100


class ChannelLevels:
    """Grows while a recording is read; then `power` has its levels."""

    def __init__(self) -> None:
        self._sums = np.zeros((0, 0))                       # (channels, steps) of squares
        self._counts = np.zeros(0)                          # (steps,) of samples
        self._num_steps = 0

    @property
    def power(self) -> np.ndarray:
        """Mean square of each channel, (channels, steps), from the start of the range that was read."""
        return self._sums[:, : self._num_steps] / np.maximum(self._counts[: self._num_steps], 1)

    def listen(self, feed: Feed, options: AudioOptions) -> Feed:
        """The same feed, whose blocks are weighed as they pass."""
        return replace(feed, blocks=self._weighed(feed, options))

    def _weighed(self, feed: Feed, options: AudioOptions) -> Iterator[Block]:
        seconds = feed.begin_seconds - options.start_seconds        # of the next block, from the start of the range
        length = np.inf if options.end_seconds is None else options.end_seconds - options.start_seconds
        for block in feed.blocks:
            if block.frames is not None and seconds < length:
                self._add(to_float(block.frames), block.rate, seconds, length)
            seconds += len(block.samples) / block.rate
            yield block

    def _add(self, frames: np.ndarray, rate: int, seconds: float, length: float) -> None:
        places = round(seconds * rate) + np.arange(len(frames))     # in samples from the start of the range
        is_inside = (places >= 0) & (places < length * rate)
        frames, places = frames[is_inside], places[is_inside]
        if not len(frames):
            return
        squares = np.square(frames - frames.mean(axis=0))           # (samples, channels); a constant is no sound
        steps = places * STEPS_PER_SECOND // rate
        begins = np.flatnonzero(np.diff(steps, prepend=steps[0] - 1))
        self._make_room(frames.shape[1], int(steps[-1]) + 1)
        self._sums[: frames.shape[1], steps[begins]] += np.add.reduceat(squares, begins, axis=0).T
        self._counts[steps[begins]] += np.diff(begins, append=len(steps))

    def _make_room(self, num_channels: int, num_steps: int) -> None:
        channels, room = self._sums.shape
        if num_channels > channels or num_steps > room:
            wider = max(0, num_channels - channels)
            longer = max(0, num_steps - room, room // 2 if num_steps > room else 0)
            self._sums = np.pad(self._sums, ((0, wider), (0, longer)))
            self._counts = np.pad(self._counts, (0, longer))
        self._num_steps = max(self._num_steps, num_steps)
