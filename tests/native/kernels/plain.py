"""What the C library promises, in plain NumPy: float64 where the forms of kernels.py and panels.py do not do."""

import math

import numpy as np

from ossicle.model.cpu import kernels
from ossicle.model.cpu.native import GELU, LAYER_NORM, NO_NORM, SWIGLU
from ossicle.model.cpu.panels import linear_q
from tests.native.kernels import calls
from tests.native.kernels.calls import EPS, Attention, Product, Weight

TINY = 2.0**-24              # the smallest float16
# Between two of float16, at its ends, and at the seams of its exponents.
BETWEEN_HALVES = np.array(
    [0, -0.0, 1, 1 + 2.0**-11, 1 + 3 * 2.0**-11, -1 - 2.0**-11, 1 + 2.0**-11 + 2.0**-20, 2049, 2051, -4098, TINY, TINY / 2, TINY * 1.5,
     TINY * 2.5, -TINY / 2, TINY * 0.4999, TINY * 0.5001, TINY * 1023.5, TINY * 1022.5, 2.0**-14 - 2.0**-26, 1e-45, 65504, 65519.99,
     -65519.99],
    np.float32)


def normalize(norm: int, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    x = x.astype(np.float64)
    if norm == LAYER_NORM:
        x = x - x.mean(axis=-1, keepdims=True)
    y = x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + EPS) * weight
    return y if bias is None else y + bias


def product(op: Product, x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    """activation(norm(x) W^T + bias), plus y. The product of panels is that of panels.py, over the same rounded activations."""
    if op.parts[0].panels is None:
        rows = x.astype(np.float64) if op.norm == NO_NORM else normalize(op.norm, x, op.norm_weight, op.norm_bias)
        sums = [rows @ part.numbers.T.astype(np.float64) for part in op.parts]
    else:
        # What is rounded to int8 must be the same in every bit, so the library's own norm stands here.
        rows = x if op.norm == NO_NORM else np.ascontiguousarray(calls.normalize(op.norm, x, op.norm_weight, op.norm_bias))
        sums = [linear_q(rows, part.panels) for part in op.parts]
    if op.activation == SWIGLU:
        return sums[0] / (1 + np.exp(-sums[0].astype(np.float64))) * sums[1]
    joined = np.concatenate(sums, axis=-1)
    if op.bias is not None:
        joined = joined + op.bias
    if op.activation == GELU:
        joined = kernels.gelu(joined.astype(np.float32))
    return joined + y if op.add else joined


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """Of the largest of each row (m, n)."""
    wide = logits.astype(np.float64)
    return -np.log(np.exp(wide - wide.max(axis=-1, keepdims=True)).sum(axis=-1))


def rotate(x: np.ndarray, weight: np.ndarray, cosines: np.ndarray, sines: np.ndarray) -> np.ndarray:
    """x (rows, heads, head_dim), normalised and turned by (rows, head_dim / 2)."""
    half = x.shape[-1] // 2
    y = x.astype(np.float64)
    y = y / np.sqrt(np.square(y).mean(axis=-1, keepdims=True) + EPS) * weight
    turned = (y[..., :half] + 1j * y[..., half:]) * (cosines + 1j * sines.astype(np.float64))[:, None]
    return np.concatenate([turned.real, turned.imag], axis=-1)


def attention(op: Attention, q: np.ndarray) -> np.ndarray:
    """q (sequences, tokens, heads, head_dim); y the same."""
    tokens, heads, head_dim = q.shape[1:]
    group = heads // op.keys.shape[1]
    k, v = (np.repeat(array[:, :, : op.length].astype(np.float64), group, axis=1) for array in (op.keys, op.values))
    keys, own = np.arange(op.length), np.arange(op.length - tokens, op.length)[:, None]
    first = np.array([0] * len(q) if op.padding is None else op.padding)[:, None, None]
    seen = (keys >= first) & ((keys <= own) | (not op.is_causal))          # (sequences, tokens, length)
    seen = (seen | ((keys == own) & ~seen.any(axis=-1, keepdims=True)))[:, None]
    k, v = (np.where(np.isfinite(array), array, 0) for array in (k, v))      # a key that nobody sees may be nothing
    scores = q.transpose(0, 2, 1, 3).astype(np.float64) @ k.swapaxes(-1, -2) / math.sqrt(head_dim)
    scores = np.where(seen, scores, -np.inf)                               # (sequences, heads, tokens, length)
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (shares / shares.sum(axis=-1, keepdims=True) @ v).transpose(0, 2, 1, 3)


def convolve(weight: Weight, bias: np.ndarray, x: np.ndarray) -> np.ndarray:
    channels = x.shape[-1]
    return kernels.gelu(kernels.conv2d(x, weight.numbers.reshape(-1, 3, 3, channels), bias))
