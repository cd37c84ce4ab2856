"""An opened checkpoint to a network in NumPy: every tensor widened to float32, one at a time.

Layouts and damaged files are no business of this file: `checkpoint.py` has checked every tensor and given it its one name.
"""

import numpy as np

from ossicle.errors import ModelError, OptionError, SpeechError
from ossicle.model.checkpoint import Checkpoint
from ossicle.model.cpu.dequantize import dequantize
from ossicle.model.cpu.network import CPUNetwork
from ossicle.model.layout import CONVOLUTIONS
from ossicle.model.tensors import DTYPES, Tensor
from ossicle.options import EngineOptions


def load_network(checkpoint: Checkpoint, options: EngineOptions) -> CPUNetwork:
    """Read a checkpoint's weights, once, as float32; packed ones are unpacked.

    Raises OptionError for numbers that this engine does not compute in, ModelError for packings that it cannot undo.
    """
    refused = refusal(checkpoint, options)
    if refused is not None:
        raise refused
    names = [name for name in checkpoint.tensors if not name.endswith((".scales", ".biases"))]      # those go into their weights
    tensors = {name: _read_weights(checkpoint, name) for name in names}
    return CPUNetwork(checkpoint.config, tensors, describe(checkpoint))


def refusal(checkpoint: Checkpoint, options: EngineOptions) -> SpeechError | None:
    """Why this engine cannot load a checkpoint as asked; None when it can."""
    if options.bits is not None:
        return OptionError(f"engine cpu does not quantise yet: bits must be none, got {options.bits}; engine mlx does, "
                           "or convert the checkpoint and load that")
    if options.dtype not in ("auto", "float32"):
        return OptionError(f"engine cpu computes in float32 only: dtype must be auto or float32, got {options.dtype}; "
                           "engine mlx has others")
    foreign = next((how.mode for how in checkpoint.quantization.values() if how.mode != "affine"), None)
    if foreign:
        return ModelError(f"{checkpoint.folder} is packed as {foreign}, which engine cpu does not read; use engine mlx, "
                          "or the original checkpoint")
    return None


def _read_weights(checkpoint: Checkpoint, name: str) -> np.ndarray:
    """One tensor of the network in float32, unpacked and turned as the kernels want it."""
    tensor, module = checkpoint.tensors[name], name.removesuffix(".weight")
    if module in checkpoint.quantization:
        scales, biases = (widen(checkpoint.tensors[f"{module}.{part}"]) for part in ("scales", "biases"))
        return dequantize(read(tensor), scales, biases, checkpoint.quantization[module].bits)
    array = widen(tensor)
    is_turned = module in CONVOLUTIONS and not checkpoint.conv_is_channels_last
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if is_turned else array        # (out, height, width, in)


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


def describe(checkpoint: Checkpoint) -> str:
    """For people: "float32", or "float32, unpacked from 4-bit, groups of 64"."""
    kinds = sorted({f"{how.bits}-bit, groups of {how.group_size}" for how in checkpoint.quantization.values()})
    return "float32" + (f", unpacked from {' and '.join(kinds)}" if kinds else "")
