"""The bundled model over its held-out clips, live: figures, modes, what is kept and used again, what fails."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import ossicle
from ossicle import Cancelled, CancelToken, EngineOptions, OptionError, StreamOptions
from ossicle.measure.manifest import read_manifest
from ossicle.measure.normalise import find_normaliser
from ossicle.measure.predictions import PredictionFile
from ossicle.measure.streaming import LivePlan, evaluate_live
from ossicle.measure.streams import FeedOptions, LivePredictionFile, streams_of
from ossicle.model import machine as machines

HELDOUT = Path(__file__).parents[1] / "data" / "tiny_heldout"
CLIPS = {clip["file"]: clip for clip in json.loads((HELDOUT / "transcripts.json").read_text("utf-8"))}
ENGLISH = ("en_00.opus", "en_01.opus", "en_02.opus")
BASIC = find_normaliser("basic")
FAST = FeedOptions(tail_seconds=0.8)


@pytest.fixture(scope="module")
def asr():
    with ossicle.load("tiny", EngineOptions("cpu", "float32")) as recognizer:
        yield recognizer


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A machine that is measured in no time."""
    monkeypatch.setattr(machines, "PROBE_BYTES", 2**22)
    monkeypatch.setattr(machines, "WIDTH", 64)


@pytest.fixture(scope="module")
def chapter(tmp_path_factory):
    """A LibriSpeech folder with one chapter."""
    folder = tmp_path_factory.mktemp("set") / "19" / "198"
    folder.mkdir(parents=True)
    lines = []
    for number, name in enumerate(ENGLISH):
        shutil.copy(HELDOUT / name, folder / f"19-198-000{number}.opus")
        lines.append(f"19-198-000{number} {CLIPS[name]['text'].upper().replace(',', '').replace('.', '').replace('?', '')}\n")
    (folder / "19-198.trans.txt").write_text("".join(lines))
    return read_manifest(folder.parents[1])


def run(asr, plan, folder=None, **more):
    kept, whole = (None if folder is None else folder / name for name in ("live.jsonl", "whole.jsonl"))
    return evaluate_live(asr, plan, kept=LivePredictionFile(kept), whole=PredictionFile(whole), **more)


@pytest.fixture(scope="module")
def found(asr, chapter, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machines, "PROBE_BYTES", 2**22)
        patch.setattr(machines, "WIDTH", 64)
        return run(asr, LivePlan(chapter, BASIC, StreamOptions(language="English"), feed=FAST, aligner="tiny-aligner",
                                 modes=("single-shot", "per-utterance", "chapter-grouped")))


def test_live_is_as_good_as_whole_recordings_here(found):
    report = json.loads(json.dumps(found.to_dict()))
    assert report["schema"] == "ossicle-eval-live/1"
    assert list(report["modes"]) == ["single-shot", "per-utterance", "chapter-grouped"]
    for mode in report["modes"].values():
        assert mode["total"]["wer"]["rate"] == 0
    for name in ("per-utterance", "chapter-grouped"):
        mode = report["modes"][name]
        assert mode["points_over_single_shot"] == 0
        assert mode["unrewritten"]["wer"]["errors"] == 0
        assert (mode["stability"]["retracted_words"], mode["stability"]["split_words"]) == (0, 0)
        assert [file["id"] for file in mode["files"]] == ["19-198-0000", "19-198-0001", "19-198-0002"]
        assert [file["wer"]["errors"] for file in mode["files"]] == [0, 0, 0]
    assert [len(report["modes"][name]["streams"]) for name in ("per-utterance", "chapter-grouped")] == [3, 1]


def test_waits_are_those_of_the_audio_clock(found):
    report = found.to_dict()
    words = sum(len(CLIPS[name]["text"].split()) for name in ENGLISH)
    for name in ("per-utterance", "chapter-grouped"):
        mode = report["modes"][name]
        assert mode["times_of"] == "reference"
        assert mode["word_emission"]["unaware"]["count"] == words
        assert 0 < mode["word_emission"]["unaware"]["p50"] < 3
        assert 0 < mode["first_partial"]["unaware"]["p50"] < 2
        assert mode["word_emission"]["aware"] is None               # sound went in faster than it is spoken
        assert mode["laal"]["aware"] is None
        # An endpoint is told after 0.6 s of silence; speech of these clips ends at most 0.3 s before they do.
        assert 0.5 < mode["finalisation"]["unaware"]["p50"] < 1.2
        assert mode["effort"]["silence_steps_per_minute"] == 0
        assert mode["effort"]["steps"] > 3
        assert mode["rtf"] > 0
    assert len(report["modes"]["chapter-grouped"]["streams"][0]["word_emission"]["unaware"]) == 6


def test_what_was_told_is_kept_and_used_again(asr, chapter, tmp_path):
    plan = LivePlan(chapter, BASIC, modes=("per-utterance",), feed=FAST)
    first = run(asr, plan, tmp_path).to_dict()
    assert len((tmp_path / "live.jsonl").read_text("utf-8").splitlines()) == 3
    content = (tmp_path / "live.jsonl").read_bytes()
    (tmp_path / "live.jsonl").write_bytes(content[:-20])            # killed while it wrote the last one
    again = run(asr, plan, tmp_path).to_dict()
    kept, computed = (report["modes"]["per-utterance"] for report in (again, first))
    for name in ("word_emission", "first_partial", "finalisation", "stability", "laal", "yaal", "total", "files"):
        assert kept[name] == computed[name], name
    assert kept["streams"][0]["effort"] == computed["streams"][0]["effort"]         # seconds too: nothing was computed again
    run(asr, replace(plan, options=StreamOptions(step_seconds=1.0)), tmp_path)
    assert len((tmp_path / "live.jsonl").read_text("utf-8").splitlines()) == 6      # another step is another run


def test_paced_sound_has_both_clocks(asr, chapter):
    one = replace(chapter, items=chapter.items[:1])
    plan = LivePlan(one, BASIC, modes=("per-utterance",), feed=FeedOptions(pace=1.0, tail_seconds=0.8), aligner="tiny-aligner")
    mode = run(asr, plan).to_dict()["modes"]["per-utterance"]
    aware, unaware = (mode["word_emission"][name] for name in ("aware", "unaware"))
    assert aware["count"] == unaware["count"] > 3
    assert aware["mean"] > unaware["mean"]                          # work takes time
    assert mode["laal"]["aware"] > mode["laal"]["unaware"]


def test_streams_are_chapters_folders_and_parts_of_a_file(chapter, tmp_path):
    assert [(stream.id, len(stream.items)) for stream in streams_of(chapter, "chapter-grouped")] == [("19-198", 3)]
    assert [stream.id for stream in streams_of(chapter, "per-utterance")] == [item.id for item in chapter.items]
    entries = [{"audio": "a/1.wav", "text": "x"}, {"audio": "b/1.wav", "text": "x"}, {"audio": "a/2.wav", "text": "x"},
               {"audio": "c.wav", "text": "x", "start": 5, "end": 6}, {"audio": "c.wav", "text": "x", "start": 1, "end": 2}]
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    streams = streams_of(read_manifest(tmp_path / "set.jsonl"), "chapter-grouped")
    assert [len(stream.items) for stream in streams] == [2, 1, 2]
    assert [item.start for item in streams[2].items] == [1, 5]


def test_a_stream_that_fails_is_named_and_stops_no_other(asr, chapter, tmp_path):
    (tmp_path / "noise.wav").write_bytes(b"no sound at all")
    broken = replace(chapter.items[1], audio=tmp_path / "noise.wav")
    found = run(asr, LivePlan(replace(chapter, items=(chapter.items[0], broken)), BASIC, modes=("single-shot", "per-utterance"), feed=FAST))
    assert list(found.failures) == ["19-198-0001"]
    assert len(found.to_dict()["modes"]["per-utterance"]["files"]) == 1


def test_cancelling_keeps_what_is_done(asr, chapter, tmp_path):
    cancel = CancelToken()
    with pytest.raises(Cancelled):
        run(asr, LivePlan(chapter, BASIC, modes=("per-utterance",), feed=FAST), tmp_path, cancel=cancel,
            on_done=lambda mode, done, count, name: cancel.cancel())
    assert len((tmp_path / "live.jsonl").read_text("utf-8").splitlines()) == 1


def test_a_language_that_nobody_knows_is_refused(asr, chapter):
    with pytest.raises(OptionError, match="Klingon"):
        run(asr, LivePlan(chapter, BASIC, StreamOptions(language="Klingon"), modes=("per-utterance",), feed=FAST))


@pytest.mark.parametrize("values", [{"pace": 0}, {"gap_seconds": -1}, {"tail_seconds": float("inf")}])
def test_feeds_that_cannot_be_are_refused(values):
    with pytest.raises(OptionError, match=next(iter(values))):
        FeedOptions(**values)
