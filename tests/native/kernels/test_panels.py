"""Panels are, bit for bit, those of panels.py: quantised, repacked, and read back as embeddings."""

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.model.cpu import panels as slow
from ossicle.model.cpu.native import BF16, F16, F32, Q4, Q8
from ossicle.model.cpu.panels import UNIT, Panels, choose_unit
from tests.native.kernels import plain
from tests.native.kernels.calls import (
    DENSE_FORMATS,
    LIBRARY,
    OK,
    OUT_OF_RANGE,
    PANEL_FORMATS,
    THREADS,
    Format,
    address,
    embed,
    empty_panels,
    narrow,
    random,
)
from tests.native.kernels.memory import exact

each_form = pytest.mark.parametrize("form", PANEL_FORMATS, ids=str)
SHAPES = ((1, 64), (16, 128), (17, 64), (50, 320))
NUMBERS = ("F32", "F16", "BF16")


def quantize(form: Format, rows: np.ndarray, kind: int, threads: int = 1, unit: float = UNIT):
    """The code, and the panels that were written; rows are as F32, F16 or BF16 holds them."""
    matrix, rooms = empty_panels(form, *rows.shape, unit)
    rows = exact(rows)
    code = LIBRARY.oss_quantize(address(rows), kind, ctypes.byref(matrix), threads)
    for room in rooms:
        room.check()
    return code, rooms


def assert_same(rooms, panels: Panels) -> None:
    arrays = [array for array in (panels.codes, panels.scales, panels.biases) if array is not None]
    assert len(rooms) == len(arrays)
    for room, array in zip(rooms, arrays):
        assert room.num_bytes == array.nbytes
        np.testing.assert_array_equal(room.bytes, array.reshape(-1).view(np.uint8))


@each_form
@pytest.mark.parametrize("kind", [F32, F16, BF16], ids=NUMBERS)
def test_weights_are_quantised_to_the_same_bits(form, kind):
    for outputs, inputs in SHAPES:
        held, numbers = narrow(random(outputs, inputs, seed=outputs) * np.float32(0.05), kind)
        code, rooms = quantize(form, held, kind, THREADS[outputs % 3])
        assert code == OK
        assert_same(rooms, slow.quantize(numbers, 8 if form.kind == Q8 else 4, form.group, has_biases=form.has_biases))


@settings(max_examples=60, deadline=None)
@given(form=st.sampled_from(PANEL_FORMATS), outputs=st.integers(1, 40), groups=st.integers(1, 3), seed=st.integers(0, 99),
       size=st.sampled_from([1e-12, 1e-9, 1e-6, 1e-3, 0.05, 1.0, 8.0]), shift=st.sampled_from([0, 0.9, -0.9, 1]),
       unit=st.sampled_from([UNIT, 1.0, 2.0**-20]))
def test_any_weights_are_quantised_to_the_same_bits(form, outputs, groups, seed, size, shift, unit):
    shape = outputs, groups * form.group
    rows = ((np.random.default_rng(seed).uniform(-1, 1, shape) + shift) * min(size, 1e4 * unit)).astype(np.float32)
    code, rooms = quantize(form, rows, F32, THREADS[seed % 3], unit)
    assert code == OK
    assert_same(rooms, slow.quantize(rows, 8 if form.kind == Q8 else 4, form.group, unit, form.has_biases))


@each_form
def test_halves_and_equal_weights_are_quantised_to_the_same_bits(form):
    rows = np.zeros((40, 128), np.float32)
    rows[1], rows[2] = 0.375, -0.375
    rows[3] = np.tile([127, 0.5, 1.5, 2.5, -0.5, -1.5, 7, 15], 16) / 64       # halves of steps
    rows[4] = np.tile([0, 0.5, 1.5, 2.5, 15, 255, 3.5, 7.5], 16) / 64
    rows[5:] = np.random.default_rng(0).integers(-7, 8, (35, 128)) / 64
    rows[20:, 0] = 0.5
    code, rooms = quantize(form, rows, F32)
    assert code == OK
    assert_same(rooms, slow.quantize(rows, 8 if form.kind == Q8 else 4, form.group, has_biases=form.has_biases))


@each_form
def test_groups_that_begin_at_zero_are_quantised_to_the_same_bits(form):
    rows = np.abs(random(20, 128))
    rows[:, ::32] = 0
    rows[1], rows[2], rows[3, ::2] = 0, -0.0, -0.0
    code, rooms = quantize(form, rows, F32)
    assert code == OK
    assert_same(rooms, slow.quantize(rows, 8 if form.kind == Q8 else 4, form.group, has_biases=form.has_biases))


@each_form
@pytest.mark.parametrize(("kind", "wrong"), [(kind, wrong) for kind in (F32, BF16) for wrong in (np.nan, np.inf, -np.inf, 1e6, -1e6)]
                         + [(F16, np.nan), (F16, np.inf)])
def test_weights_that_scales_cannot_hold_are_refused(form, kind, wrong):
    rows = random(40, 128)
    rows[33, 100] = wrong
    for threads in THREADS:
        assert quantize(form, narrow(rows, kind)[0], kind, threads)[0] == OUT_OF_RANGE


# -- what MLX packed


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("kind", [F32, F16, BF16], ids=NUMBERS)
def test_words_are_repacked_to_the_same_bits(bits, kind):
    rng = np.random.default_rng(bits)
    for packed_group, group in ((32, 32), (64, 64), (64, 32), (128, 64), (128, 32)):
        for outputs, inputs in ((1, 128), (17, 256), (37, 384)):
            words = rng.integers(0, 2**32, (outputs, inputs * bits // 32), np.uint32)
            sizes = 10.0 ** rng.uniform(-5, -1, (outputs, 1))
            held, numbers = zip(*(narrow(rng.standard_normal((outputs, inputs // packed_group)) * sizes, kind) for _ in range(2)))
            code, rooms = repack(words, bits, held, kind, packed_group, group, choose_unit(*numbers), THREADS[outputs % 3])
            assert code == OK
            assert_same(rooms, slow.repack(words, bits, *numbers, packed_group, group))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 65520.0, -65520.0])
@pytest.mark.parametrize("which", [0, 1])
def test_scales_that_float16_cannot_hold_are_refused(which, wrong):
    words, numbers = np.zeros((37, 128), np.uint32), [random(37, 8), random(37, 8)]
    numbers[which][36, 7] = wrong
    assert repack(words, 8, numbers, F32, 64, 64, 1.0)[0] == OUT_OF_RANGE
    numbers[which][36, 7] = 65519
    assert repack(words, 8, numbers, F32, 64, 64, 1.0)[0] == OK


def check_scales(scales: np.ndarray) -> None:
    """Scales and biases that a unit of 1 leaves as they are come out as NumPy rounds them."""
    code, rooms = repack(np.zeros((1, 8 * len(scales)), np.uint32), 8, (scales[None], -scales[None]), F32, 32, 32, 1.0)
    assert code == OK
    halves = [slow.pack_groups(part.astype(np.float16)[None]) for part in (scales, -scales)]
    assert_same(rooms, Panels(slow.pack_codes(np.zeros((1, 32 * len(scales)), np.uint8), 8), *halves, 1.0, 8, 32, 1))


def test_scales_go_to_the_nearest_float16_the_even_one_of_two():
    check_scales(plain.BETWEEN_HALVES)


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.floats(-65504, 65504, width=32), min_size=1, max_size=4))
def test_any_scales_go_to_the_nearest_float16(values):
    check_scales(np.array(values, np.float32))


def repack(words: np.ndarray, bits: int, scales_and_biases, kind: int, packed_group: int, group: int, unit: float, threads: int = 1):
    form = Format(Q4 if bits <= 4 else Q8, group, True)
    matrix, rooms = empty_panels(form, len(words), words.shape[1] * 32 // bits, unit)
    words, *numbers = exact(words), *map(exact, scales_and_biases)
    code = LIBRARY.oss_repack(address(words), bits, *map(address, numbers), kind, packed_group, ctypes.byref(matrix), threads)
    for room in rooms:
        room.check()
    return code, rooms


# -- embeddings


@pytest.mark.parametrize("form", [*DENSE_FORMATS, *PANEL_FORMATS], ids=str)
def test_embeddings_are_the_rows_themselves(form):
    for outputs, inputs in ((1, 64), (35, 192)) if form.group else ((1, 1), (35, 77)):
        weight = form.hold(random(outputs, inputs))
        ids = [*range(outputs), 0, outputs - 1, outputs // 2]
        for gap in (0, 3):
            np.testing.assert_array_equal(embed(weight, ids, gap), weight.numbers[ids])


def test_the_bytes_of_panels_are_counted_without_overflow():
    rows = 2**27 * 16                                               # 2**31 - 1, filled up
    assert LIBRARY.oss_codes_bytes(Q8, 2**31 - 1, 64) == rows * 64
    assert LIBRARY.oss_codes_bytes(Q4, 2**31 - 1, 64) == rows * 32
    assert LIBRARY.oss_scales_bytes(2**31 - 1, 64, 32) == rows * 4
    for kind, outputs, inputs in ((F32, 16, 32), (Q8, 0, 32), (Q8, -1, 32), (Q8, 16, 0), (Q8, 16, 33), (Q8, 16, -32), (5, 16, 32)):
        assert LIBRARY.oss_codes_bytes(kind, outputs, inputs) == 0
    for outputs, inputs, group in ((0, 32, 32), (16, 32, 64), (16, 96, 48), (16, 0, 32), (16, 32, 0), (-1, 32, 32)):
        assert LIBRARY.oss_scales_bytes(outputs, inputs, group) == 0
