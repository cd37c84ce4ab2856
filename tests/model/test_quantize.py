import json
import shutil
import sys

import numpy as np
import pytest

from ossicle.errors import MissingExtra, ModelError, OptionError
from ossicle.model.checkpoint import Quantization, open_checkpoint
from ossicle.model.layout import linear_modules
from ossicle.model.quantize import convert
from tests.checkpoints import build
from tests.model import folders
from tests.model.weights import change_arrays, change_json

mx = pytest.importorskip("mlx.core")
aligner, folder, original = folders.aligner, folders.folder, folders.original


def decoder_modules(config, group_size=1):
    return {name for name, (_, width) in linear_modules(config).items() if not name.startswith("audio_tower.") and width % group_size == 0}


def as_float(tensor) -> np.ndarray:
    array = tensor.read()
    return (array.astype(np.uint32) << 16).view(np.float32) if tensor.dtype == "BF16" else array.astype(np.float32)


def unpacked(checkpoint, module) -> np.ndarray:
    """A quantised weight as MLX gives it back, in float32."""
    how = checkpoint.quantization[module]
    parts = [checkpoint.tensors.get(f"{module}.{part}") for part in ("weight", "scales", "biases")]
    arrays = [None if part is None else mx.array(part.read() if part.dtype in ("U32", "U8") else as_float(part)) for part in parts]
    dense = mx.dequantize(*arrays, group_size=how.group_size, bits=how.bits, mode=how.mode)
    return np.array(dense.astype(mx.float32))


# ---------------------------------------------------------------- what is written


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("group_size", [32, 64, 128])
def test_values_stay_within_half_a_step(original, tmp_path, bits, group_size):
    report = convert(original, tmp_path / "out", bits, group_size)
    before, after = open_checkpoint(original), open_checkpoint(tmp_path / "out")
    assert report.quantization == after.quantization == dict.fromkeys(
        decoder_modules(after.config, group_size), Quantization(bits, group_size, "affine"))
    for module in after.quantization:
        weight = as_float(before.tensors[f"{module}.weight"])
        groups = weight.reshape(len(weight), -1, group_size)
        error = np.abs(unpacked(after, module).reshape(groups.shape) - groups)
        scales, biases = (as_float(after.tensors[f"{module}.{part}"])[..., None] for part in ("scales", "biases"))
        # MLX moves the scale so that the group's largest value is exact; what is then clipped at the other end is off by more.
        codes = (groups - biases) / scales
        is_clipped = (codes < -0.5) | (codes > 2**bits - 0.5)
        assert (error <= np.where(is_clipped, 1.01, 0.501) * np.abs(scales)).all()
        assert is_clipped.mean() < 0.1           # most at 2 bits, where a step is a third of the range
    plain = set(after.tensors) - {f"{m}.{part}" for m in after.quantization for part in ("weight", "scales", "biases")}
    for name in plain:
        expected = before.tensors[name].read()
        np.testing.assert_array_equal(after.tensors[name].read(), np.moveaxis(expected, 1, -1) if expected.ndim == 4 else expected)


@pytest.mark.parametrize(
    ("mode", "bits", "group_size", "tolerance"), [("mxfp4", 4, 32, 0.2), ("mxfp8", 8, 32, 0.05), ("nvfp4", 4, 16, 0.2)]
)
def test_small_float_modes_round_trip(original, tmp_path, mode, bits, group_size, tolerance):
    convert(original, tmp_path / "out", None, mode=mode)
    before, after = open_checkpoint(original), open_checkpoint(tmp_path / "out")
    assert after.quantization == dict.fromkeys(decoder_modules(after.config), Quantization(bits, group_size, mode))
    for module in after.quantization:
        weight = as_float(before.tensors[f"{module}.weight"])
        error = unpacked(after, module) - weight
        assert np.sqrt((error**2).mean() / (weight**2).mean()) < tolerance      # 1 or 3 bits of fraction


def test_the_layout_is_that_of_the_mlx_community(original, tmp_path):
    report = convert(original, tmp_path / "out", 4, dtype="bfloat16")
    after = open_checkpoint(tmp_path / "out")
    assert after.layout == "mlx"
    assert after.conv_is_channels_last
    assert after.eos_ids == open_checkpoint(original).eos_ids
    assert report.files == ("model.safetensors",)
    assert not report.left_plain
    names = {tensor.stored_name for tensor in after.tensors.values()}
    assert not any("thinker" in name or "lm_head" in name for name in names)
    assert {tensor.dtype for name, tensor in after.tensors.items() if name.startswith("audio_tower")} == {"BF16"}
    assert {tensor.dtype for tensor in after.tensors.values()} == {"BF16", "U32"}
    config = json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))
    assert config["quantization"] == config["quantization_config"] == {"group_size": 64, "bits": 4, "mode": "affine"}
    assert config["thinker_config"]["dtype"] == "bfloat16"
    assert after.config.dtype == "bfloat16"
    source = json.loads((original / "config.json").read_text("utf-8"))
    assert config["thinker_config"] == source["thinker_config"] | {"dtype": "bfloat16"}
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json", "generation_config.json", "preprocessor_config.json"):
        assert (tmp_path / "out" / name).read_bytes() == (original / name).read_bytes()
    safetensors = pytest.importorskip("safetensors")
    with safetensors.safe_open(tmp_path / "out" / "model.safetensors", "numpy") as stored:
        assert stored.metadata() == {"format": "mlx"}


def test_mlx_reads_what_was_written(original, tmp_path):
    convert(original, tmp_path / "out", 4, dtype="bfloat16")
    arrays = mx.load(str(tmp_path / "out" / "model.safetensors"))
    for name, tensor in open_checkpoint(tmp_path / "out").tensors.items():
        array = arrays[name].view(mx.uint16) if tensor.dtype == "BF16" else arrays[name]
        np.testing.assert_array_equal(np.array(array), tensor.read())


def test_an_encoder_with_other_bits_is_named_module_by_module(original, tmp_path):
    convert(original, tmp_path / "out", 4, encoder_bits=8)
    after = open_checkpoint(tmp_path / "out")
    block = json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))["quantization"]
    for module, how in after.quantization.items():
        assert how == Quantization(8 if module.startswith("audio_tower.") else 4, 64, "affine")
        assert (module in block) == module.startswith("audio_tower.")
    assert after.quantization.keys() == linear_modules(after.config).keys()
    assert block["audio_tower.layers.0.fc1"] == {"bits": 8, "group_size": 64, "mode": "affine"}


def test_the_encoder_alone_may_be_quantised(original, tmp_path):
    convert(original, tmp_path / "out", None, encoder_bits=8)
    after = open_checkpoint(tmp_path / "out")
    assert all(module.startswith("audio_tower.") for module in after.quantization)
    assert json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))["quantization"]["bits"] == 8


def test_widths_that_no_group_divides_stay_plain_and_are_reported(original, tmp_path):
    report = convert(original, tmp_path / "out", 4, 128)
    assert "model.embed_tokens" in report.left_plain         # 64 wide
    assert "model.layers.0.mlp.down_proj" in report.quantization
    assert set(report.left_plain) == decoder_modules(open_checkpoint(original).config) - report.quantization.keys()
    block = json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))["quantization"]
    assert {name for name, entry in block.items() if entry is False} == set(report.left_plain)


def test_the_aligner_keeps_its_head_quantised(aligner, tmp_path):
    convert(aligner, tmp_path / "out", 8)
    assert open_checkpoint(tmp_path / "out").quantization["lm_head"] == Quantization(8, 64, "affine")


@pytest.mark.parametrize("kind", ["asr", "aligner"])
def test_every_source_layout_gives_the_same_file(tmp_path, kind):
    for layout in ("original", "hf"):
        build(tmp_path / layout, kind, layout=layout, num_classes=640 if kind == "aligner" else None)
        convert(tmp_path / layout, tmp_path / f"{layout}-4", 4)
    convert(build(tmp_path / "sharded", kind, num_classes=640, shard_bytes=400_000), tmp_path / "sharded-4", 4)
    first = (tmp_path / "original-4" / "model.safetensors").read_bytes()
    assert first == (tmp_path / "hf-4" / "model.safetensors").read_bytes()
    assert first == (tmp_path / "sharded-4" / "model.safetensors").read_bytes()
    assert open_checkpoint(tmp_path / "hf-4").quantization == open_checkpoint(tmp_path / "original-4").quantization


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_plain_conversion_changes_numbers_only_by_rounding(original, tmp_path, dtype):
    report = convert(original, tmp_path / "out", 16, dtype=dtype)
    before, after = open_checkpoint(original), open_checkpoint(tmp_path / "out")
    assert not report.quantization
    assert "quantization" not in json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))
    for name, tensor in after.tensors.items():
        values = as_float(before.tensors[name])
        values = np.moveaxis(values, 1, -1) if values.ndim == 4 else values
        tolerance = {"bfloat16": 2.0**-8, "float16": 2.0**-11, "float32": 0}[dtype]        # half a unit of the last place
        np.testing.assert_allclose(as_float(tensor), values, rtol=tolerance, atol=2.0**-25 if dtype == "float16" else 0)
    convert(tmp_path / "out", tmp_path / "again", None)                                     # an MLX folder is a source too
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (tmp_path / "out" / "model.safetensors").read_bytes()


def test_bfloat16_rounds_as_mlx_does(original, tmp_path):
    convert(original, tmp_path / "out", None, dtype="bfloat16")
    before, after = open_checkpoint(original), open_checkpoint(tmp_path / "out")
    name = "model.layers.0.mlp.up_proj.weight"
    expected = np.array(mx.array(before.tensors[name].read()).astype(mx.bfloat16).view(mx.uint16))
    np.testing.assert_array_equal(after.tensors[name].read(), expected)


def test_large_results_are_cut_into_shards(original, tmp_path):
    whole = convert(original, tmp_path / "whole", 4)
    cut = convert(original, tmp_path / "cut", 4, shard_bytes=200_000)
    assert len(cut.files) > 2
    index = json.loads((tmp_path / "cut" / "model.safetensors.index.json").read_text("utf-8"))
    assert set(index["weight_map"].values()) == set(cut.files)
    first, second = open_checkpoint(tmp_path / "whole"), open_checkpoint(tmp_path / "cut")
    assert index["metadata"]["total_size"] == first.num_bytes == second.num_bytes
    assert first.tensors.keys() == second.tensors.keys() == index["weight_map"].keys()
    assert whole.quantization == cut.quantization
    for name, tensor in first.tensors.items():
        np.testing.assert_array_equal(tensor.read(), second.tensors[name].read())


def test_a_stale_index_of_the_source_is_not_copied(folder, tmp_path):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": "model-00001-of-00002.safetensors"}}))
    convert(folder, tmp_path / "out", 4)
    assert not (tmp_path / "out" / "model.safetensors.index.json").exists()


# ---------------------------------------------------------------- whole or not at all


def test_progress_ends_with_all_bytes(original, tmp_path):
    steps = []
    report = convert(original, tmp_path / "out", 4, on_progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (report.source_bytes, report.source_bytes)
    assert steps == sorted(steps)


def test_stopping_leaves_nothing_behind(original, tmp_path):
    def stop(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(original, tmp_path / "out", 4, on_progress=stop)
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_refused(original, tmp_path):
    convert(original, tmp_path / "out", 4)
    with pytest.raises(OptionError, match="ask to overwrite it"):
        convert(original, tmp_path / "out", 8)
    convert(original, tmp_path / "out", 8, overwrite=True)
    assert {how.bits for how in open_checkpoint(tmp_path / "out").quantization.values()} == {8}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_only_a_checkpoint_is_overwritten(original, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letters.txt").write_text("dear")
    with pytest.raises(OptionError, match="holds something else"):
        convert(original, tmp_path / "out", 4, overwrite=True)
    (tmp_path / "file").write_text("dear")
    with pytest.raises(OptionError, match="is a file"):
        convert(original, tmp_path / "file", 4, overwrite=True)
    assert (tmp_path / "out" / "letters.txt").read_text() == "dear"


def test_the_source_is_never_overwritten(folder):
    for out in (folder, folder.parent / "x" / ".." / folder.name):
        with pytest.raises(OptionError, match="holds the source itself"):
            convert(folder, out, 4, overwrite=True)
    assert open_checkpoint(folder).layout == "original"


def test_an_empty_folder_may_be_filled(original, tmp_path):
    (tmp_path / "out").mkdir()
    convert(original, tmp_path / "out", 4)
    assert open_checkpoint(tmp_path / "out").quantization


def test_a_place_that_cannot_be_written_is_a_model_error(original, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="cannot write"):
        convert(original, tmp_path / "file" / "out", 4)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "wrong",
    [dict(bits=7), dict(bits=1), dict(bits=4, group_size=48), dict(bits=4, encoder_bits=9), dict(bits=8, mode="mxfp4"),
     dict(bits=4, mode="x"), dict(bits=None, mode="nvfp4", group_size=64), dict(bits=4, dtype="int8")],
)
def test_impossible_options_are_refused(original, tmp_path, wrong):
    with pytest.raises(OptionError, match="got"):
        convert(original, tmp_path / "out", **wrong)
    assert not list(tmp_path.iterdir())


def test_a_quantised_source_is_refused(original, tmp_path):
    convert(original, tmp_path / "out", 4)
    with pytest.raises(ModelError, match="quantised already"):
        convert(tmp_path / "out", tmp_path / "again", 8)


def test_values_beyond_float16_are_refused(folder, tmp_path):
    change_arrays(folder, lambda arrays: arrays | {"thinker.model.norm.weight": np.full(64, 1e6, np.float32)})
    with pytest.raises(ModelError, match=r"thinker\.model\.norm\.weight .* beyond float16"):
        convert(folder, tmp_path / "out", None, dtype="float16")
    assert not (tmp_path / "out").exists()


def test_without_mlx_the_install_line_is_given(original, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlx.core", None)
    with pytest.raises(MissingExtra, match=r'pip install "ossicle\[mlx\]"'):
        convert(original, tmp_path / "out", 4)
    assert convert(original, tmp_path / "out", None, dtype="bfloat16").num_bytes        # plain numbers need no MLX


def test_a_foreign_quantisation_block_is_dropped(folder, tmp_path):
    change_json(folder / "config.json", quantization_config={"quant_method": "none"})
    convert(folder, tmp_path / "out", None)
    assert "quantization_config" not in json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))


def test_links_become_files(original, tmp_path):
    for file in original.iterdir():
        (tmp_path / "links").mkdir(exist_ok=True)
        (tmp_path / "links" / file.name).symlink_to(file)
    convert(tmp_path / "links", tmp_path / "out", 4)
    assert not any(file.is_symlink() for file in (tmp_path / "out").iterdir())
    shutil.rmtree(tmp_path / "links")
    assert open_checkpoint(tmp_path / "out")
