"""The arithmetic of the network in NumPy: float32 arrays in, float32 arrays out, nothing kept between calls.

Knows neither layers nor checkpoints. Each function is one that a C library can take over, so its shapes are its contract.
Memory is bounded: what grows with the sound (columns of a convolution, scores of attention) is made block by block.
"""

import math
from collections.abc import Sequence

import numpy as np

FEW_ROWS = 64                # below it OpenBLAS is up to twice as fast when the weight is its left operand
GELU_BLOCK = 1 << 14         # elements: a block and its three companions stay in a core's cache
COLUMN_BYTES = 32 * 2**20    # of im2col; 2 chunks at published sizes
SCORE_BYTES = 32 * 2**20     # of attention at once

# ln(erfc(a / sqrt(2))) / a for a in 0..8, ascending powers: least squares, reweighted until the largest error of erfc is
# smallest (1.6e-8). The last coefficient is negative, so that the far tail falls to nothing. The tests hold it to math.erf.
TAIL = (-0.797885328, -0.318298867, -0.036387578, 0.00489598974, -9.49170543e-05, -0.000129050311, 2.72945359e-05, -1.96501184e-06)
TAIL_END = 8.0               # beyond, erfc is below 1e-15


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """x (..., inputs) times weight (outputs, inputs) plus bias (outputs,): (..., outputs)."""
    rows = x.reshape(-1, x.shape[-1])
    y = np.ascontiguousarray((weight @ rows.T).T) if len(rows) <= FEW_ROWS else rows @ weight.T
    if bias is not None:
        y += bias
    return y.reshape(*x.shape[:-1], len(weight))


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> np.ndarray:
    """x (..., width) to mean 0 and variance 1 over its last axis, then times weight (width,) plus bias (width,)."""
    y = x - x.mean(axis=-1, keepdims=True)
    y *= 1 / np.sqrt(np.square(y).mean(axis=-1, keepdims=True) + np.float32(eps))
    y *= weight
    y += bias
    return y


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """x (..., width) over its root mean square, and only then times weight (width,)."""
    y = x * (1 / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + np.float32(eps)))
    y *= weight
    return y


def gelu(x: np.ndarray) -> np.ndarray:
    """x (...) times the normal distribution below it, the exact (erf) form: within 1e-7 up to |x| = 1, relatively beyond."""
    y = np.empty(x.shape, np.float32)
    source, target = x.reshape(-1), y.reshape(-1)
    for start in range(0, source.size, GELU_BLOCK):
        block = source[start : start + GELU_BLOCK]
        size = np.abs(block)
        # x Phi(x) = max(x, 0) - |x| erfc(|x| / sqrt(2)) / 2, which cancels nowhere.
        tail = erfc_over_root2(size)
        tail *= size
        tail *= np.float32(0.5)
        np.maximum(block, 0, out=target[start : start + GELU_BLOCK])
        target[start : start + GELU_BLOCK] -= tail
    return y


def erfc_over_root2(a: np.ndarray) -> np.ndarray:
    """erfc(a / sqrt(2)) of a (...) >= 0: twice the normal distribution beyond a; within 1.3e-7, most of it from float32's exp."""
    a = np.minimum(a, a.dtype.type(TAIL_END))
    y = a * a.dtype.type(TAIL[-1])
    for coefficient in TAIL[-2::-1]:
        y += a.dtype.type(coefficient)
        y *= a
    return np.exp(y, out=y)


def swiglu(gate: np.ndarray, up: np.ndarray) -> np.ndarray:
    """silu(gate) * up, both (...)."""
    with np.errstate(over="ignore"):                # exp of a large number is infinite, and gate over it 0, as it should be
        y = np.exp(-gate)
    y += 1
    np.divide(gate, y, out=y)
    y *= up
    return y


def rope_tables(positions: np.ndarray, head_dim: int, theta: float) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines (batch, 1, tokens, head_dim / 2) of positions (batch, tokens), angles in float32 as the official code."""
    rates = 1 / np.float32(theta) ** (np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim))
    angles = positions[:, None, :, None].astype(np.float32) * rates
    return np.cos(angles), np.sin(angles)


def rope(x: np.ndarray, cosines: np.ndarray, sines: np.ndarray) -> np.ndarray:
    """Rotate x (batch, heads, tokens, head_dim) by tables (batch, 1, tokens, head_dim / 2): dimension j with j + head_dim / 2."""
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    y = np.empty(x.shape, np.float32)
    np.subtract(first * cosines, second * sines, out=y[..., :half])
    np.add(second * cosines, first * sines, out=y[..., half:])
    return y


def softmax(x: np.ndarray) -> np.ndarray:
    """Over the last axis of x (..., n), in place; -inf is 0, and at least one of n must be finite."""
    x -= x.max(axis=-1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=-1, keepdims=True)
    return x


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, is_causal: bool, padding: Sequence[int] = ()) -> np.ndarray:
    """Softmax of q k / sqrt(head_dim), times v: (batch, heads, tokens, head_dim).

    q          (batch, heads, tokens, head_dim)
    k, v       (batch, kv_heads, length, head_dim); consecutive heads / kv_heads query heads share one of theirs
    is_causal  q are the last `tokens` of `length` positions, and none sees what follows it; else each sees all (one window)
    padding    per row, empty positions at its front, seen by nobody but themselves
    """
    batch, heads, tokens, head_dim = q.shape
    kv_heads, length = k.shape[1:3]
    y = np.empty((batch, heads, tokens, head_dim), np.float32)
    q = q.reshape(batch, kv_heads, heads // kv_heads, tokens, head_dim) * np.float32(1 / math.sqrt(head_dim))
    out = y.reshape(q.shape)
    block = max(1, SCORE_BYTES // (4 * batch * heads * length))
    for start in range(0, tokens, block):
        end = min(start + block, tokens)
        seen = length - tokens + end if is_causal else length           # keys that this block may meet at all
        rows = q[:, :, :, start:end].reshape(batch, kv_heads, -1, head_dim)
        scores = rows @ k[:, :, :seen].swapaxes(-1, -2)                  # (batch, kv_heads, heads of a group * rows, seen)
        if is_causal and (end - start > 1 or any(padding)):
            _hide(scores.reshape(batch, heads, end - start, seen), padding)
        attended = softmax(scores) @ v[:, :, :seen]
        out[:, :, :, start:end] = attended.reshape(*q.shape[:3], end - start, head_dim)
    return y


def _hide(scores: np.ndarray, padding: Sequence[int]) -> None:
    """Put -inf, in scores (batch, heads, rows, seen), where a row looks ahead or at an empty position that is not itself."""
    rows, seen = scores.shape[2:]
    keys, own = np.arange(seen), np.arange(seen - rows, seen)[:, None]
    for index, empty in enumerate(padding or [0] * len(scores)):
        # An empty position sees itself, lest its softmax has nothing to sum and its NaN spreads through the values.
        scores[index][:, (keys > own) | ((keys < empty) & (keys != own))] = -np.inf


def conv2d(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolve 3 x 3, stride 2, one row of zeros around: x (n, height, width, channels) to (n, height / 2, width / 2, outputs).

    weight (outputs, 3, 3, channels), bias (outputs,); halves are rounded up. Items of n never touch.
    """
    n, height, width, channels = x.shape
    shape = (height + 1) // 2, (width + 1) // 2
    flat = weight.reshape(len(weight), -1)                              # (outputs, 9 * channels)
    y = np.empty((n, *shape, len(weight)), np.float32)
    step = max(1, COLUMN_BYTES // (4 * shape[0] * shape[1] * flat.shape[1]))
    for start in range(0, n, step):
        padded = np.pad(x[start : start + step], ((0, 0), (1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
        columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 9 * channels)     # feature = (row, column, channel)
        y[start : start + step] = linear(columns, flat, bias).reshape(-1, *shape, len(weight))
    return y


def greedy(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest of logits (..., n): its index (...) in int32, and its natural log-probability (...)."""
    ids = logits.argmax(axis=-1)
    best = np.take_along_axis(logits, ids[..., None], axis=-1)
    return ids.astype(np.int32), -np.log(np.exp(logits - best).sum(axis=-1))
