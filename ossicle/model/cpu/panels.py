"""Packed weights as native/include/ossicle.h lays them out, in NumPy: the slow form that the C library is held to.

Weights (outputs, inputs) float32 in, panels out, and back; and the product that the C library computes with them. Knows
neither checkpoints nor layers. All arithmetic is float32, written in the order in which C does it: quantising gives the
same bits there, products differ by the order of the sums over groups only.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ossicle.errors import ModelError
from ossicle.model.cpu.dequantize import BLOCK, unpack

LANES = 16                   # outputs of one panel: one register of float32 in AVX-512, two in AVX2, four in NEON
RUN = 4                      # neighbouring inputs of one output that lie together: what a dot product of bytes takes at once
UNIT = 2.0**-12              # brings scales of weights around 0.01 to 0.1 into the middle of float16's range
FLOAT16_MAX = 65504.0
SMALLEST_UNIT = 2.0**-126    # a smaller one is no normal float32 number


@dataclass(frozen=True)
class Panels:
    """A weight of (outputs, inputs): (code * scale + bias) * unit; without biases (code - 2**(bits - 1)) * scale * unit."""

    codes: np.ndarray                   # uint8 (panels, inputs / 4, 16, 4); of 4 bits (panels, inputs / 8, 16, 4)
    scales: np.ndarray                  # float16 (panels, inputs / group_size, 16)
    biases: np.ndarray | None           # the same, or none
    unit: float                         # a power of two
    bits: int                           # 4 or 8
    group_size: int
    outputs: int                        # without what fills the last panel

    @property
    def inputs(self) -> int:
        return self.scales.shape[1] * self.group_size


def quantize(weight: np.ndarray, bits: int, group_size: int, unit: float = UNIT, has_biases: bool | None = None) -> Panels:
    """Round weights (outputs, inputs) float32 to 4 or 8 bits in groups of 32 or 64.

    has_biases   None is the usual way: with biases for 4 bits, symmetric for 8

    Raises ModelError when a weight is not finite, or float16 does not hold a scale or bias over `unit`.
    """
    outputs, inputs = weight.shape
    has_biases = bits == 4 if has_biases is None else has_biases
    panels = _empty(outputs, inputs, bits, group_size, unit, has_biases)
    for part, where in _blocks(outputs, inputs):
        codes, scales, biases = _round(weight[part].reshape(-1, inputs // group_size, group_size), bits, np.float32(unit), has_biases)
        _require_float16(scales, biases, unit)
        _fill(panels, where, codes.reshape(-1, inputs), scales, biases)
    return panels


def dequantize(panels: Panels) -> np.ndarray:
    """The weights (outputs, inputs) float32 that panels stand for."""
    weights = np.empty((panels.outputs, panels.inputs), np.float32)
    for part, where in _blocks(panels.outputs, panels.inputs):
        size = weights[part].shape[0]
        codes = unpack_codes(panels.codes[where], panels.bits)[:size].astype(np.float32)
        groups = codes.reshape(size, -1, panels.group_size)
        scales, biases = (_widen(array[where], panels.unit)[:size, :, None] for array in (panels.scales, _biases(panels)))
        weights[part] = ((groups - _center(panels)) * scales + biases).reshape(size, -1)
    return weights


def repack(words: np.ndarray, bits: int, scales: np.ndarray, biases: np.ndarray, packed_group: int, group_size: int) -> Panels:
    """Panels of what MLX packed: the same codes, of 2 to 4 bits into 4, of 5 to 8 bits into 8.

    words            (outputs, inputs * bits / 32) uint32
    scales, biases   (outputs, inputs / packed_group) float32; each stands for packed_group / group_size groups of the panels

    Raises ModelError when scales or biases are not finite. Those of bfloat16 and float16 are kept exactly (see `choose_unit`),
    those of float32 are rounded to 11 bits.
    """
    assert packed_group % group_size == 0, (packed_group, group_size)
    outputs, inputs = len(words), words.shape[1] * 32 // bits
    unit = choose_unit(scales, biases)
    panels = _empty(outputs, inputs, 4 if bits <= 4 else 8, group_size, unit, has_biases=True)
    times = packed_group // group_size
    halves = [np.repeat((array / np.float32(unit)).astype(np.float16), times, axis=1) for array in (scales, biases)]
    for part, where in _blocks(outputs, inputs):
        _fill(panels, where, unpack(words[part], bits).astype(np.uint8), halves[0][part], halves[1][part])
    return panels


def choose_unit(scales: np.ndarray, biases: np.ndarray) -> float:
    """The power of two over which the largest magnitude of scales and biases lies between 2**14 and 2**15.

    float16 then holds every bfloat16 number down to 2**-31 of the largest, and every float16 one, if all are below 2**15:
    none comes closer to zero than it was.
    """
    largest = max(float(np.abs(array).max()) for array in (scales, biases))
    if not math.isfinite(largest):
        raise ModelError(f"expected finite scales and biases, got {largest:g}; download the checkpoint again")
    if largest == 0:
        return UNIT
    exponent = math.frexp(largest)[1]                                   # largest is in [0.5, 1) * 2**exponent
    return max(2.0 ** (exponent - 15), SMALLEST_UNIT)


def pack_codes(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes (outputs, inputs) uint8 in the order of panels, outputs filled up with zeros: see `Panels.codes`."""
    lanes = _fill_up(codes).reshape(-1, LANES, codes.shape[1] // RUN, RUN)
    runs = lanes.transpose(0, 2, 1, 3)                                  # (panels, inputs / 4, 16, 4)
    return np.ascontiguousarray(runs if bits == 8 else runs[:, 0::2] | runs[:, 1::2] << 4)


def unpack_codes(packed: np.ndarray, bits: int) -> np.ndarray:
    """Codes (16 * panels, inputs) uint8: what `pack_codes` was given, with the rows that fill the last panel."""
    runs = packed if bits == 8 else np.stack([packed & 15, packed >> 4], axis=2).reshape(len(packed), -1, LANES, RUN)
    return runs.transpose(0, 2, 1, 3).reshape(len(packed) * LANES, -1)


def pack_groups(values: np.ndarray) -> np.ndarray:
    """Scales or biases (outputs, groups) in the order of panels (panels, groups, 16), outputs filled up with zeros."""
    return np.ascontiguousarray(_fill_up(values).reshape(-1, LANES, values.shape[1]).transpose(0, 2, 1))


def unpack_groups(packed: np.ndarray) -> np.ndarray:
    """What `pack_groups` was given, with the rows that fill the last panel: (16 * panels, groups)."""
    return packed.transpose(0, 2, 1).reshape(-1, packed.shape[1])


def quantize_activations(x: np.ndarray, group_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Finite x (rows, inputs) float32 as int8 q (rows, inputs) and one scale a group (rows, groups): x is about q * scale."""
    groups = x.reshape(len(x), -1, group_size)
    largest = np.abs(groups).max(axis=-1)                               # (rows, groups)
    with np.errstate(over="ignore", divide="ignore"):
        inverse = np.float32(127) / largest
    inverse[~np.isfinite(inverse)] = 0                                  # of zeros, and of what is as good as zero (below 4e-37)
    q = np.rint(groups * inverse[..., None]).astype(np.int8)
    return q.reshape(x.shape), largest / np.float32(127)


def linear_q(x: np.ndarray, panels: Panels) -> np.ndarray:
    """x (rows, inputs) float32 times panels: (rows, outputs), over quantised activations and exact integer sums."""
    q, x_scales = quantize_activations(x, panels.group_size)
    q = q.reshape(len(x), -1, panels.group_size).astype(np.int32)
    codes = unpack_codes(panels.codes, panels.bits)[: panels.outputs].astype(np.int32) - _center(panels)
    codes = codes.reshape(panels.outputs, -1, panels.group_size)
    scales, biases = (_widen(array, panels.unit)[: panels.outputs] for array in (panels.scales, _biases(panels)))
    y = np.zeros((len(x), panels.outputs), np.float32)
    for group in range(codes.shape[1]):
        products = (q[:, group] @ codes[:, group].T).astype(np.float32)             # below 2**24: exact in float32 too
        sums = q[:, group].sum(axis=-1).astype(np.float32)[:, None]                 # (rows, 1)
        y += x_scales[:, group, None] * (scales[:, group] * products + biases[:, group] * sums)
    return y


def _round(groups: np.ndarray, bits: int, unit: np.float32, has_biases: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Groups (rows, groups, group_size) to codes alike, scales (rows, groups) and biases.

    Codes are chosen for what scale and bias are after rounding to float16, by multiplication with 1 / scale, as in C.
    """
    top = np.float32(2**bits - 1 if has_biases else 2 ** (bits - 1) - 1)
    biases = None
    with np.errstate(over="ignore", invalid="ignore"):                  # `_require_float16` says it better
        if has_biases:
            low = groups.min(axis=-1)
            biases = ((low + np.float32(0)) / unit).astype(np.float16)  # never -0
            scales = ((groups.max(axis=-1) - low) / top / unit).astype(np.float16)
            groups = groups - (biases.astype(np.float32) * unit)[..., None]
        else:
            scales = (np.abs(groups).max(axis=-1) / top / unit).astype(np.float16)
        wide = scales.astype(np.float32) * unit
        inverse = np.divide(np.float32(1), wide, out=np.zeros_like(wide), where=wide != 0)
        codes = np.clip(np.rint(groups * inverse[..., None]), 0 if has_biases else -top, top)
        return (codes + (0 if has_biases else 2 ** (bits - 1))).astype(np.uint8), scales, biases


def _require_float16(scales: np.ndarray, biases: np.ndarray | None, unit: float) -> None:
    if all(np.isfinite(array).all() for array in (scales, biases) if array is not None):
        return
    raise ModelError(f"expected finite weights whose scales and smallest values are within {FLOAT16_MAX * unit:g}, got others; "
                     "load the checkpoint with bits none, or download it again if it is damaged")


def _empty(outputs: int, inputs: int, bits: int, group_size: int, unit: float, has_biases: bool) -> Panels:
    assert bits in (4, 8), bits
    assert group_size in (32, 64), group_size
    assert inputs % group_size == 0, (inputs, group_size)
    assert math.frexp(unit)[0] == 0.5, f"a unit is a power of two, got {unit}"
    panels = -(-outputs // LANES)
    groups = (panels, inputs // group_size, LANES)
    return Panels(
        codes=np.empty((panels, inputs * bits // (8 * RUN), LANES, RUN), np.uint8),
        scales=np.empty(groups, np.float16),
        biases=np.empty(groups, np.float16) if has_biases else None,
        unit=unit, bits=bits, group_size=group_size, outputs=outputs,
    )


def _fill(panels: Panels, where: slice, codes: np.ndarray, scales: np.ndarray, biases: np.ndarray | None) -> None:
    panels.codes[where] = pack_codes(codes, panels.bits)
    panels.scales[where] = pack_groups(scales)
    if panels.biases is not None and biases is not None:
        panels.biases[where] = pack_groups(biases)


def _blocks(outputs: int, inputs: int) -> Iterator[tuple[slice, slice]]:
    """Outputs in blocks of whole panels, and the panels they fill: what is made on the way stays small."""
    step = max(1, BLOCK // (inputs * LANES))
    for start in range(0, -(-outputs // LANES), step):
        yield slice(start * LANES, min((start + step) * LANES, outputs)), slice(start, start + step)


def _fill_up(rows: np.ndarray) -> np.ndarray:
    return np.pad(rows, ((0, -len(rows) % LANES), (0, 0)))


def _widen(packed: np.ndarray, unit: float) -> np.ndarray:
    """Scales or biases of panels as they multiply: (16 * panels, groups) float32."""
    return unpack_groups(packed).astype(np.float32) * np.float32(unit)


def _biases(panels: Panels) -> np.ndarray:
    return np.zeros_like(panels.scales) if panels.biases is None else panels.biases


def _center(panels: Panels) -> int:
    return 2 ** (panels.bits - 1) if panels.biases is None else 0
