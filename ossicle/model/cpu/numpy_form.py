"""The arithmetic of the CPU engine in NumPy (see arithmetic.py): any processor, readable, slow; weights are float32 arrays."""

from collections.abc import Sequence

import numpy as np

from ossicle.model.cpu import kernels
from ossicle.model.cpu.arithmetic import Activation, Layer, Likeliest, Norm


def normalize(x: np.ndarray, norm: Norm) -> np.ndarray:
    """norm(x) over the last axis of x (..., features)."""
    if norm.bias is None:
        return kernels.rms_norm(x, norm.weight, norm.eps)
    return kernels.layer_norm(x, norm.weight, norm.bias, norm.eps)


class NumPyLinear:
    """A Linear of arithmetic.py."""

    def __init__(self, parts: Sequence[np.ndarray], norm: Norm | None, bias: np.ndarray | None, activation: Activation):
        self.parts, self.norm, self.bias, self.activation = tuple(parts), norm, bias, activation

    def __call__(self, x: np.ndarray, out: np.ndarray | None = None, *, add: bool = False) -> np.ndarray:
        x = x if self.norm is None else normalize(x, self.norm)
        products = [kernels.linear(x, part) for part in self.parts]
        if self.activation == "swiglu":
            y = kernels.swiglu(*products)
        else:
            y = products[0] if len(products) == 1 else np.concatenate(products, axis=1)
            if self.bias is not None:
                y += self.bias
            y = kernels.gelu(y) if self.activation == "gelu" else y
        if out is None:
            return y
        if add:
            out += y
        else:
            out[:] = y
        return out

    def best(self, x: np.ndarray) -> tuple[np.ndarray, Likeliest]:
        logits = self(x)
        return logits, Likeliest(*kernels.greedy(logits))


class NumPyConvolution:
    """A Convolution of arithmetic.py."""

    def __init__(self, weight: np.ndarray, bias: np.ndarray):
        self.weight, self.bias = weight, bias       # (outputs, 3, 3, channels)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return kernels.gelu(kernels.conv2d(x, self.weight, self.bias))


class NumPyRotation:
    """A Rotation of arithmetic.py."""

    def __init__(self, q_norm: Norm, k_norm: Norm, heads: int, kv_heads: int, head_dim: int):
        self.q_norm, self.k_norm, self._ends, self._head_dim = q_norm, k_norm, [heads, heads + kv_heads], head_dim

    def __call__(self, qkv: np.ndarray, cosines: np.ndarray, sines: np.ndarray, keys: np.ndarray, values: np.ndarray, start: int) -> None:
        sequences = len(keys)
        heads = qkv.reshape(sequences, len(qkv) // sequences, -1, self._head_dim).transpose(0, 2, 1, 3)   # (n, heads, tokens, head_dim)
        q, k, v = np.split(heads, self._ends, axis=1)
        tables = [table.reshape(sequences, 1, -1, self._head_dim // 2) for table in (cosines, sines)]
        q[:] = kernels.rope(normalize(q, self.q_norm), *tables)
        k[:] = kernels.rope(normalize(k, self.k_norm), *tables)
        keys[:, :, start : start + k.shape[2]] = k
        values[:, :, start : start + k.shape[2]] = v


class NumPyForm:
    """An Arithmetic (see arithmetic.py)."""

    name = f"NumPy {np.__version__}"

    def linear(self, parts: Sequence[np.ndarray], norm: Norm | None = None, bias: np.ndarray | None = None,
               activation: Activation = "none") -> NumPyLinear:
        return NumPyLinear(parts, norm, bias, activation)

    def convolution(self, weight: np.ndarray, bias: np.ndarray) -> NumPyConvolution:
        return NumPyConvolution(weight, bias)

    def rotation(self, q_norm: Norm, k_norm: Norm, heads: int, kv_heads: int, head_dim: int) -> NumPyRotation:
        return NumPyRotation(q_norm, k_norm, heads, kv_heads, head_dim)

    def attend(self, q: np.ndarray, keys: np.ndarray, values: np.ndarray, length: int, out: np.ndarray, *, is_causal: bool,
               padding: Sequence[int] = ()) -> None:
        sequences, head_dim = len(keys), keys.shape[3]
        split = q.reshape(sequences, len(q) // sequences, -1, head_dim).transpose(0, 2, 1, 3)      # (n, heads, tokens, head_dim)
        keys, values = (array[:, :, :length].astype(np.float32, copy=False) for array in (keys, values))
        out[:] = kernels.attention(split, keys, values, is_causal, padding).transpose(0, 2, 1, 3).reshape(q.shape)

    def stack(self, layers: Sequence[Layer]) -> None:
        return None

    def empty(self, rows: int, features: int) -> np.ndarray:
        return np.empty((rows, features), np.float32)

    def embed(self, table: np.ndarray, ids: np.ndarray) -> np.ndarray:
        return table[ids]

    def greedy(self, logits: np.ndarray) -> Likeliest:
        return Likeliest(*kernels.greedy(logits))

    def release(self) -> None:
        """Nothing is kept."""
