"""The weights of a checkpoint as the native kernels want them: mapped where they can stay as they are, else packed into panels.

Packing goes through a mapped file a few megabytes at a time and lets go of them again, so that a checkpoint never counts twice.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ossicle.errors import ModelError
from ossicle.model.checkpoint import Checkpoint
from ossicle.model.cpu import native
from ossicle.model.cpu.choice import Choice, part_of
from ossicle.model.cpu.native_form import PLAIN_TYPES, Matrix, panel_matrix, plain_matrix
from ossicle.model.cpu.panels import UNIT, choose_unit
from ossicle.model.cpu.widen import widen
from ossicle.model.layout import CONVOLUTIONS, HEAD, linear_modules
from ossicle.model.tensors import DTYPES, Tensor

LANES = 16                              # outputs of a panel
SLICE_BYTES = 16 * 2**20                # of a file, packed at once


class Packer:
    """Packs the matrices of one checkpoint into one stretch of memory."""

    def __init__(self, library: ctypes.CDLL, checkpoint: Checkpoint, choice: Choice, threads: int):
        self._library, self._checkpoint, self._choice, self._threads = library, checkpoint, choice, threads
        self._shapes, self._unit = linear_modules(checkpoint.config), self._common_unit()
        self._arena = native.Arena(sum(2 * native.ALIGNMENT + size for name in self._shapes
                                for size in self._panel_bytes(name)))

    def matrix(self, module: str) -> Matrix:
        """The weight of a Linear layer or of the head, in the numbers that it is to be computed in."""
        how, tensor = self._checkpoint.quantization.get(module), self._checkpoint.tensors[f"{module}.weight"]
        if how is not None:
            return self._repack(module, tensor)
        if self._bits(module) is not None:
            return self._quantize(module, tensor)
        tensor.prefer_large_pages()
        return plain(tensor)

    def convolution(self, module: str) -> Matrix:
        """A convolution's weight (outputs, 3 * 3 * channels), channels last."""
        tensor = self._checkpoint.tensors[f"{module}.weight"]
        array = tensor.read()
        if not self._checkpoint.conv_is_channels_last:
            array = array.transpose(0, 2, 3, 1)
        return plain_matrix(np.array(array, DTYPES[tensor.dtype], order="C").reshape(len(array), -1), tensor.dtype)

    def _bits(self, module: str) -> int | None:
        """4 or 8 where a module is packed here; None where it stays as it is stored."""
        how = self._checkpoint.quantization.get(module)
        if how is not None:
            return 4 if how.bits <= 4 else 8
        return self._choice.encoder if part_of(module) == "encoder" else self._choice.decoder

    def _group(self, module: str) -> int:
        how = self._checkpoint.quantization.get(module)
        return min(how.group_size, 64) if how is not None else self._choice.group_size

    def _has_biases(self, module: str) -> bool:
        return module in self._checkpoint.quantization or self._bits(module) == 4

    def _panel_bytes(self, module: str) -> list[int]:
        bits = self._bits(module)
        if bits is None:
            return []
        outputs, inputs = self._shapes[module]
        scales = self._library.oss_scales_bytes(outputs, inputs, self._group(module))
        assert scales, f"{module} of {inputs} inputs cannot have groups of {self._group(module)}"
        codes = self._library.oss_codes_bytes(native.Q8 if bits == 8 else native.Q4, outputs, inputs)
        return [codes, scales, scales] if self._has_biases(module) else [codes, scales]

    def _common_unit(self) -> float:
        """One unit for all matrices, so that those with the same input can be multiplied as one."""
        parts = [[widen(self._checkpoint.tensors[f"{module}.{part}"]) for part in ("scales", "biases")]
                 for module in self._checkpoint.quantization]
        return max((choose_unit(*part) for part in parts), default=UNIT)

    def _panels(self, module: str) -> Matrix:
        bits, (outputs, inputs) = self._bits(module), self._shapes[module]
        assert bits is not None
        arrays = [self._arena.take(size) for size in self._panel_bytes(module)]
        unit = self._unit if module in self._checkpoint.quantization else UNIT
        return panel_matrix(bits, (outputs, inputs), self._group(module), arrays, unit)

    def _slices(self, matrix: Matrix, row_bytes: int) -> Iterator[tuple[int, int, native.MatrixStruct]]:
        """First row, end row, and the panels of them, for as many rows at once as fit in a slice of the file."""
        outputs, inputs = matrix.shape
        step = max(LANES, SLICE_BYTES // row_bytes // LANES * LANES)
        for first in range(0, outputs, step):
            end = min(first + step, outputs)
            pointers = [None if array is None else array.ctypes.data + first // LANES * (array.nbytes // -(-outputs // LANES))
                        for array in (*matrix.arrays, None)[:3]]
            struct = matrix.struct
            yield first, end, native.MatrixStruct(*pointers, struct.unit, struct.type, end - first, inputs, struct.group)

    def _quantize(self, module: str, tensor: Tensor) -> Matrix:
        matrix, rows = self._panels(module), aligned(tensor)
        row_bytes = rows.strides[0]
        for first, end, panels in self._slices(matrix, row_bytes):
            code = self._library.oss_quantize(
                rows.ctypes.data + first * row_bytes, PLAIN_TYPES[tensor.dtype], ctypes.byref(panels), self._threads)
            if code == native.OUT_OF_RANGE:
                raise ModelError(f"{tensor.stored_name} in {tensor.file} cannot have {self._bits(module)} bits: expected finite weights "
                                 "of a size that scales in float16 hold, got others; load the checkpoint with bits none")
            native.check(code)
            tensor.forget(first * row_bytes, end * row_bytes)
        return matrix

    def _repack(self, module: str, tensor: Tensor) -> Matrix:
        matrix, how = self._panels(module), self._checkpoint.quantization[module]
        words = aligned(tensor)
        scales, biases = (widen(self._checkpoint.tensors[f"{module}.{part}"]) for part in ("scales", "biases"))
        for first, end, panels in self._slices(matrix, words.strides[0]):
            code = self._library.oss_repack(
                words.ctypes.data + first * words.strides[0], how.bits, scales.ctypes.data + first * scales.strides[0],
                biases.ctypes.data + first * biases.strides[0], native.F32, how.group_size, ctypes.byref(panels), self._threads)
            if code == native.OUT_OF_RANGE:
                raise ModelError(f"{tensor.stored_name} in {tensor.file} has scales that are not finite; download the checkpoint again")
            native.check(code)
            tensor.forget(first * words.strides[0], end * words.strides[0])
        return matrix


def load_native(library: ctypes.CDLL, checkpoint: Checkpoint, choice: Choice, threads: int) -> dict[str, Matrix | np.ndarray]:
    """Every tensor of the network by canonical name: Matrix objects, and vectors in float32.

    A tied head stands beside the table that it is tied to: the table gives rows and stays as it is stored, the head may
    be packed. Raises ModelError for weights that the packing cannot hold.
    """
    packer, modules = Packer(library, checkpoint, choice, threads), linear_modules(checkpoint.config)
    table, is_tied = "model.embed_tokens", checkpoint.config.decoder.is_tied
    tensors: dict[str, Matrix | np.ndarray] = {}
    for name, tensor in checkpoint.tensors.items():
        module = name.removesuffix(".weight")
        if name.endswith((".scales", ".biases")):
            continue                                        # they go into their weights
        if module in CONVOLUTIONS:
            tensors[name] = packer.convolution(module)
        elif module == table and module not in checkpoint.quantization:
            tensors[name] = replace(plain(tensor), forget=tensor.forget)
        elif module in modules:
            tensors[name] = packer.matrix(module)
        else:
            tensors[name] = widen(tensor)
    if is_tied and table in checkpoint.quantization:
        tensors[f"{HEAD}.weight"] = tensors[f"{table}.weight"]
    elif is_tied:
        tensors[f"{HEAD}.weight"] = packer.matrix(table)
        if choice.decoder is None:                          # the table is read from end to end in any case
            tensors[f"{table}.weight"] = tensors[f"{HEAD}.weight"]
    return tensors


def plain(tensor: Tensor) -> Matrix:
    """A stored matrix where it lies in the mapped file."""
    return plain_matrix(aligned(tensor), tensor.dtype)


def aligned(tensor: Tensor) -> np.ndarray:
    """A stored tensor where it lies, or a copy where a number of it does not begin at a multiple of its size."""
    array = tensor.read()
    return array if array.flags.aligned else array.copy()
