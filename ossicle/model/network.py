"""What a network promises: mel in, logits out, through a cache that the caller owns.

Two rooms keep this promise, `mlx/` and `cpu/`; everything above this floor is written once and never asks which one
it holds. Arrays that a network hands out (`Array`) belong to it and to the thread that made them: hand them back to
the same network, or turn them into NumPy with `read`. They allow NumPy's basic indexing (`ids[:, None]`).
Computation may be lazy; `start` sets it going, `read` waits.

Shape words: batch, tokens (positions of the decoder), audio_tokens (rows of the encoder, 80 ms each), hidden, vocab.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from ossicle.model.config import ModelConfig

Array = Any                                        # of the engine: mlx.core.array, or numpy.ndarray
Positions = Literal["last", "all"] | Sequence[int]  # indices count from the first position fed, negative ones from the end


@dataclass(frozen=True)
class Capture:
    """Which rotated queries a forward pass should keep: the raw material of attention alignment."""

    heads: tuple[tuple[int, int], ...]             # (layer, query head)
    positions: Positions = "all"


class Output(NamedTuple):
    """What one forward pass gives."""

    logits: Array | None                           # (batch, vocab) for "last", else (batch, positions, vocab)
    queries: Array | None = None                   # (batch, heads, positions, head_dim), rotated, in the order of Capture.heads;
                                                   # "last" is one position here


class KVCache(Protocol):
    """Keys and values between steps; changed in place by `forward`, owned by whoever made it.

    A batch has one row per sequence. Rows of unequal length are padded on the left: `padding[row]` positions at the
    front of a row hold nothing, are never attended to, and the row's own positions count from 0 behind them.
    """

    @property
    def length(self) -> int:
        """Positions held so far, padding included."""
        ...

    @property
    def padding(self) -> tuple[int, ...]:
        """Empty positions at the front of each row."""
        ...

    @property
    def num_bytes(self) -> int:
        """Memory that the keys and values take, spare capacity included."""
        ...

    def trim(self, num_positions: int) -> None:
        """Forget the last `num_positions`; the next forward pass continues from there."""
        ...

    def fork(self) -> "KVCache":
        """An independent continuation: neither sees what the other adds. Memory is shared until one of them writes."""
        ...

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows of the batch, in this order (a row may be named twice)."""
        ...

    def spread(self, padding: Sequence[int], capacity: int = 0) -> "KVCache":
        """A new cache of `len(padding)` rows, each a copy of this one's only row, moved right by its `padding`.

        It is as long as this one: what a row moves past the end is forgotten and has to be fed again. So rows of unequal
        length, padded on the left to end together, can begin with the same positions, computed once.
        capacity  room for so many positions
        """
        ...

    def keys(self, layer: int, head: int, start: int, end: int) -> Array:
        """Rotated keys (batch, end - start, head_dim) that query head `head` of `layer` meets at these positions."""
        ...


class Network(Protocol):
    """One loaded checkpoint on one engine. It keeps no state between calls; any number of sequences share it."""

    config: ModelConfig
    engine: str                                    # "mlx" or "cpu"
    device: str                                    # for people: "Apple M4 Pro (gpu)"
    dtype: str                                     # of activations
    weights: str                                   # for people: "bfloat16", "4-bit, groups of 64, encoder 8-bit"
    num_bytes: int                                 # of the weights as held
    step_bytes: int                                # of those that one step of the decoder reads, once for all rows of a batch:
                                                   # its layers, norms and head; not the encoder, nor a table that is not the head

    def stem(self, mel: np.ndarray, pad_tail: bool | None = None) -> Array:
        """Convolve mel (mel_bins, frames) chunk by chunk into rows (audio_tokens, encoder hidden), positions added.

        Each chunk of 100 frames is convolved alone and gives 13 rows; a tail of r frames gives ceil(r / 8).
        pad_tail  convolve the tail as a chunk filled up with zeros (True) or at its own width (False);
                  None follows the official code: filled up when at least one full chunk stands before it.
        Source: docs/model.md, "Chunked convolution stem".
        """
        ...

    def attend(self, rows: Array) -> Array:
        """Run the encoder's layers over rows (audio_tokens, encoder hidden); gives (audio_tokens, hidden).

        Rows attend to one another inside windows of 8 s (104 rows), counted from the first row given. So the windows
        of a recording may be passed one at a time, and equal the whole.
        """
        ...

    def encode(self, mel: np.ndarray) -> Array:
        """`attend(stem(mel))`: mel (mel_bins, frames) to audio embeddings (audio_tokens, hidden)."""
        ...

    def embed(self, ids: Sequence[int] | Array, audio: Array | None = None, audio_start: int = 0) -> Array:
        """Look token ids up: (tokens,) gives (tokens, hidden), an array (batch, tokens) gives (batch, tokens, hidden).

        ids     a list, an array of the engine, or one of NumPy

        With `audio` (audio_tokens, hidden), for (tokens,) only, the rows from `audio_start` on are replaced by it, not added to.
        """
        ...

    def new_cache(self, padding: Sequence[int] = (0,), capacity: int = 0) -> KVCache:
        """An empty cache of `len(padding)` rows with room for `capacity` positions; it grows when needed."""
        ...

    def concatenate(self, arrays: Sequence[Array]) -> Array:
        """Arrays one behind another along their first axis: rows of several windows, to be fed in one pass."""
        ...

    def join(self, caches: Sequence[KVCache], capacity: int = 0) -> KVCache:
        """A new cache with the rows of several caches of one row each, without padding; the sources stay as they are.

        They may be of different length: all end together, and the shorter are padded on the left. So sequences that were
        fed one by one can go on side by side.
        capacity  room for so many positions
        """
        ...

    def forward(
        self,
        embeddings: Array | Sequence[Array],
        cache: KVCache,
        logits_at: Positions | None = "last",
        capture: Capture | None = None,
    ) -> Output:
        """Feed n positions to the decoder: a whole prompt, one step, or a draft to verify.

        embeddings  (tokens, hidden) for one row, (batch, tokens, hidden) for several, or a list with one
                    (tokens_row, hidden) per row. An empty cache takes rows of unequal length: each is filled up on the
                    left by its `padding[row]`, and `tokens_row + padding[row]` is n for all. Later all have one length.
        logits_at   "last" position, "all" of them, a list of positions, or None for none at all: the work is then set
                    going at once, as nothing is handed out that could
        capture     rotated queries to keep; costs nothing when None
        Attention is causal. The cache grows by n positions.
        """
        ...

    def greedy(self, logits: Array) -> tuple[Array, Array]:
        """The most likely ids and their natural log-probabilities, over the last axis: (..., vocab) gives two (...)."""
        ...

    def start(self, *arrays: Array) -> None:
        """Set computation of these arrays going without waiting: the next step may be built meanwhile.

        NumPy arrays, here and in `read`, are there already.
        """
        ...

    def read(self, array: Array) -> np.ndarray:
        """Wait for an array and give it as NumPy: float32 for numbers, int32 for ids."""
        ...

    def release(self) -> None:
        """Give spare memory of the allocator back to the system."""
        ...
