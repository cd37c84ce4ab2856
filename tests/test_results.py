"""What a caller gets: what follows from what, and that it is ready for JSON."""

import dataclasses
import json
from pathlib import Path

import pytest

from ossicle.results import Chunk, Coverage, Gap, Segment, Timings, Token, Transcript, Turn, Word, source_name


def chunk(stopped_by="eos", **changes) -> Chunk:
    return Chunk(**{"index": 0, "start": 0.0, "end": 2.0, "text": "Hello.", "language": "English", "stopped_by": stopped_by} | changes)


def transcript(*chunks: Chunk, **changes) -> Transcript:
    words = (Word("Hello", confidence=0.9), Word(" you.", confidence=0.5))
    made = {"text": "Hello you.", "language": "English", "duration": 4.0, "chunks": chunks,
            "segments": (Segment("Hello you.", 0.0, 2.0, "English", 0.7, words),), "coverage": Coverage(4.0, 3.0, 0.0, 1.0)}
    return Transcript(**made | changes)


@pytest.mark.parametrize(("reasons", "reason"), [
    (["eos", "silence"], "eos"),
    (["eos", "budget", "eos"], "budget"),
    (["budget", "loop"], "loop"),
    (["loop", "cancelled"], "cancelled"),
    (["silence"], "silence"),
    ([], "silence"),
])
def test_the_most_serious_reason_stands_for_all(reasons, reason):
    assert transcript(*map(chunk, reasons)).stopped_by == reason


def test_only_a_gap_makes_a_transcript_incomplete():
    assert transcript(chunk()).is_complete
    cut = transcript(chunk(), coverage=Coverage(4.0, 3.0, 0.0, 1.0, (Gap(3.0, 4.0, "a reason"),)))
    assert cut.truncated


@pytest.mark.parametrize(("stopped_by", "truncated"),
                         [("eos", False), ("silence", False), ("budget", True), ("loop", True), ("cancelled", True)])
def test_a_chunk_is_truncated_when_the_model_was_stopped(stopped_by, truncated):
    assert chunk(stopped_by).truncated is truncated


def test_coverage_leaves_silence_out_of_its_ratio():
    assert Coverage(10.0, 6.0, 2.0, 2.0).ratio == 0.75
    assert Coverage(10.0, 0.0, 10.0, 0.0).ratio == 1.0


def test_confidence_is_the_mean_over_words_and_none_without_any():
    assert transcript().confidence == pytest.approx(0.7)
    assert transcript(segments=()).confidence is None


def test_rtf_is_work_over_sound_and_none_without_sound():
    assert transcript(timings=Timings(total=1.0)).rtf == 0.25
    assert transcript(duration=0.0).rtf is None


def test_a_dict_is_json_and_holds_what_follows():
    plain = transcript(chunk("budget", tokens=(Token(7, "Hello", -0.1),))).to_dict(with_tokens=True)
    read = json.loads(json.dumps(plain, allow_nan=False))
    assert read["chunks"][0]["tokens"] == [{"id": 7, "text": "Hello", "logprob": -0.1}]
    assert read["chunks"][0]["truncated"] is True
    assert read["coverage"]["ratio"] == 0.75
    assert read["stopped_by"] == "budget"
    assert list(read)[:3] == ["text", "language", "duration"]
    assert read == plain                        # lists, no tuples


@pytest.mark.parametrize(("source", "name"), [
    ("talk.wav", "talk.wav"),
    (Path("a/talk.wav"), "a/talk.wav"),
    ("https://user:secret@example.org/a/talk.wav?key=secret#t=5", "https://example.org/a/talk.wav"),
    (b"RIFF", None),
])
def test_a_source_is_named_without_its_secrets(source, name):
    assert source_name(source) == name


def test_results_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        transcript().text = "other"


def test_a_transcript_comes_back_from_its_dict():
    words = (Word("Hello", 0.1, 0.5, 0.9, "aligned", "Ann"), Word(" you.", 0.6, 0.9, None, "interpolated"))
    whole = transcript(chunk(tokens=(Token(7, "Hello", -0.1),), speech_seconds=1.5), warnings=("a warning",),
                       segments=(Segment("Hello you.", 0.0, 2.0, "English", 0.7, words),), turns=(Turn(0.0, 2.0, "Ann"),),
                       coverage=Coverage(4.0, 3.0, 0.0, 1.0, (Gap(3.0, 4.0, "a reason"),), 2.0, 1.5))
    assert Transcript.from_dict(json.loads(json.dumps(whole.to_dict(with_tokens=True)))) == whole
    assert whole.speakers == ("Ann",)
    assert "".join(word.text for word in whole.words) == whole.text


def test_coverage_counts_speech_where_speech_was_looked_for():
    assert Coverage(10.0, 6.0, 2.0, 2.0, (), 4.0, 3.0).ratio == 0.75


def test_a_chunk_tells_signs_of_trouble():
    calm, loop = chunk(num_tokens=8, speech_seconds=1.0), chunk(text="I think " * 60)
    assert calm.tokens_per_second == 8.0
    assert loop.compression_ratio > 2.4 > calm.compression_ratio
    assert chunk(text="").compression_ratio is None
