"""Dtypes, shapes and quantised products inside the MLX engine."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from ossicle.model.mlx import encoder as encoder_module
from ossicle.model.mlx import network as network_module
from ossicle.model.mlx.decoder import Decoder, swiglu
from ossicle.model.mlx.encoder import FLOAT16_LIMIT, AudioTower, gelu
from ossicle.model.network import Capture
from ossicle.options import EngineOptions
from tests.model.conftest import load

MEL = np.random.default_rng(5).uniform(-1, 1, (128, 950)).astype(np.float32)
IDS = np.random.default_rng(6).integers(0, 900, 300).tolist()


@pytest.fixture(scope="module", params=["bfloat16", "float16"])
def narrow(request, bfloat16_folder):
    return load("mlx", bfloat16_folder, EngineOptions(dtype=request.param))


def test_no_activation_changes_its_dtype(narrow, monkeypatch):
    seen = {}

    def watch(kind: type[nn.Module]) -> None:
        call = kind.__call__

        def watched(module, *args):
            result = call(module, *args)
            for array in result if isinstance(result, tuple) else [result]:
                if isinstance(array, mx.array):
                    seen.setdefault(str(array.dtype).removeprefix("mlx.core."), set()).add(kind.__name__)
            return result

        monkeypatch.setattr(kind, "__call__", watched)

    for kind in {type(module) for module in narrow.modules.modules() if callable(module)}:
        watch(kind)
    rows = narrow.stem(MEL)
    cache = narrow.new_cache((2, 0))
    prompt = narrow.forward([narrow.embed(IDS[:18]), narrow.embed(IDS[:20])], cache, "all", Capture(((1, 1),)))
    step = narrow.forward(narrow.embed(mx.array([[1], [2]])), cache)
    outputs = [rows, narrow.attend(rows), prompt.logits, prompt.queries, step.logits, cache.keys(0, 0, 0, 21), *cache.arrays]
    assert {str(array.dtype).removeprefix("mlx.core.") for array in outputs} == {narrow.dtype}
    assert set(seen) == {narrow.dtype}
    assert {"Conv2d", "LayerNorm", "RMSNorm", "Attention", "EncoderLayer", "DecoderLayer", "MLP", "Embedding"} <= seen[narrow.dtype]


def test_sixteen_bits_stay_near_thirty_two(narrow, bfloat16_folder):
    wide = load("mlx", bfloat16_folder)
    expected, got = wide.read(wide.encode(MEL)), narrow.read(narrow.encode(MEL))
    error = np.sqrt(np.mean((got - expected) ** 2) / np.mean(expected**2))
    assert error < (0.05 if narrow.dtype == "bfloat16" else 0.005)      # 8 and 11 bits of mantissa, three layers


def test_float16_is_clamped_where_the_official_code_clamps(bfloat16_folder):
    network = load("mlx", bfloat16_folder, EngineOptions(dtype="float16"))
    states = network.modules.audio_tower.layers[0](mx.full((1, 4, 64), 65500.0).astype(mx.float16))
    assert mx.abs(states).max().item() == np.float16(FLOAT16_LIMIT)


def test_activations_equal_their_definitions():
    x = mx.random.normal((1000,)) * 3
    np.testing.assert_allclose(np.array(gelu(x)), np.array(nn.gelu(x)), rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.array(swiglu(x, x[::-1])), np.array(nn.silu(x) * x[::-1]), rtol=0, atol=1e-5)


def test_norm_rounds_before_its_weight():
    x, weight = mx.random.normal((16, 64)).astype(mx.bfloat16), (1 + mx.random.normal((64,)) / 10).astype(mx.bfloat16)
    wide = x.astype(mx.float32)
    rounded = (wide * mx.rsqrt(mx.mean(wide * wide, axis=-1, keepdims=True) + 1e-6)).astype(mx.bfloat16)
    difference = np.abs(np.array((mx.fast.rms_norm(x, weight, 1e-6) - rounded * weight).astype(mx.float32)))
    assert (difference > 0).mean() < 0.01           # a sum in another order may fall on the other side of a rounding


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("tokens", [1, 3])
def test_rope_turns_every_row_by_its_own_position(batch, tokens):
    # MLX on Metal before 0.32 left rows beyond the first untouched for one token and a scalar offset.
    x = mx.random.normal((batch, 4, tokens, 32))
    offsets = [7 * row - 3 for row in range(batch)]
    got = mx.fast.rope(x, 32, traditional=False, base=1e6, scale=1.0, offset=mx.array(offsets))
    rates = 1e6 ** -(np.arange(16) / 16)
    for row, offset in enumerate(offsets):
        angles = (offset + np.arange(tokens))[:, None] * rates
        first, second = np.split(np.array(x[row]), 2, axis=-1)
        cos, sin = np.cos(angles), np.sin(angles)
        expected = np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
        np.testing.assert_allclose(np.array(got[row]), expected, rtol=0, atol=1e-5)


def test_long_prompts_in_pieces_equal_the_whole(network, monkeypatch):
    capture = Capture(((0, 1), (2, 3)), (0, 40, 150, -1))
    outputs = []
    for piece in (network_module.PIECE, 64):
        monkeypatch.setattr(network_module, "PIECE", piece)
        cache = network.new_cache()
        output = network.forward(network.embed(IDS[:200]), cache, "all", capture)
        outputs.append((network.read(output.logits), network.read(output.queries), cache.length))
    for whole, pieces in zip(*outputs):
        np.testing.assert_allclose(pieces, whole, rtol=0, atol=1e-4)


def test_prompts_of_all_lengths_make_few_shapes(network, monkeypatch):
    fed, call = set(), Decoder.__call__
    monkeypatch.setattr(Decoder, "__call__", lambda self, x, *args: fed.add(x.shape[1]) or call(self, x, *args))
    for tokens in (*range(1, 12), *range(15, 200, 8)):
        network.forward(network.embed(IDS[:tokens]), network.new_cache(), None)
    assert sorted(fed) == [*range(1, 9), *range(32, 225, 32)]


def test_long_sound_makes_few_shapes(network, monkeypatch):
    convolved, attended = set(), set()
    convolve, transform = AudioTower.convolve, AudioTower.transform
    monkeypatch.setattr(AudioTower, "convolve", lambda self, x: convolved.add(x.shape) or convolve(self, x))
    monkeypatch.setattr(AudioTower, "transform", lambda self, x: attended.add(x.shape) or transform(self, x))
    for frames in (10_000, 12_345):
        network.encode(np.resize(MEL, (128, frames)))
    assert {chunks for chunks, _, _ in convolved} == {16, 4, 12}
    assert {frames for _, _, frames in convolved} == {100}
    assert max(chunks for chunks, _, _ in convolved) <= encoder_module.CHUNKS_AT_ONCE
    assert max(windows for windows, _, _ in attended) <= encoder_module.WINDOWS_AT_ONCE
    assert {rows for windows, rows, _ in attended if windows > 1} == {104}
