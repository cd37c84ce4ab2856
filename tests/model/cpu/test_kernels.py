"""Every kernel of the CPU engine equals a slower form, another form, or the mathematics."""

import math

import numpy as np
import pytest

from ossicle.model.cpu import kernels
from ossicle.model.cpu.kernels import TAIL_END, attention, conv2d, gelu, linear, rope, rope_tables, softmax, swiglu

SUMS = 1e-5                 # float32 sums of up to a few hundred terms near 1


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def close(got: np.ndarray, expected: np.ndarray, atol: float = SUMS) -> None:
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=0, atol=atol)


# ---------------------------------------------------------------- products and norms


@pytest.mark.parametrize("shape", [(1,), (3,), (64,), (65,), (2, 3), (2, 40), (0,), (2, 0)])
@pytest.mark.parametrize("has_bias", [True, False])
def test_linear_equals_its_sum_in_float64(shape, has_bias):
    x, weight, bias = random(*shape, 48), random(20, 48, seed=1), random(20, seed=2) if has_bias else None
    got = linear(x, weight, bias)
    assert got.flags.c_contiguous
    close(got, np.einsum("...i,oi->...o", x.astype(np.float64), weight) + (0 if bias is None else bias))


def test_linear_takes_rows_that_are_not_contiguous():
    x, weight = random(4, 90, 32), random(20, 32, seed=1)
    close(linear(x[:, ::2], weight), np.ascontiguousarray(x[:, ::2]) @ weight.T)


def test_layer_norm_leaves_mean_zero_and_variance_one():
    x, ones, zeros = random(5, 96) * 7 + 3, np.ones(96, np.float32), np.zeros(96, np.float32)
    y = kernels.layer_norm(x, ones, zeros, 1e-5)
    close(y.mean(-1), np.zeros(5))
    close(y.var(-1), np.ones(5), 1e-4)
    close(kernels.layer_norm(x, random(96), random(96, seed=1), 1e-5), y * random(96) + random(96, seed=1))


def test_rms_norm_equals_its_formula_in_float64():
    x, weight = random(5, 96) * 7, random(96, seed=1)
    wide = x.astype(np.float64)
    close(kernels.rms_norm(x, weight, 1e-6), wide / np.sqrt((wide**2).mean(-1, keepdims=True) + 1e-6) * weight)


# ---------------------------------------------------------------- activations


def test_the_tail_is_within_two_parts_in_a_hundred_million_of_math_erfc():
    a = np.linspace(0, TAIL_END, 50_001)                                # float64: the fit alone
    exact = np.array([math.erfc(value / math.sqrt(2)) for value in a])
    np.testing.assert_allclose(kernels.erfc_over_root2(a), exact, rtol=0, atol=2e-8)


def test_the_tail_in_float32_adds_only_the_rounding_of_exp():
    a = np.linspace(0, 12, 50_001, dtype=np.float32)
    exact = np.array([1 - math.erf(float(value) / math.sqrt(2)) for value in a])
    close(kernels.erfc_over_root2(a), exact, 1.4e-7)


def test_gelu_is_the_exact_form():
    x = np.concatenate([np.linspace(-12, 12, 100_001), [0, -0.0, 1e-30, -1e30, 1e30, 3e4, -3e4]]).astype(np.float32)
    exact = np.array([float(value) * (1 + math.erf(float(value) / math.sqrt(2))) / 2 for value in x])
    error = np.abs(gelu(x) - exact)
    assert (error <= 1e-7 * np.maximum(1, np.abs(x))).all()
    assert error[np.abs(x) <= 1].max() < 1e-7


def test_gelu_keeps_shapes_and_takes_views():
    x = random(3, 5, 7, 200)
    close(gelu(x[:, ::2].transpose(0, 3, 1, 2)), gelu(np.ascontiguousarray(x[:, ::2].transpose(0, 3, 1, 2))), 0)


def test_swiglu_equals_its_formula_and_survives_extremes():
    gate = np.concatenate([np.linspace(-30, 30, 2001), [-1e30, -200, 200, 1e4]]).astype(np.float32)
    up = random(len(gate))
    wide = gate.astype(np.float64)
    expected = wide * np.array([1 / (1 + math.exp(min(700, -value))) for value in wide]) * up
    np.testing.assert_allclose(swiglu(gate, up), expected, rtol=1e-6, atol=1e-12)


def test_softmax_sums_to_one_and_gives_nothing_to_what_is_hidden():
    x = random(4, 9) * 50
    x[1, 3:] = -np.inf
    wide = np.exp(x.astype(np.float64) - x.max(-1, keepdims=True))
    y = softmax(x.copy())
    close(y, wide / wide.sum(-1, keepdims=True))
    assert (y[1, 3:] == 0).all()


# ---------------------------------------------------------------- positions and attention


def test_rope_is_multiplication_of_complex_numbers():
    x, positions = random(2, 3, 5, 16), np.array([[0, 1, 2, 3, 4], [7, 8, 9, 10, 1000]])
    pairs = x[..., :8].astype(np.complex128) + 1j * x[..., 8:]
    angles = positions[:, None, :, None] * 10_000.0 ** (-np.arange(8) / 8)
    turned = pairs * np.exp(1j * angles)
    angles_in_float32 = 3e-4                                            # of 1000
    close(rope(x, *rope_tables(positions, 16, 10_000)), np.concatenate([turned.real, turned.imag], -1), angles_in_float32)


def test_rope_depends_on_distance_alone():
    q, k = random(1, 1, 1, 16), random(1, 1, 1, 16, seed=1)
    def score(a: int, b: int) -> float:
        turned = (rope(x, *rope_tables(np.array([[at]]), 16, 1e6)) for x, at in ((q, a), (k, b)))
        return float(np.vdot(*turned))
    assert score(9, 4) == pytest.approx(score(105, 100), abs=1e-4)


def plain_attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, is_causal: bool, padding=()) -> np.ndarray:
    """One number at a time."""
    batch, heads, tokens, head_dim = q.shape
    kv_heads, length = k.shape[1:3]
    y = np.zeros(q.shape)
    for row, head, token in np.ndindex(batch, heads, tokens):
        own = length - tokens + token
        empty = padding[row] if padding else 0
        seen = [key for key in range(length) if not is_causal or key == own or empty <= key <= own]
        mine = head // (heads // kv_heads)
        weights = [math.exp(float(q[row, head, token] @ k[row, mine, key]) / math.sqrt(head_dim)) for key in seen]
        for weight, key in zip(weights, seen):
            y[row, head, token] += weight / sum(weights) * v[row, mine, key]
    return y


@pytest.mark.parametrize("is_causal", [True, False])
@pytest.mark.parametrize(("tokens", "length"), [(7, 7), (1, 7), (3, 9), (0, 4)])
def test_attention_equals_a_plain_loop(is_causal, tokens, length):
    q, k, v = random(2, 4, tokens, 8), random(2, 2, length, 8, seed=1), random(2, 2, length, 8, seed=2)
    close(attention(q, k, v, is_causal), plain_attention(q, k, v, is_causal))


@pytest.mark.parametrize("tokens", [1, 4, 9])
def test_attention_over_padded_rows_equals_a_plain_loop(tokens):
    q, k, v = random(3, 4, tokens, 8), random(3, 1, 9, 8, seed=1), random(3, 1, 9, 8, seed=2)
    close(attention(q, k, v, True, (0, 3, 8)), plain_attention(q, k, v, True, (0, 3, 8)))


@pytest.mark.parametrize("is_causal", [True, False])
def test_attention_in_blocks_equals_attention_at_once(monkeypatch, is_causal):
    q, k, v = random(2, 4, 21, 8), random(2, 2, 30, 8, seed=1), random(2, 2, 30, 8, seed=2)
    whole = attention(q, k, v, is_causal, (4, 0) if is_causal else ())
    monkeypatch.setattr(kernels, "SCORE_BYTES", 4 * 2 * 4 * 30 * 5)     # five queries at a time
    close(attention(q, k, v, is_causal, (4, 0) if is_causal else ()), whole)


# ---------------------------------------------------------------- convolution and choice


@pytest.mark.parametrize("shape", [(1, 8, 1, 1), (2, 8, 9, 1), (3, 5, 4, 6), (1, 1, 1, 2)])
@pytest.mark.parametrize("column_bytes", [1, 1 << 20])
def test_convolution_equals_the_direct_sum(monkeypatch, shape, column_bytes):
    monkeypatch.setattr(kernels, "COLUMN_BYTES", column_bytes)
    x, weight, bias = random(*shape), random(7, 3, 3, shape[3], seed=1), random(7, seed=2)
    n, height, width, _ = shape
    expected = np.zeros((n, (height + 1) // 2, (width + 1) // 2, 7)) + bias
    for item, row, column, dy, dx in np.ndindex(*expected.shape[:3], 3, 3):
        y, z = 2 * row + dy - 1, 2 * column + dx - 1
        if 0 <= y < height and 0 <= z < width:
            expected[item, row, column] += weight[:, dy, dx] @ x[item, y, z]
    close(conv2d(x, weight, bias), expected)


def test_greedy_takes_the_first_of_equals_and_its_log_probability():
    logits = np.array([[1, 3, 3, -np.inf], [80, -80, 0, 0]], np.float32)
    ids, log_probabilities = kernels.greedy(logits)
    assert (ids.dtype, ids.tolist()) == (np.int32, [1, 0])
    close(log_probabilities, [-math.log(2 + math.exp(-2)), 0])
