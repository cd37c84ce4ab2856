import json
import logging
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest

from ossicle.errors import ModelError
from ossicle.model.checkpoint import Quantization, open_checkpoint
from ossicle.model.config import ModelConfig
from ossicle.model.layout import CONVOLUTIONS, expected_tensors, linear_modules
from tests import checkpoint_files
from tests.checkpoints import SIZES, build
from tests.model import folders
from tests.model.weights import change_arrays, change_json, read_arrays, write_arrays

aligner, folder, original = folders.aligner, folders.folder, folders.original


def published_config(size: str, kind: str = "asr") -> ModelConfig:
    raw = checkpoint_files.config_of(kind, size, checkpoint_files.Path("/nowhere"))
    checkpoint_files.set_sizes(raw, SIZES[size], "bfloat16")
    raw["thinker_config"]["text_config"]["vocab_size"] = 152064 if kind == "aligner" else 151936
    raw["thinker_config"]["audio_token_id"] = 151676
    return ModelConfig.from_dict(raw)


def plain_mlx(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The names and convolutions of the MLX community, unquantised, without the tied head."""
    arrays = {name.removeprefix("thinker."): array for name, array in arrays.items() if "lm_head" not in name}
    for module in CONVOLUTIONS:
        arrays[f"{module}.weight"] = np.moveaxis(arrays[f"{module}.weight"], 1, -1)
    return arrays


def packed(arrays: dict[str, np.ndarray], module: str, bits: int, group_size: int, mode: str = "affine") -> None:
    """Replace one weight by zeros packed as MLX packs them."""
    rows, width = arrays[f"{module}.weight"].shape
    arrays[f"{module}.weight"] = np.zeros((rows, width * bits // 32), np.uint32)
    arrays[f"{module}.scales"] = np.zeros((rows, width // group_size), np.uint8 if mode != "affine" else np.float32)
    if mode == "affine":
        arrays[f"{module}.biases"] = np.zeros((rows, width // group_size), np.float32)


# ---------------------------------------------------------------- layouts


@pytest.mark.parametrize("kind", ["asr", "aligner"])
def test_every_layout_gives_the_same_tensors(tmp_path, kind):
    classes = 640 if kind == "aligner" else None
    original = open_checkpoint(build(tmp_path / "a", kind, num_classes=classes))
    hf = open_checkpoint(build(tmp_path / "b", kind, layout="hf", num_classes=classes))
    sharded = open_checkpoint(build(tmp_path / "c", kind, num_classes=classes, shard_bytes=400_000))
    assert (original.layout, hf.layout, sharded.layout) == ("original", "hf", "original")
    assert len(sharded.files) > 1
    for other in (hf, sharded):
        assert other.tensors.keys() == original.tensors.keys() == expected_tensors(original.config).keys()
        assert other.eos_ids == original.eos_ids
        assert other.num_bytes == original.num_bytes
        assert not other.quantization
        for name, tensor in original.tensors.items():
            assert other.tensors[name].name == name
            np.testing.assert_array_equal(other.tensors[name].read(), tensor.read())
    assert ("lm_head.weight" in original.tensors) == (kind == "aligner")


def test_shapes_are_those_that_config_asks_for(original):
    checkpoint = open_checkpoint(original)
    assert {name: tensor.shape for name, tensor in checkpoint.tensors.items()} == expected_tensors(checkpoint.config)


def test_the_mlx_layout_is_told_by_its_names_and_turned_convolutions(folder):
    before = open_checkpoint(folder).tensors["audio_tower.conv2d2.weight"].read().copy()
    change_arrays(folder, plain_mlx)
    checkpoint = open_checkpoint(folder)
    assert checkpoint.layout == "mlx"
    assert checkpoint.conv_is_channels_last
    np.testing.assert_array_equal(np.moveaxis(checkpoint.tensors["audio_tower.conv2d2.weight"].read(), -1, 1), before)


def test_names_without_prefix_may_keep_convolutions_as_published(folder):
    change_arrays(folder, lambda arrays: {name.removeprefix("thinker."): array for name, array in arrays.items()})
    checkpoint = open_checkpoint(folder)
    assert checkpoint.layout == "mlx"
    assert not checkpoint.conv_is_channels_last


def test_a_stored_copy_of_a_tied_head_is_left_out(folder, caplog):
    with caplog.at_level(logging.DEBUG, "ossicle"):
        assert "lm_head.weight" not in open_checkpoint(folder).tensors
    assert "thinker.lm_head.weight" in caplog.text


def test_extra_tensors_are_ignored_but_logged(folder, caplog):
    change_arrays(folder, lambda arrays: arrays | {"thinker.model.rotary.inv_freq": np.ones(4, np.float32), "other": np.ones(2, np.int64)})
    with caplog.at_level(logging.DEBUG, "ossicle"):
        open_checkpoint(folder)
    assert "inv_freq" in caplog.text
    assert "other" in caplog.text


def test_an_ignored_part_of_a_module_in_use_is_worth_a_warning(folder, caplog):
    open_checkpoint(folder)
    assert not caplog.records
    change_arrays(folder, lambda arrays: arrays | {"thinker.model.layers.0.self_attn.q_proj.bias": np.ones(128, np.float32)})
    open_checkpoint(folder)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "model.layers.0.self_attn.q_proj.bias" in caplog.text


def test_opening_needs_no_mlx(original):
    code = "import sys; from ossicle.model.checkpoint import open_checkpoint; open_checkpoint(sys.argv[1]); print('mlx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code, str(original)], capture_output=True, text=True, check=True).stdout.strip() == "False"


# ---------------------------------------------------------------- published sizes


@pytest.mark.parametrize(
    ("size", "kind", "num_values"),
    [("0.6b", "asr", 782_000_000), ("1.7b", "asr", 2_038_000_000), ("aligner-0.6b", "aligner", 918_000_000)],
)
def test_published_sizes_have_the_published_number_of_parameters(size, kind, num_values):
    count = sum(math.prod(shape) for shape in expected_tensors(published_config(size, kind)).values())
    assert count == pytest.approx(num_values, rel=1e-3)      # given to three or four digits


@pytest.mark.parametrize(("size", "bits", "num_bytes"), [("0.6b", 8, 1_006_229_426), ("1.7b", 4, 1_603_081_617)])
def test_the_quantisation_rule_gives_the_file_sizes_of_the_mlx_community(size, bits, num_bytes):
    config = published_config(size)
    modules = {name for name in linear_modules(config) if not name.startswith("audio_tower.")}
    assert len(modules) == 28 * 7 + 1
    header, end = {"__metadata__": {"format": "mlx"}}, 0
    for name, shape in expected_tensors(config).items():
        module = name.removesuffix(".weight")
        parts = {name: ("BF16", shape)}
        if module in modules:
            rows, width = shape
            groups = ("BF16", (rows, width // 64))
            parts = {name: ("U32", (rows, width * bits // 32)), f"{module}.scales": groups, f"{module}.biases": groups}
        for part, (dtype, stored) in parts.items():
            start, end = end, end + math.prod(stored) * (4 if dtype == "U32" else 2)
            header[part] = {"dtype": dtype, "shape": stored, "data_offsets": [start, end]}
    header_bytes = 8 + len(json.dumps(header, separators=(",", ":")))
    # The order of tensors, and so the digits of the offsets in the header, is the converter's own.
    assert end + header_bytes == pytest.approx(num_bytes, abs=500)


def test_the_published_recogniser_stores_its_tied_head_twice():
    config = published_config("0.6b")
    values = sum(math.prod(shape) for shape in expected_tensors(config).values()) + config.decoder.vocab * config.decoder.hidden
    assert 0 < 1_876_091_704 - 2 * values < 100_000          # what is left over is the header


# ---------------------------------------------------------------- quantisation


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("group_size", [32, 64, 128])
def test_bits_and_groups_follow_from_shapes(folder, bits, group_size):
    def quantise(arrays):
        arrays = plain_mlx(arrays)
        packed(arrays, "model.layers.1.mlp.down_proj", bits, group_size)
        packed(arrays, "audio_tower.layers.0.fc2", 8, 64)
        return arrays

    change_arrays(folder, quantise)
    change_json(folder / "config.json", quantization={"group_size": 999, "bits": 7})     # contradicted by the shapes, and so ignored
    checkpoint = open_checkpoint(folder)
    assert checkpoint.quantization == {
        "model.layers.1.mlp.down_proj": Quantization(bits, group_size, "affine"),
        "audio_tower.layers.0.fc2": Quantization(8, 64, "affine"),
    }
    assert {"model.layers.1.mlp.down_proj.scales", "model.layers.1.mlp.down_proj.biases"} < checkpoint.tensors.keys()


@pytest.mark.parametrize(("mode", "bits", "group_size"), [("mxfp4", 4, 32), ("mxfp8", 8, 32), ("nvfp4", 4, 16)])
def test_small_float_modes_are_told_by_missing_biases(folder, mode, bits, group_size):
    change_arrays(folder, lambda arrays: packed(arrays, "thinker.model.embed_tokens", bits, group_size, mode))
    assert open_checkpoint(folder).quantization == {"model.embed_tokens": Quantization(bits, group_size, mode)}


def test_a_quantised_aligner_head_is_found_under_either_name(tmp_path):
    for layout, stored in (("original", "thinker.lm_head"), ("hf", "score")):
        folder = build(tmp_path / layout, "aligner", num_classes=640, layout=layout)
        change_arrays(folder, lambda arrays, stored=stored: packed(arrays, stored, 4, 64))
        assert open_checkpoint(folder).quantization == {"lm_head": Quantization(4, 64, "affine")}


def test_a_quantised_copy_of_a_tied_head_is_left_out(folder):
    change_arrays(folder, lambda arrays: packed(arrays, "thinker.lm_head", 4, 64))
    (folder / "quantization_config.json").write_text('{"bits": 4, "group_size": 64}')
    checkpoint = open_checkpoint(folder)
    assert not checkpoint.quantization
    assert not any("lm_head" in name for name in checkpoint.tensors)


MODULE = "thinker.model.layers.0.self_attn.o_proj"          # 64 rows, 128 wide


@pytest.mark.parametrize(
    ("part", "array", "message"),
    [
        ("weight", np.zeros((64, 15), np.uint32), "got 3.75 bits in groups of 64"),
        ("weight", np.zeros((64, 28), np.uint32), "got 7 bits in groups of 64"),
        ("weight", np.zeros((63, 16), np.uint32), "packed U32 weight of 64 rows, got U32 (63, 16)"),
        ("weight", np.zeros((64, 16), np.int64), "packed U32 weight of 64 rows, got I64"),
        ("scales", np.zeros((64, 3), np.float32), "scales of 64 rows that divide 128 weights, got (64, 3)"),
        ("scales", np.zeros((64, 0), np.float32), "scales of 64 rows that divide 128 weights, got (64, 0)"),
        ("scales", np.zeros((64, 8), np.float32), "got 4 bits in groups of 16"),
        ("biases", np.zeros((64, 1), np.float32), "scales and biases alike"),
        ("biases", None, "since it has no biases"),
        ("scales", None, "is packed, but has no scales"),
    ],
)
def test_a_damaged_quantised_module_is_refused_by_name(folder, part, array, message):
    def damage(arrays):
        packed(arrays, MODULE, 4, 64)
        if array is None:
            del arrays[f"{MODULE}.{part}"]
        else:
            arrays[f"{MODULE}.{part}"] = array

    change_arrays(folder, damage)
    with pytest.raises(ModelError) as caught:
        open_checkpoint(folder)
    assert message in str(caught.value)
    assert "model.layers.0.self_attn.o_proj" in str(caught.value)


def test_a_quantised_convolution_is_refused(folder):
    name = "thinker.audio_tower.conv2d2.scales"
    change_arrays(folder, lambda arrays: arrays | {name: np.zeros((16, 1), np.float32)})
    with pytest.raises(ModelError, match="must be a Linear layer or an embedding"):
        open_checkpoint(folder)


# ---------------------------------------------------------------- what is missing or damaged


def test_a_missing_tensor_is_named(folder):
    change_arrays(folder, lambda arrays: {name: array for name, array in arrays.items() if "layers.2.mlp.up_proj" not in name})
    with pytest.raises(ModelError, match=r"lacks tensor model\.layers\.2\.mlp\.up_proj\.weight"):
        open_checkpoint(folder)


def test_a_wrong_shape_names_tensor_expected_and_got(folder):
    change_arrays(folder, lambda arrays: arrays | {"thinker.model.norm.weight": np.ones(65, np.float32)})
    with pytest.raises(ModelError, match=r"thinker\.model\.norm\.weight .* must have shape \(64,\) by config\.json, got \(65,\)"):
        open_checkpoint(folder)


def test_a_weight_of_integers_is_refused(folder):
    change_arrays(folder, lambda arrays: arrays | {"thinker.model.norm.weight": np.ones(64, np.int64)})
    with pytest.raises(ModelError, match="must be BF16, F16, F32 or quantised as MLX does, got I64"):
        open_checkpoint(folder)


def test_an_untied_recogniser_needs_its_head(folder):
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["thinker_config"]["text_config"]["tie_word_embeddings"] = False
    (folder / "config.json").write_text(json.dumps(config))
    assert "lm_head.weight" in open_checkpoint(folder).tensors
    change_arrays(folder, lambda arrays: {name: array for name, array in arrays.items() if "lm_head" not in name})
    with pytest.raises(ModelError, match="the head is not tied to the embedding"):
        open_checkpoint(folder)


def test_an_aligner_needs_its_head(aligner, tmp_path):
    folder = shutil.copytree(aligner, tmp_path / "aligner")
    change_arrays(folder, lambda arrays: {name: array for name, array in arrays.items() if "lm_head" not in name})
    with pytest.raises(ModelError, match="an aligner has a head of its own"):
        open_checkpoint(folder)


def test_another_models_weights_are_recognised_as_such(folder):
    write_arrays(folder / "model.safetensors", {"encoder.weight": np.ones(3, np.float32)})
    with pytest.raises(ModelError, match=r"expected the weights of Qwen3-ASR .* got encoder\.weight"):
        open_checkpoint(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ModelError, match="found nothing"):
        open_checkpoint(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="found a file"):
        open_checkpoint(tmp_path / "file")


@pytest.mark.parametrize(
    ("beside", "message"),
    [(None, "found no weights"), ("adapter_config.json", "an adapter"), ("pytorch_model.bin", "found only PyTorch ones")],
)
def test_a_folder_without_weights_says_what_it_holds(folder, beside, message):
    (folder / "model.safetensors").unlink()
    if beside:
        (folder / beside).write_text("{}")
    with pytest.raises(ModelError, match=message):
        open_checkpoint(folder)


# ---------------------------------------------------------------- shards


@pytest.fixture
def sharded(tmp_path):
    return build(tmp_path / "sharded", shard_bytes=400_000)


def index_of(folder):
    return json.loads((folder / "model.safetensors.index.json").read_text("utf-8"))


def test_a_missing_shard_is_named(sharded):
    lost = sorted(set(index_of(sharded)["weight_map"].values()))[1]
    (sharded / lost).unlink()
    with pytest.raises(ModelError, match=f"lacks 1 of the .* files its index names: {lost}"):
        open_checkpoint(sharded)
    (sharded / "model.safetensors.index.json").unlink()
    with pytest.raises(ModelError, match="lacks shard 00002-of-"):
        open_checkpoint(sharded)


def test_shards_need_no_index(sharded):
    expected = open_checkpoint(sharded).num_bytes
    (sharded / "model.safetensors.index.json").unlink()
    assert open_checkpoint(sharded).num_bytes == expected


def test_a_tensor_that_its_shard_lacks_is_named(sharded):
    index = index_of(sharded)
    index["weight_map"]["thinker.model.extra.weight"] = "model-00001-of-00004.safetensors"
    index["weight_map"] |= {"thinker.model.extra.weight": next(iter(index["weight_map"].values()))}
    (sharded / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"expected tensor thinker\.model\.extra\.weight"):
        open_checkpoint(sharded)


def test_a_tensor_in_two_shards_is_the_one_the_index_names(sharded):
    index = index_of(sharded)
    name = "thinker.model.norm.weight"
    other = next(shard for shard in sorted(set(index["weight_map"].values())) if shard != index["weight_map"][name])
    write_arrays(sharded / other, read_arrays(sharded / other) | {name: np.full(64, 7, np.float32)})
    assert open_checkpoint(sharded).tensors["model.norm.weight"].file.name == index["weight_map"][name]
    (sharded / "model.safetensors.index.json").unlink()
    with pytest.raises(ModelError, match=r"thinker\.model\.norm\.weight stands in .* and in"):
        open_checkpoint(sharded)


def test_an_index_carried_along_from_the_source_does_no_harm(folder):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": "model-00001-of-00002.safetensors"}}))
    assert open_checkpoint(folder).tensors


@pytest.mark.parametrize(
    "index", ["[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 5}}', '{"weight_map": {"a": "../x.safetensors"}}', "{", "\xff",
              '{"weight_map": {"a": "\\u0000.safetensors"}}', '{"weight_map": {"a": "config.json"}}'],
)
def test_a_damaged_index_is_refused(sharded, index):
    (sharded / "model.safetensors.index.json").write_text(index, "latin-1")
    with pytest.raises(ModelError, match=r"model\.safetensors\.index\.json"):
        open_checkpoint(sharded)
