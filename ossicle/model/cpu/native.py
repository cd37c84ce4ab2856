"""The C library of native/ by ctypes: its structs, its functions, and what an error code of theirs means.

Knows pointers and sizes only; what is computed when is the network's business. The promise of every function stands in
native/include/ossicle.h; `numpy_form.py` is what it must equal. ctypes lets go of the GIL for the length of a call.
"""

import ctypes
import math
import mmap
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

VERSION = 2                  # of ossicle.h: OSS_VERSION
PLACE = Path(__file__).parent / {"win32": "ossicle.dll", "darwin": "libossicle.dylib"}.get(sys.platform, "libossicle.so")
ALIGNMENT = 64
HUGE_PAGE = 2 * 2**20

F32, F16, BF16, Q8, Q4 = range(5)
NO_NORM, RMS_NORM, LAYER_NORM = range(3)
NO_ACTIVATION, GELU, SWIGLU = range(3)
ERRORS = {-1: "an argument is impossible", -2: "there is too little scratch memory", -3: "a number does not fit the target format"}
OUT_OF_RANGE = -3

_i32, _i64, _f32, _pointer, _size = ctypes.c_int32, ctypes.c_int64, ctypes.c_float, ctypes.c_void_p, ctypes.c_size_t


class MatrixStruct(ctypes.Structure):
    """oss_matrix."""

    _fields_ = [("codes", _pointer), ("scales", _pointer), ("biases", _pointer), ("unit", _f32),
                ("type", _i32), ("outputs", _i32), ("inputs", _i32), ("group", _i32)]


class LinearStruct(ctypes.Structure):
    """oss_linear."""

    _fields_ = [("parts", _pointer), ("norm_weight", _pointer), ("norm_bias", _pointer), ("bias", _pointer), ("norm_eps", _f32),
                ("num_parts", _i32), ("norm", _i32), ("activation", _i32), ("add", _i32)]


class RotationStruct(ctypes.Structure):
    """oss_rotation."""

    _fields_ = [*((name, _pointer) for name in ("q_norm", "k_norm", "cosines", "sines", "keys", "values")), ("eps", _f32),
                *((name, _i32) for name in ("cache_type", "heads", "kv_heads", "head_dim", "sequences", "tokens", "start", "capacity"))]


class AttentionStruct(ctypes.Structure):
    """oss_attention."""

    _fields_ = [("keys", _pointer), ("values", _pointer), ("padding", _pointer),
                ("sequence_stride", _i64), ("head_stride", _i64), ("position_stride", _i64),
                *((name, _i32) for name in ("kv_type", "heads", "kv_heads", "head_dim", "sequences", "tokens", "length", "causal"))]


class LayerStruct(ctypes.Structure):
    """oss_layer."""

    _fields_ = [(name, _pointer) for name in ("qkv", "o", "gate_up", "down", "q_norm", "k_norm")]


class PassStruct(ctypes.Structure):
    """oss_pass."""

    _fields_ = [*((name, _pointer) for name in ("cosines", "sines", "padding", "keys", "values", "qkv", "attended", "hidden")),
                ("eps", _f32),
                *((name, _i32) for name in ("cache_type", "heads", "kv_heads", "head_dim", "sequences", "tokens", "start", "capacity"))]


BEST = np.dtype([("logit", np.float32), ("log_probability", np.float32), ("id", np.int32)])      # oss_best

_int = ctypes.c_int
SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "oss_version": (_int, []),
    "oss_instruction_sets": (ctypes.c_char_p, []),
    "oss_instruction_set": (ctypes.c_char_p, []),
    "oss_use": (_int, [ctypes.c_char_p]),
    "oss_codes_bytes": (_size, [_int, _i32, _i32]),
    "oss_scales_bytes": (_size, [_i32, _i32, _i32]),
    "oss_quantize": (_int, [_pointer, _int, _pointer, _int]),
    "oss_repack": (_int, [_pointer, _int, _pointer, _pointer, _int, _i32, _pointer, _int]),
    "oss_embed": (_int, [_pointer, _pointer, _i64, _pointer, _i64]),
    "oss_linear_scratch": (_size, [_pointer, _i64, _int]),
    "oss_apply": (_int, [_pointer, _pointer, _i64, _i64, _pointer, _i64, _pointer, _pointer, _size, _int]),
    "oss_greedy": (_int, [_pointer, _i64, _i64, _i32, _pointer, _int]),
    "oss_normalize": (_int, [_int, _pointer, _pointer, _f32, _pointer, _i64, _i64, _i32, _pointer, _i64, _int]),
    "oss_rotate": (_int, [_pointer, _pointer, _i64, _int]),
    "oss_attention_scratch": (_size, [_pointer, _int]),
    "oss_attend": (_int, [_pointer, _pointer, _i64, _pointer, _i64, _pointer, _size, _int]),
    "oss_run_scratch": (_size, [_pointer, _i32, _pointer, _int]),
    "oss_run": (_int, [_pointer, _i32, _pointer, _pointer, _i64, _pointer, _size, _int]),
    "oss_convolve_scratch": (_size, [_pointer, _i32, _i32, _i32, _int]),
    "oss_convolve": (_int, [_pointer, _pointer, _pointer, _i32, _i32, _i32, _pointer, _pointer, _size, _int]),
    "oss_measure_read": (_i64, [_pointer, _size, _int]),
    "oss_measure_arithmetic": (ctypes.c_double, [_int, _i64, _int]),
}


@cache
def load_library(path: Path = PLACE) -> ctypes.CDLL | None:
    """The library with its functions typed; None where it was not built, or was built for another version of this file."""
    if not path.is_file():
        return None
    try:
        library = ctypes.CDLL(str(path))
    except OSError:                                 # built for another kind of machine
        return None
    if not hasattr(library, "oss_version") or library.oss_version() != VERSION:
        return None
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def check(code: int) -> None:
    """Turn an error code into an exception: what reaches the library was checked before, so it is a mistake of ours."""
    assert code == 0, f"the native library refused: {ERRORS.get(code, code)}"


def instruction_set(library: ctypes.CDLL) -> str:
    """The instruction set whose kernels are in use."""
    return str(library.oss_instruction_set().decode("ascii"))


class Held(np.ndarray):
    """An array that remembers its address: asking NumPy for it takes as long as calling the library. A part of it starts anew."""

    address: int | None = None


def pointers(arrays: Sequence[np.ndarray]) -> ctypes.Array[Any]:
    """Addresses of arrays, one after the other."""
    return (_pointer * len(arrays))(*map(address, arrays))


def empty(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """Memory of the library's liking, with nothing in it."""
    kind, count = np.dtype(dtype), math.prod(shape)
    memory = np.empty(count * kind.itemsize + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + count * kind.itemsize].view(kind).reshape(shape).view(Held)


def address(array: np.ndarray) -> int:
    """Where an array begins."""
    if not isinstance(array, Held):
        return array.ctypes.data
    if array.address is None:
        array.address = array.ctypes.data
    return array.address


class Arena:
    """One stretch of memory in pages of 2 MiB where the system has them, given out in pieces that begin on 64 bytes."""

    def __init__(self, num_bytes: int):
        self._next = 0
        if num_bytes < HUGE_PAGE:
            self._memory = empty((num_bytes,), np.uint8)
            return
        # What is shared, as it is by default, has small pages.
        private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
        mapping = mmap.mmap(-1, num_bytes + HUGE_PAGE, **private)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with suppress(OSError):                         # a kernel without them
                mapping.madvise(mmap.MADV_HUGEPAGE)
        whole = np.frombuffer(mapping, np.uint8)
        start = -whole.ctypes.data % HUGE_PAGE
        self._memory = whole[start : start + num_bytes]

    def take(self, num_bytes: int) -> np.ndarray:
        piece = self._memory[self._next : self._next + num_bytes]
        assert len(piece) == num_bytes, "more was taken than was asked for"
        self._next += -(-num_bytes // ALIGNMENT) * ALIGNMENT
        return piece
