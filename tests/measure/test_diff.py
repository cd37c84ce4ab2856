"""Two transcripts beside each other: what differs, when, who, how far the times are apart; and reading them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.errors import FormatError
from ossicle.formats.write import write_json
from ossicle.measure.diff import Drift, Side, diff
from ossicle.measure.diff_html import say_time, write_diff
from ossicle.measure.normalise import find_normaliser
from ossicle.measure.transcripts import read_transcript
from ossicle.results import Coverage, Segment, Transcript, Word
from tests.talk import TRANSCRIPT

WHISPER, BASIC = find_normaliser("whisper"), find_normaliser("basic")


def talk(text, shift=0.0, speakers=None, timing="aligned", language="English"):
    """A word a second, each half a second long."""
    words = tuple(Word(f" {word}" if place else word, place + shift, place + shift + 0.5, timing=timing,
                       speaker=speakers[place] if speakers else None) for place, word in enumerate(text.split()))
    return Transcript(text, language, float(len(words)), (Segment(text, 0.0, float(len(words)), words=words),), (),
                      Coverage(float(len(words)), float(len(words)), 0.0, 0.0))


def test_every_kind_of_difference_has_its_time():
    found = diff(talk("at seven o'clock we leave the old house"), talk("at eleven o'clock we leave old house today"), WHISPER)
    assert [(one.kind, one.a.text, one.b.text, one.has_number, one.a.start) for one in found.differences] == [
        ("replaced", "seven", "eleven", True, 1.0), ("only in A", "the", "", False, 5.0), ("only in B", "", "today", False, 7.5)]
    assert found.differences[1].b == Side("", 4.5, 5.0)                     # between its neighbours
    assert (found.differences[0].before, found.differences[0].after) == ("at", "o'clock we leave the old")
    assert found.b_against_a.wer.errors == found.a_against_b.wer.errors == 3
    assert found.b_against_a.wer.deletions == found.a_against_b.wer.insertions == 1
    assert (found.same_words, found.words) == (6, (8, 8))


def test_another_spelling_is_no_difference():
    found = diff(talk("It's twenty one dollars, colour!"), talk("it is $21 color"), WHISPER)
    assert found.differences == ()
    assert found.b_against_a.wer.errors == 0


def test_drift_is_measured_over_the_same_words():
    found = diff(talk("a b c d e"), talk("a b x d e", shift=0.25), BASIC)
    assert found.drift == Drift(4, 0.25, 0.25, 0.25, None, False)
    assert diff(talk("a b"), talk("a b", shift=-2), BASIC).drift.median == -2
    assert diff(talk("a"), talk("b"), BASIC).drift is None


def test_a_drift_that_grows_has_a_slope():
    words = " ".join(f"w{place}" for place in range(40))
    late = talk(words)
    late = Transcript(words, "English", 40, (Segment(words, 0, 40, words=tuple(
        Word(word.text, word.start * 1.01, word.end * 1.01, timing="aligned") for word in late.words)),), (), late.coverage)
    assert diff(talk(words), late, BASIC).drift.per_hour == pytest.approx(36.0)


def test_estimated_times_count_only_where_there_are_no_others():
    assert diff(talk("a b", timing="estimated"), talk("a b"), BASIC).drift.is_estimated
    assert not diff(talk("a b"), talk("a b"), BASIC).drift.is_estimated


def test_speakers_are_matched_by_shared_words():
    a = talk("one two three four five six", speakers=["ann", "ann", "ann", "bob", "bob", "bob"])
    b = talk("one two three four five six", speakers=["1", "1", "0", "0", "0", "0"])
    found = diff(a, b, BASIC)
    assert (dict(found.speakers.same_as), found.speakers.words, found.speakers.agreement) == ({"0": "bob", "1": "ann"}, 6, 5 / 6)
    assert [(one.kind, one.a.text, one.a.speaker, one.b.speaker) for one in found.differences] == [("speaker", "three", "ann", "0")]
    assert diff(a, talk("one two"), BASIC).speakers is None


@settings(deadline=None)
@given(st.lists(st.sampled_from(["can't", "21", "the", "Ann,", "–", "你好", "uh"]), max_size=12).map(" ".join))
def test_a_transcript_beside_itself_has_no_difference(text):
    for normaliser in (WHISPER, BASIC):
        found = diff(talk(text), talk(text), normaliser)
        assert found.differences == ()
        assert found.b_against_a.wer.errors == 0
        assert found.same_words == found.words[0]


words = st.lists(st.sampled_from(["the", "old", "house", "7", "seven"]), max_size=8).map(" ".join)


@settings(deadline=None)
@given(words, words)
def test_both_ways_the_same_errors_are_counted(one, other):
    there, back = diff(talk(one), talk(other), BASIC), diff(talk(other), talk(one), BASIC)
    assert there.b_against_a.wer == back.a_against_b.wer
    assert there.b_against_a.wer.errors == there.a_against_b.wer.errors


@settings(deadline=None)
@given(words, words)
def test_the_stretches_are_both_texts_whole(one, other):
    found = diff(talk(one), talk(other), BASIC)
    assert " ".join(a.text for _, a, _ in found.stretches if a.text) == one
    assert " ".join(b.text for _, _, b in found.stretches if b.text) == other


def test_a_page_and_json_have_it_all():
    found = diff(talk("say <b> seven & go"), talk("say <i> seven & gone"), BASIC)
    text = write_diff(found, "a<.json", "b.json")
    assert "<del>&lt;b&gt;</del> <ins>&lt;i&gt;</ins>" in text
    assert "a&lt;.json" in text
    assert "<script" not in text
    assert "http" not in text
    plain = json.loads(json.dumps(found.to_dict()))
    assert (plain["schema"], plain["counts"], plain["language"]) == ("ossicle-diff/1", {"replaced": 2}, "en")


@pytest.mark.parametrize(("seconds", "said"), [(None, ""), (2.04, "0:02.0"), (62.5, "1:02.5"), (3662.25, "1:01:02.2"), (59.96, "1:00.0")])
def test_times_are_said_as_people_say_them(seconds, said):
    assert say_time(seconds) == said


def written(folder, name, text):
    (folder / name).write_text(text, "utf-8")
    return folder / name


def test_our_own_json_comes_back(tmp_path):
    found = read_transcript(written(tmp_path, "talk.json", write_json(TRANSCRIPT)))
    assert (found.text, found.words, found.source) == (TRANSCRIPT.text, TRANSCRIPT.words, TRANSCRIPT.source)
    assert diff(found, TRANSCRIPT, BASIC).differences == ()


def test_subtitles_are_read_without_their_tags(tmp_path):
    srt = read_transcript(written(tmp_path, "a.srt", "1\r\n00:00:01,000 --> 00:00:02,500\r\n<i>Hello</i>\r\nworld.\r\n\r\n2\r\n"
                                  "00:01:00,000 --> 00:01:02,000\r\n{\\an8}Good bye.\r\n"))
    assert [(segment.text, segment.start, segment.end) for segment in srt.segments] == [
        ("Hello world.", 1.0, 2.5), (" Good bye.", 60.0, 62.0)]
    vtt = read_transcript(written(tmp_path, "a.vtt", "WEBVTT\n\nNOTE hi\n\nid\n00:01.000 --> 00:02.000 align:start\n<v Ann>Hello</v>\n"))
    assert [(segment.text, segment.start) for segment in vtt.segments] == [("Hello", 1.0)]
    assert srt.text == "Hello world. Good bye."


def test_words_of_a_cue_share_its_time(tmp_path):
    srt = read_transcript(written(tmp_path, "a.srt", "1\n00:00:00,000 --> 00:00:10,000\nfour fourfo\n"))
    found = diff(srt, talk("four fourfo"), BASIC)
    assert found.drift.is_estimated
    assert found.drift.max == pytest.approx(3.0)            # 4.0 s by its share, 1.0 s there


def test_text_and_the_json_of_others(tmp_path):
    assert read_transcript(written(tmp_path, "a.txt", "One\n two.\n")).text == "One two."
    whisper = {"text": " Hi there.", "language": "en", "segments": [{"start": 0, "end": 2.5, "text": " Hi there.", "words": [
        {"word": " Hi", "start": 0.1, "end": 0.4, "probability": 0.9}, {"word": " there.", "start": 0.5, "end": 1.0, "probability": 0.8}]}]}
    found = read_transcript(written(tmp_path, "w.json", json.dumps(whisper)))
    assert [(word.text, word.start, word.confidence) for word in found.words] == [("Hi", 0.1, 0.9), (" there.", 0.5, 0.8)]
    assert read_transcript(written(tmp_path, "t.json", '{"text": "Hello", "language": "de"}')).language == "de"


@pytest.mark.parametrize(("name", "text", "said"), [
    ("a.json", "no", "no transcript that ossicle reads"), ("a.json", '{"words": []}', "neither `schema` nor"), ("a.json", "[]", "got 0"),
    ("a.srt", "hello", "no transcript that ossicle reads"), ("a.doc", "x", "no transcript that ossicle reads"),
])
def test_what_is_no_transcript_is_said(tmp_path, name, text, said):
    with pytest.raises(FormatError) as caught:
        read_transcript(written(tmp_path, name, text))
    assert said in str(caught.value)
    with pytest.raises(FormatError, match=r"expected a transcript at .*none\.txt"):
        read_transcript(tmp_path / "none.txt")
