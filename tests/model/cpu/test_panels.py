"""The packed formats of native/include/ossicle.h, as NumPy writes them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from ossicle.errors import ModelError
from ossicle.model.cpu import panels as module
from ossicle.model.cpu.dequantize import dequantize as dequantize_words
from ossicle.model.cpu.panels import (
    UNIT,
    choose_unit,
    dequantize,
    linear_q,
    pack_codes,
    pack_groups,
    quantize,
    quantize_activations,
    repack,
    unpack_codes,
    unpack_groups,
)

FORMS = [(bits, has_biases, group_size) for bits in (4, 8) for has_biases in (False, True) for group_size in (32, 64)]
each_form = pytest.mark.parametrize(("bits", "has_biases", "group_size"), FORMS)
SIZES = st.sampled_from([1e-9, 1e-6, 1e-3, 0.05, 1.0, 8.0])
SHAPES = st.tuples(st.integers(1, 50), st.integers(1, 3))           # outputs, and groups of each


def random(*shape, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(shape=SHAPES, bits=st.sampled_from([4, 8]), seed=st.integers(0, 99))
def test_codes_come_out_as_they_went_in_behind_zeros(shape, bits, seed):
    outputs, inputs = shape[0], 32 * shape[1]
    codes = np.random.default_rng(seed).integers(0, 2**bits, (outputs, inputs), np.uint8)
    back = unpack_codes(pack_codes(codes, bits), bits)
    np.testing.assert_array_equal(back[:outputs], codes)
    assert len(back) == -(-outputs // 16) * 16
    assert not back[outputs:].any()


@settings(max_examples=20, deadline=None)
@given(shape=SHAPES)
def test_scales_come_out_as_they_went_in_behind_zeros(shape):
    values = random(*shape).astype(np.float16)
    packed = pack_groups(values)
    assert packed.shape == (-(-shape[0] // 16), shape[1], 16)
    np.testing.assert_array_equal(unpack_groups(packed)[: shape[0]], values)
    assert not unpack_groups(packed)[shape[0] :].any()


def test_every_code_lies_where_the_header_says():
    codes = np.random.default_rng(1).integers(0, 16, (35, 64), np.uint8)
    eight, four = pack_codes(codes, 8), pack_codes(codes, 4)
    assert (eight.shape, four.shape) == ((3, 16, 16, 4), (3, 8, 16, 4))
    assert eight.flags.c_contiguous
    assert four.flags.c_contiguous
    for output in range(35):
        for place in range(64):
            assert eight[output // 16, place // 4, output % 16, place % 4] == codes[output, place]
            pair = four[output // 16, place // 8, output % 16, place % 4]
            assert (pair >> 4 if place % 8 >= 4 else pair & 15) == codes[output, place]


@each_form
@settings(max_examples=25, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 99), size=SIZES, shift=st.sampled_from([0, 0.9, -0.9]))
def test_no_weight_moves_further_than_half_a_step(bits, has_biases, group_size, shape, seed, size, shift):
    outputs, groups = shape
    weight = ((np.random.default_rng(seed).uniform(-1, 1, (outputs, groups * group_size)) + shift) * size).astype(np.float32)
    packed = quantize(weight, bits, group_size, has_biases=has_biases)
    error = np.abs(dequantize(packed).astype(np.float64) - weight).reshape(outputs, groups, group_size).max(axis=-1)
    steps = unpack_groups(packed.scales)[:outputs].astype(np.float64) * UNIT
    grouped = weight.reshape(outputs, groups, group_size).astype(np.float64)
    top = 2**bits - 1 if has_biases else 2 ** (bits - 1) - 1
    # The outermost codes reach as far as a scale rounded to half of 2**-24 units, and a bias with it, say; the rest is float32's.
    limit = steps * (0.5 + 1e-4) + (top + 1) * 2.0**-25 * UNIT
    if has_biases:
        low, span = grouped.min(axis=-1), np.ptp(grouped, axis=-1)
        limit += 2.0**-12 * (np.abs(low) + span) * (1 + 1e-4)       # bias and top, rounded to 11 bits
    assert (error <= limit).all()


@pytest.mark.parametrize(("bits", "has_biases", "codes"), [
    (8, False, np.r_[-127:1:2, 1:128:2][:128]), (8, True, np.r_[0:256:2][:128]), (4, False, np.r_[-7:8]), (4, True, np.r_[0:16])])
def test_weights_on_the_grid_are_kept_exactly(bits, has_biases, codes):
    codes = np.random.default_rng(3).choice(codes, (18, 64))
    codes[:, :2] = (255, 0) if bits == 8 and has_biases else (15, 0) if has_biases else (127, 1) if bits == 8 else (7, 1)
    weight = (codes * 2.0**-9 + (0.25 if has_biases else 0)).astype(np.float32)
    packed = quantize(weight, bits, 64, has_biases=has_biases)
    np.testing.assert_array_equal(unpack_codes(packed.codes, bits)[:18], codes + (0 if has_biases else 2 ** (bits - 1)))
    np.testing.assert_array_equal(dequantize(packed), weight)


def test_halves_go_to_the_even_code():
    weight = np.zeros((1, 32), np.float32)
    weight[0, :6] = [127, 0.5, 1.5, 2.5, -0.5, -1.5]
    packed = quantize(weight, 8, 32)
    np.testing.assert_array_equal(unpack_codes(packed.codes, 8)[0, :6], 128 + np.array([127, 0, 2, 2, 0, -2]))


def test_codes_are_chosen_for_the_scale_after_rounding():
    weight = random(64, 64, seed=4)
    packed = quantize(weight, 8, 32)
    scales = np.repeat(unpack_groups(packed.scales).astype(np.float32) * np.float32(UNIT), 32, axis=1)
    exact = np.abs(weight.reshape(64, 2, 32)).max(axis=-1) / np.float32(127)
    assert (exact != scales[:, ::32]).all()
    np.testing.assert_array_equal(unpack_codes(packed.codes, 8), np.clip(np.rint(weight * (np.float32(1) / scales)), -127, 127) + 128)


def test_the_usual_way_is_symmetric_for_8_bits_and_with_biases_for_4():
    assert quantize(random(4, 32), 8, 32).biases is None
    assert quantize(random(4, 32), 4, 32).biases is not None


@each_form
def test_rows_of_zeros_and_equal_weights_stay_what_they_are(bits, has_biases, group_size):
    weight = np.zeros((3, 64), np.float32)
    weight[1] = 0.375                                               # float16 holds it
    weight[2] = -0.375
    packed = quantize(weight, bits, group_size, has_biases=has_biases)
    np.testing.assert_allclose(dequantize(packed), weight, rtol=2**-11, atol=0)
    assert not dequantize(packed)[0].any()


@each_form
def test_what_fills_the_last_panel_is_zero(bits, has_biases, group_size):
    packed = quantize(random(17, 64), bits, group_size, has_biases=has_biases)
    assert packed.codes.shape == (2, 64 * bits // 32, 16, 4)
    assert not packed.codes[1, :, 1:].any()
    for array in (packed.scales, packed.biases):
        assert array is None or not array[1, :, 1:].any()
    assert dequantize(packed).shape == (17, 64)


def test_blocks_of_outputs_change_nothing(monkeypatch):
    weight = random(70, 64)
    whole = quantize(weight, 4, 32)
    monkeypatch.setattr(module, "BLOCK", 32 * 64)
    parts = quantize(weight, 4, 32)
    for name in ("codes", "scales", "biases"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    np.testing.assert_array_equal(dequantize(parts), dequantize(whole))


@each_form
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e6, -1e6])
def test_weights_that_scales_cannot_hold_are_refused(bits, has_biases, group_size, wrong):
    weight = random(20, 64)
    weight[18, 5] = wrong
    with pytest.raises(ModelError, match=r"finite weights .* within 15\.99.* with bits none"):
        quantize(weight, bits, group_size, has_biases=has_biases)


def test_another_unit_holds_larger_weights():
    weight = random(20, 64) * 1e4
    np.testing.assert_allclose(dequantize(quantize(weight, 8, 32, unit=1.0)), weight, rtol=0, atol=np.abs(weight).max() / 253)


# -- what MLX packed


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    return (np.asarray(values, np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize(("packed_group", "group_size"), [(32, 32), (64, 64), (64, 32), (128, 64), (128, 32)])
@pytest.mark.parametrize("narrow", [to_bfloat16, lambda values: values.astype(np.float16).astype(np.float32)], ids=["bfloat16", "float16"])
def test_repacked_weights_are_the_same_numbers(monkeypatch, bits, packed_group, group_size, narrow):
    monkeypatch.setattr(module, "BLOCK", 32 * 256)
    rng = np.random.default_rng(bits)
    words = rng.integers(0, 2**32, (37, 256 * bits // 32), np.uint32)
    scales, biases = (narrow(rng.standard_normal((37, 256 // packed_group)) * 10.0 ** rng.uniform(-5, -1, (37, 1))) for _ in range(2))
    biases[3] = scales[4] = 0
    panels = repack(words, bits, scales, biases, packed_group, group_size)
    assert (panels.bits, panels.group_size) == (4 if bits <= 4 else 8, group_size)
    np.testing.assert_array_equal(dequantize(panels), dequantize_words(words, scales, biases, bits))


FINITE_HALVES = arrays_of.arrays(np.float16, (1, 4), elements=st.floats(-32752, 32752, width=16))


@given(scales=FINITE_HALVES, biases=FINITE_HALVES)
def test_the_unit_keeps_every_float16_below_2_to_the_15(scales, biases):
    unit = choose_unit(scales.astype(np.float32), biases.astype(np.float32))
    for values in (scales.astype(np.float32), biases.astype(np.float32)):
        np.testing.assert_array_equal((values / np.float32(unit)).astype(np.float16).astype(np.float32) * np.float32(unit), values)


@given(exponent=st.integers(-90, 127), below=st.lists(st.integers(0, 30), min_size=1, max_size=8), data=st.data())
def test_the_unit_keeps_bfloat16_down_to_2_to_the_minus_31_of_the_largest(exponent, below, data):
    exponents = np.array([exponent, *(exponent - less for less in below)])
    mantissas = np.array(data.draw(st.lists(st.integers(128, 255), min_size=len(exponents), max_size=len(exponents))))
    values = np.ldexp(mantissas / 128, exponents).astype(np.float32)[None]
    assert np.array_equal(to_bfloat16(values), values)
    unit = choose_unit(values, np.zeros_like(values))
    assert 2**14 <= values.max() / unit < 2**15
    np.testing.assert_array_equal((values / np.float32(unit)).astype(np.float16).astype(np.float32) * np.float32(unit), values)


def test_the_unit_of_nothing_is_the_usual_one_and_of_nonsense_refused():
    zeros = np.zeros((1, 2), np.float32)
    assert choose_unit(zeros, zeros) == UNIT
    assert choose_unit(zeros, np.full((1, 2), 1e-44, np.float32)) == 2.0**-126
    for wrong in (np.nan, np.inf):
        with pytest.raises(ModelError, match="expected finite scales and biases"):
            choose_unit(np.full((1, 2), wrong, np.float32), zeros)


# -- products


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 5), size=st.sampled_from([1e-30, 1e-3, 1.0, 1e6]), group_size=st.sampled_from([32, 64]))
def test_activations_move_by_half_a_step_of_their_group(rows, size, group_size):
    x = random(rows, 128, seed=rows) * np.float32(size)
    q, scales = quantize_activations(x, group_size)
    assert (q.dtype, scales.shape) == (np.int8, (rows, 128 // group_size))
    steps = np.repeat(scales, group_size, axis=1)
    assert (np.abs(x - q * steps) <= steps * (0.5 + 1e-4)).all()       # float32 rounds the quotient of up to 127
    assert (np.abs(q.reshape(rows, -1, group_size)).max(axis=-1) == 127).all()


@pytest.mark.parametrize("tiny", [0.0, 1e-45, 1e-38])
def test_activations_of_nothing_are_zeros(tiny):
    q, scales = quantize_activations(np.full((2, 64), tiny, np.float32), 64)
    assert not q.any()
    assert np.isfinite(scales).all()


@each_form
def test_the_integer_product_is_the_product_of_what_was_rounded(bits, has_biases, group_size):
    x, weight = random(3, 192, seed=6), random(21, 192, seed=7) * np.float32(0.05)
    packed = quantize(weight, bits, group_size, has_biases=has_biases)
    q, scales = quantize_activations(x, group_size)
    rounded = (q.reshape(3, -1, group_size) * scales[..., None].astype(np.float64)).reshape(3, 192)
    y = linear_q(x, packed)
    assert (y.shape, y.dtype) == ((3, 21), np.float32)
    np.testing.assert_allclose(y, rounded @ dequantize(packed).astype(np.float64).T, rtol=0, atol=1e-5)     # float32 sums of 6 groups
    error = np.abs(y - x @ weight.T).max() / np.abs(x @ weight.T).max()
    assert error < (0.02 if bits == 8 else 0.2)
