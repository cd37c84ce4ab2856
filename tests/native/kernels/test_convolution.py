"""oss_convolve equals the convolution of the NumPy engine and its GELU."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.model.cpu.native import BF16, F16, F32
from tests.native.kernels import plain
from tests.native.kernels.calls import THREADS, convolve, dense, random

SUMS = {"rtol": 1e-5, "atol": 1e-5}          # float32 sums of up to 4320 terms that come to about 1
SHAPES = (                                   # items, height, width, channels, outputs
    (1, 1, 1, 1, 1), (2, 1, 2, 1, 5), (3, 2, 1, 1, 480), (1, 64, 50, 1, 480), (2, 9, 7, 1, 33), (1, 1, 1, 2, 1), (3, 3, 3, 2, 7),
    (2, 5, 4, 16, 32), (2, 4, 5, 33, 31), (1, 8, 9, 160, 16), (2, 7, 8, 161, 40), (1, 33, 31, 3, 20), (2, 6, 5, 480, 480),
    (1, 32, 50, 17, 3),
)


def check(shape: tuple[int, int, int, int, int], kind: int, threads: int) -> None:
    *shape, outputs = shape
    channels = shape[-1]
    weight = dense(random(outputs, 9 * channels, seed=1) * np.float32((9 * channels) ** -0.5), kind)
    x, bias = random(*shape), random(outputs, seed=2)
    np.testing.assert_allclose(convolve(weight, bias, x, threads), plain.convolve(weight, bias, x), **SUMS)


@pytest.mark.parametrize("kind", [F32, F16, BF16], ids=["F32", "F16", "BF16"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_convolutions_of_any_shape_are_right(shape, kind):
    check(shape, kind, THREADS[(SHAPES.index(shape) + kind) % 3])


@settings(max_examples=30, deadline=None)
@given(shape=st.tuples(*(st.integers(1, most) for most in (3, 20, 20, 40, 70))), kind=st.sampled_from([F32, F16, BF16]),
       threads=st.sampled_from(THREADS))
def test_any_convolution_is_right(shape, kind, threads):
    check(shape, kind, threads)
