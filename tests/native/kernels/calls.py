"""Calls of the C library: arrays in, arrays out, over memory that shows what is read or written beside it.

The library is the one that lies beside native.py, or the one that OSSICLE_NATIVE_LIBRARY names.
"""

import ctypes
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ossicle.model.cpu import native
from ossicle.model.cpu.native import BEST, BF16, F16, F32, NO_ACTIVATION, NO_NORM, Q4, Q8, SWIGLU
from ossicle.model.cpu.panels import UNIT, Panels, dequantize, quantize
from tests.native.kernels.memory import Rows, Scratch, exact, to_read

NAMED = os.environ.get("OSSICLE_NATIVE_LIBRARY")
LIBRARY = native.load_library(Path(NAMED) if NAMED else native.PLACE)
SETS = LIBRARY.oss_instruction_sets().decode().split() if LIBRARY else []
MISSING = ("no C library, or one of another version; build it: cmake -S native -B build/native -DOSSICLE_INPLACE=ON "
           "&& cmake --build build/native --target install")
assert LIBRARY or not NAMED, f"cannot load {NAMED}"

THREADS = (1, 2, 5)
EPS = 1e-6
DENSE = {F32: np.float32, F16: np.float16, BF16: np.uint16}
OK, BAD_ARGUMENT, BAD_SCRATCH, OUT_OF_RANGE = 0, -1, -2, -3


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def address(array: np.ndarray | Rows | None) -> int | None:
    return array.address if isinstance(array, Rows) else None if array is None else array.ctypes.data


def narrow(numbers: np.ndarray, kind: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers as F32, F16 or BF16 holds them (as uint16, that is), and what they are then in float32."""
    if kind == BF16:
        wide = np.ascontiguousarray(numbers, np.float32).view(np.uint32)
        held = ((wide.astype(np.uint64) + 0x7FFF + (wide >> 16 & 1)) >> 16).astype(np.uint16)      # to the nearest, the even one of two
        return held, (held.astype(np.uint32) << 16).view(np.float32)
    held = np.ascontiguousarray(numbers, DENSE[kind])
    return held, held.astype(np.float32)


# -- weights


@dataclass(frozen=True)
class Weight:
    """A matrix as the library takes it, and the numbers (outputs, inputs) that it stands for."""

    struct: native.MatrixStruct
    numbers: np.ndarray
    panels: Panels | None = None
    memory: tuple = field(default=(), repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        return self.numbers.shape


def dense(numbers: np.ndarray, kind: int) -> Weight:
    held, numbers = narrow(numbers, kind)
    held = exact(held)
    return Weight(native.MatrixStruct(address(held), None, None, 1, kind, *numbers.shape, 0), numbers, memory=(held,))


def packed(panels: Panels) -> Weight:
    arrays = tuple(None if array is None else exact(array) for array in (panels.codes, panels.scales, panels.biases))
    struct = native.MatrixStruct(*map(address, arrays), panels.unit, Q8 if panels.bits == 8 else Q4, panels.outputs, panels.inputs,
                                 panels.group_size)
    return Weight(struct, dequantize(panels), panels, arrays)


@dataclass(frozen=True)
class Format:
    """How a weight is held; `group` and `has_biases` are for panels."""

    kind: int
    group: int = 0
    has_biases: bool = False

    def __str__(self) -> str:
        name = ("F32", "F16", "BF16", "Q8", "Q4")[self.kind]
        return name if self.kind in DENSE else f"{name}-{self.group}{'-biases' if self.has_biases else ''}"

    def hold(self, numbers: np.ndarray) -> Weight:
        if self.kind in DENSE:
            return dense(numbers, self.kind)
        return packed(quantize(numbers, 8 if self.kind == Q8 else 4, self.group, has_biases=self.has_biases))


DENSE_FORMATS = [Format(kind) for kind in DENSE]
PANEL_FORMATS = [Format(kind, group, has_biases) for kind in (Q8, Q4) for group in (32, 64) for has_biases in (False, True)]


def empty_panels(form: Format, outputs: int, inputs: int, unit: float = UNIT) -> tuple[native.MatrixStruct, list[Scratch]]:
    """A matrix to be written, of as many bytes as the library asks for, between guards."""
    sizes = [LIBRARY.oss_codes_bytes(form.kind, outputs, inputs), *[LIBRARY.oss_scales_bytes(outputs, inputs, form.group)] * 2]
    rooms = [Scratch(size) for size in sizes[: 3 if form.has_biases else 2]]
    addresses = [room.address for room in rooms] + [None] * (3 - len(rooms))
    return native.MatrixStruct(*addresses, unit, form.kind, outputs, inputs, form.group), rooms


# -- products


@dataclass(frozen=True)
class Product:
    """oss_linear."""

    parts: tuple[Weight, ...]
    norm: int = NO_NORM
    norm_weight: np.ndarray | None = None
    norm_bias: np.ndarray | None = None
    bias: np.ndarray | None = None
    activation: int = NO_ACTIVATION
    add: bool = False

    @property
    def outputs(self) -> int:
        return sum(part.shape[0] for part in (self.parts[:1] if self.activation == SWIGLU else self.parts))

    @property
    def struct(self) -> native.LinearStruct:
        parts = (native.MatrixStruct * len(self.parts))(*(part.struct for part in self.parts))
        arrays = [None if array is None else exact(array) for array in (self.norm_weight, self.norm_bias, self.bias)]
        struct = native.LinearStruct(ctypes.addressof(parts), *map(address, arrays), EPS, len(parts), self.norm, self.activation, self.add)
        struct.keep = parts, arrays
        return struct


def apply(op: Product, x: np.ndarray, threads: int = 1, y: np.ndarray | None = None, x_gap: int = 0, y_gap: int = 0,
          with_best: bool = False):
    """y, or y and best; `y` is what was there before."""
    m, inputs = x.shape
    struct = op.struct
    rows, out = to_read(x, x_gap), Rows(m, op.outputs, op.outputs + y_gap, y)
    best = Rows(m, 1, dtype=BEST) if with_best else None
    scratch = Scratch(LIBRARY.oss_linear_scratch(ctypes.byref(struct), m, threads))
    assert scratch.num_bytes > 0
    code = LIBRARY.oss_apply(ctypes.byref(struct), address(rows), inputs + x_gap, m, out.address, out.stride, best and best.address,
                             scratch.address, scratch.num_bytes, threads)
    assert code == OK, code
    for memory in (out, scratch, *([best] if best else [])):
        memory.check()
    return (out.array, best.array[:, 0]) if best else out.array


def greedy(logits: np.ndarray, threads: int = 1, gap: int = 0) -> np.ndarray:
    m, n = logits.shape
    rows, best = to_read(logits, gap), Rows(m, 1, dtype=BEST)
    assert LIBRARY.oss_greedy(address(rows), n + gap, m, n, best.address, threads) == OK
    best.check()
    return best.array[:, 0]


def normalize(norm: int, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None, threads: int = 1, x_gap: int = 0,
              y_gap: int = 0, in_place: bool = False) -> np.ndarray:
    m, n = x.shape
    out = Rows(m, n, n + (x_gap if in_place else y_gap), x if in_place else None)
    rows, weight, bias = out if in_place else to_read(x, x_gap), exact(weight), None if bias is None else exact(bias)
    code = LIBRARY.oss_normalize(norm, address(weight), address(bias), EPS, address(rows), n + x_gap, m, n, out.address, out.stride,
                                 threads)
    assert code == OK, code
    out.check()
    return out.array


def embed(weight: Weight, ids: list[int], gap: int = 0) -> np.ndarray:
    ids = exact(np.array(ids, np.int64))
    out = Rows(len(ids), weight.shape[1], weight.shape[1] + gap)
    assert LIBRARY.oss_embed(ctypes.byref(weight.struct), address(ids), len(ids), out.address, out.stride) == OK
    out.check()
    return out.array


# -- attention and convolution


@dataclass(frozen=True)
class Rotation:
    """oss_rotation: what does not depend on the layer's cache. Tables are (sequences, tokens, head_dim / 2)."""

    q_norm: np.ndarray
    k_norm: np.ndarray
    cosines: np.ndarray
    sines: np.ndarray
    heads: int
    kv_heads: int
    start: int = 0

    @property
    def width(self) -> int:
        return (self.heads + 2 * self.kv_heads) * len(self.q_norm)


class Cache:
    """Keys and values [sequences][kv_heads][capacity][head_dim] between guards; FILL stands in them at first."""

    def __init__(self, kind: int, sequences: int, kv_heads: int, capacity: int, head_dim: int) -> None:
        self.kind, self.dtype, self.shape = kind, np.dtype(DENSE[kind]), (sequences, kv_heads, capacity, head_dim)
        self.rooms = [Scratch(int(np.prod(self.shape)) * self.dtype.itemsize) for _ in range(2)]

    @property
    def arrays(self) -> list[np.ndarray]:
        """Keys and values, seen through, not copied."""
        for room in self.rooms:
            room.check()
        return [room.bytes.view(self.dtype).reshape(self.shape) for room in self.rooms]


def rotate(op: Rotation, cache: Cache, qkv: np.ndarray, threads: int = 1, gap: int = 0) -> np.ndarray:
    """qkv (sequences * tokens, width) as it is afterwards; the cache is written."""
    sequences, tokens, half = op.cosines.shape
    rows, arrays = Rows(len(qkv), op.width, op.width + gap, qkv), [exact(array) for array in (op.q_norm, op.k_norm, op.cosines, op.sines)]
    struct = native.RotationStruct(*map(address, arrays), *(room.address for room in cache.rooms), EPS, cache.kind,
                                   op.heads, op.kv_heads, 2 * half, sequences, tokens, op.start, cache.shape[2])
    assert LIBRARY.oss_rotate(ctypes.byref(struct), rows.address, rows.stride, threads) == OK
    rows.check()
    return rows.array


@dataclass(frozen=True)
class Attention:
    """oss_attention, over keys and values (sequences, kv_heads, capacity, head_dim) of any strides, which both share."""

    keys: np.ndarray
    values: np.ndarray
    length: int
    is_causal: bool = False
    padding: tuple[int, ...] | None = None

    def struct(self, heads: int, tokens: int) -> native.AttentionStruct:
        sequences, kv_heads, _, head_dim = self.keys.shape
        size = self.keys.itemsize
        sequence_stride, head_stride, position_stride, one = (stride // size for stride in self.keys.strides)
        assert (one, self.keys.strides, self.keys.dtype) == (1, self.values.strides, self.values.dtype)
        padding = None if self.padding is None else exact(np.array(self.padding, np.int32))
        struct = native.AttentionStruct(address(self.keys), address(self.values), address(padding), sequence_stride, head_stride,
                                        position_stride, F16 if size == 2 else F32, heads, kv_heads, head_dim, sequences, tokens,
                                        self.length, self.is_causal)
        struct.keep = padding
        return struct


def attend(op: Attention, q: np.ndarray, threads: int = 1, q_gap: int = 0, y_gap: int = 0) -> np.ndarray:
    """q and y (sequences, tokens, heads, head_dim)."""
    sequences, tokens, heads, head_dim = q.shape
    m, n = sequences * tokens, heads * head_dim
    struct = op.struct(heads, tokens)
    rows, out = to_read(q.reshape(m, n), q_gap), Rows(m, n, n + y_gap)
    scratch = Scratch(LIBRARY.oss_attention_scratch(ctypes.byref(struct), threads))
    assert scratch.num_bytes > 0
    code = LIBRARY.oss_attend(ctypes.byref(struct), address(rows), n + q_gap, out.address, out.stride, scratch.address, scratch.num_bytes,
                              threads)
    assert code == OK, code
    out.check()
    scratch.check()
    return out.array.reshape(q.shape)


def convolve(weight: Weight, bias: np.ndarray, x: np.ndarray, threads: int = 1) -> np.ndarray:
    """x (items, height, width, channels) to (items, (height + 1) / 2, (width + 1) / 2, outputs)."""
    items, height, width, _ = x.shape
    shape = items, (height + 1) // 2, (width + 1) // 2, weight.shape[0]
    x, bias, out = exact(x), exact(bias), Rows(1, int(np.prod(shape)))
    matrix = ctypes.byref(weight.struct)
    scratch = Scratch(LIBRARY.oss_convolve_scratch(matrix, items, height, width, threads))
    assert scratch.num_bytes > 0
    code = LIBRARY.oss_convolve(matrix, address(bias), address(x), items, height, width, out.address, scratch.address, scratch.num_bytes,
                                threads)
    assert code == OK, code
    out.check()
    scratch.check()
    return out.array.reshape(shape)
