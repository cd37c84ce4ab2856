"""`ossicle eval --streaming` and `ossicle plot`: what they print, write and refuse, over the bundled model."""

import json

import pytest

pytestmark = pytest.mark.usefixtures("small_machine")
TINY = ("--model", "tiny", "--engine", "cpu")


@pytest.fixture
def manifest(manifest_of):
    return manifest_of("en_00.opus", "en_01.opus")


def test_live_stands_beside_whole_recordings(ossicle, manifest, tmp_path):
    done = ossicle("eval", manifest, *TINY, "--streaming", "--mode", "single-shot", "--mode", "per-utterance", "--mode", "chapter-grouped",
                   "--step", "1", "--align", "--aligner", "tiny-aligner", "--out", "live.json", "--instances", "log")
    assert done.exit_code == 0, done.output
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line}
    for mode, streams in (("single-shot", "2"), ("per-utterance", "2"), ("chapter-grouped", "1")):
        assert rows[mode][1:3] == [streams, "8.33"]         # one word of twelve is Anna's
    assert rows["per-utterance"][6] == rows["chapter-grouped"][6] == "+0.00"
    assert "retracted words" in done.stdout
    assert "timed by the reference" in done.stdout
    assert "steps of 1 s, policy auto" in done.stdout
    assert "per-utterance: 2 of 2 are done" in done.stderr
    report = json.loads((tmp_path / "live.json").read_text("utf-8"))
    assert report["conditions"]["options"]["step_seconds"] == 1
    assert report["conditions"]["options"]["coalesce"] is False
    assert len((tmp_path / "log" / "per-utterance" / "instances.log").read_text("utf-8").splitlines()) == 2
    segments = json.loads((tmp_path / "log" / "chapter-grouped" / "segments.json").read_text("utf-8"))
    assert [segment["offset"] > 0 for segment in segments] == [False, True]


def test_what_was_heard_is_kept_and_the_picture_is_made_of_reports(ossicle, manifest, tmp_path):
    line = ("eval", manifest, *TINY, "-q", "--streaming", "--predictions", "kept.jsonl", "--overwrite", "--out", "live.json")
    assert ossicle(*line, "--json").exit_code == 0
    first = json.loads((tmp_path / "live.json").read_text("utf-8"))
    assert len((tmp_path / "kept.live.jsonl").read_text("utf-8").splitlines()) == 2
    assert ossicle(*line).exit_code == 0
    again = json.loads((tmp_path / "live.json").read_text("utf-8"))
    assert again["modes"]["per-utterance"] == first["modes"]["per-utterance"]       # seconds too: nothing was computed again

    pytest.importorskip("matplotlib")
    done = ossicle("plot", "live.json", "live.json", "--label", "here", "--label", "there", "--figure", "few.png")
    assert (done.exit_code, done.output) == (0, "")
    assert (tmp_path / "few.png").read_bytes().startswith(b"\x89PNG")
    again["manifest"]["hash"] = "another"
    (tmp_path / "other.json").write_text(json.dumps(again))
    refused = ossicle("plot", "live.json", "other.json", "--figure", "two.png")
    assert (refused.exit_code, "cannot stand in one picture" in refused.stderr) == (2, True)


@pytest.mark.parametrize(("flags", "said"), [
    (("--step", "1"), "--step is of live sessions"),
    (("--align",), "--align is of live sessions"),
    (("--mode", "per-utterance"), "--mode is of live sessions"),
    (("--streaming", "--mode", "karaoke"), "--mode must be one of single-shot"),
    (("--streaming", "--pace", "slow"), "--pace must be max or a number, got 'slow'"),
    (("--streaming", "--pace", "0"), "--pace must be between"),
    (("--streaming", "--gap", "-1"), "--gap must be at least 0"),
    (("--streaming", "--step", "99"), "--step must be between"),
    (("--streaming", "--out", "r.html"), "--out must name a .json file with --streaming"),
    (("--streaming", "--against", "r.json"), "--against compares whole recordings"),
])
def test_flags_that_mean_nothing_are_refused(ossicle, manifest, flags, said):
    done = ossicle("eval", manifest, *TINY, *flags)
    assert (done.exit_code, said in done.stderr) == (2, True), done.output


def test_the_help_names_the_extra_that_pictures_need(ossicle):
    assert "the extra `plot`" in " ".join(ossicle("plot", "--help").stdout.split())


@pytest.mark.parametrize(("line", "said"), [
    (("set.jsonl", "--figure", "x.gif"), "--figure must name a file that ends in .png"),
    (("set.jsonl", "--figure", "set.png"), "expected a report of `ossicle eval`"),
    (("set.jsonl", "--figure", "set.png", "--label", "a", "--label", "b"), "1 reports, 2 names"),
    (("set.jsonl", "--figure", "no/set.png"), "in a folder that is there"),
])
def test_pictures_that_cannot_be_made_are_refused(ossicle, manifest, line, said):
    done = ossicle("plot", *line)
    assert (done.exit_code, said in done.stderr) == (2, True), done.output
