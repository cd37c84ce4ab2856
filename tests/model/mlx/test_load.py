"""Loading into MLX: dtypes, bits, layouts and tied heads."""

import json
import shutil

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten

from ossicle.errors import OptionError
from ossicle.model.checkpoint import open_checkpoint
from ossicle.model.mlx.load import choose_dtype
from ossicle.options import EngineOptions
from tests.model.conftest import load

IDS = np.random.default_rng(8).integers(0, 900, 24).tolist()
MEL = np.random.default_rng(9).uniform(-1, 1, (128, 250)).astype(np.float32)
MODES = [("affine", bits, 64) for bits in (2, 3, 4, 5, 6, 8)] + [("affine", 4, 32), ("mxfp4", 4, 32), ("mxfp8", 8, 32), ("nvfp4", 4, 16)]


def save_mlx(network, source, folder):
    """Write a network the way MLX converters do: canonical names, convolutions channels last, no tied head."""
    folder.mkdir(exist_ok=True)
    for file in source.iterdir():
        if not file.name.startswith("model"):
            shutil.copy(file, folder)
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(network.modules.parameters())))
    return folder


def logits_of(network) -> np.ndarray:
    audio = network.encode(MEL)
    prompt = network.embed([*IDS[:4], *[1] * audio.shape[0], *IDS[4:]], audio, 4)
    return network.read(network.forward(prompt, network.new_cache(), "all").logits)[0]


@pytest.mark.parametrize(("asked", "said"), [
    ({"encoder_bits": 8}, "engine mlx leaves the encoder as stored: encoder_bits must be auto or none, got 8; engine cpu"),
    ({"kv_dtype": "float16"}, "kv_dtype must be auto, got float16; engine cpu"),
])
def test_what_only_engine_cpu_does_is_refused(asr_folder, asked, said):
    with pytest.raises(OptionError, match=said):
        load("mlx", asr_folder, EngineOptions(**asked))


def test_auto_is_the_stored_dtype_but_float32_on_a_cpu(bfloat16_folder):
    checkpoint = open_checkpoint(bfloat16_folder)
    on_cpu = mx.default_device().type == mx.DeviceType.cpu
    assert choose_dtype(checkpoint, EngineOptions()) == (mx.float32 if on_cpu else mx.bfloat16)
    assert choose_dtype(checkpoint, EngineOptions(dtype="float16")) == mx.float16


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_weights_are_held_in_the_dtype_asked_for(bfloat16_folder, dtype):
    network = load("mlx", bfloat16_folder, EngineOptions(dtype=dtype))
    assert (network.dtype, network.weights) == (dtype, dtype)
    assert {str(array.dtype) for _, array in tree_flatten(network.modules.parameters())} == {f"mlx.core.{dtype}"}
    assert network.num_bytes == (1 + (dtype == "float32")) * open_checkpoint(bfloat16_folder).num_bytes


def test_channels_last_convolutions_are_the_same_network(network, asr_folder, tmp_path):
    converted = load("mlx", save_mlx(network, asr_folder, tmp_path))
    assert open_checkpoint(tmp_path).conv_is_channels_last
    np.testing.assert_array_equal(logits_of(converted), logits_of(network))


def test_bits_quantise_the_decoder_alone(asr_folder):
    network = load("mlx", asr_folder, EngineOptions(dtype="float32", bits=4))
    quantised = {path for path, module in network.modules.named_modules() if hasattr(module, "bits")}
    assert len(quantised) == 3 * 7 + 1
    assert all(path.startswith("model.") for path in quantised)
    assert network.weights == "4-bit, groups of 64, encoder float32"


def test_a_step_reads_packed_weights_with_their_scales(asr_folder):
    plain, packed = load("mlx", asr_folder), load("mlx", asr_folder, EngineOptions(dtype="float32", bits=8, group_size=32))
    weights = 3 * (2 * 128 * 64 + 2 * 64 * 64 + 3 * 128 * 64) + 1088 * 64
    norms = 3 * (2 * 64 + 2 * 32) + 64
    assert plain.step_bytes == 4 * (weights + norms)
    assert packed.step_bytes == weights + weights // 32 * (4 + 4) + 4 * norms      # codes, then a scale and a bias per group


@pytest.mark.parametrize(("mode", "bits", "group_size"), MODES)
def test_stored_quantisation_is_found_and_computes_its_own_weights(asr_folder, tmp_path, mode, bits, group_size):
    network = load("mlx", asr_folder)
    nn.quantize(network.modules, group_size, bits, mode=mode,
                class_predicate=lambda path, module: path.startswith("model.") and hasattr(module, "to_quantized"))
    stored = load("mlx", save_mlx(network, asr_folder, tmp_path))
    assert stored.weights == f"{bits}-bit{'' if mode == 'affine' else ' ' + mode}, groups of {group_size}, encoder float32"
    np.testing.assert_array_equal(logits_of(stored), logits_of(network))
    x = mx.random.normal((5, 64))
    for module in (stored.modules.model.layers[1].self_attn.v_proj, stored.modules.model.layers[2].mlp.gate_proj):
        plain = mx.dequantize(module.weight, module.scales, module.get("biases"), group_size, bits, mode=mode).astype(mx.float32)
        np.testing.assert_allclose(np.array(module(x)), np.array(x @ plain.T), rtol=0, atol=1e-4)
    table = stored.modules.model.embed_tokens
    rows = mx.dequantize(table.weight, table.scales, table.get("biases"), group_size, bits, mode=mode).astype(mx.float32)
    embedded = stored.embed(IDS)
    assert embedded.dtype == mx.float32
    np.testing.assert_array_equal(np.array(embedded), np.array(rows[mx.array(IDS)]))
    np.testing.assert_allclose(np.array(table.as_linear(x)), np.array(x @ rows.T), rtol=0, atol=1e-4)


def test_every_module_may_have_bits_of_its_own(asr_folder, tmp_path):
    network = load("mlx", asr_folder)

    def choose(path: str, module: nn.Module):
        if not hasattr(module, "to_quantized") or "conv" in path or module.weight.shape[1] % 64:
            return False
        return {"group_size": 64, "bits": 8 if path.startswith("audio_tower") or "down_proj" in path else 4, "mode": "affine"}

    nn.quantize(network.modules, class_predicate=choose)
    stored = load("mlx", save_mlx(network, asr_folder, tmp_path))
    assert stored.weights == "4-bit, groups of 64 and 8-bit, groups of 64, encoder 8-bit, groups of 64"
    np.testing.assert_array_equal(logits_of(stored), logits_of(network))


def test_scales_follow_the_chosen_dtype(bfloat16_folder, tmp_path):
    source = load("mlx", bfloat16_folder, EngineOptions(dtype="bfloat16", bits=8))
    network = load("mlx", save_mlx(source, bfloat16_folder, tmp_path), EngineOptions(dtype="float16"))
    assert network.forward(network.embed(IDS), network.new_cache()).logits.dtype == mx.float16
    assert network.embed(IDS).dtype == mx.float16


def test_eight_bits_stay_near_the_stored_weights(network, asr_folder):
    expected, got = logits_of(network), logits_of(load("mlx", asr_folder, EngineOptions(dtype="float32", bits=8)))
    assert np.sqrt(np.mean((got - expected) ** 2) / np.mean(expected**2)) < 0.1


def test_bits_are_refused_for_a_quantised_checkpoint(asr_folder, tmp_path):
    quantised = load("mlx", asr_folder, EngineOptions(dtype="float32", bits=4))
    with pytest.raises(OptionError, match="quantised already"):
        load("mlx", save_mlx(quantised, asr_folder, tmp_path), EngineOptions(bits=8))


def test_a_group_must_divide_the_width(asr_folder):
    with pytest.raises(OptionError, match="group_size must divide the width 64 of model"):
        load("mlx", asr_folder, EngineOptions(bits=4, group_size=128))


def test_an_untied_head_is_used(network, asr_folder, tmp_path):
    folder = save_mlx(network, asr_folder, tmp_path)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["thinker_config"]["text_config"]["tie_word_embeddings"] = False
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    weights = dict(tree_flatten(network.modules.parameters()))
    weights["lm_head.weight"] = 2 * weights["model.embed_tokens.weight"]
    mx.save_safetensors(str(folder / "model.safetensors"), weights)
    np.testing.assert_allclose(logits_of(load("mlx", folder)), 2 * logits_of(network), rtol=1e-5, atol=1e-5)


def test_loading_holds_each_weight_once(asr_folder):
    mx.clear_cache()
    before = mx.get_active_memory()
    network = load("mlx", asr_folder, EngineOptions(dtype="bfloat16"))
    assert mx.get_active_memory() - before < 1.2 * network.num_bytes
