"""Norms, the largest of a row, and rotation into the cache equal their plain forms."""

import itertools

import numpy as np
import pytest

from ossicle.model.cpu import kernels
from ossicle.model.cpu.native import F16, F32, LAYER_NORM, RMS_NORM
from tests.native.kernels import plain
from tests.native.kernels.calls import EPS, THREADS, Cache, Rotation, greedy, normalize, random, rotate
from tests.native.kernels.memory import FILL

WIDTHS = (1, 3, 4, 8, 15, 16, 17, 31, 128, 1000)
SUMS = {"rtol": 1e-5, "atol": 1e-5}         # float32 sums of up to 1000 terms near 1


@pytest.mark.parametrize("norm", [RMS_NORM, LAYER_NORM], ids=["rms", "layer"])
@pytest.mark.parametrize("in_place", [False, True])
def test_norms_equal_their_formulas(norm, in_place):
    for n, m in itertools.product(WIDTHS, (1, 7, 8, 9, 40)):
        x, weight, bias = random(m, n) * 3 + 1, random(n, seed=1), random(n, seed=2) if norm == LAYER_NORM and m > 1 else None
        y = normalize(norm, x, weight, bias, THREADS[m % 3], m % 4, m % 3, in_place)
        np.testing.assert_allclose(y, plain.normalize(norm, x, weight, bias), **SUMS)
    slow = kernels.rms_norm(x, weight, EPS) if norm == RMS_NORM else kernels.layer_norm(x, weight, bias, EPS)
    np.testing.assert_allclose(y, slow, **SUMS)


def test_the_largest_of_a_row_is_the_first_of_equals_wherever_it_stands():
    for n in (*range(1, 36), 1000):
        logits = np.minimum(random(n, n, seed=n), 2)
        np.fill_diagonal(logits, 3)                                     # each place once; behind some, the same again
        logits[::2, -1] = 3
        best = greedy(logits, THREADS[n % 3], gap=n % 3)
        np.testing.assert_array_equal(best["id"], np.arange(n))
        np.testing.assert_array_equal(best["logit"], np.full(n, 3, np.float32))
        np.testing.assert_allclose(best["log_probability"], plain.log_probabilities(logits), rtol=0, atol=1e-5)


@pytest.mark.parametrize("n", [5, 16, 37, 300])
def test_log_probabilities_survive_extremes(n):
    logits = random(6, n) * np.array([[1e-3], [30], [1e4], [1e30], [1], [1]], np.float32)
    logits[4, 1:] = -np.inf
    logits[5] = np.where(np.arange(n) == n - 1, 0, -80)
    best = greedy(logits)
    np.testing.assert_array_equal(best["id"], logits.argmax(axis=-1))
    np.testing.assert_allclose(best["log_probability"], plain.log_probabilities(logits), rtol=0, atol=1e-5)


def test_rows_that_are_not_numbers_name_some_output():
    logits = random(4, 40)
    logits[0], logits[1, 3], logits[2], logits[3, 39] = np.nan, np.nan, -np.inf, np.inf
    best = greedy(logits)
    assert ((best["id"] >= 0) & (best["id"] < 40)).all()
    assert best["id"][3] == 39


# -- rotation


ROTATIONS = (                                # heads, kv_heads, head_dim, sequences, tokens, start, capacity
    (1, 1, 2, 1, 1, 0, 1), (4, 2, 8, 1, 5, 0, 5), (2, 1, 6, 3, 2, 4, 9), (3, 3, 16, 2, 1, 7, 8), (4, 1, 64, 2, 9, 3, 20),
    (16, 8, 128, 1, 3, 100, 256), (5, 5, 80, 2, 11, 1, 13), (2, 2, 34, 1, 40, 0, 41),
)


@pytest.mark.parametrize("kind", [F32, F16], ids=["F32", "F16"])
@pytest.mark.parametrize("shape", ROTATIONS, ids=str)
def test_rotation_writes_the_new_positions_of_the_cache_and_nothing_else(kind, shape):
    heads, kv_heads, head_dim, sequences, tokens, start, capacity = shape
    angles = random(sequences, tokens, head_dim // 2, seed=3) * 100
    op = Rotation(random(head_dim, seed=1), random(head_dim, seed=2), np.cos(angles), np.sin(angles), heads, kv_heads, start)
    cache, before = Cache(kind, sequences, kv_heads, capacity, head_dim), random(sequences * tokens, op.width) * 2
    after = rotate(op, cache, before, THREADS[tokens % 3], gap=tokens % 3)
    (old_q, old_k, old_v), (q, k, v) = (
        [part.reshape(len(rows), -1, head_dim) for part in np.split(rows, [heads * head_dim, (heads + kv_heads) * head_dim], axis=1)]
        for rows in (before, np.ascontiguousarray(after)))
    tables = [table.reshape(-1, head_dim // 2) for table in (op.cosines, op.sines)]
    np.testing.assert_allclose(q, plain.rotate(old_q, op.q_norm, *tables), **SUMS)
    np.testing.assert_allclose(k, plain.rotate(old_k, op.k_norm, *tables), **SUMS)
    np.testing.assert_array_equal(v, old_v)
    for got, new in zip(cache.arrays, (k, v)):
        expected = np.full(got.nbytes, FILL, np.uint8).view(got.dtype).reshape(got.shape)
        expected[:, :, start : start + tokens] = new.reshape(sequences, tokens, kv_heads, head_dim).swapaxes(1, 2)
        np.testing.assert_array_equal(got.view(np.uint8), expected.view(np.uint8))


def test_rotation_equals_the_numpy_engine():
    cosines, sines = kernels.rope_tables(np.arange(3, 8)[None], 64, 1e6)
    x = random(5, 2, 64)
    expected = kernels.rope(kernels.rms_norm(x, random(64, seed=1), EPS).swapaxes(0, 1)[None], cosines, sines)[0].swapaxes(0, 1)
    np.testing.assert_allclose(plain.rotate(x, random(64, seed=1), cosines[0, 0], sines[0, 0]), expected, **SUMS)


def test_values_are_rounded_to_the_nearest_float16_the_even_one_of_two():
    numbers = np.concatenate([plain.BETWEEN_HALVES, np.random.default_rng(0).integers(0, 2**32, 103, np.uint32).view(np.float32),
                              np.array([65520, -65520, 1e30, np.inf, -np.inf, np.nan, 1], np.float32)])
    ones, half = np.ones(len(numbers), np.float32), np.ones((1, 1, len(numbers) // 2), np.float32)
    cache = Cache(F16, 1, 1, 1, len(numbers))
    rotate(Rotation(ones, ones, half, half, 1, 1), cache, np.concatenate([ones, ones, numbers])[None])
    with np.errstate(over="ignore", invalid="ignore"):
        expected = numbers.astype(np.float16)
    got, is_number = cache.arrays[1].reshape(-1), ~np.isnan(expected)
    np.testing.assert_array_equal(~np.isnan(got), is_number)
    np.testing.assert_array_equal(got[is_number].view(np.uint16), expected[is_number].view(np.uint16))
