"""Events to a transcript: nothing that was said is lost, and every second is accounted for."""

import json

import pytest

from ossicle.formats.registry import write
from ossicle.results import Transcript, Word
from ossicle.stream.transcript import transcript_of
from ossicle.stream_events import (
    Endpoint,
    Final,
    LiveTimings,
    LiveWarning,
    Partial,
    SpeechStarted,
    Usage,
    event_from_dict,
)


def timed(text, start, end):
    """The words of a text, spread over a stretch."""
    parts = [part if place == 0 else f" {part}" for place, part in enumerate(text.split(" "))]
    step = (end - start) / len(parts)
    return tuple(Word(part, start + place * step, start + (place + 1) * step, 0.9, "attention") for place, part in enumerate(parts))


def final(item, text, start, end, reason="silence", language="English", stopped_by="eos", words=None):
    return Final(item_id=item, audio_seconds=end + 0.6, text=text, committed_delta=text, words=timed(text, start, end) if words is None
                 else words, language=language, start=start, end=end, reason=reason, stopped_by=stopped_by,
                 usage=Usage(end - start, 5, 3), timings=LiveTimings(0.1, 0.2, 0.3, 0.4, total=1.0))


SESSION = (
    SpeechStarted(item_id="a", audio_seconds=1.1, start=1.0),
    Partial(item_id="a", audio_seconds=2.0, committed_delta="Henry", pending_text=" saw", committed_text="Henry"),
    Endpoint(item_id="a", audio_seconds=4.0, end=3.0, reason="silence"),
    final("a", "Henry saw a tree.", 1.0, 3.0),
    LiveWarning(message="2 samples were no numbers", code="bad_samples", audio_seconds=4.5),
    SpeechStarted(item_id="b", audio_seconds=5.1, start=5.0),
    final("b", "It was small.", 5.0, 7.0, "close"),
)


def test_texts_are_joined_and_every_second_is_accounted_for():
    found = transcript_of(SESSION, 8.0, source="talk.wav")
    assert found.text == "Henry saw a tree. It was small."
    assert "".join(segment.text for segment in found.segments) == found.text
    assert [(segment.start, segment.end) for segment in found.segments] == [(1.0, 3.0), (5.0, 7.0)]
    assert [(chunk.start, chunk.end, chunk.stopped_by) for chunk in found.chunks] == [
        (0.0, 1.0, "silence"), (1.0, 3.0, "eos"), (3.0, 5.0, "silence"), (5.0, 7.0, "eos"), (7.0, 8.0, "silence")]
    assert (found.coverage.decoded_seconds, found.coverage.silent_seconds, found.coverage.missing_seconds) == (4.0, 4.0, 0.0)
    assert (found.language, found.duration, found.source, found.is_complete) == ("English", 8.0, "talk.wav", True)
    assert found.warnings == ("2 samples were no numbers",)
    assert (found.timings.total, found.timings.decode, found.timings.num_steps) == (2.0, 0.8, 6)


def test_a_stored_session_gives_the_same_transcript():
    read_back = [event_from_dict(json.loads(json.dumps(event.to_dict()))) for event in SESSION]
    assert transcript_of(read_back, 8.0) == transcript_of(SESSION, 8.0)


def test_without_a_duration_the_last_event_tells_it():
    assert transcript_of(SESSION).duration == pytest.approx(7.6)
    assert transcript_of(()) == transcript_of((), 0.0)
    assert transcript_of(()).text == ""


def test_a_session_that_broke_off_keeps_what_was_committed_and_says_what_is_missing():
    found = transcript_of([*SESSION[:2], Partial(item_id="a", audio_seconds=2.5, committed_delta=" saw a", pending_text=" tree",
                                                 words=(), committed_text="Henry saw a")])
    assert found.text == "Henry saw a"
    assert (found.stopped_by, found.is_complete) == ("cancelled", False)
    assert [(gap.start, gap.end) for gap in found.coverage.gaps] == [(1.0, 2.5)]


def test_what_the_model_could_not_finish_is_a_gap_and_told_once():
    cut = final("a", "Henry saw", 0.0, 2.0, stopped_by="budget")
    found = transcript_of([cut, LiveWarning(message="cut", code="truncated")], 2.0)
    assert len(found.warnings) == 1
    assert "0.00 to 2.00 s" in found.warnings[0]
    assert found.coverage.missing_seconds == 2.0


def test_utterances_that_overlap_are_parted_and_a_cut_goes_on_in_its_sentence():
    second = final("b", "a tree.", 1.9, 3.0, words=timed("a tree.", 2.1, 3.0))
    found = transcript_of([final("a", "Henry saw", 0.0, 2.0, "cut"), second], 3.0)
    assert [(chunk.start, chunk.end) for chunk in found.chunks] == [(0.0, 2.0), (2.0, 3.0)]
    assert [segment.text for segment in found.segments] == ["Henry saw a tree."]


def test_scripts_without_spaces_are_joined_without_one():
    found = transcript_of([final("a", "你好", 0.0, 1.0, language="Chinese"), final("b", "世界", 2.0, 3.0, language="Chinese")], 3.0)
    assert found.text == "你好世界"


def test_words_that_do_not_spell_the_text_are_left_out_and_the_text_stays():
    found = transcript_of([final("a", " Henry saw ", 0.0, 2.0, words=(Word("Otto", 0.0, 1.0),))], 2.0)
    assert (found.text, [word.text for word in found.words]) == ("Henry saw", ["Henry", " saw"])
    assert found.words[0].start is None


def test_it_can_be_written_as_every_format_of_a_whole_recording():
    found = transcript_of(SESSION, 8.0)
    assert write(found, "srt").startswith("1\n00:00:01,000 --> 00:00:03,")
    assert Transcript.from_dict(json.loads(write(found, "json"))).text == found.text
