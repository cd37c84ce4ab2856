"""Segments end where people would end them, and lose no word."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossicle.options import SegmentOptions
from ossicle.pipeline.segments import BySentence
from ossicle.results import Chunk, Word


def spoken(text, start=0.0, seconds=0.3, pauses=None, speakers=None):
    """Words of `text`, `seconds` each; `pauses` and `speakers` by place."""
    words = []
    for place, part in enumerate(text.split(" ")):
        start += (pauses or {}).get(place, 0.0)
        words.append(Word(" " * bool(place) + part, start, start + seconds, speaker=(speakers or {}).get(place)))
        start += seconds
    return tuple(words)


def chunk_of(words, language="English", start=0.0, end=60.0):
    return Chunk(0, start, end, "".join(word.text for word in words).strip(), language, "eos", words=tuple(words))


def segments_of(*chunks, **options):
    segmenter = BySentence(SegmentOptions(**options))
    done = [segment for chunk in chunks for segment in segmenter.add(chunk, chunk.words)]
    return done + segmenter.finish()


def texts(*chunks, **options):
    return [segment.text for segment in segments_of(*chunks, **options)]


def test_segments_end_with_sentences():
    assert texts(chunk_of(spoken("One two. Three? Dr. Four five."))) == ["One two.", " Three?", " Dr. Four five."]


def test_a_segment_has_the_times_of_its_words():
    first, second = segments_of(chunk_of(spoken("One two. Three.", start=5.0, pauses={2: 0.25})))
    assert (first.start, first.end) == pytest.approx((5.0, 5.6))
    assert (second.start, second.end) == pytest.approx((5.85, 6.15))


def test_segments_end_before_pauses():
    words = spoken("one two three four", pauses={1: 0.79, 2: 0.8})
    assert texts(chunk_of(words)) == ["one two", " three four"]
    assert texts(chunk_of(words), pause_seconds=0.5) == ["one", " two", " three four"]


def test_segments_end_where_the_speaker_changes():
    words = spoken("one two three four", speakers={0: "A", 1: "A", 2: "B", 3: "A"})
    found = [(segment.text, segment.speaker) for segment in segments_of(chunk_of(words))]
    assert found == [("one two", "A"), (" three", "B"), (" four", "A")]


def test_a_sentence_goes_on_over_the_edge_of_a_chunk():
    first, second = spoken("One two", start=0.0), spoken("three. Four.", start=0.7)
    second = (Word(" three.", second[0].start, second[0].end), *second[1:])
    assert texts(chunk_of(first), chunk_of(second)) == ["One two three.", " Four."]


def test_segments_end_where_the_language_changes():
    first, second = chunk_of(spoken("one two"), "English"), chunk_of(spoken("drei vier", start=0.7), "German")
    assert [(segment.text, segment.language) for segment in segments_of(first, second)] == [("one two", "English"), ("drei vier", "German")]


def test_a_chunk_of_an_unknown_language_goes_on_in_the_one_before():
    first, second, third = (chunk_of(spoken(text, start=start), language) for text, start, language in [
        ("one two", 0.0, None), ("three", 0.7, "English"), ("four.", 1.0, None)])
    assert [(segment.text, segment.language) for segment in segments_of(first, second, third)] == [("one twothreefour.", "English")]


def test_what_is_handed_out_is_final_and_waits_for_one_word_only():
    segmenter = BySentence()
    first = chunk_of(spoken("One. Two."))
    assert [segment.text for segment in segmenter.add(first, first.words)] == ["One."]
    second = chunk_of(spoken("Three", start=1.0))
    assert [segment.text for segment in segmenter.add(second, second.words)] == [" Two."]
    assert [segment.text for segment in segmenter.finish()] == ["Three"]
    assert segmenter.finish() == []


def test_a_long_sentence_is_cut_at_a_clause():
    found = texts(chunk_of(spoken("a b c, d e f g h i j k l", seconds=1.0)), max_seconds=8)
    assert found == ["a b c,", " d e f g h i j k", " l"]


def test_a_long_sentence_without_a_clause_is_cut_at_its_longest_pause():
    found = texts(chunk_of(spoken("a b c d e f g h i j", seconds=1.0, pauses={5: 0.3, 7: 0.1})), max_seconds=8)
    assert found == ["a b c d e", " f g h i j"]


def test_a_long_sentence_without_either_is_cut_at_the_limit():
    found = texts(chunk_of(spoken("a b c d e f g h i j", seconds=1.0)), max_seconds=4)
    assert found == ["a b c d", " e f g h", " i j"]


def test_a_word_longer_than_the_limit_stays_whole():
    assert texts(chunk_of(spoken("aaah bbbh", seconds=9.0)), max_seconds=4) == ["aaah", " bbbh"]


def test_a_chunk_without_times_is_a_segment_of_its_own():
    timed, untimed = chunk_of(spoken("One. Two")), chunk_of([Word("Three. "), Word("Four")], start=10.0, end=20.0)
    later = chunk_of(spoken("Five.", start=20.0))
    found = segments_of(timed, untimed, later)
    assert [segment.text for segment in found] == ["One.", " Two", "Three. Four", "Five."]
    assert (found[2].start, found[2].end) == (10.0, 20.0)


def test_chinese_sentences_end_without_spaces():
    words = [Word(part, place * 0.3, place * 0.3 + 0.3) for place, part in enumerate(["你", "好", "吗？", "很", "好。", "再", "见"])]
    assert texts(chunk_of(words, "Chinese")) == ["你好吗？", "很好。", "再见"]


def test_thai_has_no_marks_and_ends_with_pauses():
    words = [Word("ส", 0, 0.3), Word("วัส", 0.3, 0.6), Word("ดี", 0.6, 0.9), Word("ไป", 2.0, 2.3)]
    assert texts(chunk_of(words, "Thai")) == ["สวัสดี", "ไป"]


@st.composite
def some_chunks(draw):
    """Chunks of words in order of time; some without any times."""
    now, chunks = 0.0, []
    for _ in range(draw(st.integers(1, 4))):
        count = draw(st.integers(1, 8))
        part = st.sampled_from(["one", "two.", "three,", "Four", "Dr.", "好。", "five?", "6."])
        parts = draw(st.lists(part, min_size=count, max_size=count))
        lengths = draw(st.lists(st.sampled_from([0.0, 0.2, 0.9, 3.0]), min_size=2 * count, max_size=2 * count))
        edges = list(accumulate(lengths, initial=now))
        is_timed = draw(st.booleans())
        speaker = st.sampled_from(["A", "B"])
        words = tuple(Word(" " + part, *((edges[2 * place], edges[2 * place + 1]) if is_timed else ()), speaker=draw(speaker))
                      for place, part in enumerate(parts))
        chunks.append(chunk_of(words, draw(st.sampled_from(["English", "German"])), now, edges[-1]))
        now = edges[-1]
    return chunks


@given(some_chunks(), st.sampled_from([1.0, 4.0, 20.0]))
def test_no_word_is_lost_doubled_or_moved_and_times_go_on(chunks, max_seconds):
    found = segments_of(*chunks, max_seconds=max_seconds)
    assert [word for segment in found for word in segment.words] == [word for chunk in chunks for word in chunk.words]
    assert all(segment.text == "".join(word.text for word in segment.words) for segment in found)
    assert all(one.start <= two.start and one.start <= one.end for one, two in pairwise([*found, found[-1]]))


@given(some_chunks())
def test_timed_segments_have_one_speaker_and_one_language_and_are_short(chunks):
    languages = {word: chunk.language for chunk in chunks for word in chunk.words}
    for segment in segments_of(*chunks, max_seconds=4.0):
        if all(word.start is not None for word in segment.words):
            assert len({word.speaker for word in segment.words}) == 1
            assert segment.end - segment.start <= 4.0 + 1e-6 or len(segment.words) == 1
            assert segment.language in languages.values()
