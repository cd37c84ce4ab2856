"""The goldens are whole, agree with themselves, and stand on sound and weights that any machine makes again."""

import hashlib
import json

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from tests import checkpoints, goldens, sounds

CLIPS = list(goldens.SOUNDS)
LONG_CLIPS = ["c11", "c18"]
STAGES = ["enc_in", "enc_layer_0", "enc_layer_1", "enc_layer_2", "ln_post"]
HIDDEN = ["dec_layer_0", "dec_layer_1", "dec_layer_2", "final_norm"]
VARIANTS = ["context", "forced", "both"]
BYTES_IN_ALL = 1_500_000


@pytest.fixture(scope="module")
def hf_folder(tmp_path_factory):
    return goldens.build_asr(tmp_path_factory.mktemp("hf"), layout="hf")


@pytest.mark.parametrize("name", CLIPS)
def test_sound_is_the_one_that_was_recognised(name):
    entry = goldens.manifest()["sounds"][name]
    assert (entry["samples"], entry["seed"]) == goldens.SOUNDS[name]
    values = sounds.speech_int16(*goldens.SOUNDS[name])
    assert hashlib.sha256(values.astype("<i2").tobytes()).hexdigest() == entry["sha256_int16"]


@pytest.mark.parametrize("name", CLIPS)
def test_sound_survives_a_16_bit_file(name):
    samples = goldens.samples(name)
    assert samples.dtype == np.float32
    assert np.array_equal(np.round(samples * 32768), samples * 32768)
    assert 0.5 < np.abs(samples).max() < 0.7


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("layout", ["original", "hf"])
@pytest.mark.parametrize("kind", ["asr", "aligner"])
def test_checkpoint_is_the_one_the_goldens_were_made_with(kind, layout, dtype, tmp_path):
    build = {"asr": goldens.build_asr, "aligner": goldens.build_aligner}[kind]
    weights = build(tmp_path, layout=layout, dtype=dtype) / "model.safetensors"
    assert (
        hashlib.sha256(weights.read_bytes()).hexdigest()
        == (goldens.manifest()["checkpoints"][f"{kind} {layout} {dtype}"])
    )


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt"])
def test_tokenizer_is_the_one_the_goldens_were_made_with(name):
    text = (checkpoints.bundled_tokenizer() / name).read_bytes()
    assert hashlib.sha256(text).hexdigest() == goldens.manifest()["checkpoints"][name]


def test_hf_layout_holds_the_same_numbers_under_its_own_names(hf_folder, tmp_path):
    original = load_file(goldens.build_asr(tmp_path) / "model.safetensors")
    head = original.pop("thinker.lm_head.weight")
    assert np.array_equal(head, original["thinker.model.embed_tokens.weight"])
    renamed = load_file(hf_folder / "model.safetensors")
    assert set(renamed) == {checkpoints.stored_name(name, "hf") for name in original}
    assert all(np.array_equal(renamed[checkpoints.stored_name(name, "hf")], original[name]) for name in original)


def test_shards_hold_the_same_numbers_as_one_file(tmp_path):
    whole = load_file(goldens.build_asr(tmp_path / "whole") / "model.safetensors")
    folder = goldens.build_asr(tmp_path / "shards", shard_bytes=400_000)
    places = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    assert len(set(places.values())) > 2
    assert set(places) == set(whole)
    shards = {place: load_file(folder / place) for place in set(places.values())}
    assert all(np.array_equal(shards[place][name], whole[name]) for name, place in places.items())


def test_folder_holds_what_the_manifest_names_and_nothing_else():
    arrays = {path.name for path in goldens.FOLDER.glob("*.npz")}
    assert goldens.clips() == CLIPS
    assert arrays == {f"asr_{name}.npz" for name in goldens.clips()} | {
        f"aligner_{name}.npz" for name in goldens.aligner_clips()
    }
    assert sum(path.stat().st_size for path in goldens.FOLDER.glob("*.npz")) < BYTES_IN_ALL


@pytest.mark.parametrize("name", CLIPS)
def test_every_stage_is_kept_at_the_rows_that_are_named(name):
    arrays, entry = goldens.load(name), goldens.manifest()["asr"]["clips"][name]
    assert arrays["mel"].shape == (128, len(arrays["rows_mel"]))
    assert arrays["rows_mel"][-1] == entry["frames"] - 1
    assert all(len(arrays[key]) == len(arrays["rows_tokens"]) for key in STAGES)
    assert arrays["rows_tokens"][-1] == entry["audio_tokens"] - 1
    assert all(len(arrays[key]) == len(arrays["rows_prompt"]) for key in HIDDEN)
    assert len(arrays["prefill_logits"]) == len(arrays["rows_logits"])
    assert arrays["rows_prompt"][-1] == arrays["rows_logits"][-1] == len(arrays["prompt_ids"]) - 1
    assert len(arrays["audio_embeds"]) == entry["audio_tokens"] == entry["window_edges"][-1]
    floats = [value for value in arrays.values() if value.dtype.kind == "f"]
    assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in floats)


@pytest.mark.parametrize("name", CLIPS)
def test_answers_follow_from_the_logits(name):
    arrays = goldens.load(name)
    steps = arrays["step_logits"].argmax(-1)
    assert steps.tolist() == arrays["greedy_ids"][: len(steps)].tolist()
    assert arrays["prefill_logits"][-1].argmax() == arrays["greedy_ids"][0]
    for variant in VARIANTS:
        assert arrays[f"first_logits_{variant}"].argmax() == arrays[f"greedy_ids_{variant}"][0]


def test_no_greedy_step_is_a_close_call():
    margins = [entry["smallest_margin"] for entry in goldens.manifest()["asr"]["clips"].values()]
    assert min(margins) > 4e-3  # float32 sums in another order move a logit by about 1e-4


@pytest.mark.parametrize("name", LONG_CLIPS)
def test_windows_can_be_told_from_no_windows(name):
    arrays = goldens.load(name)
    windowed = arrays["audio_embeds"][arrays["rows_tokens"]]
    assert np.abs(windowed - arrays["audio_embeds_no_windows"]).max() > 0.1
    assert arrays["greedy_ids"].tolist() != arrays["greedy_ids_no_windows"].tolist()


@pytest.mark.parametrize("variant", ["plain", *VARIANTS])
@pytest.mark.parametrize("name", CLIPS)
def test_prompt_ids_are_those_of_the_template(name, variant, hf_folder):
    arrays, prompt = goldens.load(name), goldens.manifest()["asr"]["prompts"][variant]
    audio = "<|audio_start|>" + "<|audio_pad|>" * len(arrays["audio_embeds"]) + "<|audio_end|>"
    text = f"<|im_start|>system\n{prompt['context']}<|im_end|>\n<|im_start|>user\n{audio}<|im_end|>\n"
    text += "<|im_start|>assistant\n" + (f"language {prompt['language']}<asr_text>" if prompt["language"] else "")
    ids = Tokenizer.from_file(str(hf_folder / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    assert ids == arrays["prompt_ids" if variant == "plain" else f"prompt_ids_{variant}"].tolist()


def test_attention_is_a_causal_distribution_over_prompt_and_answer():
    arrays = goldens.load("c3p6")
    assert arrays["attention"].shape == (
        len(arrays["attention_heads"]),
        len(arrays["attention_rows"]),
        len(arrays["prompt_ids"]) + len(arrays["greedy_ids"]),
    )
    assert np.allclose(arrays["attention"].sum(-1), 1.0, atol=1e-6)  # float32 sums of 94 terms
    for i, row in enumerate(arrays["attention_rows"]):
        assert not arrays["attention"][:, i, row + 1 :].any()


@pytest.mark.parametrize("name", goldens.aligner_clips())
def test_every_word_has_two_stamps_of_whole_segments(name):
    arrays, entry = goldens.load_aligner(name), goldens.manifest()["aligner"]
    words = entry["clips"][name]["words"]
    stamps = arrays["prompt_ids"] == entry["stamps"]["token_id"]
    assert stamps.sum() == 2 * len(words) == len(arrays["stamp_logits"])
    assert np.array_equal(arrays["stamp_logits"].argmax(-1) * entry["stamps"]["segment_ms"], arrays["raw_ms"])
    assert [item["text"] for item in entry["clips"][name]["items"]] == words
