"""What engine cpu makes of a checkpoint and the caller's options: a Choice of numbers, or the reason why not.

Knows shapes and stored packings only; reads no weight, and does not find out by itself whether native kernels are there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ossicle.errors import ModelError, OptionError, SpeechError
from ossicle.model.checkpoint import Checkpoint
from ossicle.model.layout import linear_modules
from ossicle.options import BITS, EngineOptions

OWN_BITS = (4, 8)                       # of the panels (see panels.py)
OWN_GROUPS = (32, 64)
SMALL_BYTES = 256_000_000               # of weights as stored: below it a step costs milliseconds, and accuracy is worth more

Part = Literal["decoder", "encoder"]


@dataclass(frozen=True)
class Choice:
    """The numbers that a network is loaded in."""

    decoder: int | None                 # bits of its weights; None leaves them as stored
    encoder: int | None
    group_size: int                     # of what is quantised while loading
    kv_dtype: str                       # of keys and values between steps: float16 or float32


def choose_bits(checkpoint: Checkpoint, options: EngineOptions, has_kernels: bool) -> Choice:
    """What to load a checkpoint in, when `refusal` has no objection.

    has_kernels   whether native kernels compute. NumPy widens everything to float32 again, so for it fewer bits only lose
                  accuracy, and "auto" takes none
    """
    group_size = min(options.group_size, max(OWN_GROUPS))           # larger only where "auto" chose the bits
    decoder = options.bits if options.bits != "auto" else (
        8 if has_kernels and checkpoint.num_bytes >= SMALL_BYTES and _is_fit(checkpoint, "decoder", group_size) else None)
    encoder = options.encoder_bits if options.encoder_bits != "auto" else (
        8 if decoder is not None and _is_fit(checkpoint, "encoder", group_size) else None)
    kv_dtype = options.kv_dtype if options.kv_dtype != "auto" else (
        "float16" if has_kernels and options.dtype != "float32" else "float32")
    return Choice(decoder, encoder, group_size, kv_dtype)


def refusal(checkpoint: Checkpoint, options: EngineOptions) -> SpeechError | None:
    """Why this engine cannot load a checkpoint as asked; None when it can."""
    if options.dtype not in ("auto", "float32"):
        return OptionError(f"engine cpu computes in float32 only: dtype must be auto or float32, got {options.dtype}; "
                           "engine mlx has others")
    foreign = next((how.mode for how in checkpoint.quantization.values() if how.mode != "affine"), None)
    if foreign:
        return ModelError(f"{checkpoint.folder} is packed as {foreign}, which engine cpu does not read; use engine mlx, "
                          "or the original checkpoint")
    if isinstance(options.bits, int) and options.bits not in OWN_BITS:
        others = ", ".join(str(bits) for bits in BITS if bits not in OWN_BITS)
        return OptionError(f"engine cpu quantises to 4 or 8 bits: bits must be auto, none, 4 or 8, got {options.bits}; "
                           f"engine mlx has {others} too")
    asked: dict[str, Part] = {}                                     # the option that asks for each part
    if isinstance(options.bits, int):
        asked["bits"] = "decoder"
    if isinstance(options.encoder_bits, int):
        asked["encoder_bits"] = "encoder"
    if asked and options.group_size not in OWN_GROUPS:
        return OptionError(f"engine cpu quantises in groups of 32 or 64: group_size must be one of them, got {options.group_size}; "
                           "engine mlx has groups of 128 too")
    for name, part in asked.items():
        if _is_packed(checkpoint, part):
            return OptionError(f"{name} must be auto or none for {checkpoint.folder}, whose {part} is quantised already; "
                               "choose the original checkpoint")
        for module, width in _widths(checkpoint, part):
            if width % options.group_size:
                return OptionError(f"group_size must divide the width {width} of {module}, got {options.group_size}; "
                                   f"choose another, or {name} none")
    return None


def part_of(module: str) -> Part:
    """Which of the two networks a module belongs to; the head goes with the decoder."""
    return "encoder" if module.startswith("audio_tower.") else "decoder"


def _is_fit(checkpoint: Checkpoint, part: Part, group_size: int) -> bool:
    """Whether a part is stored plain, in widths that the group divides."""
    return not _is_packed(checkpoint, part) and all(width % group_size == 0 for _, width in _widths(checkpoint, part))


def _is_packed(checkpoint: Checkpoint, part: Part) -> bool:
    return any(part_of(module) == part for module in checkpoint.quantization)


def _widths(checkpoint: Checkpoint, part: Part) -> Iterator[tuple[str, int]]:
    return ((module, shape[1]) for module, shape in linear_modules(checkpoint.config).items() if part_of(module) == part)
