"""What MLX packs, the CPU engine unpacks to the same numbers."""

import numpy as np
import pytest

from ossicle.model.cpu import dequantize as module
from ossicle.model.cpu.dequantize import dequantize, unpack
from ossicle.options import BITS


@pytest.mark.parametrize("bits", BITS)
def test_codes_are_one_stream_of_bits(bits):
    codes = np.random.default_rng(bits).integers(0, 2**bits, (3, 64))
    stream = ((codes[..., None] >> np.arange(bits)) & 1).reshape(3, -1).astype(np.uint8)
    packed = np.packbits(stream, axis=1, bitorder="little").view("<u4")
    assert packed.shape == (3, 64 * bits // 32)
    np.testing.assert_array_equal(unpack(packed, bits), codes)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("group_size", [32, 64, 128])
def test_weights_are_those_of_mlx(monkeypatch, bits, group_size):
    mx = pytest.importorskip("mlx.core")
    monkeypatch.setattr(module, "BLOCK", 5 * 256)                       # rows in several blocks, the last one short
    weight = mx.array(np.random.default_rng(bits).standard_normal((48, 256)).astype(np.float32))
    parts = mx.quantize(weight, group_size, bits)
    expected = np.array(mx.dequantize(*parts, group_size, bits))
    np.testing.assert_allclose(dequantize(*(np.array(part) for part in parts), bits), expected, rtol=0, atol=1e-6)    # MLX may fuse
