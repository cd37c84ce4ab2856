"""Times of units to times of words."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossicle.pipeline.spans import Heard, fill, times_of_words
from ossicle.text.units import split_units
from ossicle.text.words import split_words

TEXTS = st.text(alphabet="ab 1'.,-—&%你好あ가é\u0301หว्ी\n", max_size=30) | st.text(max_size=30)


def time_text(text, times, seconds=10.0, language="English"):
    """Words of a text as (word, start, end, is measured), from (start, end) of its units."""
    words, units = split_words(text), split_units(text, language)
    heard = [Heard(start, end, True) for start, end in times]
    found = times_of_words(words, units, heard, seconds)
    return [(word, round(one.start, 3), round(one.end, 3), one.is_measured) for word, one in zip(words, found, strict=True)]


def is_in_order(heard, seconds):
    starts_before_it_ends = all(0 <= one.start < one.end <= seconds for one in heard)
    return starts_before_it_ends and all(one.end <= two.start for one, two in pairwise(heard))


@pytest.mark.parametrize("words", [
    "A| well-known| e-mail:| it| costs| $5,| or| 3.14| at| 5:30| in| C++,| don’t| you| think?", "L’été,| c’est| 50| %| —| enfin…",
])
def test_words_keep_their_spelling(words):
    """Hyphens, decimals, currency, clock times, curly apostrophes: what the aligner is not given is not lost."""
    text = words.replace("|", "")
    timed = time_text(text, [(0.3 * i, 0.3 * i + 0.2) for i in range(len(split_units(text, "English")))])
    assert [word for word, *_ in timed] == words.replace("| —", " —").split("|")


def test_one_hyphen_does_not_cost_the_punctuation_of_others():
    timed = time_text("Stop. A well-known one, yes? Go!", [(i, i + 0.5) for i in range(6)])
    assert [word for word, *_ in timed] == ["Stop.", " A", " well-known", " one,", " yes?", " Go!"]
    assert [start for _, start, *_ in timed] == [0, 1, 2, 3, 4, 5]


def test_combining_marks_stay_on_their_words():
    timed = time_text("हिन्दी और ไทย", [(0, 1), (1, 1.5), (2, 3)], language="Hindi")
    assert [word for word, *_ in timed][:2] == ["हिन्दी", " और"]
    assert "".join(word for word, *_ in timed) == "हिन्दी और ไทย"
    assert timed[0][1:] == (0, 1, True)


def test_a_stretch_without_spaces_is_divided_by_characters():
    timed = time_text("สวัสดีครับ", [(1.0, 2.0)], language="Thai")
    assert len(timed) > 3
    assert (timed[0][1], timed[-1][2]) == (1.0, 2.0)
    assert not any(is_measured for *_, is_measured in timed)            # where one ends nobody measured
    assert all(one[2] == two[1] for one, two in pairwise(timed))


def test_a_unit_over_two_words_is_divided_by_characters():
    assert time_text("你好，world！iPhone15很贵。", [(0, 0.5), (0.5, 1), (1, 2.3), (2.5, 3), (3, 3.5)]) == [
        ("你", 0, 0.5, True), ("好，", 0.5, 1, True), ("world！", 1, 1.5, False), ("iPhone15", 1.5, 2.3, False),
        ("很", 2.5, 3, True), ("贵。", 3, 3.5, True)]


def test_several_units_in_a_word_give_it_the_first_start_and_the_last_end():
    assert time_text("날씨가 좋네요.", [(0, 1), (1.2, 1.5), (2, 3)], language="Korean") == [
        ("날씨가", 0, 1.5, True), (" 좋네요.", 2, 3, True)]


def test_words_without_length_share_the_room_to_the_next_time():
    timed = time_text("one two three four", [(0, 1), (1, 1), (1, 1), (1.8, 2)])
    assert timed == [("one", 0, 1, True), (" two", 1, 1.3, False), (" three", 1.3, 1.8, False), (" four", 1.8, 2, True)]


def test_a_word_that_begins_where_others_have_no_length_shares_with_them():
    timed = time_text("a b c d", [(0, 1), (1, 1), (1, 2.0), (2, 3)])
    assert timed == [("a", 0, 1, True), (" b", 1, 1.5, False), (" c", 1.5, 2, False), (" d", 2, 3, True)]


def test_words_at_a_standstill_do_not_fill_a_long_silence():
    timed = time_text("one two", [(0, 1), (1, 1)], seconds=60)
    assert timed[1][1] == 1
    assert timed[1][2] < 2


def test_words_that_pile_up_at_the_end_find_room_before_it():
    timed = time_text("a b c", [(0, 1), (10, 10), (10, 10)])
    assert timed[0] == ("a", 0, 1, True)
    assert 9 < timed[1][1] < timed[2][1] < 10
    assert timed[2][2] == 10


def test_a_symbol_that_the_aligner_is_not_given_stands_between_its_neighbours():
    timed = time_text("rock & roll", [(0, 1), (1.5, 2)])
    assert timed[1][0] == " &"
    assert 1 <= timed[1][1] < timed[1][2] <= 1.5
    assert [is_measured for *_, is_measured in timed] == [True, False, True]


def test_leading_symbols_stand_close_to_the_first_word():
    timed = time_text("% of", [(8, 9)])
    assert 7 < timed[0][1] < timed[0][2] <= 8


def test_times_behind_the_end_are_drawn_in():
    timed = time_text("a b", [(1, 2), (30, 40)])
    assert timed[0] == ("a", 1, 2, True)
    assert timed[1][2] <= 10
    assert not timed[1][3]


@given(TEXTS, st.lists(st.floats(0, 20), min_size=70, max_size=70), st.floats(0.05, 15))
def test_any_text_at_any_times_is_in_order_and_inside(text, times, seconds):
    words, units = split_words(text), split_units(text, "English")
    times.sort()
    heard = [Heard(start, end, True) for start, end in zip(times[::2], times[1::2])][: len(units)]
    assert is_in_order(times_of_words(words, units, heard, seconds), seconds)


@given(st.lists(st.none() | st.tuples(st.floats(0, 5), st.floats(0, 5)), min_size=1, max_size=30), st.floats(5, 9))
def test_unknown_words_are_filled_in_between_known_ones(pairs, seconds):
    times = sorted(time for pair in pairs if pair for time in pair)
    known = iter(zip(times[::2], times[1::2]))
    found = [Heard(*next(known), True) if pair else None for pair in pairs]
    assert is_in_order(fill(found, [1] * len(found), seconds), seconds)
