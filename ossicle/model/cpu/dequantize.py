"""MLX's packed weights to float32: what a quantised checkpoint says, for an engine that computes with plain numbers.

Knows the packing only. Codes lie in one stream of bits, the lowest first, through bytes and words alike: 8 codes of
`bits` bits are exactly `bits` bytes. Source: mlx/ops.cpp, `affine_dequantize`; the tests compare with `mx.dequantize`.
"""

import numpy as np

BLOCK = 1 << 20              # weights unpacked at once: they take 8 bytes each on the way


def dequantize(packed: np.ndarray, scales: np.ndarray, biases: np.ndarray, bits: int) -> np.ndarray:
    """Packed codes (rows, width * bits / 32) uint32 to weights (rows, width): code * scale + bias.

    scales, biases   (rows, groups) float32; every group has width / groups weights
    """
    rows, groups = scales.shape
    width = packed.shape[1] * 32 // bits
    weights = np.empty((rows, groups, width // groups), np.float32)
    step = max(1, BLOCK // width)
    for start in range(0, rows, step):
        part = slice(start, start + step)
        np.multiply(unpack(packed[part], bits).reshape(-1, groups, width // groups), scales[part, :, None], out=weights[part])
        weights[part] += biases[part, :, None]
    return weights.reshape(rows, width)


def unpack(packed: np.ndarray, bits: int) -> np.ndarray:
    """Codes (rows, width) in float32 out of uint32 words (rows, width * bits / 32)."""
    octets = np.ascontiguousarray(packed, "<u4").view(np.uint8).reshape(len(packed), -1, bits)      # 8 codes each
    words = np.zeros(octets.shape[:2], np.uint64)
    for place in range(bits):
        words |= octets[..., place].astype(np.uint64) << np.uint64(8 * place)
    shifts = np.arange(8, dtype=np.uint64) * np.uint64(bits)
    codes = (words[..., None] >> shifts) & np.uint64(2**bits - 1)
    return codes.reshape(len(packed), -1).astype(np.float32)
