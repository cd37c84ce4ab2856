"""The arithmetic of the CPU engine in C (see arithmetic.py and native/include/ossicle.h): weights are Matrix objects.

Sizes are checked here, before pointers are handed out. Scratch memory belongs to the thread that computes and grows with need.
"""

import ctypes
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ossicle.model.cpu import kernels, native
from ossicle.model.cpu.arithmetic import Activation, Likeliest, Norm, Turn
from ossicle.model.cpu.native import address

ACTIVATIONS: dict[Activation, int] = {"none": native.NO_ACTIVATION, "gelu": native.GELU, "swiglu": native.SWIGLU}
KV_TYPES = {np.dtype(np.float32): native.F32, np.dtype(np.float16): native.F16}
FEW_ROWS = 16                # looked up at a step; to let go of the file for them would take longer than to read them
PLAIN_TYPES = {"F32": native.F32, "F16": native.F16, "BF16": native.BF16}       # by the name in a safetensors file


@dataclass(frozen=True, eq=False)
class Matrix:
    """A weight (outputs, inputs) in memory, as ossicle.h describes it; the arrays are held so that the pointers stay good."""

    struct: native.MatrixStruct
    arrays: tuple[np.ndarray, ...]
    forget: Callable[[], None] | None = None        # called behind a look-up, where nothing but rows is read of a mapped file

    @property
    def num_bytes(self) -> int:
        return sum(array.nbytes for array in self.arrays)

    @property
    def shape(self) -> tuple[int, int]:
        return self.struct.outputs, self.struct.inputs


def plain_matrix(rows: np.ndarray, stored: str) -> Matrix:
    """Rows (outputs, inputs) of float32, float16, or of bfloat16's bits, where they are: "F32", "F16" or "BF16"."""
    assert rows.flags.c_contiguous and rows.dtype.itemsize == (4 if stored == "F32" else 2)
    return Matrix(native.MatrixStruct(rows.ctypes.data, None, None, 1.0, PLAIN_TYPES[stored], *rows.shape, 0), (rows,))


def panel_matrix(bits: int, shape: tuple[int, int], group: int, arrays: Sequence[np.ndarray], unit: float) -> Matrix:
    """Panels of 4 or 8 bits over (codes, scales) or (codes, scales, biases), each beginning on 64 bytes."""
    pointers = [array.ctypes.data for array in arrays] + [None] * (3 - len(arrays))
    kind = native.Q8 if bits == 8 else native.Q4
    return Matrix(native.MatrixStruct(*pointers, unit, kind, *shape, group), tuple(arrays))


class NativeLinear:
    """A Linear of arithmetic.py."""

    def __init__(self, form: "NativeForm", parts: Sequence[Matrix], norm: Norm | None, bias: np.ndarray | None, activation: Activation):
        self.parts = tuple(parts)
        self._form, self._held = form, (norm, bias)
        self._structs = (native.MatrixStruct * len(parts))(*(part.struct for part in parts))
        self.inputs = parts[0].shape[1]
        self.outputs = parts[0].shape[0] if activation == "swiglu" else sum(part.shape[0] for part in parts)
        assert all(part.shape[1] == self.inputs for part in parts), "parts of one product share their inputs"
        for vector, length in ((bias, self.outputs), *(((norm.weight, self.inputs), (norm.bias, self.inputs)) if norm else ())):
            assert vector is None or (vector.shape == (length,) and vector.dtype == np.float32 and vector.flags.c_contiguous)
        kind = native.NO_NORM if norm is None else native.RMS_NORM if norm.bias is None else native.LAYER_NORM
        ops = [native.LinearStruct(
            ctypes.addressof(self._structs), _address(norm.weight if norm else None), _address(norm.bias if norm else None), _address(bias),
            norm.eps if norm else 0.0, len(parts), kind, ACTIVATIONS[activation], add) for add in (0, 1)]
        self._ops = ops
        self.setting, self.adding = (ctypes.addressof(op) for op in ops)
        self._scratch_bytes: dict[int, int] = {}            # by number of rows

    def __call__(self, x: np.ndarray, out: np.ndarray | None = None, *, add: bool = False) -> np.ndarray:
        if out is None:
            assert not add, "there is nothing to add to"
            out = np.empty((len(x), self.outputs), np.float32)
        self._apply(self.adding if add else self.setting, x, out, None)
        return out

    def best(self, x: np.ndarray) -> tuple[np.ndarray, Likeliest]:
        logits, found = np.empty((len(x), self.outputs), np.float32), np.empty(len(x), native.BEST)
        self._apply(self.setting, x, logits, found.ctypes.data)
        return logits, _likeliest(found)

    def _apply(self, op: int, x: np.ndarray, out: np.ndarray, best: int | None) -> None:
        rows, form = len(x), self._form
        assert x.shape[1] == self.inputs, f"rows of {x.shape[1]} features, not {self.inputs}"
        assert out.shape == (rows, self.outputs), f"room of {out.shape}, not {(rows, self.outputs)}"
        if rows == 0:
            return
        needed = self._scratch_bytes.get(rows)
        if needed is None:
            needed = self._scratch_bytes[rows] = form.functions.oss_linear_scratch(op, rows, form.threads)
        scratch, size = form.scratch(needed)
        native.check(form.functions.oss_apply(op, address(x), _stride(x), rows, address(out), _stride(out), best,
                                              scratch, size, form.threads))


class SplitLinear:
    """A Linear whose parts are held in different numbers: each is multiplied on its own."""

    def __init__(self, form: "NativeForm", parts: Sequence[Matrix], norm: Norm | None, bias: np.ndarray | None, activation: Activation):
        ends = np.cumsum([part.shape[0] for part in parts])
        biases = [None] * len(parts) if bias is None else np.split(bias, ends[:-1])
        own = "none" if activation == "swiglu" else activation
        self._parts = [NativeLinear(form, [part], norm, piece, own) for part, piece in zip(parts, biases)]
        self._is_gated = activation == "swiglu"

    def __call__(self, x: np.ndarray, out: np.ndarray | None = None, *, add: bool = False) -> np.ndarray:
        products = [part(x) for part in self._parts]
        y = kernels.swiglu(*products) if self._is_gated else np.concatenate(products, axis=1)
        if out is None:
            return y
        out[:] = out + y if add else y
        return out

    def best(self, x: np.ndarray) -> tuple[np.ndarray, Likeliest]:
        raise AssertionError("a head is one matrix")


class NativeConvolution:
    """A Convolution of arithmetic.py."""

    def __init__(self, form: "NativeForm", weight: Matrix, bias: np.ndarray):
        self._form, self.weight, self.bias = form, weight, bias
        assert bias.shape == weight.shape[:1] and bias.dtype == np.float32

    def __call__(self, x: np.ndarray) -> np.ndarray:
        items, height, width, channels = x.shape
        outputs, inputs = self.weight.shape
        assert inputs == 9 * channels and x.dtype == np.float32, f"{channels} channels of {x.dtype}, not {inputs // 9} of float32"
        x, form, op = np.ascontiguousarray(x), self._form, ctypes.addressof(self.weight.struct)
        y = np.empty((items, (height + 1) // 2, (width + 1) // 2, outputs), np.float32)
        scratch, size = form.scratch(form.functions.oss_convolve_scratch(op, items, height, width, form.threads))
        native.check(form.functions.oss_convolve(op, self.bias.ctypes.data, x.ctypes.data, items, height, width, y.ctypes.data,
                                               scratch, size, form.threads))
        return y


class NativeRotation:
    """A Rotation of arithmetic.py."""

    def __init__(self, form: "NativeForm", q_norm: Norm, k_norm: Norm, heads: int, kv_heads: int, head_dim: int):
        assert q_norm.weight.shape == k_norm.weight.shape == (head_dim,) and q_norm.eps == k_norm.eps
        self._form, self._held = form, (q_norm, k_norm)
        self._kv_shape, self._width, self._half = (kv_heads, head_dim), (heads + 2 * kv_heads) * head_dim, head_dim // 2
        self.op = native.RotationStruct(address(q_norm.weight), address(k_norm.weight), eps=q_norm.eps, heads=heads, kv_heads=kv_heads,
                                         head_dim=head_dim)

    def __call__(self, qkv: np.ndarray, cosines: np.ndarray, sines: np.ndarray, keys: np.ndarray, values: np.ndarray, start: int) -> None:
        (sequences, kv_heads, capacity, head_dim), rows = keys.shape, len(qkv)
        assert qkv.shape[1] == self._width and cosines.shape == sines.shape == (rows, self._half) and rows % sequences == 0
        assert keys.shape == values.shape and (kv_heads, head_dim) == self._kv_shape and start + rows // sequences <= capacity
        assert keys.flags.c_contiguous and values.flags.c_contiguous and keys.dtype == values.dtype
        op = native.RotationStruct.from_buffer_copy(self.op)            # of this call, as others may be under way
        op.cosines, op.sines, op.keys, op.values = address(cosines), address(sines), address(keys), address(values)
        op.cache_type, op.sequences, op.tokens, op.start, op.capacity = KV_TYPES[keys.dtype], sequences, rows // sequences, start, capacity
        native.check(self._form.functions.oss_rotate(ctypes.addressof(op), address(qkv), _stride(qkv), self._form.threads))


class NativeStack:
    """A Stack of arithmetic.py: one call for all layers, as Python between the products costs up to a fifth of a step."""

    def __init__(self, form: "NativeForm", layers: Sequence[Any]):
        self._form, self._layers = form, layers
        self._rotation = layers[0].rotate.op
        self._structs = (native.LayerStruct * len(layers))(*(native.LayerStruct(
            layer.qkv.setting, layer.o.adding, layer.gate_up.setting, layer.down.adding, layer.rotate.op.q_norm, layer.rotate.op.k_norm)
            for layer in layers))

    def __call__(self, x: np.ndarray, turn: Turn, count: int) -> None:
        first, form, rows, caches = self._rotation, self._form, len(x), turn.caches
        sequences, kv_heads, capacity, head_dim = caches.keys[0].shape
        if caches.known is None:
            arrays = [*caches.keys, *caches.values]
            assert all(array.shape == arrays[0].shape and array.dtype == arrays[0].dtype and array.flags.c_contiguous for array in arrays)
            assert (kv_heads, head_dim) == (first.kv_heads, first.head_dim)
            caches.known = native.pointers(caches.keys), native.pointers(caches.values)
        keys, values = caches.known
        assert 0 < count <= len(self._layers) == len(keys) == len(values)
        assert len(turn.cosines) == len(turn.sines) == len(turn.qkv) == len(turn.attended) == len(turn.hidden) == rows
        assert len(turn.padding) == sequences
        assert rows % sequences == 0
        empty = np.array(turn.padding, np.int32) if any(turn.padding) else None
        op = native.PassStruct(
            address(turn.cosines), address(turn.sines), _address(empty), ctypes.addressof(keys), ctypes.addressof(values),
            address(turn.qkv), address(turn.attended), address(turn.hidden), first.eps, KV_TYPES[caches.keys[0].dtype], first.heads,
            kv_heads, head_dim, sequences, rows // sequences, turn.start, capacity)
        layers, place = ctypes.addressof(self._structs), ctypes.addressof(op)
        scratch, size = form.scratch(form.functions.oss_run_scratch(layers, count, place, form.threads))
        native.check(form.functions.oss_run(layers, count, place, address(x), _stride(x), scratch, size, form.threads))


class NativeForm:
    """An Arithmetic (see arithmetic.py)."""

    def __init__(self, library: ctypes.CDLL, threads: int):
        self.functions, self.threads = library, threads
        self.name = f"native kernels, {native.instruction_set(library)}, {threads} thread{'' if threads == 1 else 's'}"
        self._own = threading.local()               # calls on several threads need memory of their own

    def linear(self, parts: Sequence[Matrix], norm: Norm | None = None, bias: np.ndarray | None = None,
               activation: Activation = "none") -> NativeLinear | SplitLinear:
        kinds = {(part.struct.type, part.struct.group, part.struct.unit, bool(part.struct.biases)) for part in parts}
        return (NativeLinear if len(kinds) == 1 else SplitLinear)(self, parts, norm, bias, activation)

    def convolution(self, weight: Matrix, bias: np.ndarray) -> NativeConvolution:
        return NativeConvolution(self, weight, bias)

    def rotation(self, q_norm: Norm, k_norm: Norm, heads: int, kv_heads: int, head_dim: int) -> NativeRotation:
        return NativeRotation(self, q_norm, k_norm, heads, kv_heads, head_dim)

    def attend(self, q: np.ndarray, keys: np.ndarray, values: np.ndarray, length: int, out: np.ndarray, *, is_causal: bool,
               padding: Sequence[int] = ()) -> None:
        (sequences, kv_heads, held, head_dim), rows, size = keys.shape, len(q), keys.itemsize
        heads = q.shape[1] // head_dim
        assert keys.shape == values.shape and keys.strides == values.strides and keys.strides[3] == size and keys.dtype == values.dtype
        assert q.shape == out.shape == (rows, heads * head_dim) and heads % kv_heads == 0 and rows % sequences == 0 and length <= held
        empty = np.array(padding, np.int32) if any(padding) else None
        assert empty is None or len(empty) == sequences
        sequence_stride, head_stride, position_stride, _ = keys.strides
        op = native.AttentionStruct(
            address(keys), address(values), _address(empty), sequence_stride // size, head_stride // size, position_stride // size,
            KV_TYPES[keys.dtype], heads, kv_heads, head_dim, sequences, rows // sequences, length, is_causal)
        place = ctypes.addressof(op)
        scratch, room = self.scratch(self.functions.oss_attention_scratch(place, self.threads))
        native.check(self.functions.oss_attend(place, address(q), _stride(q), address(out), _stride(out), scratch, room, self.threads))

    def stack(self, layers: Sequence[Any]) -> NativeStack | None:
        if any(isinstance(part, SplitLinear) for layer in layers for part in layer):
            return None
        return NativeStack(self, layers)

    def empty(self, rows: int, features: int) -> np.ndarray:
        return native.empty((rows, features))

    def embed(self, table: Matrix, ids: np.ndarray) -> np.ndarray:
        outputs, inputs = table.shape
        ids = np.ascontiguousarray(ids, np.int64)
        assert ids.size == 0 or (ids.min() >= 0 and ids.max() < outputs), f"ids must lie below {outputs}"
        rows = np.empty((len(ids), inputs), np.float32)
        if len(ids):
            native.check(self.functions.oss_embed(ctypes.addressof(table.struct), ids.ctypes.data, len(ids), rows.ctypes.data, inputs))
            if table.forget is not None and len(ids) > FEW_ROWS:
                table.forget()
        return rows

    def greedy(self, logits: np.ndarray) -> Likeliest:
        logits = np.ascontiguousarray(logits, np.float32)
        found = np.empty(len(logits), native.BEST)
        if len(logits):
            native.check(self.functions.oss_greedy(logits.ctypes.data, logits.shape[1], *logits.shape, found.ctypes.data, self.threads))
        return _likeliest(found)

    def scratch(self, num_bytes: int) -> tuple[int, int]:
        """Address and size of this thread's scratch memory, of `num_bytes` at least."""
        assert num_bytes > 0, "the native library knows no such operation"
        held: tuple[np.ndarray, int, int] | None = getattr(self._own, "scratch", None)
        if held is None or held[2] < num_bytes:
            memory = native.empty((num_bytes,), np.uint8)
            held = self._own.scratch = (memory, memory.ctypes.data, num_bytes)
        return held[1], held[2]

    def release(self) -> None:
        """Give this thread's scratch memory back."""
        self._own.__dict__.clear()


def _address(array: np.ndarray | None) -> int | None:
    return None if array is None else address(array)


def _stride(rows: np.ndarray) -> int:
    """Numbers from one row to the next."""
    to_next, to_neighbour = rows.strides
    assert to_neighbour == 4 and rows.dtype == np.float32, "rows of float32, features side by side"
    return to_next // 4


def _likeliest(found: np.ndarray) -> Likeliest:
    return Likeliest(found["id"].copy(), found["log_probability"].copy())
