"""What the layers of the CPU engine ask of whoever does the arithmetic: whole fused operations over rows of float32.

Two forms keep this promise: `numpy_form.py`, readable and slow, and `native_form.py`, the C library. The first is what the
tests hold the second to, and what computes where no library loads. Rows are positions with their features side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

Weight = Any                                        # of a form: a float32 array, or a Matrix; (outputs, inputs)
Activation = Literal["none", "gelu", "swiglu"]


@dataclass(frozen=True)
class Norm:
    """A norm of rows: LayerNorm with a bias, RMSNorm without."""

    weight: np.ndarray                              # (features,) float32
    bias: np.ndarray | None
    eps: float


class Likeliest(NamedTuple):
    """The largest of each row of logits."""

    ids: np.ndarray                                 # (rows,) int32
    log_probabilities: np.ndarray                   # (rows,) float32, natural


class Linear(Protocol):
    """One fused product, its weights and norm inside."""

    def __call__(self, x: np.ndarray, out: np.ndarray | None = None, *, add: bool = False) -> np.ndarray:
        """activation(norm(x) W^T + bias) of x (rows, inputs): (rows, outputs), written to `out`, or added to what is there."""
        ...

    def best(self, x: np.ndarray) -> tuple[np.ndarray, Likeliest]:
        """The product (rows, outputs), and the likeliest of each row, found on the way."""
        ...


class Convolution(Protocol):
    """3 x 3, stride 2, one row of zeros around, then GELU."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """x (items, height, width, channels) to (items, height / 2, width / 2, outputs), halves rounded up."""
        ...


class Rotation(Protocol):
    """What the decoder does to queries and keys before they meet: norms over head_dim, then RoPE."""

    def __call__(self, qkv: np.ndarray, cosines: np.ndarray, sines: np.ndarray, keys: np.ndarray, values: np.ndarray, start: int) -> None:
        """Change queries and keys of qkv (sequences * tokens, (heads + 2 * kv_heads) * head_dim) in place, keep keys and values.

        cosines, sines   (sequences * tokens, head_dim / 2)
        keys, values     the cache (sequences, kv_heads, capacity, head_dim): positions `start` to start + tokens are written
        """
        ...


class Layer(NamedTuple):
    """The parts of one layer of the decoder: x += o(attend(rotate(qkv(x)))), then x += down(gate_up(x))."""

    qkv: Linear
    rotate: Rotation
    o: Linear
    gate_up: Linear
    down: Linear


@dataclass
class LayerCaches:
    """Keys and values of every layer with their spare room, each (batch, kv_heads, capacity, head_dim) of one dtype."""

    keys: Sequence[np.ndarray]
    values: Sequence[np.ndarray]
    known: Any = None                               # what a form remembers of these very arrays


class Turn(NamedTuple):
    """What one pass through the decoder has in common for all its layers. Rows are (batch * tokens, features)."""

    cosines: np.ndarray                             # (rows, head_dim / 2)
    sines: np.ndarray
    qkv: np.ndarray                                 # room for queries, keys and values of one layer
    q: np.ndarray                                   # the part of it that holds queries
    attended: np.ndarray                            # room for what comes of them
    hidden: np.ndarray                              # room for the inside of one MLP
    caches: LayerCaches
    padding: tuple[int, ...]                        # of each sequence, as in KVCache
    start: int                                      # positions held before


class Stack(Protocol):
    """Layers of the decoder, one after the other."""

    def __call__(self, x: np.ndarray, turn: Turn, count: int) -> None:
        """Run x (rows, hidden) through the first `count` layers, in place, and write their caches."""
        ...


class Arithmetic(Protocol):
    """Everything that the layers do not do themselves."""

    name: str                                       # for people: "NumPy 2.4.6", "native kernels, avx512, 2 threads"

    def linear(self, parts: Sequence[Weight], norm: Norm | None = None, bias: np.ndarray | None = None,
               activation: Activation = "none") -> Linear:
        """Products of one input with several weights, their outputs side by side. swiglu takes two: silu(first) * second."""
        ...

    def convolution(self, weight: Weight, bias: np.ndarray) -> Convolution:
        """weight (outputs, 3 * 3 * channels) in the order (row, column, channel), or such an array of four dimensions."""
        ...

    def rotation(self, q_norm: Norm, k_norm: Norm, heads: int, kv_heads: int, head_dim: int) -> Rotation:
        """Norms of (head_dim,) that share their eps."""
        ...

    def attend(self, q: np.ndarray, keys: np.ndarray, values: np.ndarray, length: int, out: np.ndarray, *, is_causal: bool,
               padding: Sequence[int] = ()) -> None:
        """Softmax of q k / sqrt(head_dim) times values, to `out`.

        q, out         (sequences * tokens, heads * head_dim)
        keys, values   (sequences, kv_heads, at least `length`, head_dim); with is_causal the last query sees all `length`, the one
                       before all but one
        padding        positions at the front of each sequence that hold nothing; a query that would see nothing sees itself
        """
        ...

    def stack(self, layers: Sequence[Any]) -> Stack | None:
        """All layers as one operation, where the form has a quicker way than one product after the other.

        layers   Layer objects of parts that this form made
        """
        ...

    def empty(self, rows: int, features: int) -> np.ndarray:
        """Room for rows of float32, with nothing in it."""
        ...

    def embed(self, table: Weight, ids: np.ndarray) -> np.ndarray:
        """Rows of a table: ids (n,) int64 to (n, inputs) float32."""
        ...

    def greedy(self, logits: np.ndarray) -> Likeliest:
        """The likeliest of each row of logits (rows, n)."""
        ...

    def release(self) -> None:
        """Give memory back that is kept for the next call on this thread."""
        ...
