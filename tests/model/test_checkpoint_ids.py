import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.errors import ModelError
from ossicle.model.checkpoint import open_checkpoint
from tests.model import folders
from tests.model.weights import change_json

aligner, folder, original = folders.aligner, folders.folder, folders.original


def eos_of(folder):
    tokens = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))["added_tokens_decoder"]
    return next(int(number) for number, entry in tokens.items() if entry["content"] == "<|im_end|>")


def test_end_ids_come_from_the_generation_config(folder):
    assert eos_of(folder) in open_checkpoint(folder).eos_ids
    change_json(folder / "generation_config.json", eos_token_id=7)
    assert open_checkpoint(folder).eos_ids == (7,)
    change_json(folder / "generation_config.json", eos_token_id=[8, 9, 8])
    assert open_checkpoint(folder).eos_ids == (8, 9)


def test_end_ids_come_from_config_next(folder):
    (folder / "generation_config.json").unlink()
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["thinker_config"]["text_config"]["eos_token_id"] = 5
    (folder / "config.json").write_text(json.dumps(config))
    assert open_checkpoint(folder).eos_ids == (5,)
    change_json(folder / "config.json", eos_token_id=[3, 4])
    assert open_checkpoint(folder).eos_ids == (3, 4)


@pytest.mark.parametrize("form", ["<|im_end|>", {"content": "<|im_end|>", "lstrip": False}])
def test_end_ids_come_from_the_tokenizer_last(folder, form):
    expected = eos_of(folder)
    (folder / "generation_config.json").unlink()
    change_json(folder / "tokenizer_config.json", eos_token=form)
    assert open_checkpoint(folder).eos_ids == (expected,)
    change_json(folder / "tokenizer_config.json", added_tokens_decoder=None)
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"id": 12, "content": "<|im_end|>"}]}))
    assert open_checkpoint(folder).eos_ids == (12,)
    (folder / "tokenizer.json").unlink()
    change_json(folder / "vocab.json", **{"<|im_end|>": 13})
    assert open_checkpoint(folder).eos_ids == (13,)


def test_no_end_id_at_all_is_an_error(folder):
    (folder / "generation_config.json").unlink()
    change_json(folder / "tokenizer_config.json", eos_token=None)
    with pytest.raises(ModelError, match="no end-of-text id"):
        open_checkpoint(folder)


def test_an_aligner_needs_no_end_id(aligner, tmp_path):
    folder = shutil.copytree(aligner, tmp_path / "aligner")
    (folder / "generation_config.json").unlink()
    change_json(folder / "tokenizer_config.json", eos_token=None)
    assert open_checkpoint(folder).eos_ids == ()


@pytest.mark.parametrize("wrong", [-1, 10**9, "7", 1.5, True, [7, None], {"id": 7}])
def test_impossible_end_ids_are_refused(folder, wrong):
    change_json(folder / "generation_config.json", eos_token_id=wrong)
    with pytest.raises(ModelError, match=r"eos_token_id in .* must be ids below"):
        open_checkpoint(folder)


def test_alignment_heads_are_read(folder):
    assert open_checkpoint(folder).alignment_heads == ()
    change_json(folder / "generation_config.json", alignment_heads=[[1, 0], [2, 3]])
    assert open_checkpoint(folder).alignment_heads == ((1, 0), (2, 3))


@pytest.mark.parametrize("wrong", [[[3, 0]], [[0, 4]], [[0]], [0, 1], "x", [[0, -1]], [[0, 1.0]]])
def test_impossible_alignment_heads_are_refused(folder, wrong):
    change_json(folder / "generation_config.json", alignment_heads=wrong)
    with pytest.raises(ModelError, match="alignment_heads"):
        open_checkpoint(folder)


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "model.safetensors"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_flipped_bytes_raise_nothing_but_model_errors(original, tmp_path_factory, name, data):
    # Links to the rest: only the damaged file is written anew.
    folder = tmp_path_factory.mktemp("fuzz")
    for file in original.iterdir():
        if file.name != name:
            (folder / file.name).symlink_to(file)
    content = bytearray((original / name).read_bytes())
    last = min(len(content), 12_000) - 1                    # of a weight file, the header
    for position in data.draw(st.lists(st.integers(0, last), min_size=1, max_size=4)):
        content[position] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(list(b'0123456789{}[],:"-e.'))))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, last)):]
    (folder / name).write_bytes(content)
    try:
        open_checkpoint(folder)
    except ModelError as error:
        assert str(error)                                   # noqa: PT017
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("encoder_layers", "three"), ("encoder_layers", 10**12), ("encoder_attention_heads", 0), ("d_model", [64]), ("num_mel_bins", None),
     ("n_window", 0), ("downsample_hidden_size", 17), ("output_dim", 10**30)],
)
def test_impossible_sizes_are_refused(folder, field, wrong):
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["thinker_config"]["audio_config"][field] = wrong
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError):
        open_checkpoint(folder)
