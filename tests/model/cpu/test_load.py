"""Loading into NumPy: what is widened, what is unpacked, and what is refused with a way out."""

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.errors import ModelError, OptionError, SpeechError
from ossicle.model.checkpoint import open_checkpoint
from ossicle.model.cpu.panels import dequantize, quantize
from ossicle.options import BITS, EngineOptions
from tests.model.conftest import HAS_KERNELS, load

needs_kernels = pytest.mark.skipif(not HAS_KERNELS, reason="the native library is not built")

IDS = np.random.default_rng(8).integers(0, 900, 24).tolist()
MEL = np.random.default_rng(9).uniform(-1, 1, (128, 250)).astype(np.float32)


def logits_of(network) -> np.ndarray:
    audio = network.encode(MEL)
    prompt = network.embed([*IDS[:4], *[1] * audio.shape[0], *IDS[4:]], audio, 4)
    return network.read(network.forward(prompt, network.new_cache(), "all").logits)[0]


def packed(source, folder, bits, **more):
    pytest.importorskip("mlx.core")
    from ossicle.model.quantize import convert

    convert(source, folder, bits, **more)
    return folder


def weight_of(network, matrix) -> np.ndarray:
    """A matrix of either form as float32."""
    return matrix if isinstance(matrix, np.ndarray) else network.arithmetic.embed(matrix, np.arange(matrix.shape[0]))


def test_numpy_widens_bfloat16_exactly(bfloat16_folder):
    checkpoint = open_checkpoint(bfloat16_folder)
    network = load("numpy", bfloat16_folder, EngineOptions())
    assert (network.dtype, network.weights) == ("float32", "bfloat16, computed in float32")
    assert network.num_bytes == 2 * checkpoint.num_bytes
    words = checkpoint.tensors["model.norm.weight"].read()
    np.testing.assert_array_equal(network.model.norm.weight.view(np.uint32), words.astype(np.uint32) << 16)


@needs_kernels
def test_kernels_leave_bfloat16_in_the_file(bfloat16_folder):
    checkpoint, network = open_checkpoint(bfloat16_folder), load("cpu", bfloat16_folder, EngineOptions())
    assert network.weights == "bfloat16"
    table = network.model.embed_tokens.arrays[0]
    assert np.shares_memory(table, network.lm_head.parts[0].arrays[0])
    assert table.base is not None
    assert not table.flags.writeable
    assert network.num_bytes < 1.1 * checkpoint.num_bytes       # vectors alone are widened
    np.testing.assert_array_equal(logits_of(network), logits_of(load("cpu", bfloat16_folder, EngineOptions(kv_dtype="float16"))))


@pytest.mark.parametrize("bits", BITS)
def test_packed_checkpoints_compute_what_mlx_computes(asr_folder, tmp_path, bits):
    folder = packed(asr_folder, tmp_path / "packed", bits, encoder_bits=8)
    network = load("numpy", folder)
    how = f"{bits}-bit, groups of 64"
    assert network.weights == (how if bits == 8 else f"{how}, encoder 8-bit, groups of 64") + ", computed in float32"
    assert network.num_bytes == load("numpy", asr_folder).num_bytes
    np.testing.assert_allclose(logits_of(network), logits_of(load("mlx", folder)), rtol=0, atol=5e-4)


@needs_kernels
@pytest.mark.parametrize("bits", BITS)
def test_kernels_repack_packed_checkpoints_as_they_are(asr_folder, tmp_path, bits):
    folder = packed(asr_folder, tmp_path / "packed", bits, encoder_bits=8, dtype="bfloat16")
    network, slow = load("cpu", folder), load("numpy", folder)
    for find in (lambda network: network.lm_head.parts[0], lambda network: network.model.embed_tokens,
                 lambda network: network.model.layers[2].qkv_proj.parts[1], lambda network: network.audio_tower.layers[0].fc1.parts[0]):
        np.testing.assert_allclose(weight_of(network, find(network)), find(slow), rtol=1e-6, atol=1e-9)    # the same codes and scales
    got, expected = logits_of(network), logits_of(slow)
    assert np.square(got - expected).mean() < 0.01 * expected.var()       # activations of 8 bits


def test_scales_in_bfloat16_are_widened_before_they_multiply(bfloat16_folder, tmp_path):
    folder = packed(bfloat16_folder, tmp_path / "packed", 8)
    np.testing.assert_allclose(logits_of(load("numpy", folder)), logits_of(load("mlx", folder)), rtol=0, atol=5e-4)


@pytest.mark.parametrize("mode", ["mxfp4", "mxfp8", "nvfp4"])
def test_other_packings_are_refused_by_name(asr_folder, tmp_path, mode):
    folder = packed(asr_folder, tmp_path / "packed", None, mode=mode)
    with pytest.raises(ModelError, match=f"packed as {mode}, which engine cpu does not read; use engine mlx"):
        load("cpu", folder)


@pytest.mark.parametrize("form", ["numpy", pytest.param("cpu", marks=needs_kernels)])
@pytest.mark.parametrize(("options", "weights"), [
    (EngineOptions(bits=8), "8-bit, groups of 64"),
    (EngineOptions(bits=4, group_size=32), "4-bit, groups of 32, encoder 8-bit, groups of 32"),
    (EngineOptions(bits=4, encoder_bits=None), "4-bit, groups of 64, encoder float32"),
    (EngineOptions(bits=None, encoder_bits=8), "float32, encoder 8-bit, groups of 64"),
])
def test_quantised_weights_are_those_of_the_panels_and_say_so(asr_folder, form, options, weights):
    plain, network = load("numpy", asr_folder), load(form, asr_folder, options)
    assert network.weights == weights + (", computed in float32" if form == "numpy" else "")

    def expected(weight, bits):
        return weight if bits is None else dequantize(quantize(weight, bits, options.group_size))

    encoder = options.encoder_bits if options.encoder_bits != "auto" else 8
    for find, bits in ((lambda network: network.lm_head.parts[0], options.bits),
                       (lambda network: network.model.layers[2].down_proj.parts[0], options.bits),
                       (lambda network: network.model.layers[1].gate_up_proj.parts[1], options.bits),
                       (lambda network: network.audio_tower.layers[0].fc1.parts[0], encoder),
                       (lambda network: network.audio_tower.conv_out.parts[0], encoder)):
        np.testing.assert_array_equal(weight_of(network, find(network)), expected(find(plain), bits))
    np.testing.assert_array_equal(weight_of(network, network.model.embed_tokens), plain.model.embed_tokens)    # gives rows as stored
    np.testing.assert_array_equal(network.model.norm.weight, plain.model.norm.weight)


def test_weights_beyond_the_scales_are_named(asr_folder, tmp_path):
    folder = shutil.copytree(asr_folder, tmp_path / "large")
    tensor = open_checkpoint(folder).tensors["model.layers.0.mlp.up_proj.weight"]
    with open(tensor.file, "r+b") as file:
        file.seek(tensor.start)
        file.write(np.float32(1e6).tobytes())
    with pytest.raises(ModelError, match=r"layers\.0\.mlp\.up_proj\.weight in .* cannot have 8 bits: .* with bits none"):
        load("cpu", folder, EngineOptions(bits=8))
    assert load("cpu", folder, EngineOptions(bits=None)).weights == "float32"


def test_numpy_keeps_keys_and_values_in_float32_only(asr_folder):
    with pytest.raises(OptionError, match="kv_dtype must be auto or float32, got float16"):
        load("numpy", asr_folder, EngineOptions(kv_dtype="float16"))


def test_other_dtypes_are_refused_with_a_way_out(asr_folder):
    for dtype in ("float16", "bfloat16"):
        with pytest.raises(OptionError, match=f"dtype must be auto or float32, got {dtype}"):
            load("cpu", asr_folder, EngineOptions(dtype=dtype))


def test_a_file_cut_short_after_it_was_opened_is_told(asr_folder, tmp_path):
    folder = shutil.copytree(asr_folder, tmp_path / "cut")
    checkpoint = open_checkpoint(folder)
    with open(folder / "model.safetensors", "r+b") as file:
        file.truncate(file.seek(0, 2) // 2)
    from ossicle.model.cpu.load import load_network

    with pytest.raises(ModelError, match="cut short while it was read"):
        load_network(checkpoint, EngineOptions())


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_damaged_header_loads_nothing_but_whole_networks(asr_folder, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    for file in asr_folder.iterdir():
        if file.name != "model.safetensors":
            (folder / file.name).symlink_to(file)                       # only the damaged file is written anew
    content = bytearray((asr_folder / "model.safetensors").read_bytes())
    header_end = 8 + int.from_bytes(content[:8], "little")
    for position in data.draw(st.lists(st.integers(0, header_end - 1), min_size=1, max_size=3)):
        content[position] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(list(b'0123456789{}[],:"-FUB'))))
    (folder / "model.safetensors").write_bytes(content)
    try:
        network = load("cpu", folder)
    except SpeechError:
        return
    finally:
        shutil.rmtree(folder)
    assert logits_of(network).shape[-1] == network.config.decoder.vocab
