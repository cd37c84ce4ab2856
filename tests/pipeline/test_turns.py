"""Turns in order, and every word with exactly one speaker: nothing twice, nothing lost."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.errors import OptionError
from ossicle.pipeline.turns import attribute, name_speakers, number_speakers, speakers_of, tidy_turns
from ossicle.results import Turn, Word

times = st.floats(0, 60, allow_nan=False).map(lambda value: round(value, 3))
speakers = st.sampled_from(["A", "B", "C"])
some_turns = st.lists(st.builds(lambda start, length, speaker: Turn(start, start + length, speaker), times, times, speakers), max_size=12)


@st.composite
def some_words(draw):
    """Words in order of time, some of them without times."""
    edges = sorted(draw(st.lists(times, min_size=2, max_size=24)))
    return [Word(f" w{place}", *((start, end) if draw(st.integers(0, 4)) else ())) for place, (start, end) in enumerate(pairwise(edges))]


def said(words):
    return [(word.text, word.speaker) for word in words]


# ---------------------------------------------------------------- turns


def test_turns_come_in_order_inside_the_sound_and_none_is_empty():
    turns = [Turn(8, 12, "B"), Turn(-1, 2, "A"), Turn(3, 3, "A"), Turn(5, 4, "A"), Turn(20, 30, "B")]
    assert tidy_turns(turns, 10) == (Turn(0, 2, "A"), Turn(8, 10, "B"))


def test_close_turns_of_one_speaker_are_one():
    assert tidy_turns([Turn(0, 1, "A"), Turn(1.2, 2, "A"), Turn(2.21, 3, "A")], 10) == (Turn(0, 2, "A"), Turn(2.21, 3, "A"))


def test_turns_are_not_joined_over_a_turn_of_another():
    turns = (Turn(0, 1, "A"), Turn(1, 1.15, "B"), Turn(1.15, 2, "A"))
    assert tidy_turns(turns, 10) == turns


def test_overlapping_turns_of_one_speaker_are_one_and_those_of_two_stay():
    assert tidy_turns([Turn(0, 5, "A"), Turn(1, 2, "B"), Turn(4, 7, "A")], 10) == (Turn(0, 7, "A"), Turn(1, 2, "B"))


@pytest.mark.parametrize(("turn", "message"), [
    (Turn(0, float("nan"), "A"), "finite times, got 0 to nan of A at place 0"),
    (Turn(float("-inf"), 1, "A"), "finite times"),
    ((0, 1, "A"), "must be a Turn"),
])
def test_a_turn_that_is_none_is_refused(turn, message):
    with pytest.raises(OptionError, match=message):
        tidy_turns([turn], 10)


@settings(max_examples=300)
@given(some_turns, st.floats(1, 50))
def test_tidy_turns_stay_tidy(turns, seconds):
    tidy = tidy_turns(turns, seconds)
    assert tidy_turns(tidy, seconds) == tidy
    assert all(0 <= turn.start < turn.end <= seconds for turn in tidy)
    assert all(one.start <= two.start for one, two in pairwise(tidy))


def test_speakers_are_numbered_by_their_first_turn():
    turns = [Turn(5, 6, "x"), Turn(0, 1, "y"), Turn(2, 3, "x")]
    assert [turn.speaker for turn in number_speakers(turns)] == ["SPEAKER_01", "SPEAKER_00", "SPEAKER_01"]


TWO = (Turn(0, 1, "SPEAKER_00"), Turn(1, 2, "SPEAKER_01"))


@pytest.mark.parametrize("names", [{"0": "Ann", "1": "Bo"}, {"SPEAKER_00": "Ann", "SPEAKER_01": "Bo"}, {"SPEAKER_01": "Bo", "0": "Ann"}])
def test_a_speaker_is_named_by_number_or_label(names):
    named, unused = name_speakers(TWO, names)
    assert speakers_of(named) == ("Ann", "Bo")
    assert unused == ()


def test_a_label_goes_before_a_number_that_looks_like_it():
    named, _ = name_speakers([Turn(0, 1, "1"), Turn(1, 2, "0")], {"1": "Ann"})
    assert speakers_of(named) == ("Ann", "0")


def test_two_speakers_of_one_name_become_one():
    named, _ = name_speakers(TWO, {"0": "Ann", "1": "Ann"})
    assert tidy_turns(named, 10) == (Turn(0, 2, "Ann"),)


def test_a_name_for_nobody_is_told():
    assert name_speakers(TWO, {"7": "Ann", "Cy": "Bo"})[1] == ("7", "Cy")


def test_numbers_follow_the_given_order():
    named, _ = name_speakers([Turn(0, 1, "RIGHT"), Turn(1, 2, "LEFT")], {"0": "Ann"}, order=("LEFT", "RIGHT"))
    assert speakers_of(named) == ("RIGHT", "Ann")


# ---------------------------------------------------------------- words


def test_a_word_across_a_boundary_goes_once_to_whom_most_of_it_belongs():
    turns = [Turn(0, 1.0, "A"), Turn(1.0, 2, "B")]
    words = [Word("one", 0.5, 0.9), Word(" two", 0.9, 1.3), Word(" three", 1.3, 1.8)]
    assert said(attribute(words, turns, 0, 2)) == [("one", "A"), (" two", "B"), (" three", "B")]


def test_a_word_in_two_halves_goes_to_whoever_began():
    assert said(attribute([Word("one", 0.5, 1.5)], [Turn(0, 1.0, "B"), Turn(1.0, 2, "A")], 0, 2)) == [("one", "B")]


def test_a_word_outside_every_turn_goes_to_the_nearest():
    turns = [Turn(0, 1, "A"), Turn(4, 5, "B")]
    words = [Word("one", 1.5, 1.9), Word(" two", 3.5, 3.9), Word(" three", 9, 9.5)]
    assert said(attribute(words, turns, 0, 10)) == [("one", "A"), (" two", "B"), (" three", "B")]


def test_shares_of_one_speaker_add_up():
    turns = [Turn(0, 0.4, "A"), Turn(0.4, 0.7, "B"), Turn(0.7, 1.0, "A")]
    assert said(attribute([Word("long", 0.1, 1.0)], turns, 0, 1)) == [("long", "A")]


def test_overlapping_turns_give_a_word_to_one_of_them():
    turns = [Turn(0, 4, "A"), Turn(2, 3, "B")]
    words = [Word("in", 2.2, 2.8), Word(" out", 2.8, 3.4), Word(" point", 2.5, 2.5)]
    assert said(attribute(words, turns, 0, 4)) == [("in", "A"), (" out", "A"), (" point", "A")]


def test_a_word_without_length_goes_to_the_turn_around_it():
    assert said(attribute([Word("x", 1.5, 1.5)], [Turn(0, 1, "A"), Turn(1.2, 2, "B")], 0, 2)) == [("x", "B")]


def test_a_word_without_times_goes_where_its_neighbours_leave_room():
    turns = [Turn(0, 3, "A"), Turn(3, 6, "B")]
    words = [Word("a"), Word(" b", 1, 2), Word(" c"), Word(" d", 5.5, 6), Word(" e")]
    assert said(attribute(words, turns, 0, 6.5)) == [("a", "A"), (" b", "A"), (" c", "B"), (" d", "B"), (" e", "B")]


def test_words_of_a_chunk_without_times_go_to_its_main_speaker():
    turns = [Turn(0, 12, "A"), Turn(12, 16, "B"), Turn(16, 30, "B")]
    words = [Word("one"), Word(" two")]
    assert said(attribute(words, turns, 10, 20)) == [("one", "B"), (" two", "B")]
    assert said(attribute(words, turns, 0, 10)) == [("one", "A"), (" two", "A")]


def test_without_any_turn_all_words_go_to_one_speaker():
    assert said(attribute([Word("a", 0, 1), Word(" b")], [], 0, 2)) == [("a", "SPEAKER_00"), (" b", "SPEAKER_00")]


@given(some_words(), some_turns)
def test_no_word_vanishes_none_comes_twice_and_each_has_one_speaker_who_talks(words, turns):
    tidy = tidy_turns(turns, 60)
    given_out = attribute(words, tidy, 0, 60)
    assert [word.text for word in given_out] == [word.text for word in words]
    assert [(word.start, word.end) for word in given_out] == [(word.start, word.end) for word in words]
    assert {word.speaker for word in given_out} <= (set(speakers_of(tidy)) or {"SPEAKER_00"})


@given(some_words(), some_turns)
def test_a_word_never_goes_to_one_who_says_less_of_it_than_another(words, turns):
    tidy = tidy_turns(turns, 60)

    def share(word, speaker):
        return sum(max(0.0, min(turn.end, word.end) - max(turn.start, word.start)) for turn in tidy if turn.speaker == speaker)

    for word in attribute(words, tidy, 0, 60):
        if word.start is not None and tidy:
            assert share(word, word.speaker) >= max(share(word, speaker) for speaker in speakers_of(tidy)) - 1e-6


@given(some_words(), st.lists(times, max_size=6, unique=True))
def test_a_word_inside_one_turn_keeps_its_speaker(words, cuts):
    edges = [0.0, *sorted(cut for cut in cuts if 0 < cut < 60), 61.0]
    turns = tidy_turns([Turn(start, end, "AB"[place % 2]) for place, (start, end) in enumerate(pairwise(edges))], 61)
    for word in attribute(words, turns, 0, 61):
        around = [turn for turn in turns if word.start is not None and turn.start <= word.start < word.end <= turn.end]
        if around:
            assert word.speaker == around[0].speaker
