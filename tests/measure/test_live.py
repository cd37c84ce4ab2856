"""Sessions beside their references: pooled figures, lags of chapters, texts cut at utterances; of sessions written down by hand."""

from dataclasses import replace

import pytest

from ossicle.measure.live import LiveSession, Said, cut_text, figures, pieces_of, segments_of
from ossicle.measure.normalise import find_normaliser
from ossicle.measure.score import Utterance, score
from ossicle.measure.told import items_told
from tests.measure.told_events import utterance, words

BASIC = find_normaliser("basic")
FIRST = utterance("a", [(1.0, 1.2, "The", " cat")], (2.0, 2.3, " cat sat."), start=0.0, end=1.8, endpoint=(2.0, 2.1),
                  words=words(("The", 0.2, 0.5), (" cat", 0.5, 1.0), (" sat.", 1.1, 1.5)))
SECOND = utterance("b", [(4.0, 4.1, "A dog", "")], (5.0, 5.5, " ran."), start=3.0, end=4.6, endpoint=(5.0, 5.1),
                   words=words(("A", 3.1, 3.3), (" dog", 3.3, 3.6), (" ran.", 3.7, 4.2)))
REFERENCE = words(("The", 0.2, 0.5), ("cat", 0.5, 1.0), ("sat", 1.1, 1.5), ("A", 3.1, 3.3), ("dog", 3.3, 3.6), ("ran", 3.7, 4.2))
SAID = (Said("The cat sat", 0.0, 2.0), Said("A dog ran", 3.0, 1.5))
SESSION = LiveSession(tuple(items_told([*FIRST, *SECOND])), SAID, REFERENCE, 5.0, "en")


def test_figures_of_a_session_by_hand():
    found = figures([SESSION], BASIC, is_paced=True)
    # Waits 0.5, 1.0, 0.5, 0.7, 0.4, 0.8 by the audio clock: The 1.0-0.5, cat 2.0-1.0, sat 2.0-1.5, A 4.0-3.3, dog 4.0-3.6, ran 5.0-4.2.
    assert found.word_emission.unaware.mean == pytest.approx((0.5 + 1.0 + 0.5 + 0.7 + 0.4 + 0.8) / 6)
    assert found.word_emission.aware.mean == pytest.approx((0.7 + 1.3 + 0.8 + 0.8 + 0.5 + 1.3) / 6)
    assert found.first_partial.unaware.mean == pytest.approx((0.8 + 0.9) / 2)
    assert found.finalisation.aware.mean == pytest.approx((0.8 + 1.3) / 2)
    assert found.endpoint_to_final.aware.mean == pytest.approx((0.2 + 0.4) / 2)
    # First utterance: 1, 2, 2 against 0, 2/3, 4/3; the last word comes as the sound ends, and LAAL counts the first such word only.
    # Second: 1, 1, 2 against 0, 0.5, 1: its third comes behind its end.
    assert found.laal.unaware == pytest.approx(((1 + 4 / 3) / 2 + (1 + 0.5 + 1) / 3) / 2)
    # The stream ends at 4.5, so that of the second utterance the last word counts not.
    assert found.yaal.unaware == pytest.approx(((1 + 4 / 3 + 2 / 3) / 3 + (1 + 0.5) / 2) / 2)
    assert found.times_of == "reference"
    assert (found.stability.items, found.stability.retracted_words) == (2, 0)


def test_the_wall_says_nothing_where_sound_went_in_faster():
    found = figures([SESSION], BASIC, is_paced=False)
    assert [found.word_emission.aware, found.first_partial.aware, found.laal.aware, found.yaal.aware] == [None] * 4


def test_words_of_all_sessions_are_one_heap():
    alone = replace(SESSION, items=SESSION.items[:1], said=SESSION.said[:1], reference=REFERENCE[:3])
    found = figures([SESSION, alone], BASIC, is_paced=False)
    assert found.word_emission.unaware.count == 9
    assert found.word_emission.unaware.mean == pytest.approx((0.5 + 1.0 + 0.5 + 0.7 + 0.4 + 0.8 + 0.5 + 1.0 + 0.5) / 9)
    assert found.stability.items == 3
    assert figures([], BASIC, is_paced=False).laal.unaware is None


def test_a_stream_is_cut_at_its_utterances():
    assert cut_text(SESSION) == ["The cat sat.", "A dog ran."]
    assert [piece.emissions for piece in pieces_of(SESSION, "audio")] == [(1.0, 2.0, 2.0), (4.0, 4.0, 5.0)]
    assert [piece.emissions for piece in pieces_of(SESSION, "wall")] == [(1.2, 2.3, 2.3), (4.1, 4.1, 5.5)]
    assert segments_of("talk", SESSION)[1] == {"wav": "talk", "offset": 3.0, "duration": 1.5}
    assert cut_text(replace(SESSION, said=(Said("", 0, 2), Said("", 3, 1)))) == ["The cat sat. A dog ran.", ""]


def test_one_utterance_keeps_all_that_was_written():
    assert cut_text(replace(SESSION, said=SESSION.said[:1])) == ["The cat sat. A dog ran."]


def test_what_is_taken_back_shows_without_rewriting():
    told = utterance("a", [(1, 1, "The hat", "")], (2, 2, " sat."), text="The cat sat.", words=words(("The cat sat.", 0.2, 1.5)))
    session = replace(SESSION, items=tuple(items_told(told)))
    assert (session.text, session.unrewritten) == ("The cat sat.", "The hat sat.")
    rates = [score([Utterance("a", "the cat sat", text, "en")], BASIC).total.wer.rate for text in (session.text, session.unrewritten)]
    assert rates == [0, 1 / 3]
    assert figures([session], BASIC, is_paced=False).stability.retracted_words > 0


def test_characters_are_what_counts_where_there_are_no_spaces():
    told = utterance("a", [(1.0, 1.0, "你好", "")], (2.0, 2.0, "世界"), words=words(("你好", 0.1, 0.6), ("世界", 0.8, 1.4)))
    session = LiveSession(tuple(items_told(told)), (Said("你好", 0.0, 1.0), Said("世间", 1.0, 1.0)), (), 2.0, "Chinese")
    assert session.by_character
    assert cut_text(session) == ["你好", "世界"]
    assert [piece.emissions for piece in pieces_of(session, "audio")] == [(1.0, 1.0), (2.0, 2.0)]
    total = score([Utterance("a", "你好世间", session.text, "zh")], BASIC).total
    assert (total.primary, total.cer.rate) == ("cer", 1 / 4)
