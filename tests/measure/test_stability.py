"""Revisions, retractions and split words of sessions written down by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossicle.measure.stability import Stability, split_places, stability
from ossicle.measure.told import items_told
from ossicle.results import Word
from tests.measure.told_events import utterance

STEADY = utterance("a", [(1, 1, "I", " can"), (2, 2, " can", " see")], (3, 3, " see."))


def of(*told):
    return stability(items_told([event for events in told for event in events]))


def test_text_that_only_grows_is_steady():
    told = utterance("a", [(1, 1, "", "I"), (2, 2, "I", " can"), (3, 3, " can", " see")], (4, 4, " see"))
    assert of(told) == Stability(items=1, final_words=3, committed_words=3, deltas=3)


def test_a_revised_word_counts_once_and_all_behind_it_are_erased():
    # "a b c d" -> "a x c d e": one word revised; b, c and d are wiped out.
    told = utterance("a", [(1, 1, "a", " b c d"), (2, 2, "", " x c d e")], (3, 3, " x c d e"))
    found = of(told)
    assert (found.revised_words, found.erased_words, found.final_words) == (1, 3, 5)
    assert (found.upwr, found.normalised_erasure, found.upsr) == (1 / 5, 3 / 5, 1.0)


def test_a_word_that_goes_away_is_revised_and_one_put_between_is_not():
    assert of(utterance("a", [(1, 1, "", "a b c")], (2, 2, "a c"))).revised_words == 1
    found = of(utterance("a", [(1, 1, "", "a c")], (2, 2, "a b c")))
    assert (found.revised_words, found.erased_words) == (0, 1)


def test_punctuation_is_seen():
    assert of(STEADY).revised_words == 1                   # "see" became "see."


def test_shares_are_of_utterances_and_of_all_words():
    calm = utterance("b", [(1, 1, "one", " two")], (2, 2, " two"))
    found = of(STEADY, calm)
    assert (found.items, found.upsr, found.upwr) == (2, 1 / 2, 1 / 5)


def test_without_text_there_are_no_rates():
    assert [of().upwr, of().upsr, of().retraction_rate] == [None, None, None]


def test_a_committed_word_that_the_final_has_otherwise_is_retracted():
    told = utterance("a", [(1, 1, "the cat", ""), (2, 2, " sat", "")], (3, 3, ""), text="the hat sat")
    found = of(told)
    assert (found.committed_words, found.retracted_words) == (3, 2)     # all behind the first changed letter did not stay where it was
    assert found.retraction_rate == 2 / 3


def test_an_event_that_forgets_what_was_committed_retracts_it():
    told = utterance("a", [(1, 1, "one", ""), (2, 2, " two", "")], (3, 3, ""))
    told[2] = (2, replace(told[2][1], committed_text="one three"))
    assert of(told).retracted_words == 1


def test_nothing_is_retracted_where_deltas_add_up():
    assert of(STEADY).retraction_rate == 0


def test_a_piece_that_ends_inside_a_word_splits_it():
    assert split_places(["he", "llo there"], ["hello", " there"]) == [2]
    assert of(utterance("a", [(1, 1, "he", "")], (2, 2, "llo there"), words=[Word("hello"), Word(" there")])).split_words == 1


def test_words_that_were_made_of_pieces_do_not_hide_a_split():
    assert split_places(["he", "llo"], ["he", "llo"]) == [2]


def test_a_told_word_of_several_characters_is_whole():
    assert split_places(["東", "京に"], ["東京", "に"]) == [1]
    assert split_places(["東京", "に"], ["東京", "に"]) == []


def test_punctuation_may_follow_its_word():
    assert split_places(["hello", ", there"], ["hello,", " there"]) == []
    assert split_places(["don", "'t"], ["don't"]) == [3]


@given(st.lists(st.text("ab ,東", min_size=1), max_size=6))
def test_whole_words_are_never_split(parts):
    pieces = [part + " " for part in parts]
    assert split_places(pieces, []) == []


@given(st.lists(st.tuples(st.text("abc ", max_size=4), st.text("abc ", max_size=4)), max_size=6))
def test_rates_stay_in_their_bounds(steps):
    told = utterance("a", [(place, place, delta, pending) for place, (delta, pending) in enumerate(steps)], (9, 9, " end"))
    found = of(told)
    assert found.retracted_words == 0
    assert found.erased_words >= found.revised_words - sum(len(pending.split()) for _, pending in steps)
    assert 0 <= found.split_words < max(1, found.deltas)
    assert found.upsr in (0, 1)


@pytest.mark.parametrize("name", ["upwr", "upsr", "normalised_erasure", "retraction_rate"])
def test_rates_are_in_the_report(name):
    assert of(STEADY).to_dict()[name] == getattr(of(STEADY), name)
