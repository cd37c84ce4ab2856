"""Counts and alignments against hand-made cases, jiwer, and the slow form over the whole table."""

import sys
from itertools import pairwise

import jiwer
import kaldialign
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.errors import MissingExtra
from ossicle.measure import errors
from ossicle.measure.errors import Counts, align, confidence_interval, count, join_compounds, runs

texts = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=12)


@pytest.mark.parametrize(("reference", "hypothesis", "expected"), [
    ("the cat sat", "the cat sat", Counts(3)),
    ("the cat sat", "the hat sat", Counts(2, 1)),
    ("the cat sat", "the sat", Counts(2, 0, 1)),
    ("the cat sat", "the cat sat down", Counts(3, 0, 0, 1)),
    ("", "some noise", Counts(0, 0, 0, 2)),
    ("some words", "", Counts(0, 0, 2)),
    ("", "", Counts()),
])
def test_counts_by_hand(reference, hypothesis, expected):
    assert count(reference.split(), hypothesis.split()) == expected


def test_the_rate_is_of_the_reference_and_unknown_without_one():
    assert Counts(2, 1, 1, 2).rate == 1.0
    assert Counts(insertions=3).rate is None
    assert (Counts(1, 2, 3, 4) + Counts(1, 1, 1, 1)) == Counts(2, 3, 4, 5)
    assert Counts(1, 1).to_dict() == {
        "rate": 0.5, "errors": 1, "reference": 2, "hits": 1, "substitutions": 1, "deletions": 0, "insertions": 0}


@settings(deadline=None)
@given(texts, texts)
def test_counts_and_alignment_are_jiwers(reference, hypothesis):
    found = count(reference, hypothesis)
    steps = align(reference, hypothesis)
    assert sum(step.kind != "hit" for step in steps) == found.errors
    assert [token for step in steps for token in reference[slice(*step.reference)]] == reference
    assert [token for step in steps for token in hypothesis[slice(*step.hypothesis)]] == hypothesis
    if reference:
        measured = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
        assert measured.substitutions + measured.deletions + measured.insertions == found.errors
        assert found.reference == len(reference)


@settings(deadline=None)
@given(texts, texts)
def test_turned_round_insertions_are_deletions(reference, hypothesis):
    one, other = count(reference, hypothesis), count(hypothesis, reference)
    assert one.errors == other.errors
    assert one.insertions - one.deletions == other.deletions - other.insertions


@settings(deadline=None)
@given(texts)
def test_a_text_beside_itself_has_no_error(tokens):
    assert count(tokens, tokens) == Counts(len(tokens))
    assert all(step.kind == "hit" for step in align(tokens, tokens))


def test_compounds_are_merged_where_that_is_asked_for():
    reference, hypothesis = ["white", "paper", "here", "is"], ["whitepaper", "hereis", "now"]
    assert count(reference, hypothesis).errors == 4
    assert count(reference, hypothesis, merge_compounds=True) == Counts(4, 0, 0, 1)
    steps = align(reference, hypothesis, merge_compounds=True)
    assert [(step.kind, step.reference, step.hypothesis) for step in steps] == [
        ("hit", (0, 2), (0, 1)), ("hit", (2, 4), (1, 2)), ("ins", (4, 4), (2, 3))]


def test_words_that_differ_in_their_spaces_only_are_joined():
    assert join_compounds(["das", "auf", "bau", "werk", "da"], ["das", "aufbau", "werk", "dort"]) == (
        ["das", "aufbau", "werk", "da"], ["das", "aufbau", "werk", "dort"])
    assert join_compounds(["foo", "barbaz", "x"], ["foobar", "baz", "x"]) == (["foobarbaz", "x"], ["foobarbaz", "x"])


@settings(deadline=None)
@given(texts, texts)
def test_runs_take_every_step(reference, hypothesis):
    found = list(runs(align(reference, hypothesis)))
    assert [token for _, (first, last), _ in found for token in reference[first:last]] == reference
    assert all(one[0] != other[0] for one, other in pairwise(found))


@pytest.fixture
def small_tables(monkeypatch):
    monkeypatch.setattr(errors, "MAX_CELLS", 400)


def test_a_long_text_is_cut_where_both_have_the_same_words(small_tables):
    reference = [f"w{place % 700}" for place in range(1000)]
    hypothesis = [token for place, token in enumerate(reference) if place % 41 != 40]       # every 41st is lost
    hypothesis[500:500] = ["new"] * 7
    steps = align(reference, hypothesis)
    assert len(errors._cuts(reference, hypothesis)) > 20
    assert sum(step.kind != "hit" for step in steps) == count(reference, hypothesis).errors
    assert [token for step in steps for token in hypothesis[slice(*step.hypothesis)]] == hypothesis


@settings(deadline=None)
@given(texts.map(lambda tokens: tokens * 5), texts.map(lambda tokens: tokens * 5))
def test_a_cut_alignment_takes_every_token_once(reference, hypothesis):
    before, errors.MAX_CELLS = errors.MAX_CELLS, 100
    try:
        steps = align(reference, hypothesis)
    finally:
        errors.MAX_CELLS = before
    assert [token for step in steps for token in reference[slice(*step.reference)]] == reference
    assert [token for step in steps for token in hypothesis[slice(*step.hypothesis)]] == hypothesis


def test_a_count_of_very_long_texts_is_that_of_their_alignment(monkeypatch):
    monkeypatch.setattr(errors, "MAX_COUNT_CELLS", 0)
    reference, hypothesis = ["the", "white", "paper", "is", "here", "not", "there"], ["the", "whitepaper", "is", "hear", "now", "not"]
    assert count(reference, hypothesis).errors == 5
    assert count(reference, hypothesis, merge_compounds=True).reference == 7
    assert count(reference, hypothesis, merge_compounds=True).errors == 3


def test_texts_with_nothing_in_common_are_cut_too(small_tables):
    reference, hypothesis = [f"a{place}" for place in range(200)], [f"b{place}" for place in range(150)]
    assert sum(step.kind != "hit" for step in align(reference, hypothesis)) == 200


def test_the_interval_is_the_one_of_kaldialign():
    references = [["a"] * 10 for _ in range(200)]
    hypotheses = [["a"] * (10 - place % 4) + ["b"] * (place % 4) for place in range(200)]
    low, high = confidence_interval([count(*pair) for pair in zip(references, hypotheses, strict=True)], 2000)
    found = kaldialign.bootstrap_wer_ci(references, hypotheses, replications=2000)
    assert low == pytest.approx(found["ci95min"], abs=0.003)        # a tenth of the width, which chance moves
    assert high == pytest.approx(found["ci95max"], abs=0.003)
    assert low < 0.15 < high


def test_there_is_no_interval_of_one_file_or_of_no_word():
    assert confidence_interval([Counts(5, 1)]) is None
    assert confidence_interval([Counts(insertions=1)] * 3) is None


def test_the_same_seed_gives_the_same_interval():
    counts = [Counts(5, place) for place in range(9)]
    assert confidence_interval(counts) == confidence_interval(counts)
    assert confidence_interval(counts) != confidence_interval(counts, seed=1)


def test_without_kaldialign_the_line_that_installs_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "kaldialign", None)
    with pytest.raises(MissingExtra, match=r'kaldialign is not installed.*pip install "ossicle\[eval\]"'):
        count(["a"], ["b"])
