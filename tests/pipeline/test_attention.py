"""Word times from the recogniser's own attention, on the bundled model, whose words we know the times of."""

import json
from dataclasses import replace
from itertools import combinations_with_replacement, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ossicle
from ossicle import EngineOptions
from ossicle.audio.load import read_samples
from ossicle.errors import ModelError
from ossicle.model.checkpoint import open_checkpoint
from ossicle.model.heads import alignment_heads
from ossicle.pipeline.attention import _begins, _rising_path, attend, attend_words, attended, token_centres
from ossicle.text.words import split_words
from tests import checkpoints
from tests.model.conftest import ENGINES

HELDOUT = Path(__file__).parents[1] / "data" / "tiny_heldout"
CLIPS = [clip for clip in json.loads((HELDOUT / "transcripts.json").read_text("utf-8"))
         if clip.get("words") and len(clip["words"]) == len(split_words(clip["text"]))]
SOME = {"cpu": CLIPS[::2], "mlx": CLIPS[::10]}         # MLX on a processor is slow


@pytest.fixture(scope="module", params=ENGINES)
def tiny(request):
    with ossicle.load("tiny", EngineOptions(request.param, "float32")) as recognizer:
        yield recognizer._engine


@pytest.fixture(scope="module")
def timed(tiny):
    """Clips with their seconds, and their words as attention times them."""
    found = []
    for clip in SOME[tiny.facts.engine]:
        samples, words = read_samples(str(HELDOUT / clip["file"])), split_words(clip["text"])
        found.append((clip, len(samples) / 16_000, tiny.run(attend_words, tiny.parts, samples, words, clip["language"])))
    return found


def test_borders_of_words_are_near_the_true_ones(timed):
    errors = [abs(got - true) for clip, _, heard in timed for entry, word in zip(heard, clip["words"])
              for got, true in ((entry.start, word["start"]), (entry.end, word["end"]))]
    assert np.median(errors) < 0.04                 # 0.026 when this was written, half a token of 80 ms
    assert np.mean(np.array(errors) <= 0.08) > 0.78


def test_the_head_points_within_80_ms_of_the_word(tiny):
    near = total = 0
    for clip in SOME[tiny.facts.engine]:
        samples = read_samples(str(HELDOUT / clip["file"]))
        attention, owners = tiny.run(attend, tiny.parts, samples, clip["text"], clip["language"])
        assert attention.sum(axis=1) == pytest.approx(1, abs=1e-4)
        centres, place = token_centres(attention), 0
        for word, known in zip(split_words(clip["text"]), clip["words"]):
            spoken = {owners[i][-1] for i in range(place, place + len(word)) if clip["text"][i].isalnum()}
            place += len(word)
            near += sum(known["start"] - 0.08 <= centres[token] <= known["end"] + 0.08 for token in spoken)
            total += len(spoken)
    assert near / total > 0.96          # 0.99 of all; of a few clips one token counts for a per cent


def test_words_are_in_order_and_inside(timed):
    for clip, seconds, heard in timed:
        assert len(heard) == len(split_words(clip["text"]))
        assert all(0 <= one.start < one.end <= two.start for one, two in pairwise(heard))
        assert heard[-1].end <= seconds
        assert sum(entry.is_measured for entry in heard) > 0.7 * len(heard)


def test_both_engines_hear_the_same():
    pytest.importorskip("mlx.core")
    samples, words = read_samples(str(HELDOUT / CLIPS[0]["file"])), split_words(CLIPS[0]["text"])
    found = []
    for engine in ("cpu", "mlx"):
        with ossicle.load("tiny", EngineOptions(engine, "float32")) as recognizer:
            loaded = recognizer._engine
            found.append(loaded.run(attend_words, loaded.parts, samples, words, CLIPS[0]["language"]))
    assert [entry.start for entry in found[0]] == pytest.approx([entry.start for entry in found[1]], abs=1e-3)


def test_text_that_is_no_speech_still_gets_times(tiny):
    samples = read_samples(str(HELDOUT / CLIPS[0]["file"]))
    for words in (["…"], ["e\u0301", " ", "—"], ["🚀", " &"]):
        heard = tiny.run(attend_words, tiny.parts, samples, words, None)
        assert len(heard) == len(words)
        assert all(one.start < one.end for one in heard)
    assert tiny.run(attend_words, tiny.parts, samples, [], None) == []


def test_audio_tokens_begin_anew_each_second():
    assert _begins(np.array([0, 1, 12, 13, 14, 25, 26])) == pytest.approx([0, 0.08, 0.96, 1, 1.08, 1.96, 2])


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 10_000))
def test_the_path_is_the_best_that_never_goes_back(rows, columns, seed):
    scores = np.random.default_rng(seed).normal(size=(rows, columns))
    path = _rising_path(scores)
    assert list(path) == sorted(path)
    best = max(scores[range(rows), list(way)].sum() for way in combinations_with_replacement(range(columns), rows))
    assert scores[range(rows), path].sum() == pytest.approx(best)


def test_a_checkpoint_that_names_heads_is_asked_where_it_predicts():
    found = alignment_heads(open_checkpoint(Path(ossicle.__file__).parent / "models" / "tiny"))
    assert (found.heads, found.is_predicting) == (((1, 0),), True)


def test_published_sizes_have_heads_from_the_table_and_others_none(tmp_path):
    other = open_checkpoint(checkpoints.build(tmp_path / "other"))
    assert alignment_heads(other) is None
    for hidden, first in ((1024, (20, 3)), (2048, (11, 2))):
        decoder = replace(other.config.decoder, num_layers=28, num_heads=16, hidden=hidden)
        found = alignment_heads(replace(other, config=replace(other.config, decoder=decoder)))
        assert found.heads[0] == first
        assert not found.is_predicting
        assert all(0 <= layer < 28 and 0 <= head < 16 for layer, head in found.heads)


def test_without_known_heads_it_says_so(engine_of):
    with pytest.raises(ModelError, match="alignment_heads"):
        attend(engine_of(lambda *_: []).parts, np.zeros(16_000, np.float32), "hello")


def test_the_strongest_place_may_go_back_where_the_path_may_not():
    attention = np.zeros((3, 26), np.float32)
    attention[range(3), (20, 3, 25)] = 1
    assert attended(attention) == pytest.approx([1.6, 0.28, 1.98])      # the middles; the 13th of a second is half as long
    assert list(token_centres(attention)) == sorted(token_centres(attention))
