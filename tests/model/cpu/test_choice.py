"""Which numbers engine cpu takes, and what it refuses with a way out."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from ossicle.errors import ModelError, OptionError
from ossicle.model.checkpoint import Checkpoint, Quantization, open_checkpoint
from ossicle.model.cpu import choice as module
from ossicle.model.cpu.choice import SMALL_BYTES, Choice, choose_bits, refusal
from ossicle.model.layout import linear_modules
from ossicle.options import EngineOptions

Q4 = Quantization(4, 64, "affine")


@pytest.fixture
def checkpoint(bfloat16_folder, monkeypatch) -> Checkpoint:
    """One that counts as large."""
    found = open_checkpoint(bfloat16_folder)
    monkeypatch.setattr(module, "SMALL_BYTES", found.num_bytes)
    return found


def packed(checkpoint: Checkpoint, how: Quantization = Q4, prefix: str = "") -> Checkpoint:
    names = [name for name in linear_modules(checkpoint.config) if name.startswith(prefix)]
    return replace(checkpoint, quantization=MappingProxyType(dict.fromkeys(names, how)))


@pytest.mark.parametrize(("options", "has_kernels", "expected"), [
    (EngineOptions(), True, Choice(8, 8, 64, "float16")),
    (EngineOptions(), False, Choice(None, None, 64, "float32")),
    (EngineOptions(group_size=32), True, Choice(8, 8, 32, "float16")),
    (EngineOptions(group_size=128), True, Choice(8, 8, 64, "float16")),
    (EngineOptions(encoder_bits=None), True, Choice(8, None, 64, "float16")),
    (EngineOptions(bits=None), True, Choice(None, None, 64, "float16")),
    (EngineOptions(bits=None, encoder_bits=8), True, Choice(None, 8, 64, "float16")),
    (EngineOptions(bits=4), True, Choice(4, 8, 64, "float16")),
    (EngineOptions(bits=4), False, Choice(4, 8, 64, "float32")),
    (EngineOptions(bits=8, encoder_bits=None, group_size=32), True, Choice(8, None, 32, "float16")),
    (EngineOptions(dtype="float32"), True, Choice(8, 8, 64, "float32")),
    (EngineOptions(dtype="float32", kv_dtype="float16"), True, Choice(8, 8, 64, "float16")),
    (EngineOptions(kv_dtype="float32"), True, Choice(8, 8, 64, "float32")),
    (EngineOptions(kv_dtype="float16"), False, Choice(None, None, 64, "float16")),
])
def test_what_is_asked_is_taken_and_auto_follows_the_kernels(checkpoint, options, has_kernels, expected):
    assert refusal(checkpoint, options) is None
    assert choose_bits(checkpoint, options, has_kernels) == expected


def test_auto_leaves_a_small_model_as_stored(bfloat16_folder):
    checkpoint = open_checkpoint(bfloat16_folder)
    assert checkpoint.num_bytes < SMALL_BYTES
    assert choose_bits(checkpoint, EngineOptions(), True) == Choice(None, None, 64, "float16")
    assert choose_bits(checkpoint, EngineOptions(bits=8), True) == Choice(8, 8, 64, "float16")


def test_auto_leaves_a_quantised_checkpoint_as_stored(checkpoint):
    assert choose_bits(packed(checkpoint), EngineOptions(), True) == Choice(None, None, 64, "float16")
    assert choose_bits(packed(checkpoint, prefix="model."), EngineOptions(encoder_bits=8), True) == Choice(None, 8, 64, "float16")
    assert choose_bits(packed(checkpoint, prefix="audio_tower."), EngineOptions(), True) == Choice(8, None, 64, "float16")


def test_auto_leaves_widths_that_no_group_divides_as_stored(checkpoint):
    odd = replace(checkpoint, config=replace(checkpoint.config, decoder=replace(checkpoint.config.decoder, ffn=80)))
    assert choose_bits(odd, EngineOptions(), True) == Choice(None, None, 64, "float16")
    odd = replace(checkpoint, config=replace(checkpoint.config, encoder=replace(checkpoint.config.encoder, ffn=80)))
    assert choose_bits(odd, EngineOptions(), True) == Choice(8, None, 64, "float16")


@pytest.mark.parametrize(("asked", "said"), [
    ({"bits": 3}, "bits must be auto, none, 4 or 8, got 3; engine mlx has 2, 3, 5, 6 too"),
    ({"bits": 6, "group_size": 128}, "bits must be auto, none, 4 or 8, got 6"),
    ({"bits": 8, "group_size": 128}, "groups of 32 or 64: group_size must be one of them, got 128; engine mlx"),
    ({"bits": None, "encoder_bits": 8, "group_size": 128}, "group_size must be one of them, got 128"),
    ({"dtype": "bfloat16"}, "dtype must be auto or float32, got bfloat16; engine mlx has others"),
    ({"dtype": "float16"}, "dtype must be auto or float32, got float16"),
])
def test_what_only_mlx_does_is_refused(checkpoint, asked, said):
    refused = refusal(checkpoint, EngineOptions(**asked))
    assert isinstance(refused, OptionError)
    assert said in str(refused)


def test_bits_for_what_is_quantised_already_are_refused(checkpoint):
    refused = refusal(packed(checkpoint), EngineOptions(bits=8))
    assert isinstance(refused, OptionError)
    assert "bits must be auto or none for" in str(refused)
    assert "whose decoder is quantised already; choose the original checkpoint" in str(refused)
    assert "encoder_bits must be auto or none" in str(refusal(packed(checkpoint), EngineOptions(encoder_bits=8)))
    assert refusal(packed(checkpoint, prefix="model."), EngineOptions(encoder_bits=8)) is None


def test_a_group_that_divides_no_width_is_refused_by_module(checkpoint):
    odd = replace(checkpoint, config=replace(checkpoint.config, decoder=replace(checkpoint.config.decoder, ffn=96)))
    refused = refusal(odd, EngineOptions(bits=4))
    assert isinstance(refused, OptionError)
    assert "group_size must divide the width 96 of model.layers.0.mlp.down_proj, got 64; choose another, or bits none" in str(refused)
    assert refusal(odd, EngineOptions(bits=4, group_size=32)) is None
    assert refusal(odd, EngineOptions(bits=None, encoder_bits=8)) is None


@pytest.mark.parametrize(("how", "mode"), [((4, 32), "mxfp4"), ((8, 32), "mxfp8"), ((4, 16), "nvfp4")])
def test_other_packings_are_refused(checkpoint, how, mode):
    refused = refusal(packed(checkpoint, Quantization(*how, mode)), EngineOptions())
    assert isinstance(refused, ModelError)
    assert f"packed as {mode}, which engine cpu does not read; use engine mlx" in str(refused)
