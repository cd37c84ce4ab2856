"""Words of two texts in groups: small, whole, in order, and the same where a normaliser says so."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.measure.normalise import find_normaliser
from ossicle.measure.written import Group, group_words, split_written

WHISPER, BASIC = find_normaliser("whisper"), find_normaliser("basic")
written = st.lists(st.sampled_from(["can't", "can", "not", "the", "21", "twenty", "one", "uh,", "–", "cat."]), max_size=10)


def found(reference, hypothesis, normaliser=WHISPER, language="en"):
    one, other = reference.split(), hypothesis.split()
    return [(group.is_same, " ".join(one[slice(*group.reference)]), " ".join(other[slice(*group.hypothesis)]))
            for group in group_words(one, other, normaliser, language)]


@pytest.mark.parametrize(("reference", "hypothesis", "groups"), [
    ("The cat sat.", "the cat sat", [(True, "The", "the"), (True, "cat", "cat"), (True, "sat.", "sat")]),
    ("I can't go", "I can not go", [(True, "I", "I"), (True, "can't", "can not"), (True, "go", "go")]),
    ("I can't go", "I can now go", [(True, "I", "I"), (False, "can't", "can now"), (True, "go", "go")]),
    ("is twenty one now", "is 21 now", [(True, "is", "is"), (True, "twenty one", "21"), (True, "now", "now")]),
    ("a b", "a b c d", [(True, "a", "a"), (True, "b", "b"), (False, "", "c d")]),
    ("uh, well – yes", "well yes", [(True, "uh, well –", "well"), (True, "yes", "yes")]),
    ("x", "", [(False, "x", "")]),
    ("–", "", [(True, "–", "")]),
    ("", "", []),
])
def test_groups_by_hand(reference, hypothesis, groups):
    assert found(reference, hypothesis) == groups


def test_compounds_are_one_group():
    assert found("das auf bau", "das Aufbau", find_normaliser("leaderboard"), "de") == [(True, "das", "das"), (True, "auf bau", "Aufbau")]


@settings(deadline=None)
@given(written, written)
def test_groups_hold_every_word_once_and_in_order(reference, hypothesis):
    groups = group_words(reference, hypothesis, WHISPER, "en")
    for side, count in ((0, len(reference)), (1, len(hypothesis))):
        bounds = [(group.reference, group.hypothesis)[side] for group in groups]
        assert [place for begin, end in bounds for place in range(begin, end)] == list(range(count))


@settings(deadline=None)
@given(written)
def test_a_text_beside_itself_is_the_same(words):
    assert all(group.is_same for group in group_words(words, words, WHISPER, "en"))


def test_scripts_without_spaces_are_parted_by_character():
    assert split_written("你好, world 世界") == ["你", "好", ",", "world", "世", "界"]
    assert group_words(["你", "好"], ["你", "号"], BASIC, "zh") == [Group(True, (0, 1), (0, 1)), Group(False, (1, 2), (1, 2))]
