"""Keys and values between steps, in MLX arrays that are allocated ahead.

Arrays are written in place only while nobody else holds them: a fork shares them until one side writes, and the
side that writes first gets its own copy of that layer.
"""

from collections.abc import Sequence
from copy import copy

import mlx.core as mx

from ossicle.model.config import DecoderConfig

STEP = 256                   # positions by which the capacity grows: about 20 s of sound, or a minute of text


class MLXCache:
    """A KVCache (see network.py) over per-layer arrays (batch, kv_heads, capacity, head_dim)."""

    def __init__(self, config: DecoderConfig, dtype: mx.Dtype, padding: Sequence[int], capacity: int):
        shape = (len(padding), config.num_kv_heads, _round_up(max(capacity, 1)), config.head_dim)
        self._keys = [mx.zeros(shape, dtype) for _ in range(config.num_layers)]
        self._values = [mx.zeros(shape, dtype) for _ in range(config.num_layers)]
        self._queries_per_key = config.num_heads // config.num_kv_heads
        self._padding = tuple(padding)
        self._length = 0

    @property
    def length(self) -> int:
        return self._length

    @property
    def padding(self) -> tuple[int, ...]:
        return self._padding

    @property
    def capacity(self) -> int:
        return self._keys[0].shape[2]

    @property
    def num_bytes(self) -> int:
        return sum(array.nbytes for array in self.arrays)

    @property
    def arrays(self) -> list[mx.array]:
        """All that is held: what must be computed for the cache to stand."""
        return self._keys + self._values

    def trim(self, num_positions: int) -> None:
        assert 0 <= num_positions <= self._length, f"cannot forget {num_positions} of {self._length} positions"
        self._length -= num_positions

    def fork(self) -> "MLXCache":
        other = copy(self)
        # New handles to the same arrays: assigning into an MLX array changes what its handle means, nothing else.
        other._keys = [copy(array) for array in self._keys]
        other._values = [copy(array) for array in self._values]
        return other

    def select(self, rows: Sequence[int]) -> None:
        index = mx.array(list(rows), mx.int32)
        self._keys = [array[index] for array in self._keys]
        self._values = [array[index] for array in self._values]
        self._padding = tuple(self._padding[row] for row in rows)

    def spread(self, padding: Sequence[int], capacity: int = 0) -> "MLXCache":
        assert self._padding == (0,), f"one row without padding is spread, these have {self._padding}"
        other, room = copy(self), _round_up(max(capacity, self._length, 1))
        other._padding = tuple(padding)
        other._keys = [self._moved(array, padding, room) for array in self._keys]
        other._values = [self._moved(array, padding, room) for array in self._values]
        return other

    def _moved(self, array: mx.array, padding: Sequence[int], room: int) -> mx.array:
        """One array of a single row as (batch, kv_heads, room, head_dim): zeros, what is kept of the row, zeros."""
        rows = []
        for shift in padding:
            kept = array[:, :, : max(0, self._length - shift)]
            front = min(shift, self._length)
            rows.append(mx.pad(kept, [(0, 0), (0, 0), (front, room - front - kept.shape[2]), (0, 0)]))
        return mx.concatenate(rows)

    @classmethod
    def joined(cls, caches: Sequence["MLXCache"], capacity: int) -> "MLXCache":
        """As Network.join says."""
        assert all(cache._padding == (0,) for cache in caches), "caches of one row without padding are joined"
        length = max(cache._length for cache in caches)
        room = _round_up(max(capacity, length, 1))
        other = copy(caches[0])
        other._padding, other._length = tuple(length - cache._length for cache in caches), length
        other._keys = [cls._stacked([cache._keys[layer] for cache in caches], caches, length, room) for layer in range(len(other._keys))]
        other._values = [cls._stacked([cache._values[layer] for cache in caches], caches, length, room)
                         for layer in range(len(other._values))]
        return other

    @staticmethod
    def _stacked(arrays: Sequence[mx.array], caches: Sequence["MLXCache"], length: int, room: int) -> mx.array:
        """One array of each cache as (batch, kv_heads, room, head_dim): zeros, what the row holds, zeros."""
        return mx.concatenate([
            mx.pad(array[:, :, : cache._length], [(0, 0), (0, 0), (length - cache._length, room - length), (0, 0)])
            for array, cache in zip(arrays, caches)])

    def keys(self, layer: int, head: int, start: int, end: int) -> mx.array:
        assert 0 <= start <= end <= self._length, f"positions {start} to {end} are outside the {self._length} held"
        return self._keys[layer][:, head // self._queries_per_key, start:end]

    # What the decoder needs of a cache: room, positions, what may be seen, and a place to write.

    def reserve(self, num_positions: int) -> None:
        """Make room for so many positions more."""
        missing = self._length + num_positions - self.capacity
        if missing > 0:
            batch, kv_heads, _, head_dim = self._keys[0].shape
            room = mx.zeros((batch, kv_heads, _round_up(missing), head_dim), self._keys[0].dtype)
            self._keys = [mx.concatenate([array, room], axis=2) for array in self._keys]
            self._values = [mx.concatenate([array, room], axis=2) for array in self._values]

    def next_position(self) -> int | mx.array:
        """Where a row's next position lies in its own count: one number for one row, (batch,) for several."""
        # Never one number for several rows: MLX on Metal before 0.32 then rotates the first row only, when it is
        # a single position that is fed (github.com/ml-explore/mlx/issues/3494).
        if self._padding == (0,):
            return self._length
        return mx.array([self._length - padding for padding in self._padding], mx.int32)

    def mask(self, num_positions: int) -> str | mx.array | None:
        """What the next positions may attend to: (batch, 1, positions, length + positions), or MLX's name for it."""
        if not any(self._padding):
            return "causal" if num_positions > 1 else None
        keys = mx.arange(self._length + num_positions)
        queries = keys[self._length :, None]
        padding = mx.array(self._padding)[:, None, None, None]
        # An empty position sees itself, lest its softmax has nothing to sum and its NaN spreads through the values.
        return ((keys <= queries) & (keys >= padding)) | (keys == queries)

    def write(self, layer: int, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Put (batch, kv_heads, positions, head_dim) behind what is held; gives all, these included. `advance` ends the turn."""
        start, end = self._length, self._length + keys.shape[2]
        self._keys[layer][:, :, start:end] = keys
        self._values[layer][:, :, start:end] = values
        return self._keys[layer][:, :, :end], self._values[layer][:, :, :end]

    def advance(self, num_positions: int) -> None:
        """Count positions that every layer has written; what was written beyond them is forgotten."""
        self._length += num_positions


def _round_up(positions: int) -> int:
    return -(-positions // STEP) * STEP
