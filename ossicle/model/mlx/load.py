"""An opened checkpoint to a network in MLX: tensors into modules by their names, in the chosen numbers.

Layouts and damaged files are no business of this file: `checkpoint.py` has checked every tensor and given it its one name.
"""

from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from ossicle.errors import OptionError
from ossicle.model.checkpoint import Checkpoint
from ossicle.model.layout import is_of_step
from ossicle.model.mlx.network import MLXNetwork, Modules
from ossicle.options import EngineOptions

# Spare buffers that MLX keeps for reuse, in this process. Unbounded they grow to gigabytes over a long recording,
# as every length leaves its own; this much holds what one group of chunks or one prompt needs.
SPARE_BYTES = 512 * 2**20
DTYPES = {"float32": mx.float32, "float16": mx.float16, "bfloat16": mx.bfloat16}
STORED = {"F32": mx.float32, "F16": mx.float16, "BF16": mx.bfloat16}


def load_network(checkpoint: Checkpoint, options: EngineOptions) -> MLXNetwork:
    """Read a checkpoint's weights, once, in the dtype and bits that the options ask for.

    Raises OptionError for bits that this checkpoint cannot have, and for what only engine cpu does.
    """
    _require_own(options)
    dtype = choose_dtype(checkpoint, options)
    modules = Modules(checkpoint.config)            # of random weights, which are never computed
    nn.quantize(modules, class_predicate=lambda path, _: _as_stored(checkpoint, path))
    modules.load_weights(list(_open_weights(checkpoint, dtype).items()))
    if isinstance(options.bits, int):                # "auto" is as stored here: a GPU reads 16 bits fast enough
        _quantize_decoder(modules, checkpoint, options.bits, options.group_size)
    # Read now, part by part, so that only one part is held both as stored and as chosen.
    for part in (*modules.audio_tower.layers, *modules.model.layers, modules):
        mx.eval(part.parameters())
    mx.set_cache_limit(SPARE_BYTES)
    mx.clear_cache()
    sizes = {name: array.nbytes for name, array in _flat(modules)}
    step_bytes = sum(size for name, size in sizes.items() if is_of_step(name, checkpoint.config.decoder.is_tied))
    return MLXNetwork(checkpoint.config, modules, dtype, describe(modules), sum(sizes.values()), step_bytes)


def _require_own(options: EngineOptions) -> None:
    if isinstance(options.encoder_bits, int):
        raise OptionError(f"engine mlx leaves the encoder as stored: encoder_bits must be auto or none, got {options.encoder_bits}; "
                          "engine cpu quantises it, and so does `ossicle convert`")
    if options.kv_dtype != "auto":
        raise OptionError(f"engine mlx keeps keys and values in the dtype of the activations: kv_dtype must be auto, "
                          f"got {options.kv_dtype}; engine cpu has others")


def choose_dtype(checkpoint: Checkpoint, options: EngineOptions) -> mx.Dtype:
    """The caller's dtype; else the stored one, but float32 on the CPU backend, which has no fast 16-bit products."""
    if options.dtype != "auto":
        return DTYPES[options.dtype]
    if mx.default_device().type == mx.DeviceType.cpu:
        return mx.float32
    return STORED[checkpoint.tensors["model.norm.weight"].dtype]        # a norm is never quantised


def _as_stored(checkpoint: Checkpoint, path: str) -> dict[str, int | str] | bool:
    found = checkpoint.quantization.get(path)
    return {"bits": found.bits, "group_size": found.group_size, "mode": found.mode} if found else False


def _open_weights(checkpoint: Checkpoint, dtype: mx.Dtype) -> dict[str, mx.array]:
    """Every tensor as an array still unread: MLX goes to the file when the array is first needed."""
    files: dict[Path, Any] = {file: mx.load(str(file)) for file in checkpoint.files}
    weights = {}
    for name, tensor in checkpoint.tensors.items():
        weight = files[tensor.file][tensor.stored_name]
        if weight.ndim == 4 and not checkpoint.conv_is_channels_last:
            weight = mx.contiguous(weight.transpose(0, 2, 3, 1))        # (out, height, width, in)
        weights[name] = weight.astype(dtype) if mx.issubdtype(weight.dtype, mx.floating) else weight
    return weights


def _quantize_decoder(modules: Modules, checkpoint: Checkpoint, bits: int, group_size: int) -> None:
    """Quantise the decoder's linear layers, its table and its head; the encoder stays, as in the published 4-bit files."""
    if checkpoint.quantization:
        raise OptionError(f"bits must be auto or none for {checkpoint.folder}, which is quantised already; choose the original checkpoint")

    def choose(path: str, module: nn.Module) -> dict[str, int | str] | bool:
        if path.startswith("audio_tower.") or not hasattr(module, "to_quantized"):
            return False
        if module.weight.shape[1] % group_size:
            raise OptionError(f"group_size must divide the width {module.weight.shape[1]} of {path}, got {group_size}")
        return {"bits": bits, "group_size": group_size, "mode": "affine"}

    nn.quantize(modules, class_predicate=choose)


def describe(modules: Modules) -> str:
    """For people: "bfloat16", or "4-bit, groups of 64, encoder bfloat16"."""
    decoder, encoder = _kinds(modules.model), _kinds(modules.audio_tower)
    return decoder if decoder == encoder else f"{decoder}, encoder {encoder}"


def _kinds(module: nn.Module) -> str:
    kinds = set()
    for leaf in module.modules():
        if hasattr(leaf, "bits"):
            mode = "" if leaf.mode == "affine" else f" {leaf.mode}"
            kinds.add(f"{leaf.bits}-bit{mode}, groups of {leaf.group_size}")
    return " and ".join(sorted(kinds or {str(array.dtype).removeprefix("mlx.core.") for array in _arrays(module)}))


def _arrays(module: nn.Module) -> list[mx.array]:
    return [array for _, array in _flat(module)]


def _flat(module: nn.Module) -> list[tuple[str, mx.array]]:
    flat: Any = tree_flatten(module.parameters())
    return flat
