"""Lags by hand, and against omnisteval where that is installed."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossicle.measure.lagging import Piece, assign, laal, long_yaal, stream_laal, yaal

VOCABULARY = ["the", "then", "them", "a", "an", "and", "cat", "cart", "card", "dog", "dogs",
              ",", ".", "sat", "set", "seat", "東", "京", "ー"]


def test_laal_by_hand():
    # Four words in four seconds: an ideal writer writes at 0, 1, 2, 3; this one at 1, 2, 3, 5, the last behind the end.
    assert laal([1, 2, 3, 5], 4, 4) == (1 + 1 + 1 + 2) / 4
    # The second word behind the end counts no more.
    assert laal([1, 2, 5, 5], 4, 4) == (1 + 1 + 3) / 3
    # Eight words said: the ideal writes each half second; four written that late lag more.
    assert laal([1, 2, 3, 3.5], 4, 8) == (1 + 1.5 + 2 + 2) / 4
    # Eight written for four said: the ideal is as fast as the writer.
    assert laal([0.5 * place + 1 for place in range(6)], 3, 2) == 1
    assert laal([7, 8], 4, 2) == 7
    assert laal([], 4, 2) is None
    assert laal([1.0], 0, 2) is None


def test_yaal_leaves_out_what_comes_behind_the_end():
    assert yaal([1, 2, 3, 5], 4, 4) == 1
    assert yaal([4, 5], 4, 2) is None
    # In a stream the end of a piece is not the end.
    assert yaal([1, 2, 3, 5], 4, 4, recording_seconds=10, is_long=True) == (1 + 1 + 1 + 2) / 4
    assert yaal([1, 2, 3, 10], 4, 4, recording_seconds=10, is_long=True) == 1
    assert yaal([], 4, 4) is None


def test_pieces_of_a_stream_count_from_their_own_beginning():
    pieces = [Piece(0, 2, 2, (1.0, 2.5), 6), Piece(2, 4, 4, (3.0, 4.0, 5.0, 6.5), 6), Piece(6, 0.5, 1, (), 6)]
    assert stream_laal(pieces) == ((1 + 1.5) / 2 + (1 + 1 + 1 + 1.5) / 4) / 2
    assert long_yaal(pieces) == ((1 + 1.5) / 2 + 1) / 2
    assert stream_laal([]) is None


def test_words_go_to_the_utterance_they_are_most_like():
    references = [["the", "cat", "sat"], ["a", "dog", "ran"]]
    assert assign(references, ["the", "cat", "sat", "a", "dog", "ran"]) == [0, 0, 0, 1, 1, 1]
    assert assign(references, ["the", "sat", "dogs"]) == [0, 0, 1]
    assert assign(references, ["THE", "Dog"]) == [0, 1]
    # A needless word between two utterances goes to the neighbour that it is more like.
    assert assign([["cat"], ["dog"]], ["cat", "catt", "dog"]) == [0, 0, 1]
    assert assign([["cat"], ["dog"]], ["cat", "god", "dog"])[1] == 1
    assert assign(references, []) == []
    with pytest.raises(ValueError, match="with words"):
        assign([[]], ["a"])


@given(st.lists(st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=4), min_size=1, max_size=4),
       st.lists(st.sampled_from(VOCABULARY), max_size=12), st.booleans())
def test_utterances_stay_in_order_and_all_is_placed(references, hypothesis, by_character):
    found = assign(references, hypothesis, by_character)
    assert len(found) == len(hypothesis)
    assert found == sorted(found)


@given(st.lists(st.floats(0, 20), min_size=1, max_size=8).map(sorted), st.floats(0.5, 20), st.integers(0, 12), st.floats(0.1, 5))
def test_waiting_longer_lags_more(delays, seconds, words, wait):
    for lag in (laal, lambda *values: yaal(*values, is_long=True)):
        assert lag([delay + wait for delay in delays], 100, words) == pytest.approx(lag(delays, 100, words) + wait)
    assert laal(delays, seconds, words) <= max(delays) or delays[0] > seconds


def streams(seed, by_character):
    """A stream of random words, heard with errors, late, sometimes behind its end."""
    random = np.random.default_rng(seed)
    references, offsets, at = [], [], 0.0
    for _ in range(int(random.integers(1, 5))):
        references.append([VOCABULARY[place] for place in random.integers(0, len(VOCABULARY), random.integers(1, 7))])
        seconds = float(random.uniform(0.5, 4))
        offsets.append((at, seconds))
        at += seconds + float(random.uniform(0, 0.5))
    if by_character:
        references = [[char for word in words for char in word] for words in references]
    heard = [word for words in references for word in words if random.random() > 0.2]
    heard = [VOCABULARY[random.integers(0, len(VOCABULARY))][:1 if by_character else None] if random.random() < 0.2 else word
             for word in heard]
    times = sorted(float(time) for time in random.uniform(0, at * 1.1, len(heard)))
    return references, offsets, heard, times


@pytest.mark.parametrize("by_character", [False, True])
def test_the_same_as_omnisteval(by_character):
    pytest.importorskip("omnisteval")
    from omnisteval.alignment import Word, align_sequences, process_alignment
    from omnisteval.data import Instance
    from omnisteval.scoring import LAALScorer, YAALScorer

    unit, num_words = "char" if by_character else "word", 0
    for seed in range(80):
        references, offsets, heard, times = streams(seed, by_character)
        end = max(offset + seconds for offset, seconds in offsets)
        said = [Word(word, seq_id=place) for place, words in enumerate(references) for word in words]
        written = [Word(word, seq_id=None, emission_cu=1000 * time) for word, time in zip(heard, times)]
        placed = process_alignment(*align_sequences(said, written, by_character), by_character)
        if len(placed) < len(heard):
            continue                    # omnisteval loses a word before the first one said where that is a mark; ours keeps it
        owners = assign(references, heard, by_character)
        assert owners == [word.seq_id for word in placed], seed
        pieces, instances = [], []
        for place, (offset, seconds) in enumerate(offsets):
            mine = tuple(time for time, owner in zip(times, owners) if owner == place)
            pieces.append(Piece(offset, seconds, len(references[place]), mine, end))
            instances.append(Instance(
                "", ("" if by_character else " ").join(references[place]), unit, source_length=1000 * seconds,
                emission_cu=[1000 * (time - offset) for time in mine], time_to_recording_end=1000 * (end - offset)))
            num_words += len(mine)
        for lag, theirs in ((stream_laal(pieces), LAALScorer()(instances)), (long_yaal(pieces), YAALScorer(is_longform=True)(instances))):
            assert math.isnan(theirs) if lag is None else 1000 * lag == pytest.approx(theirs), seed
        for piece, instance in zip(pieces, instances):
            if piece.delays:
                instance.time_to_recording_end = None
                alone, theirs = yaal(piece.delays, piece.seconds, piece.reference_words), YAALScorer().compute(instance)
                assert (alone is None) == (theirs is None)
                assert alone is None or 1000 * alone == pytest.approx(theirs), seed
    assert num_words > 300
