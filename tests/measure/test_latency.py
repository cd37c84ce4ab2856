"""Waits of sessions written down by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossicle.measure.latency import (
    Distribution,
    distribution,
    endpoint_waits,
    finalisation_waits,
    first_partial_waits,
    times_of,
    word_waits,
)
from ossicle.measure.normalise import find_normaliser
from ossicle.measure.told import items_told, session_text
from ossicle.results import Word
from ossicle.stream_events import Failure, LiveWarning
from tests.measure.told_events import utterance, words

BASIC = find_normaliser("basic")
SAID = words((" The", 1.0, 1.2), (" cat", 1.2, 1.6), (" sat", 1.7, 2.0))
# One utterance: on the wall each event is 0.1 s later than on the audio clock, the final 0.3 s.
TOLD = utterance(
    "a", [(1.5, 1.6, "", "The"), (2.0, 2.1, "The", " cat"), (2.5, 2.6, " cat", " sat")], (3.0, 3.3, " sat."), start=0.7, end=2.2,
    endpoint=(2.9, 3.0), words=words(("The", 1.0, 1.25), (" cat", 1.3, 1.7), (" sat.", 1.75, 2.1)))
ITEMS = items_told(TOLD)


def waits(reference=SAID, items=ITEMS, clock="audio", language="en"):
    return [round(wait, 6) for wait in word_waits(items, reference, BASIC, language, clock)]


def test_items_are_what_was_told():
    item, = ITEMS
    assert (item.start, item.text, item.committed, len(item.moments)) == (0.7, "The cat sat.", "The cat sat.", 4)
    assert [moment.visible for moment in item.moments] == ["The", "The cat", "The cat sat", "The cat sat."]
    assert session_text([" a ", "", "b"]) == "a b"


def test_events_about_no_item_are_passed_over_and_items_keep_their_order():
    told = [*TOLD, (4, LiveWarning(message="loud")), *utterance("b", [], (5, 5, "Hi")), (6, Failure(message="gone", code="ModelError"))]
    assert [item.id for item in items_told(told)] == ["a", "b"]


def test_a_session_that_broke_off_keeps_what_was_committed():
    item, = items_told(TOLD[:3])
    assert (item.final, item.text, item.words) == (None, "The", ())
    assert word_waits([item], SAID, BASIC, "en", "audio") == []


def test_a_distribution_by_hand():
    assert distribution([4, 1, 3, 2, 5]) == Distribution(5, 3.0, 3.0, pytest.approx(4.6), pytest.approx(4.8), 5)
    assert distribution([]) is None


def test_the_first_partial_is_waited_for_from_the_onset_of_speech():
    assert first_partial_waits(ITEMS, SAID, "audio") == [0.5]
    assert first_partial_waits(ITEMS, SAID, "wall") == [pytest.approx(0.6)]
    late = words((" The", 1.25, 1.3))
    assert first_partial_waits(ITEMS, late, "audio") == [0.25]         # the reference's onset goes before the session's own
    assert first_partial_waits(ITEMS, (), "audio") == [0.5]
    assert first_partial_waits(ITEMS, (Word(" The"),), "audio") == [0.5]


def test_spaces_are_no_text():
    told = utterance("a", [(1.0, 1.0, "", " "), (2.0, 2.0, "", "Oh")], (3, 3, "Oh"), words=words(("Oh", 0.5, 0.9)))
    assert first_partial_waits(items_told(told), (), "audio") == [1.5]
    assert first_partial_waits(items_told(utterance("a", [], (3, 3, ""))), SAID, "audio") == []


def test_a_word_is_waited_for_from_its_end_to_its_commit():
    # Committed at 2.0, 2.5, 3.0; spoken until 1.2, 1.6, 2.0.
    assert waits() == [0.8, 0.9, 1.0]
    assert waits(clock="wall") == [0.9, 1.0, 1.3]


def test_without_times_of_the_reference_the_session_judges_itself():
    assert waits(tuple(Word(word.text) for word in SAID)) == waits(()) == [0.75, 0.8, 0.9]
    assert (times_of(SAID), times_of(())) == ("reference", "session")


def test_wrong_words_do_not_count():
    assert waits(words((" The", 1.0, 1.2), (" dog", 1.2, 1.6), (" sat", 1.7, 2.0))) == [0.8, 1.0]
    assert waits(words((" dog", 1.2, 1.6))) == []


def test_a_word_written_as_two_counts_at_its_last():
    told = utterance("a", [(2.0, 2.0, "White", ""), (3.0, 3.0, " paper", "")], (4, 4, " here"),
                     words=words(("White", 0, 1), (" paper", 1, 1.5), (" here", 1.5, 2)))
    said = words((" whitepaper", 0.0, 1.4), (" here", 1.4, 2.0))
    assert waits(said, items_told(told)) == [1.6, 2.0]


def test_characters_count_where_there_are_no_spaces():
    told = utterance("a", [(2.0, 2.0, "你", ""), (2.5, 2.5, "好", "")], (3.0, 3.0, "。"), words=words(("你", 0.5, 1.0), ("好。", 1.0, 1.5)))
    assert waits(words(("你", 0.5, 1.1), ("好", 1.1, 1.6)), items_told(told), language="zh") == [0.9, 0.9]


def test_punctuation_that_comes_later_does_not_delay_its_word():
    told = utterance("a", [(2.0, 2.0, "Yes", "")], (9.0, 9.0, "."), words=words(("Yes.", 0.5, 1.0)))
    assert waits((), items_told(told)) == [1.0]


def test_finals_are_waited_for_from_the_end_of_speech():
    assert finalisation_waits(ITEMS, SAID, "audio") == [1.0]
    assert finalisation_waits(ITEMS, SAID, "wall") == [pytest.approx(1.3)]
    assert finalisation_waits(ITEMS, (), "audio") == [pytest.approx(0.9)]
    assert endpoint_waits(ITEMS, "audio") == [pytest.approx(0.1)]
    assert endpoint_waits(ITEMS, "wall") == [pytest.approx(0.3)]


def test_the_sound_ends_the_speech_where_no_word_is_timed():
    told = utterance("a", [], (3.0, 3.0, "Oh"), end=2.0, endpoint=(2.5, 2.5), words=(Word("Oh"),))
    assert finalisation_waits(items_told(told), (), "audio") == [1.0]


@pytest.mark.parametrize("reason", ["cut", "commit", "close", "clear"])
def test_only_silence_ends_speech(reason):
    items = items_told(utterance("a", [], (3.0, 3.0, "Oh"), endpoint=(2.5, 2.5), reason=reason))
    assert finalisation_waits(items, (), "audio") == endpoint_waits(items, "audio") == []


def test_each_utterance_has_its_own_words():
    second = utterance("b", [(6.5, 6.5, "Hi", "")], (7.0, 7.0, ""), start=5.0, end=6.4, endpoint=(6.9, 6.9), words=words(("Hi", 5.5, 6.0)))
    items = items_told([*TOLD, *second])
    said = (*SAID, *words((" Hi", 5.6, 6.1)))
    assert first_partial_waits(items, said, "audio") == [0.5, pytest.approx(0.9)]
    assert finalisation_waits(items, said, "audio") == [1.0, pytest.approx(0.9)]
    assert waits(said, items) == [0.8, 0.9, 1.0, 0.4]


@given(st.lists(st.floats(0.01, 3), min_size=1, max_size=8), st.floats(0, 5))
def test_committing_later_waits_longer_by_as_much(steps, delay):
    said, told, later, at = [], [], [], 0.0
    for place, length in enumerate(steps):
        said.append((f" word{place}", at, at + length))
        at += length
        told.append((at, at, f" word{place}", ""))
        later.append((at + delay, at, f" word{place}", ""))
    first, second = (word_waits(items_told(utterance("a", steps, (99, 99, ""), words=words(*said))), words(*said), BASIC, "en", "audio")
                     for steps in (told, later))
    assert first == pytest.approx([0.0] * len(steps))
    assert second == pytest.approx([delay] * len(steps))
