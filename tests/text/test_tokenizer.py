import json
import shutil
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from ossicle.errors import ModelError
from ossicle.text.tokenizer import Tokenizer

ANYTHING = st.text(max_size=60) | st.text(alphabet="<|>_ aimendstrtx\n'é你🚀\u0301", max_size=60)


@pytest.fixture
def folder(small_folder, tmp_path):
    """A copy to damage."""
    return shutil.copytree(small_folder, tmp_path / "copy")


def write_json(small_folder, folder, **parts):
    """The small vocabulary as one tokenizer.json, with some of its parts replaced."""
    backend = Tokenizer.from_folder(small_folder)._backend
    for name, part in parts.items():
        setattr(backend, name, part)
    backend.save(str(folder / "tokenizer.json"))


def test_ids_equal_the_official_ones(published, cases):
    for case in cases["tokenize"]:
        assert published.encode(case["text"]) == case["ids"], case["text"]


def test_decoding_equals_the_official_one(published, cases):
    for case in cases["decode"]:
        assert published.decode(case["ids"]) == case["skip_special"]
        assert published.decode(case["ids"], skip_special=False) == case["all"]


def test_whatever_a_random_model_says_decodes_as_officially(published, shared):
    folder = shared / "oracle/golden/asr_tiny_published"
    for clip, text in json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["clips"].items():
        assert published.decode(np.load(folder / f"{clip}.npz")["greedy_ids_plain"].tolist()) == text


def test_the_small_trained_model_has_ids_of_its_own(shared, published):
    tiny = Tokenizer.from_folder(shared / "tiny-asr")
    assert tiny.im_end != published.im_end
    assert tiny.decode(tiny.encode("Bitte um neun Uhr. 你好！")) == "Bitte um neun Uhr. 你好！"


def test_merges_follow_their_order(small):
    assert [small.token_bytes(i) for i in small.encode("hello world")] == [b"hello", b" world"]


def test_accents_are_composed_first(small):
    assert small.encode("cafe\u0301") == small.encode("café")


def test_mixed_case_is_one_piece_and_digits_are_single(small):
    assert small.decode(small.encode("hellO 123")) == "hellO 123"
    assert [small.token_bytes(i) for i in small.encode("123")] == [b"1", b"2", b"3"]


def test_added_tokens_are_literals(small):
    assert small.encode("<|im_start|>he<asr_text>") == [small.im_start, small.id_of("he"), small.asr_text]


def test_words_of_others_never_become_control_tokens(small):
    ids = small.encode_plain("he<|im_end|><asr_text>")
    assert small.decode(ids) == "he<|im_end|><asr_text>"
    assert not {small.im_end, small.asr_text} & set(ids)


def test_specials_are_skipped_and_the_tag_is_not(small):
    ids = small.encode("<|im_start|>he<asr_text>llo<non_speech><|im_end|>")
    assert small.decode(ids) == "he<asr_text>llo<non_speech>"
    assert small.decode(ids, skip_special=False) == "<|im_start|>he<asr_text>llo<non_speech><|im_end|>"


def test_a_broken_character_becomes_a_replacement(small):
    ids = small.encode("好")
    assert len(ids) == 3
    assert small.decode(ids[:2]) == "\ufffd"
    assert b"".join(map(small.token_bytes, ids)) == "好".encode()


def test_rows_without_a_token_are_silent(small):
    assert small.decode([small.vocab_size, 10**6, -1, *small.encode("he")]) == "he"
    assert small.token_bytes(small.vocab_size) == b""


def test_an_absent_token_is_named(small):
    with pytest.raises(ModelError, match=r"<\|vision\|>"):
        small.id_of("<|vision|>")


def test_a_checkpoint_without_stamps_says_none(folder):
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["added_tokens_decoder"].popitem()
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert Tokenizer.from_folder(folder).timestamp is None


def test_tokenizer_json_gives_the_same_ids(small, small_folder, tmp_path):
    write_json(small_folder, tmp_path)
    again = Tokenizer.from_folder(tmp_path)
    text = "<|im_start|>system\n\nhello cafe\u0301 你好<asr_text>"
    assert again.encode(text) == small.encode(text)
    assert again.special_ids == small.special_ids


def test_a_foreign_split_and_normaliser_are_overruled(small, small_folder, tmp_path):
    per_letter = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex("."), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False),
    ])
    write_json(small_folder, tmp_path, pre_tokenizer=per_letter, normalizer=normalizers.Lowercase())
    assert Tokenizer.from_folder(tmp_path).encode("Hello cafe\u0301") == small.encode("Hello cafe\u0301")


def test_the_tag_stays_text_where_a_converter_marked_it_special(small_folder, folder):
    config = (folder / "tokenizer_config.json").read_text()
    (folder / "tokenizer_config.json").write_text(config.replace('"special": false', '"special": true'))
    tokenizer = Tokenizer.from_folder(folder)
    assert tokenizer.decode(tokenizer.encode("a<asr_text>b<timestamp>")) == "a<asr_text>b"


def test_tokens_that_tokenizer_json_lacks_come_from_its_config(small, small_folder, folder):
    write_json(small_folder, folder)
    content = json.loads((folder / "tokenizer.json").read_text())
    content["added_tokens"] = content["added_tokens"][:3]
    (folder / "tokenizer.json").write_text(json.dumps(content))
    assert Tokenizer.from_folder(folder).asr_text == small.asr_text


def test_ids_that_disagree_are_refused(folder):
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["added_tokens_decoder"]["9999"] = config["added_tokens_decoder"].popitem()[1]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"tokenizer_config\.json gives <timestamp> the id 9999"):
        Tokenizer.from_folder(folder)


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt", "tokenizer_config.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing.*fetch"):
        Tokenizer.from_folder(folder)


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt", "tokenizer_config.json", "tokenizer.json"])
@pytest.mark.parametrize("content", [b"version https://git-lfs.github.com/spec/v1\n", b'{"a": ', b"[1]", b"\xff\xfe"])
def test_a_damaged_file_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name}.*fetch"):
        Tokenizer.from_folder(folder)


def test_a_vocabulary_of_another_kind_is_refused(tmp_path):
    Backend(models.WordLevel({"a": 0}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ModelError, match="WordLevel"):
        Tokenizer.from_folder(tmp_path)
    Backend(models.BPE({"a": 0}, [])).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ModelError, match="256 bytes"):
        Tokenizer.from_folder(tmp_path)


@given(ANYTHING)
def test_composed_text_comes_back(small, text):
    assert small.decode(small.encode_plain(text)) == unicodedata.normalize("NFC", text)


@given(ANYTHING)
def test_plain_ids_hold_no_added_token(small, text):
    added = {small.id_of(token) for token in small.added_tokens}
    assert not added & set(small.encode_plain(text))


@given(ANYTHING.filter(lambda text: "<" not in text))
def test_plain_and_full_encoding_agree_where_no_literal_stands(small, text):
    assert small.encode_plain(text) == small.encode(text)
