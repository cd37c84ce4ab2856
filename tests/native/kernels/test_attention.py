"""oss_attend equals softmax written plainly, for a few queries and for many, over any layout of keys and values."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.model.cpu import kernels
from tests.native.kernels import plain
from tests.native.kernels.calls import THREADS, Attention, attend, random
from tests.native.kernels.memory import exact

SHARES = {"rtol": 0, "atol": 1e-5}           # float32 sums of up to 600 shares that come to 1, of values near 1
# Around the blocks of keys (256) and of queries (1 to 7 one by one, then tiles of 6 or 14, and 48 or 112 of them).
SIZES = ((1, 1), (1, 255), (1, 256), (1, 257), (2, 2), (3, 257), (4, 5), (5, 300), (6, 6), (7, 256), (8, 8), (8, 257), (28, 28), (28, 255),
         (57, 57), (57, 313), (113, 113), (113, 256), (300, 300), (3, 600), (113, 600), (300, 600))
DIMS, RATIOS = (8, 16, 64, 80, 128), (1, 2, 4, 8)


def keys_and_values(sequences: int, kv_heads: int, length: int, head_dim: int, dtype: object, capacity: int | None = None,
                    positions_first: bool = False, seed: int = 0) -> list[np.ndarray]:
    """(sequences, kv_heads, capacity, head_dim) each; what lies behind `length` is not a number."""
    held = []
    for which in range(2):
        array = np.full((sequences, kv_heads, capacity or length, head_dim), np.nan, np.float32)
        array[:, :, :length] = random(sequences, kv_heads, length, head_dim, seed=2 * seed + which)
        array = array.astype(dtype)
        held.append(exact(array.swapaxes(1, 2)).swapaxes(1, 2) if positions_first else exact(array))
    return held


def check(op: Attention, heads: int, tokens: int, threads: int, seed: int = 9, **gaps) -> None:
    sequences, _, _, head_dim = op.keys.shape
    q = random(sequences, tokens, heads, head_dim, seed=seed)
    np.testing.assert_allclose(attend(op, q, threads, **gaps), plain.attention(op, q), **SHARES)


@pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=["F32", "F16"])
@pytest.mark.parametrize(("tokens", "length"), SIZES)
def test_attention_of_any_size_is_right(tokens, length, dtype):
    place = SIZES.index((tokens, length))
    for turn, is_causal in enumerate((True, False)):
        head_dim, ratio, kv_heads = DIMS[(place + turn) % 5], RATIOS[(place + 2 * turn) % 4], 1 + place % 2
        if tokens > 100:
            ratio, kv_heads = min(ratio, 2), 1
        arrays = keys_and_values(1, kv_heads, length, head_dim, dtype, length + place % 3, positions_first=bool(turn))
        check(Attention(*arrays, length, is_causal), ratio * kv_heads, tokens, THREADS[place % 3], q_gap=place % 4, y_gap=turn)


@pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=["F32", "F16"])
@pytest.mark.parametrize("head_dim", DIMS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_heads_of_any_number_and_size_are_right(ratio, head_dim, dtype):
    for tokens, length in ((1, 40), (2, 33), (3, 3), (20, 45)):
        arrays = keys_and_values(2, 2, length, head_dim, dtype, length + 3)
        for is_causal in (True, False):
            check(Attention(*arrays, length, is_causal), 2 * ratio, tokens, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=["F32", "F16"])
@pytest.mark.parametrize("is_causal", [True, False])
@pytest.mark.parametrize(("tokens", "length"), [(1, 9), (4, 9), (20, 30), (30, 30), (60, 300)])
def test_padding_hides_keys_but_a_query_that_sees_nothing_sees_itself(tokens, length, is_causal, dtype):
    padding = (0, 3, length // 2, length - 1, length, length + 5)
    for ratio in (1, 4):
        arrays = keys_and_values(6, 1, length, 16, dtype, length + 2)
        for array, (row, empty) in itertools.product(arrays, enumerate(padding)):
            array[row, :, : min(empty, length - tokens)] = np.nan          # what holds nothing may hold anything
        check(Attention(*arrays, length, is_causal, padding), ratio, tokens, 2)


@pytest.mark.parametrize("tokens", [1, 30])
def test_attention_is_that_of_the_numpy_engine(tokens):
    k, v = keys_and_values(2, 2, 40, 16, np.float32)
    q = random(2, tokens, 8, 16)
    for padding in (None, (0, 25)):
        expected = kernels.attention(q.swapaxes(1, 2), k, v, True, padding or ()).swapaxes(1, 2)
        np.testing.assert_allclose(attend(Attention(k, v, 40, True, padding), q), expected, **SHARES)


@pytest.mark.parametrize("tokens", [1, 30])
@pytest.mark.parametrize("order", [1, -1])
def test_scores_far_apart_are_weighed_rightly(tokens, order):
    """From one block of keys to the next the largest score grows, or what was largest stays."""
    k, v = keys_and_values(1, 1, 600, 64, np.float32)
    k *= np.linspace(0, 8, 600, dtype=np.float32)[::order, None]
    q = random(1, tokens, 2, 64, seed=9) * 3
    op = Attention(k, v, 600)
    np.testing.assert_allclose(attend(op, q), plain.attention(op, q), rtol=0, atol=2e-4)       # scores of 200, in float32


@pytest.mark.parametrize("tokens", [1, 30])
def test_equal_scores_share_equally(tokens):
    _, v = keys_and_values(1, 1, 300, 8, np.float32)
    op = Attention(exact(np.zeros_like(v)), v, 300)
    np.testing.assert_allclose(attend(op, random(1, tokens, 1, 8)), np.broadcast_to(v.mean(axis=(1, 2)), (1, tokens, 1, 8)), **SHARES)


def test_more_heads_to_a_key_than_queries_are_held_at_once():
    check(Attention(*keys_and_values(1, 1, 9, 8, np.float16), 9, True), 120, 3, 2)
    check(Attention(*keys_and_values(1, 1, 9, 8, np.float16), 9, True), 47, 5, 2)


@settings(max_examples=50, deadline=None)
@given(data=st.data(), dtype=st.sampled_from([np.float32, np.float16]), tokens=st.integers(1, 40), ratio=st.sampled_from([1, 2, 3, 4, 8]),
       kv_heads=st.integers(1, 3), head_dim=st.integers(1, 40), sequences=st.integers(1, 3), is_causal=st.booleans(),
       positions_first=st.booleans(), threads=st.sampled_from(THREADS))
def test_any_attention_is_right(data, dtype, tokens, ratio, kv_heads, head_dim, sequences, is_causal, positions_first, threads):
    length = tokens + data.draw(st.integers(0, 50))
    padding = data.draw(st.none() | st.tuples(*[st.integers(0, length + 2)] * sequences))
    arrays = keys_and_values(sequences, kv_heads, length, head_dim, dtype, length + 1, positions_first)
    check(Attention(*arrays, length, is_causal, padding), ratio * kv_heads, tokens, threads)
