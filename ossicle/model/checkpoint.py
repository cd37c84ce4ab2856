"""A folder of published weights, opened: every tensor by one name, checked and mapped, nothing copied.

Knows the published layouts, told apart by tensor names and shapes, and neither engine. Quantisation is found module by
module through `.scales`; bits, group size and mode follow from shapes, so a wrong or missing block in config.json does
no harm. Source: docs/model.md, "Published files".
"""

import json
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from ossicle.errors import ModelError
from ossicle.model.config import ModelConfig
from ossicle.model.layout import (
    CONVOLUTIONS,
    HEAD,
    Layout,
    Shape,
    canonical_name,
    expected_tensors,
    recognise_layout,
    walk_tensors,
)
from ossicle.model.tensors import Tensor, read_json, read_tensors, shown
from ossicle.options import BITS

__all__ = ["Checkpoint", "Quantization", "Tensor", "expected_tensors", "find_weight_files", "open_checkpoint"]

logger = logging.getLogger(__name__)

Mode = Literal["affine", "mxfp4", "mxfp8", "nvfp4"]

INDEX = "model.safetensors.index.json"
FLOATS = ("BF16", "F16", "F32")
AFFINE_GROUPS = (32, 64, 128)
FLOAT_MODES: Mapping[tuple[int, int], Mode] = {(4, 32): "mxfp4", (8, 32): "mxfp8", (4, 16): "nvfp4"}   # (bits, group size)
SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.safetensors$")


@dataclass(frozen=True)
class Quantization:
    """How one module's weight is packed: `bits` each, `group_size` of them sharing a scale."""

    bits: int
    group_size: int
    mode: Mode                          # affine has .biases; the others are small floats with shared exponents


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint: what it says of itself, and its tensors by canonical name (see model/layout.py)."""

    folder: Path
    config: ModelConfig
    layout: Layout
    eos_ids: tuple[int, ...]                        # empty for an aligner that names none: it never generates
    alignment_heads: tuple[tuple[int, int], ...]    # (layer, query head), as generation_config.json names them
    tensors: Mapping[str, Tensor]                   # all that the network needs, packed or not; a tied head is left out
    quantization: Mapping[str, Quantization]        # by module path; modules not named here are plain
    conv_is_channels_last: bool                     # (out, height, width, in), as MLX has it; else (out, in, height, width)

    @property
    def num_bytes(self) -> int:
        """Bytes of all tensors as stored."""
        return sum(tensor.num_bytes for tensor in self.tensors.values())

    @property
    def num_parameters(self) -> int:
        """Weights of the network, packed or not; a tied head is counted once."""
        return sum(math.prod(shape) for _, shape in walk_tensors(self.config))

    @property
    def files(self) -> tuple[Path, ...]:
        """The weight files in use."""
        return tuple(dict.fromkeys(tensor.file for tensor in self.tensors.values()))


def open_checkpoint(folder: Path) -> Checkpoint:
    """Open a folder of weights in any published layout and check it; milliseconds, since no weight is read.

    Raises ModelError, which names the file or tensor, when anything needed is missing, damaged or of another shape.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelError(f"expected a checkpoint folder at {folder}, found {'a file' if folder.exists() else 'nothing'}")
    config = ModelConfig.from_file(folder / "config.json")
    stored = _stored_tensors(folder)
    layout = recognise_layout(stored)
    tensors: dict[str, Tensor] = {}
    for stored_name, tensor in stored.items():
        name = canonical_name(layout, stored_name)
        if name is not None:
            tensors[name] = replace(tensor, name=name)
    quantization: dict[str, Quantization] = {}
    used: dict[str, Tensor] = {}
    is_channels_last = _is_channels_last(tensors)
    for name, shape in walk_tensors(config):
        _require(name, tensors, folder, config)
        module = name.removesuffix(".weight")
        if f"{module}.scales" in tensors:
            quantization[module] = _quantization(module, shape, tensors)
            used |= {part: tensors[part] for part in (name, f"{module}.scales", f"{module}.biases") if part in tensors}
        else:
            if is_channels_last and module in CONVOLUTIONS and name != f"{module}.bias":
                shape = (shape[0], *shape[2:], shape[1])
            _check_plain(tensors[name], shape)
            used[name] = tensors[name]
    _log_unused(tensors, stored, used)
    generation = _read_optional(folder / "generation_config.json")
    return Checkpoint(
        folder=folder,
        config=config,
        layout=layout,
        eos_ids=_eos_ids(folder, config, generation),
        alignment_heads=_alignment_heads(config, generation),
        tensors=MappingProxyType(used),
        quantization=MappingProxyType(quantization),
        conv_is_channels_last=is_channels_last,
    )


def find_weight_files(folder: Path) -> list[Path]:
    """The safetensors files that make up a checkpoint. Raises ModelError naming the shards that are missing."""
    if (folder / INDEX).is_file():
        listed = sorted(set(_weight_map(folder).values()))
        missing = [name for name in listed if not (folder / name).is_file()]
        if not missing:
            return [folder / name for name in listed]
        # Converters sometimes carry the index of their source along, beside a single file of their own.
        if len(missing) < len(listed) or not (folder / "model.safetensors").is_file():
            raise ModelError(f"{folder} lacks {len(missing)} of the {len(listed)} files its index names: {', '.join(missing[:4])}; "
                             f"download the checkpoint again")
        logger.debug("%s: the index names no file that is there, model.safetensors is used", folder)
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    found = sorted(file for file in folder.glob("*.safetensors") if file.is_file() and not file.name.startswith("adapter"))
    for match in filter(None, (SHARD.search(file.name) for file in found)):
        names = [f"{number:05d}-of-{match[2]}" for number in range(1, int(match[2]) + 1)]
        missing = [name for name in names if not any(name in file.name for file in found)]
        if missing:
            raise ModelError(f"{folder} lacks shard {missing[0]}; download the checkpoint again")
    if not found:
        raise ModelError(_no_weights(folder))
    return found


def _no_weights(folder: Path) -> str:
    if (folder / "adapter_config.json").is_file():
        return f"{folder} holds an adapter (LoRA) only; merge it into its base model and give the merged folder"
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt")):
        return f"expected .safetensors weights in {folder}, found only PyTorch ones; save them with safe_serialization=True"
    return f"expected model.safetensors in {folder}, found no weights; the download may be incomplete"


def _stored_tensors(folder: Path) -> dict[str, Tensor]:
    stored: dict[str, Tensor] = {}
    files = find_weight_files(folder)
    weight_map = _weight_map(folder) if len(files) > 1 and (folder / INDEX).is_file() else {}
    for file in files:
        for tensor in read_tensors(file):
            owner = weight_map.get(tensor.name)
            if owner is not None and owner != file.name:
                continue                            # the index decides which of two copies counts
            if tensor.name in stored:
                raise ModelError(f"tensor {shown(tensor.name)} stands in {stored[tensor.name].file.name} and in {file.name} of {folder}; "
                                 f"remove the file that does not belong there")
            stored[tensor.name] = tensor
    lost = next((name for name in weight_map if name not in stored), None)
    if lost is not None:
        raise ModelError(f"expected tensor {shown(lost)} in {folder / weight_map[lost]}, as the index says, found none; "
                         f"download the file again")
    return stored


def _weight_map(folder: Path) -> dict[str, str]:
    index = read_json(folder / INDEX)
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelError(f"expected an object weight_map in {folder / INDEX}, found none; download the file again")
    for name in weight_map.values():
        if not isinstance(name, str) or not name.endswith(".safetensors") or "\0" in name or Path(name).name != name:
            raise ModelError(f"expected names of .safetensors files in {folder / INDEX}, got {name!r}; download the file again")
    return weight_map


def _require(name: str, tensors: Mapping[str, Tensor], folder: Path, config: ModelConfig) -> None:
    if name in tensors:
        return
    if name == f"{HEAD}.weight":
        why = "an aligner has a head of its own" if config.is_aligner else "config.json says that the head is not tied to the embedding"
        raise ModelError(f"{folder} lacks {name}: {why}; download the checkpoint again")
    raise ModelError(f"{folder} lacks tensor {name}, which its config.json asks for; download the checkpoint again")


def _is_channels_last(tensors: Mapping[str, Tensor]) -> bool:
    # The first convolution has one input channel, so the place of the 1 tells even where others are square.
    first = tensors.get(f"{CONVOLUTIONS[0]}.weight")
    return first is not None and first.shape[1:] == (3, 3, 1)


def _check_plain(tensor: Tensor, shape: Shape) -> None:
    if tensor.dtype == "U32":
        raise ModelError(f"tensor {tensor.stored_name} in {tensor.file} is packed, but has no scales; convert the checkpoint again")
    if tensor.dtype not in FLOATS:
        raise ModelError(f"tensor {tensor.stored_name} in {tensor.file} must be {', '.join(FLOATS)} or quantised as MLX does, "
                         f"got {tensor.dtype}; convert the original checkpoint with `ossicle convert`")
    if tensor.shape != shape:
        raise ModelError(f"tensor {tensor.stored_name} in {tensor.file} must have shape {shape} by config.json, got {tensor.shape}; "
                         f"do config and weights belong together?")


def _quantization(module: str, shape: Shape, tensors: Mapping[str, Tensor]) -> Quantization:
    weight, scales, biases = tensors[f"{module}.weight"], tensors[f"{module}.scales"], tensors.get(f"{module}.biases")
    where = f"quantised module {module} in {weight.file}"
    if len(shape) != 2:
        raise ModelError(f"{where} must be a Linear layer or an embedding, got a weight of shape {shape}; convert it again")
    rows, width = shape
    if weight.dtype != "U32" or len(weight.shape) != 2 or weight.shape[0] != rows:
        raise ModelError(f"{where} must have a packed U32 weight of {rows} rows, got {weight.dtype} {weight.shape}; convert it again")
    if len(scales.shape) != 2 or scales.shape[0] != rows or not scales.shape[1] or width % scales.shape[1]:
        raise ModelError(f"{where} must have scales of {rows} rows that divide {width} weights, got {scales.shape}; convert it again")
    bits, rest = divmod(weight.shape[1] * 32, width)
    group_size = width // scales.shape[1]
    if biases is None:
        mode = FLOAT_MODES.get((bits, group_size))
        if rest or mode is None or scales.dtype != "U8":
            raise ModelError(f"{where} must be mxfp4, mxfp8 or nvfp4 with U8 scales, since it has no biases; "
                             f"got {weight.shape[1] * 32 / width:g} bits in groups of {group_size} with {scales.dtype} scales")
        return Quantization(bits, group_size, mode)
    if rest or bits not in BITS or group_size not in AFFINE_GROUPS:
        raise ModelError(f"{where} must have one of {BITS} bits in groups of {AFFINE_GROUPS}, "
                         f"got {weight.shape[1] * 32 / width:g} bits in groups of {group_size}")
    if biases.shape != scales.shape or biases.dtype != scales.dtype or scales.dtype not in FLOATS:
        raise ModelError(f"{where} must have scales and biases alike, got {scales.dtype} {scales.shape} and {biases.dtype} {biases.shape}")
    return Quantization(bits, group_size, "affine")


def _log_unused(tensors: Mapping[str, Tensor], stored: Mapping[str, Tensor], used: Mapping[str, Tensor]) -> None:
    modules = {name.rpartition(".")[0] for name in used}
    odd = sorted(name for name in tensors if name not in used and name.rpartition(".")[0] in modules)
    if odd:
        # A bias where the network has none, say: it will run, but perhaps not as it was trained.
        logger.warning("%d tensors of modules in use are ignored: %s", len(odd), ", ".join(odd[:8]))
    unused = set(stored) - {tensor.stored_name for tensor in used.values()}
    if unused:
        logger.debug("%d stored tensors are not needed: %s", len(unused), ", ".join(sorted(unused)[:8]))


def _read_optional(file: Path) -> Mapping[str, Any]:
    content = read_json(file) if file.is_file() else {}
    if not isinstance(content, dict):
        raise ModelError(f"expected an object in {file}, got {type(content).__name__}; download the file again")
    return content


def _eos_ids(folder: Path, config: ModelConfig, generation: Mapping[str, Any]) -> tuple[int, ...]:
    raw = _read_optional(folder / "config.json")
    sections = [generation, raw, raw.get("thinker_config"), (raw.get("thinker_config") or raw).get("text_config")]
    named = next((section["eos_token_id"] for section in sections
                  if isinstance(section, dict) and section.get("eos_token_id") not in (None, [])), None)
    if named is None:
        named = _tokenizer_eos(folder)
    if named is None:
        if config.is_aligner:
            return ()
        raise ModelError(f"no end-of-text id in {folder}: expected eos_token_id in generation_config.json or config.json, or eos_token "
                         f"in tokenizer_config.json; download these files again")
    ids = named if isinstance(named, list) else [named]
    for number in ids:
        if type(number) is not int or not 0 <= number < config.decoder.vocab:
            raise ModelError(f"eos_token_id in {folder} must be ids below {config.decoder.vocab}, got {number!r}; download the files again")
    return tuple(dict.fromkeys(ids))


def _tokenizer_eos(folder: Path) -> int | None:
    tokenizer = _read_optional(folder / "tokenizer_config.json")
    token = tokenizer.get("eos_token")
    token = token.get("content") if isinstance(token, dict) else token
    if not isinstance(token, str):
        return None
    added = tokenizer.get("added_tokens_decoder")
    for number, entry in added.items() if isinstance(added, dict) else ():
        if isinstance(entry, dict) and entry.get("content") == token and number.isdecimal() and len(number) < 10:
            return int(number)
    listed = _read_optional(folder / "tokenizer.json").get("added_tokens")
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and entry.get("content") == token:
            return entry.get("id")
    return _read_optional(folder / "vocab.json").get(token)


def _alignment_heads(config: ModelConfig, generation: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    pairs = generation.get("alignment_heads") or []
    limits = (config.decoder.num_layers, config.decoder.num_heads)
    for pair in pairs if isinstance(pairs, list) else [pairs]:
        is_pair = isinstance(pair, list) and len(pair) == 2 and all(type(number) is int for number in pair)
        if not is_pair or not all(0 <= number < limit for number, limit in zip(pair, limits)):
            raise ModelError(f"alignment_heads in generation_config.json must be [layer, head] pairs below {list(limits)}, "
                             f"got {json.dumps(pair)}")
    return tuple((layer, head) for layer, head in pairs)
