"""One checkpoint into another, in fewer bits: any published layout in, the MLX community's layout out.

Works tensor by tensor, so it needs memory for the largest one only. The folder appears whole or not at all.
Knows no engine but MLX's packing; loading is somebody else's work. Source: docs/model.md, "MLX community repositories".
"""

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ossicle.errors import MissingExtra, ModelError, OptionError
from ossicle.model.checkpoint import AFFINE_GROUPS, FLOAT_MODES, INDEX, Checkpoint, Mode, Quantization, open_checkpoint
from ossicle.model.layout import CONVOLUTIONS, linear_modules
from ossicle.model.tensors import DTYPES, Tensor, TensorWriter, read_json
from ossicle.options import BITS

logger = logging.getLogger(__name__)

SHARD_BYTES = 5 << 30                   # as mlx-lm and mlx-audio cut them
GROUP_SIZE = 64                         # of affine, where the caller names none; what the published ones use
MODES: tuple[Mode, ...] = ("affine", "mxfp4", "mxfp8", "nvfp4")
STORED_DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}
SMALL_FILES = ("*.json", "*.txt", "*.jinja", "*.model", "LICENSE*", "NOTICE*")
REWRITTEN = ("config.json", "quantization_config.json", INDEX)

Plan = dict[str, tuple[str, tuple[int, ...]]]       # tensor name -> (dtype, shape)


@dataclass(frozen=True)
class Conversion:
    """What `convert` wrote."""

    folder: Path
    files: tuple[str, ...]                          # of weights
    num_bytes: int                                  # of weights as written
    source_bytes: int                               # of the same weights as read
    quantization: Mapping[str, Quantization]        # by module path
    left_plain: tuple[str, ...]                     # modules asked for whose width no group divides


def convert(
    source: Path,
    out: Path,
    bits: int | None,
    group_size: int | None = None,
    encoder_bits: int | None = None,
    mode: Mode = "affine",
    dtype: str | None = None,
    *,
    overwrite: bool = False,
    shard_bytes: int = SHARD_BYTES,
    on_progress: Callable[[int, int], None] | None = None,
) -> Conversion:
    """Write the checkpoint at `source` to the folder `out` in the MLX community's layout.

    bits          of decoder, embedding and the aligner's head; None or 16 leaves them plain (a mode other than affine names its own)
    group_size    weights that share a scale; None is 64, or what the mode asks for. Where it does not divide a module's width,
                  that module stays plain and is reported
    encoder_bits  of the encoder's Linear layers, always affine; None or 16 leaves them plain, as the published ones are
                  (mlx-audio quantises no encoder itself, so it may not read such a folder)
    dtype         of what stays plain, and of affine scales: bfloat16, float16, float32; None keeps what is stored
    overwrite     replace a checkpoint at `out`; any other folder that is not empty is refused
    on_progress   called with (bytes read, bytes in all); raising from it stops the work and leaves nothing behind

    Raises OptionError for impossible numbers, ModelError for an unusable source, MissingExtra without MLX.
    """
    decoder = _choose(bits, group_size, mode)
    affine_group = group_size if mode == "affine" else None
    encoder = _choose(encoder_bits, affine_group, "affine", "encoder_bits")
    if dtype is not None and dtype not in STORED_DTYPES:
        raise OptionError(f"dtype must be one of {', '.join(STORED_DTYPES)}, got {dtype!r}")
    checkpoint = open_checkpoint(source)
    if checkpoint.quantization:
        raise ModelError(f"{source} is quantised already, {len(checkpoint.quantization)} modules of it; convert the original checkpoint")
    quantization, left_plain = _assign(checkpoint, decoder, encoder)
    quantize = _mlx_quantize() if quantization else None
    shards = _cut(_plan(checkpoint, quantization, dtype), shard_bytes)
    names = ["model.safetensors"] if len(shards) == 1 else [
        f"model-{number:05d}-of-{len(shards):05d}.safetensors" for number in range(1, len(shards) + 1)]
    with _whole_or_nothing(Path(out), Path(source), overwrite) as folder:
        done = num_bytes = 0
        for name, plan in zip(names, shards):
            with TensorWriter(folder / name, plan, {"format": "mlx"}) as writer:
                num_bytes += writer.num_bytes
                for tensor in _sources(checkpoint, plan):
                    for part, array in _pack(tensor, checkpoint, quantization, plan, quantize):
                        writer.write(part, array)
                    done += tensor.num_bytes
                    if on_progress:
                        on_progress(done, checkpoint.num_bytes)
        if len(shards) > 1:
            _write_index(folder / INDEX, dict(zip(names, shards)))
        _copy_small_files(checkpoint.folder, folder)
        _write_json(folder / "config.json", _config(checkpoint.folder, quantization, left_plain, decoder or encoder, dtype))
        written = open_checkpoint(folder)       # what we would refuse to load must not be left behind
        assert written.quantization == quantization
    logger.info("%s: %.2f GB, from %.2f GB", out, num_bytes / 1e9, checkpoint.num_bytes / 1e9)
    return Conversion(Path(out), tuple(names), num_bytes, checkpoint.num_bytes, MappingProxyType(quantization), left_plain)


def _choose(bits: int | None, group_size: int | None, mode: Mode, name: str = "bits") -> Quantization | None:
    if mode not in MODES:
        raise OptionError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    if mode != "affine":
        (own_bits, own_group), = (key for key, its_mode in FLOAT_MODES.items() if its_mode == mode)
        if bits not in (None, own_bits) or group_size not in (None, own_group):
            raise OptionError(f"mode {mode} has {own_bits} bits in groups of {own_group}, got {bits} bits in groups of {group_size}")
        return Quantization(own_bits, own_group, mode)
    if bits is None or bits == 16:
        return None
    if bits not in BITS:
        raise OptionError(f"{name} must be one of {', '.join(map(str, BITS))}, 16 or none; got {bits!r}")
    if group_size not in (None, *AFFINE_GROUPS):
        raise OptionError(f"group_size must be one of {', '.join(map(str, AFFINE_GROUPS))}, got {group_size!r}")
    return Quantization(bits, group_size or GROUP_SIZE, "affine")


def _assign(checkpoint: Checkpoint, decoder: Quantization | None,
            encoder: Quantization | None) -> tuple[dict[str, Quantization], tuple[str, ...]]:
    quantization: dict[str, Quantization] = {}
    left_plain = []
    for module, (_, width) in linear_modules(checkpoint.config).items():
        wanted = encoder if module.startswith("audio_tower.") else decoder
        if wanted is None:
            continue
        if width % wanted.group_size:
            left_plain.append(module)
        else:
            quantization[module] = wanted
    return quantization, tuple(left_plain)


def _plan(checkpoint: Checkpoint, quantization: Mapping[str, Quantization], dtype: str | None) -> Plan:
    plan: Plan = {}
    for name, tensor in checkpoint.tensors.items():
        module, shape = name.removesuffix(".weight"), tensor.shape
        plain = STORED_DTYPES[dtype] if dtype else tensor.dtype
        if module not in quantization:
            if _needs_turning(name, checkpoint):
                shape = (shape[0], *shape[2:], shape[1])
            plan[name] = plain, shape
            continue
        how, (rows, width) = quantization[module], shape
        groups = (rows, width // how.group_size)
        plan[name] = "U32", (rows, width * how.bits // 32)
        plan[f"{module}.scales"] = plain if how.mode == "affine" else "U8", groups
        if how.mode == "affine":
            plan[f"{module}.biases"] = plain, groups
    return plan


def _needs_turning(name: str, checkpoint: Checkpoint) -> bool:
    return name.removesuffix(".weight") in CONVOLUTIONS and not checkpoint.conv_is_channels_last


def _cut(plan: Plan, shard_bytes: int) -> list[Plan]:
    shards: list[Plan] = [{}]
    held = 0
    for name, (dtype, shape) in plan.items():
        size = int(np.prod(shape, dtype=np.int64)) * DTYPES[dtype].itemsize
        # Scales and biases stay beside their weight: they are written together.
        if held + size > shard_bytes and shards[-1] and not name.endswith((".scales", ".biases")):
            shards.append({})
            held = 0
        shards[-1][name] = dtype, shape
        held += size
    return shards


def _sources(checkpoint: Checkpoint, plan: Plan) -> Iterator[Tensor]:
    return (checkpoint.tensors[name] for name in plan if name in checkpoint.tensors)


def _pack(tensor: Tensor, checkpoint: Checkpoint, quantization: Mapping[str, Quantization], plan: Plan,
          quantize: Callable[..., Any] | None) -> Iterator[tuple[str, np.ndarray]]:
    module = tensor.name.removesuffix(".weight")
    how = quantization.get(module)
    if how is None:
        array = _cast(tensor, plan[tensor.name][0])
        yield tensor.name, np.moveaxis(array, 1, -1) if _needs_turning(tensor.name, checkpoint) else array
        return
    assert quantize is not None
    plain = plan[f"{module}.scales"][0] if how.mode == "affine" else tensor.dtype
    parts = (tensor.name, f"{module}.scales", f"{module}.biases")
    yield from zip(parts, quantize(_cast(tensor, plain), plain, how))


def _mlx_quantize() -> Callable[[np.ndarray, str, Quantization], list[np.ndarray]]:
    try:
        import mlx.core as mx
    except ImportError as error:
        raise MissingExtra('quantising needs MLX; install it with: pip install "ossicle[mlx]"') from error

    def quantize(weight: np.ndarray, dtype: str, how: Quantization) -> list[np.ndarray]:
        array = mx.array(weight)
        array = array.view(mx.bfloat16) if dtype == "BF16" else array
        parts = mx.quantize(array, group_size=how.group_size, bits=how.bits, mode=how.mode)
        mx.eval(*parts)                                 # one tensor at a time: this is what keeps memory small
        return [np.array(part.view(mx.uint16) if part.dtype == mx.bfloat16 else part) for part in parts]

    return quantize


def _cast(tensor: Tensor, dtype: str) -> np.ndarray:
    array = tensor.read()
    if tensor.dtype == dtype:
        return array
    if tensor.dtype == "BF16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    if dtype == "F32":
        return array.astype(np.float32)
    if dtype == "F16":
        with np.errstate(over="ignore"):
            halves = array.astype(np.float16)
        if not np.isfinite(halves).all():
            raise ModelError(f"tensor {tensor.stored_name} in {tensor.file} has values beyond float16's 65504; choose dtype bfloat16")
        return halves
    words = array.astype(np.float32).view(np.uint32)
    return ((words + 0x7FFF + ((words >> 16) & 1)) >> 16).astype(np.uint16)      # to the nearest bfloat16, ties to even


def _config(source: Path, quantization: Mapping[str, Quantization], left_plain: tuple[str, ...],
            main: Quantization | None, dtype: str | None) -> dict[str, Any]:
    config = {key: entry for key, entry in read_json(source / "config.json").items() if not key.startswith("quantization")}
    if dtype is not None:
        section = config.get("thinker_config", config)
        section.pop("torch_dtype", None)
        section["dtype"] = dtype
    if main is not None and quantization:
        block: dict[str, Any] = {"group_size": main.group_size, "bits": main.bits, "mode": main.mode}
        block |= {module: asdict(how) for module, how in quantization.items() if how != main}
        block |= dict.fromkeys(left_plain, False)
        config |= {"quantization": block, "quantization_config": block}
    return config


def _write_index(file: Path, shards: Mapping[str, Plan]) -> None:
    total = sum(int(np.prod(shape, dtype=np.int64)) * DTYPES[dtype].itemsize for plan in shards.values() for dtype, shape in plan.values())
    weight_map = {name: shard for shard, plan in shards.items() for name in plan}
    _write_json(file, {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))})


def _write_json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, indent=4, ensure_ascii=False) + "\n", "utf-8")


def _copy_small_files(source: Path, folder: Path) -> None:
    for pattern in SMALL_FILES:
        for file in source.glob(pattern):
            if file.is_file() and file.name not in REWRITTEN and not file.name.endswith(".safetensors.index.json"):
                shutil.copyfile(file, folder / file.name)       # the content: in the hub's cache these are links


@contextmanager
def _whole_or_nothing(out: Path, source: Path, overwrite: bool) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its place when the block ends well, and vanishes otherwise."""
    out, source = out.resolve(), source.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if not overwrite or not (out / "config.json").is_file():
            found = "which is a file" if out.is_file() else "which holds something else" if overwrite else "which is in use"
            raise OptionError(f"the output must be a new or empty folder{' or a checkpoint' if overwrite else ''}, got {out}, {found}; "
                              f"choose another{'' if overwrite else ', or ask to overwrite it (--overwrite)'}")
        if source.is_relative_to(out):
            raise OptionError(f"{out} holds the source itself; choose another folder")
    folder: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        new = folder / "new"                            # inside, since a temporary folder is made for our eyes only
        new.mkdir()
        yield new
        if out.exists():
            os.rename(out, folder / "old")
        try:
            os.rename(new, out)
        except OSError:
            if (folder / "old").exists():
                os.rename(folder / "old", out)
            raise
    except OSError as error:
        raise ModelError(f"cannot write {out}: {error.strerror or error}; is there room, and may it be written?") from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
