"""An opened checkpoint to a network: on native kernels where the C library is there, in NumPy where it is not.

Layouts and damaged files are no business of this file: `checkpoint.py` has checked every tensor and given it its one name.
"""

import ctypes
from collections.abc import Mapping

import numpy as np

from ossicle.errors import ModelError, OptionError
from ossicle.model.checkpoint import Checkpoint
from ossicle.model.cpu import panels
from ossicle.model.cpu.arithmetic import Weight
from ossicle.model.cpu.choice import Choice, choose_bits, part_of, refusal
from ossicle.model.cpu.dequantize import dequantize
from ossicle.model.cpu.native import load_library
from ossicle.model.cpu.native_form import NativeForm
from ossicle.model.cpu.native_weights import load_native
from ossicle.model.cpu.network import CPUNetwork
from ossicle.model.cpu.numpy_form import NumPyForm
from ossicle.model.cpu.widen import read, widen
from ossicle.model.layout import CONVOLUTIONS, HEAD, is_of_step, linear_modules
from ossicle.model.tensors import Tensor
from ossicle.model.threads import resolve_threads
from ossicle.options import EngineOptions

PLAIN = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}


def load_network(checkpoint: Checkpoint, options: EngineOptions) -> CPUNetwork:
    """Load a checkpoint's weights in the numbers that the options ask for.

    Raises OptionError for numbers that this engine does not compute in, ModelError for packings that it cannot undo.
    """
    return load_with(load_library(), checkpoint, options)


def load_with(library: ctypes.CDLL | None, checkpoint: Checkpoint, options: EngineOptions) -> CPUNetwork:
    """The same on a library of the caller's choice; None is NumPy."""
    refused = refusal(checkpoint, options)
    if refused is not None:
        raise refused
    choice = choose_bits(checkpoint, options, has_kernels=library is not None)
    if library is None:
        return _load_numpy(checkpoint, choice)
    threads = resolve_threads(options.threads)
    tensors = load_native(library, checkpoint, choice, threads)
    is_tied = checkpoint.config.decoder.is_tied
    return CPUNetwork(
        checkpoint.config, NativeForm(library, threads), tensors, weights=describe(checkpoint, choice), kv_dtype=choice.kv_dtype,
        num_bytes=sum(weight.nbytes if isinstance(weight, np.ndarray) else weight.num_bytes
                      for name, weight in tensors.items() if not (is_tied and name == "model.embed_tokens.weight")),
        step_bytes=_step_bytes(tensors))


def _step_bytes(tensors: Mapping[str, Weight]) -> int:
    """What a step reads: of a tied table, the head that is made of it."""
    return sum(weight.nbytes if isinstance(weight, np.ndarray) else weight.num_bytes
               for name, weight in tensors.items() if is_of_step(name, is_tied=False))


def _load_numpy(checkpoint: Checkpoint, choice: Choice) -> CPUNetwork:
    if choice.kv_dtype != "float32":
        raise OptionError(f"engine cpu keeps keys and values in float32 where it computes in NumPy: kv_dtype must be auto or float32, "
                          f"got {choice.kv_dtype}")
    names = [name for name in checkpoint.tensors if not name.endswith((".scales", ".biases"))]      # those go into their weights
    tensors = {name: _read_weights(checkpoint, name) for name in names}
    if checkpoint.config.decoder.is_tied:
        tensors[f"{HEAD}.weight"] = tensors["model.embed_tokens.weight"]
    for module in linear_modules(checkpoint.config):
        bits = choice.encoder if part_of(module) == "encoder" else choice.decoder
        if bits is not None and module == "model.embed_tokens" and checkpoint.config.decoder.is_tied:
            module = HEAD                                   # the table itself gives rows, and stays as it is stored
        if bits is not None and module != "model.embed_tokens":
            name = f"{module}.weight"
            stored = checkpoint.tensors.get(name) or checkpoint.tensors["model.embed_tokens.weight"]
            tensors[name] = _round(tensors[name], bits, choice.group_size, stored)
    text = describe(checkpoint, choice)
    text += "" if text == "float32" else ", computed in float32"
    distinct = {id(array): array.nbytes for array in tensors.values()}
    return CPUNetwork(checkpoint.config, NumPyForm(), tensors, weights=text, num_bytes=sum(distinct.values()),
                      step_bytes=_step_bytes(tensors))


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


def describe(checkpoint: Checkpoint, choice: Choice) -> str:
    """For people: "bfloat16", "8-bit, groups of 64", or "4-bit, groups of 64, encoder 8-bit, groups of 64"."""
    decoder, encoder = (_describe_part(checkpoint, choice, part) for part in ("decoder", "encoder"))
    return decoder if decoder == encoder else f"{decoder}, encoder {encoder}"


def _describe_part(checkpoint: Checkpoint, choice: Choice, part: str) -> str:
    bits = choice.encoder if part == "encoder" else choice.decoder
    if bits is not None:
        return f"{bits}-bit, groups of {choice.group_size}"
    kinds = set()
    for module in linear_modules(checkpoint.config):
        if part_of(module) == part:
            how = checkpoint.quantization.get(module)
            kinds.add(f"{how.bits}-bit, groups of {how.group_size}" if how else PLAIN[checkpoint.tensors[f"{module}.weight"].dtype])
    return " and ".join(sorted(kinds))
