"""The benchmarks of live recognition, short: what they claim holds for the bundled model."""

import json

import pytest

import ossicle
from benchmarks import live_hour, live_latency
from ossicle import EngineOptions, StreamOptions
from ossicle.measure.streams import FeedOptions


@pytest.fixture(scope="module")
def asr():
    with ossicle.load("tiny", EngineOptions("cpu")) as recognizer:
        yield recognizer


def test_a_talk_is_written_as_it_was_said(asr):
    report = live_latency.measure(asr, live_latency.clips()[:2], StreamOptions(language="English"), FeedOptions(None, 1.0, 1.0))
    proof = json.loads(json.dumps(report, default=str))["proof"]
    assert [proof[name] for name in ("retracted_words", "split_words", "wer_live_percent", "points_over_whole")] == [0, 0, 0, 0]
    assert (proof["utterances"], proof["committed_words"]) == (2, 12)
    assert 0 < proof["word_emission_p50_seconds"]["audio_clock"] < 2
    assert proof["word_emission_p50_seconds"]["wall_clock"] is None


def test_a_short_hour_has_its_slopes(asr):
    report = json.loads(json.dumps(live_hour.measure(asr, 12, StreamOptions(language="English", coalesce=False)), default=str))
    assert [report[name] for name in ("retracted_words", "split_words", "times_go_backwards", "steps_without_text")] == [0, 0, 0, 0]
    assert report["audio_seconds"] >= 12
    assert report["steps"] > 10
    assert report["step_slope_error_ms_per_hour"] > 0
    assert report["wer_percent"] == 0
