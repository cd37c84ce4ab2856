"""Keys and values between steps, in NumPy arrays that are allocated ahead.

Arrays are written in place only while nobody else holds them: forks share them, and whoever writes first takes its own copy.
"""

import math
from collections.abc import Sequence
from copy import copy

import numpy as np

from ossicle.model.config import DecoderConfig
from ossicle.model.cpu.arithmetic import LayerCaches
from ossicle.model.cpu.native import ALIGNMENT, Arena, Held

STEP = 256                   # positions by which the capacity grows: about 20 s of sound, or a minute of text


class CPUCache:
    """A KVCache (see network.py) over per-layer arrays (batch, kv_heads, capacity, head_dim) of float32 or float16."""

    def __init__(self, config: DecoderConfig, padding: Sequence[int], capacity: int, dtype: str = "float32"):
        shape = (len(padding), config.num_kv_heads, _round_up(max(capacity, 1)), config.head_dim)
        self._held = _room(config.num_layers, shape, np.dtype(dtype))
        self._queries_per_key = config.num_heads // config.num_kv_heads
        self._padding = tuple(padding)
        self._length = 0
        self._is_shared = False

    @property
    def length(self) -> int:
        return self._length

    @property
    def padding(self) -> tuple[int, ...]:
        return self._padding

    @property
    def capacity(self) -> int:
        return int(self._held.keys[0].shape[2])

    @property
    def num_bytes(self) -> int:
        return sum(array.nbytes for array in (*self._held.keys, *self._held.values))

    def trim(self, num_positions: int) -> None:
        assert 0 <= num_positions <= self._length, f"cannot forget {num_positions} of {self._length} positions"
        self._length -= num_positions

    def fork(self) -> "CPUCache":
        self._is_shared = True          # for good: nobody counts the others, so the last one copies once in vain
        return copy(self)

    def select(self, rows: Sequence[int]) -> None:
        self._move(self.capacity, list(rows))
        self._padding = tuple(self._padding[row] for row in rows)
        self._is_shared = False

    def spread(self, padding: Sequence[int], capacity: int = 0) -> "CPUCache":
        assert self._padding == (0,), f"one row without padding is spread, these have {self._padding}"
        other, (_, kv_heads, _, head_dim) = copy(self), self._held.keys[0].shape
        room = _round_up(max(capacity, self._length, 1))
        other._held = _room(len(self._held.keys), (len(padding), kv_heads, room, head_dim), self._held.keys[0].dtype)
        other._padding, other._is_shared = tuple(padding), False
        for target, source in zip((*other._held.keys, *other._held.values), (*self._held.keys, *self._held.values)):
            for row, shift in enumerate(padding):
                target[row, :, :shift] = 0          # never attended to, but multiplied: what lay in this memory may be no number
                target[row, :, shift : self._length] = source[0, :, : max(0, self._length - shift)]
        return other

    @classmethod
    def joined(cls, config: DecoderConfig, caches: Sequence["CPUCache"], capacity: int, dtype: str) -> "CPUCache":
        """As Network.join says."""
        assert all(cache._padding == (0,) for cache in caches), "caches of one row without padding are joined"
        length = max(cache._length for cache in caches)
        other = cls(config, [length - cache._length for cache in caches], max(capacity, length), dtype)
        other._length = length
        for row, (cache, shift) in enumerate(zip(caches, other._padding)):
            held = cache._held
            for target, source in zip((*other._held.keys, *other._held.values), (*held.keys, *held.values)):
                target[row, :, :shift] = 0          # as in `spread`
                target[row, :, shift:length] = source[0, :, : cache._length]
        return other

    def keys(self, layer: int, head: int, start: int, end: int) -> np.ndarray:
        assert 0 <= start <= end <= self._length, f"positions {start} to {end} are outside the {self._length} held"
        held = self._held.keys[layer][:, head // self._queries_per_key, start:end]
        return np.array(held, np.float32)            # a copy: a later write must not reach it

    # What the decoder needs of a cache: room, positions, and a place to write.

    def reserve(self, num_positions: int) -> None:
        """Make room for so many positions more, in arrays that are this cache's alone."""
        missing = self._length + num_positions - self.capacity
        if missing <= 0 and not self._is_shared:
            return
        capacity = self.capacity + _round_up(max(missing, 0))
        self._move(capacity, list(range(len(self._padding))))
        self._is_shared = False

    def positions(self, num_positions: int) -> np.ndarray:
        """Where the next positions lie in each row's own count: (batch, positions). Empty ones count below 0."""
        return np.arange(self._length, self._length + num_positions) - np.array(self._padding)[:, None]

    def layers(self) -> LayerCaches:
        """What is to be written behind `length`; `advance` ends the turn. The same object as long as its arrays are the same."""
        return self._held

    def advance(self, num_positions: int) -> None:
        """Count positions that every layer has written."""
        self._length += num_positions

    def _move(self, capacity: int, rows: list[int]) -> None:
        """Take these rows to new memory."""
        old, (_, kv_heads, _, head_dim) = self._held, self._held.keys[0].shape
        new = _room(len(old.keys), (len(rows), kv_heads, capacity, head_dim), old.keys[0].dtype)
        for target, source in zip((*new.keys, *new.values), (*old.keys, *old.values)):
            for place, row in enumerate(rows):
                target[place, :, : self._length] = source[row, :, : self._length]
        self._held = new


def _room(layers: int, shape: tuple[int, ...], dtype: np.dtype) -> LayerCaches:
    """Memory of all layers in one stretch, so that it has large pages: attention reads it a third faster."""
    size = math.prod(shape) * dtype.itemsize
    arena = Arena(2 * layers * (size + ALIGNMENT))
    arrays = [arena.take(size).view(dtype).reshape(shape).view(Held) for _ in range(2 * layers)]
    return LayerCaches(arrays[:layers], arrays[layers:])


def _round_up(positions: int) -> int:
    return -(-positions // STEP) * STEP
