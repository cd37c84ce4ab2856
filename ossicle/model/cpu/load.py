"""An opened checkpoint to a network in NumPy: every tensor widened to float32, one at a time, and rounded where fewer bits are asked for.

Layouts and damaged files are no business of this file: `checkpoint.py` has checked every tensor and given it its one name.
"""

import numpy as np

from ossicle.errors import ModelError, OptionError
from ossicle.model.checkpoint import Checkpoint
from ossicle.model.cpu import panels
from ossicle.model.cpu.choice import Choice, choose_bits, part_of, refusal
from ossicle.model.cpu.dequantize import dequantize
from ossicle.model.cpu.network import CPUNetwork
from ossicle.model.layout import CONVOLUTIONS, linear_modules
from ossicle.model.tensors import DTYPES, Tensor
from ossicle.options import EngineOptions


def load_network(checkpoint: Checkpoint, options: EngineOptions) -> CPUNetwork:
    """Read a checkpoint's weights, once, as float32; packed ones are unpacked, and those to be quantised rounded.

    Raises OptionError for numbers that this engine does not compute in, ModelError for packings that it cannot undo.
    """
    refused = refusal(checkpoint, options)
    if refused is not None:
        raise refused
    choice = choose_bits(checkpoint, options, has_kernels=False)
    if choice.kv_dtype != "float32":
        raise OptionError(f"engine cpu keeps keys and values in float32 where it computes in NumPy: kv_dtype must be auto or float32, "
                          f"got {choice.kv_dtype}")
    names = [name for name in checkpoint.tensors if not name.endswith((".scales", ".biases"))]      # those go into their weights
    tensors = {name: _read_weights(checkpoint, name) for name in names}
    for module in linear_modules(checkpoint.config):
        bits, name = choice.encoder if part_of(module) == "encoder" else choice.decoder, f"{module}.weight"
        if bits is not None:
            tensors[name] = _round(tensors[name], bits, choice.group_size, checkpoint.tensors[name])
    return CPUNetwork(checkpoint.config, tensors, describe(checkpoint, choice))


def _read_weights(checkpoint: Checkpoint, name: str) -> np.ndarray:
    """One tensor of the network in float32, unpacked and turned as the kernels want it."""
    tensor, module = checkpoint.tensors[name], name.removesuffix(".weight")
    if module in checkpoint.quantization:
        scales, biases = (widen(checkpoint.tensors[f"{module}.{part}"]) for part in ("scales", "biases"))
        return dequantize(read(tensor), scales, biases, checkpoint.quantization[module].bits)
    array = widen(tensor)
    is_turned = module in CONVOLUTIONS and not checkpoint.conv_is_channels_last
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if is_turned else array        # (out, height, width, in)


def _round(weight: np.ndarray, bits: int, group_size: int, tensor: Tensor) -> np.ndarray:
    """A weight (outputs, inputs) as its panels say it: the numbers of quantised weights, without their speed."""
    try:
        return panels.dequantize(panels.quantize(weight, bits, group_size))
    except ModelError as error:
        raise ModelError(f"{tensor.stored_name} in {tensor.file} cannot have {bits} bits: {error}") from error


def widen(tensor: Tensor) -> np.ndarray:
    """A tensor of floats in float32."""
    array = read(tensor)
    if tensor.dtype != "BF16":
        return array.astype(np.float32, copy=False)
    bits = array.astype(np.uint32)
    bits <<= 16                                     # bfloat16 is the upper half of a float32
    return bits.view(np.float32)


def read(tensor: Tensor) -> np.ndarray:
    """A copy of a stored tensor. Not `tensor.read`, whose mapped pages would count as this process's beside the widened copy."""
    dtype = DTYPES[tensor.dtype]
    array = np.fromfile(tensor.file, dtype, tensor.num_bytes // dtype.itemsize, offset=tensor.start)
    if array.nbytes != tensor.num_bytes:
        raise ModelError(f"{tensor.file} was cut short while it was read; download the file again")
    return array.reshape(tensor.shape)


def describe(checkpoint: Checkpoint, choice: Choice) -> str:
    """For people: "float32", "float32, unpacked from 4-bit, groups of 64", or "8-bit, groups of 64, computed in float32"."""
    kinds = sorted({f"{how.bits}-bit, groups of {how.group_size}" for how in checkpoint.quantization.values()})
    stored = "float32" + (f", unpacked from {' and '.join(kinds)}" if kinds else "")
    if choice.decoder is None and choice.encoder is None:
        return stored
    decoder, encoder = (f"{bits}-bit, groups of {choice.group_size}" if bits else None for bits in (choice.decoder, choice.encoder))
    both = decoder if decoder == encoder else f"{decoder or stored}, encoder {encoder or 'float32'}"
    return f"{both}, computed in float32"
