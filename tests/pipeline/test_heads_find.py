"""Which heads point at the sound: counted exactly on a made-up case, and found again on the bundled model."""

import json
from pathlib import Path

import numpy as np
import pytest

import ossicle
from ossicle import EngineOptions, TranscribeOptions
from ossicle.audio.load import read_samples
from ossicle.errors import ModelError, OptionError
from ossicle.model.checkpoint import open_checkpoint
from ossicle.model.heads import _table, alignment_heads
from ossicle.pipeline.heads_find import near, words_of_tokens
from ossicle.text.scripts import is_spoken
from ossicle.text.words import decode_with_owners, split_words
from tests.growing import texts, tokenizers

HELDOUT = Path(__file__).parents[1] / "data" / "tiny_heldout"
CLIPS = json.loads((HELDOUT / "transcripts.json").read_text("utf-8"))[::6]
FED, PREDICTED = 0, 1


@pytest.fixture(scope="module")
def tiny():
    with ossicle.load("tiny", EngineOptions("cpu", "float32")) as recognizer:
        yield recognizer


@pytest.fixture(scope="module")
def scores(tiny):
    found = [tiny.score_heads(str(HELDOUT / clip["file"]), clip["text"], language=clip["language"]) for clip in CLIPS]
    return sum(found[1:], found[0])


def test_a_made_up_case_is_counted_exactly():
    attention = np.zeros((6, 39), np.float32)                   # three seconds, 13 audio tokens in each
    attention[range(6), (13, 16, 17, 12, 30, 0)] = 1            # their middles: 1.04, 1.28, 1.36, 0.98, 2.36 and 0.04 s
    spans = np.array([(1.0, 1.08), (1.0, 1.08), (1.0, 1.08), (1.18, 1.26), (2.0, 2.6), (0.5, 1.5)])
    is_near, share = near(attention, spans)
    # Three tokens of 80 ms about the middle, to the edge and not beyond it; about long words, half their length.
    assert is_near.tolist() == [True, True, False, True, True, False]
    assert share.tolist() == [1, 1, 0, 1, 1, 0]


def test_attention_near_the_word_is_added_up():
    attention = np.zeros((1, 26), np.float32)
    attention[0, [2, 5, 8, 20]] = 0.4, 0.3, 0.2, 0.1            # middles at 0.2, 0.44, 0.68 and 1.6 s
    is_near, share = near(attention, np.array([(0.4, 0.48)]))
    assert is_near.tolist() == [True]
    assert share == pytest.approx([0.9])


def test_the_thirteenth_token_of_a_second_is_half_as_long():
    attention = np.eye(26, dtype=np.float32)[[25, 25]]          # its middle is at 1.98 s; were all 80 ms long, it would be at 2.04
    assert near(attention, np.array([(1.72, 1.76), (2.26, 2.30)]))[0].tolist() == [True, False]


@pytest.mark.parametrize("name", list(tokenizers()))
def test_tokens_go_to_words_by_their_characters(name):
    tokenizer = tokenizers()[name]
    for text in texts():
        ids = tokenizer.encode_plain(text)
        written, owners = decode_with_owners(ids, tokenizer)
        words, found = split_words(written), words_of_tokens(owners, written, len(ids))
        known = [word for word in found if word is not None]
        assert known == sorted(known)
        for token, word in enumerate(found):
            alone = tokenizer.decode([ids[token]])
            if word is not None and "\ufffd" not in alone:
                assert {char for char in alone if is_spoken(char)} <= set(words[word])


def test_the_head_of_the_bundled_model_is_found(scores):
    rates = scores.hits / scores.num_tokens
    named = alignment_heads(open_checkpoint(Path(ossicle.__file__).parent / "models" / "tiny"))
    assert named.is_predicting
    best = np.unravel_index(rates[PREDICTED].argmax(), rates[PREDICTED].shape)
    assert best in named.heads
    assert rates[PREDICTED][best] > 0.97                # 1.00 of all clips when this was written
    assert (scores.mass / scores.num_tokens)[PREDICTED][best] > 0.95
    assert 0.6 < rates[FED][best] < 0.9                 # it was trained to look ahead of the token
    assert np.sort(rates[PREDICTED].ravel())[-2] < 0.8
    assert scores.num_samples == len(CLIPS)
    assert set(scores.languages) == {clip["language"] for clip in CLIPS}
    assert sum(scores.languages.values()) == scores.num_tokens


def test_scores_add_up_and_come_out_again(tiny, scores):
    clip = CLIPS[0]
    one = tiny.score_heads(str(HELDOUT / clip["file"]), clip["text"], language=clip["language"])
    again = tiny.score_heads(str(HELDOUT / clip["file"]), clip["text"], language=clip["language"])
    assert (one.hits == again.hits).all()
    assert ((one + again).hits == 2 * one.hits).all()
    assert (one + again).num_tokens == 2 * one.num_tokens


def test_without_a_text_the_model_says_it(tiny):
    clip = CLIPS[0]
    told = tiny.score_heads(str(HELDOUT / clip["file"]), clip["text"], language=clip["language"])
    for text in (clip["text"], None):
        heard = tiny.score_heads(str(HELDOUT / clip["file"]), text)
        assert heard.languages == told.languages
        assert (heard.hits == told.hits).all()          # it hears this clip without an error


def test_a_text_of_other_sound_is_left_out_and_named(tiny):
    noise = np.random.default_rng(1).normal(size=16_000).astype(np.float32) * 0.1
    found = tiny.score_heads((noise, 16_000), "word " * 60, language="English")
    assert found.num_tokens == 0
    assert "is this the text of the recording" in found.warnings[-1]


def test_a_text_longer_than_the_aligner_reads_is_refused(tiny):
    clip = CLIPS[0]
    samples = np.tile(read_samples(str(HELDOUT / clip["file"])), 200)
    with pytest.raises(OptionError, match="no longer than"):
        tiny.score_heads((samples, 16_000), "text", language="English")


def test_an_aligner_has_no_heads_to_score():
    with ossicle.load("tiny-aligner", EngineOptions("cpu", "float32")) as aligner, pytest.raises(ModelError, match="forced aligner"):
        aligner.score_heads((np.zeros(16_000, np.float32), 16_000), "text", language="English", options=TranscribeOptions())


def test_the_published_table_is_that_of_the_study(shared):
    study = json.loads((shared / "spec/qwen3_asr_alignment_heads.json").read_text("utf-8"))["models"]
    for model in _table():
        published = study[model["name"]]
        assert (model["layers"], model["heads"]) == (published["num_layers"], published["num_heads"])
        assert model["alignment_heads"] == [entry for entry in published["heads"] if entry[2] >= 0.7]
