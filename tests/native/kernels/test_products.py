"""oss_apply equals the product written plainly, in every format, at every edge."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.model.cpu import kernels
from ossicle.model.cpu.native import F32, GELU, LAYER_NORM, NO_ACTIVATION, NO_NORM, Q4, Q8, RMS_NORM, SWIGLU
from ossicle.model.cpu.panels import Panels, pack_codes, pack_groups
from tests.native.kernels import plain
from tests.native.kernels.calls import DENSE_FORMATS, PANEL_FORMATS, THREADS, Format, Product, apply, packed, random

ROWS = (*range(1, 17), 29, 157, 260)        # past every number of rows that is multiplied at once: 4 and 6, 6 and 14, 252
DENSE_SHAPES = ((1, 1), (5, 7), (16, 16), (33, 31), (48, 129), (100, 300))
PANEL_SHAPES = ((1, 64), (16, 128), (33, 64), (50, 320))
SUMS = {"rtol": 2e-5, "atol": 1e-5}         # float32 sums of up to 320 terms that come to about 1


def weight(form: Format, outputs: int, inputs: int, seed: int = 0):
    return form.hold(random(outputs, inputs, seed=seed) * np.float32(inputs**-0.5))


def check(op: Product, m: int, threads: int, x_gap: int = 0, y_gap: int = 0, seed: int = 0) -> None:
    x, before = random(m, op.parts[0].shape[1], seed=seed + 1), random(m, op.outputs, seed=seed + 2) if op.add else None
    y = apply(op, x, threads, before, x_gap, y_gap)
    np.testing.assert_allclose(y, plain.product(op, x, before), **SUMS)


@pytest.mark.parametrize("form", [*DENSE_FORMATS, *PANEL_FORMATS], ids=str)
def test_products_of_any_shape_are_right(form):
    for outputs, inputs in DENSE_SHAPES if form in DENSE_FORMATS else PANEL_SHAPES:
        op = Product((weight(form, outputs, inputs),))
        for m in ROWS:
            check(op, m, THREADS[(m + outputs) % 3], x_gap=m % 3, y_gap=m % 5)


FUSED = [Format(F32), DENSE_FORMATS[2], Format(Q8, 32), Format(Q4, 64, True)]


@pytest.mark.parametrize("form", FUSED, ids=str)
def test_what_is_fused_is_right_in_every_combination(form):
    rows = itertools.cycle((1, 3, 8, 9, 12, 13, 30))
    inputs, sizes = 192 if form.group else 99, (37, 15, 48)
    norm_weight, norm_bias, bias = random(inputs, seed=5) + 1, random(inputs, seed=6), random(100, seed=7)
    parts = tuple(weight(form, outputs, inputs, seed=outputs) for outputs in sizes)
    gate_and_up = tuple(weight(form, 41, inputs, seed=seed) for seed in (8, 9))
    for norm, num_parts in itertools.product((NO_NORM, RMS_NORM, LAYER_NORM), (1, 2, 3)):
        norms = {"norm": norm, "norm_weight": norm_weight if norm else None, "norm_bias": norm_bias if norm == LAYER_NORM else None}
        for activation, has_bias, add in itertools.product((NO_ACTIVATION, GELU), (False, True), (False, True)):
            m, outputs = next(rows), sum(sizes[:num_parts])
            op = Product(parts[:num_parts], bias=bias[:outputs] if has_bias else None, activation=activation, add=add, **norms)
            check(op, m, THREADS[m % 3], y_gap=m % 2)
        for m in ROWS[num_parts::3]:
            check(Product(gate_and_up, activation=SWIGLU, **norms), m, THREADS[m % 3], y_gap=m % 2)


def test_a_layer_norm_needs_no_bias():
    op = Product((weight(Format(F32), 20, 50),), norm=LAYER_NORM, norm_weight=random(50))
    check(op, 3, 1)


@st.composite
def products(draw):
    form = draw(st.sampled_from([*DENSE_FORMATS, *PANEL_FORMATS]))
    inputs = draw(st.integers(1, 5)) * form.group or draw(st.integers(1, 300))
    activation = draw(st.sampled_from([NO_ACTIVATION, GELU, SWIGLU]))
    sizes = draw(st.lists(st.integers(1, 70), min_size=1, max_size=3))
    if activation == SWIGLU:
        sizes = sizes[:1] * 2
    parts = tuple(weight(form, size, inputs, seed=seed) for seed, size in enumerate(sizes))
    norm = draw(st.sampled_from([NO_NORM, RMS_NORM, LAYER_NORM]))
    is_plain = activation != SWIGLU
    return Product(parts, norm, random(inputs, seed=10) if norm else None, random(inputs, seed=11) if norm == LAYER_NORM else None,
                   random(sum(sizes), seed=12) if is_plain and draw(st.booleans()) else None, activation, is_plain and draw(st.booleans()))


@settings(max_examples=40, deadline=None)
@given(op=products(), m=st.integers(1, 40), threads=st.sampled_from(THREADS), gaps=st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_any_product_is_right(op, m, threads, gaps):
    check(op, m, threads, *gaps)


# -- integer products


@pytest.mark.parametrize("form", PANEL_FORMATS, ids=str)
def test_integer_sums_are_exact_at_their_extremes(form):
    rng = np.random.default_rng(3)
    bits, m, outputs, inputs = 8 if form.kind == Q8 else 4, 13, 35, 4 * form.group
    top = 2**bits - 1
    codes = rng.choice(np.array([0, 1, top // 2, top // 2 + 1, top - 1, top], np.uint8), (outputs, inputs))
    codes[0], codes[1] = 0, top                                     # nothing but the largest of one sign
    groups = np.ones((outputs, 4), np.float16)
    panels = Panels(pack_codes(codes, bits), pack_groups(groups), pack_groups(-2 * groups) if form.has_biases else None, 1.0, bits,
                    form.group, outputs)
    x = rng.choice(np.array([-127, -126, 0, 127], np.float32), (m, inputs))
    x[0], x[1] = 127, -127
    x[:, :: form.group] = 127                                       # so that the scale of every group is 1
    y = apply(Product((packed(panels),)), x)
    np.testing.assert_array_equal(y, x.astype(np.int64) @ (codes.astype(np.int64) - (2 if form.has_biases else 2 ** (bits - 1))).T)


@pytest.mark.parametrize("form", PANEL_FORMATS, ids=str)
@pytest.mark.parametrize("m", [1, 5, 40])
def test_activations_of_nothing_give_nothing(form, m):
    op = Product((weight(form, 35, 192),))
    x = random(m, 192)
    for value in (0.0, -0.0, 1e-45, 1e-40, -4e-38):                   # below 4e-37, 127 / x is infinite
        x[:, :64] = value
        np.testing.assert_allclose(apply(op, x), plain.product(op, x), **SUMS)
        x[-1] = value
        y = apply(op, x)
        np.testing.assert_allclose(y, plain.product(op, x), **SUMS)
        assert (np.abs(y[-1]) < 1e-36).all()


@pytest.mark.parametrize("form", PANEL_FORMATS, ids=str)
@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e20, 1e35])
def test_activations_of_any_size_are_rounded_alike(form, size):
    op = Product((weight(form, 35, 192),))
    x = random(7, 192) * np.float32(size)
    np.testing.assert_allclose(apply(op, x) / np.float32(size), plain.product(op, x) / np.float32(size), **SUMS)


@pytest.mark.parametrize("form", [*DENSE_FORMATS, *PANEL_FORMATS], ids=str)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_stays_alone_and_shows(form, wrong):
    part = weight(form, 35, 192)
    ops = (Product((part,)), Product((part,), RMS_NORM, random(192), activation=GELU), Product((part, part), activation=SWIGLU))
    for op, m, place in itertools.product(ops, (1, 4, 30), (0, 65, 191)):
        x = random(m, 192)
        clean = apply(op, x)
        x[m // 2, place] = wrong
        y = apply(op, x)
        assert not np.isfinite(y[m // 2]).any()
        np.testing.assert_array_equal(np.delete(y, m // 2, 0), np.delete(clean, m // 2, 0))


# -- the largest


@pytest.mark.parametrize("form", [*DENSE_FORMATS, Format(Q8, 64), Format(Q4, 32, True)], ids=str)
def test_the_best_is_that_of_the_row(form):
    for outputs, m, threads in itertools.product((1, 5, 33, 1000), (1, 2, 8, 9, 12, 13, 40), (1, 5)):
        y, best = apply(Product((weight(form, outputs, 64, seed=outputs),)), random(m, 64), threads, y_gap=m % 2, with_best=True)
        np.testing.assert_array_equal(best["id"], y.argmax(axis=-1))
        np.testing.assert_array_equal(best["logit"], y.max(axis=-1))
        np.testing.assert_allclose(best["log_probability"], plain.log_probabilities(y), rtol=0, atol=1e-5)
        np.testing.assert_allclose(best["log_probability"], kernels.greedy(y)[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", [*DENSE_FORMATS, Format(Q8, 64), Format(Q4, 32, True)], ids=str)
def test_the_best_of_equals_is_the_first(form):
    repeated = np.tile(random(3, 64), (100, 1))                     # 300 outputs, of 3 kinds
    for m, threads in itertools.product((1, 8, 9, 12, 13, 40), (1, 5)):
        y, best = apply(Product((form.hold(repeated),)), random(m, 64), threads, with_best=True)
        assert (best["id"] < 3).all()
        np.testing.assert_array_equal(best["id"], y.argmax(axis=-1))
