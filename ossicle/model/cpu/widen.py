"""Stored numbers to float32, for an engine whose vectors, and in NumPy whose weights, are float32."""

import numpy as np

from ossicle.errors import ModelError
from ossicle.model.tensors import DTYPES, Tensor


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
