"""`ossicle eval`, `score`, `diff` and `perftest`: what they print, write and refuse, over the bundled model."""

import json
from pathlib import Path

import pytest

from ossicle.formats.write import write_json
from tests.surfaces.conftest import HELDOUT
from tests.talk import TRANSCRIPT

pytestmark = pytest.mark.usefixtures("small_machine")
TINY = ("--model", "tiny", "--engine", "cpu")


@pytest.fixture
def manifest(manifest_of):
    return manifest_of("en_00.opus", "de_00.opus")


def written(name, text):
    Path(name).write_text(text, "utf-8")
    return name


def test_an_evaluation_is_a_table_with_its_worst_files(ossicle, manifest):
    done = ossicle("eval", manifest, *TINY)
    assert done.exit_code == 0, done.output
    assert "normaliser  whisper (whisper-normalizer" in done.stdout
    assert "manifest    set.jsonl (jsonl), 2 recordings" in done.stdout
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line}
    assert rows["en"][:3] == ["en", "1", "16.67"]
    assert rows["de"][2] == "0.00"
    assert "hello [-anna-]{+ann+} how are you today" in done.stdout
    assert "2 of 2 recordings are done" in done.stderr
    assert rows["complete"][1:4] == ["2", "of", "2"]


def test_reports_go_where_their_names_say(ossicle, manifest, tmp_path):
    done = ossicle("eval", manifest, *TINY, "-q", "--out", "r.json", "--out", "r.html", "--worst", "1", "--normaliser", "basic", "--json")
    report = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert json.loads(done.stdout) == report
    assert (report["schema"], len(report["worst"]), report["method"]["normaliser"]["name"]) == ("ossicle-eval/1", 1, "basic")
    assert (tmp_path / "r.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    again = ossicle("eval", manifest, *TINY, "-q", "--out", "r.json")
    assert (again.exit_code, "--overwrite replaces it, another --out leaves it" in again.stderr) == (2, True)


def test_predictions_are_kept_scored_and_used_again(ossicle, manifest, tmp_path):
    ossicle("eval", manifest, *TINY, "-q", "--predictions", "kept.jsonl")
    assert len((tmp_path / "kept.jsonl").read_text("utf-8").splitlines()) == 2
    again = json.loads(ossicle("eval", manifest, *TINY, "-q", "--predictions", "kept.jsonl", "--json").stdout)
    assert again["speed"]["reused_files"] == 2
    scored = json.loads(ossicle("score", "--expected", manifest, "--predictions", "kept.jsonl", "--json").stdout)
    assert scored["total"] == {**again["total"], "duration": scored["total"]["duration"]}


def test_a_gate_closes_when_accuracy_falls(ossicle, manifest, tmp_path):
    ossicle("eval", manifest, *TINY, "-q", "--out", "stored.json")
    held = ossicle("eval", manifest, *TINY, "-q", "--against", "stored.json")
    assert held.exit_code == 0, held.output
    assert "held  en: WER 16.67 %, stored 16.67 %; 16.87 % is allowed" in held.stdout
    stored = json.loads((tmp_path / "stored.json").read_text("utf-8"))
    stored["languages"]["en"]["wer"]["rate"] = 0.1
    written("better.json", json.dumps(stored))
    fell = ossicle("eval", manifest, *TINY, "-q", "--against", "better.json", "--out", "now.json")
    assert (fell.exit_code, "FELL  en: WER 16.67 %, stored 10.00 %" in fell.stdout) == (1, True)
    assert json.loads((tmp_path / "now.json").read_text("utf-8"))["gate"]["is_passed"] is False
    assert ossicle("eval", manifest, *TINY, "-q", "--against", "better.json", "--max-increase", "7").exit_code == 0


def test_a_recording_that_fails_is_exit_code_1(ossicle, manifest, tmp_path):
    with (tmp_path / manifest).open("a") as file:
        file.write('{"audio": "none.wav", "text": "x"}\n')
    done = ossicle("eval", manifest, *TINY, "-q")
    assert done.exit_code == 1
    assert "ossicle: error: expected a sound file at none.wav" in done.stderr.replace(str(tmp_path) + "/", "")
    assert "complete    2 of 2" in done.stdout


@pytest.mark.parametrize(("arguments", "said"), [
    (("none.jsonl",), "expected a manifest at none.jsonl"),
    (("set.jsonl", "--normaliser", "best"), "'best' is not one of"),
    (("set.jsonl", "--out", "r.pdf"), "--out must name a file that ends in .json or .html, got r.pdf"),
    (("set.jsonl", "--out", "no/r.json"), "--out must name a file in a folder that is there"),
    (("set.jsonl", "--against", "none.json"), "cannot read the stored result none.json"),
    (("set.jsonl", "--predictions", "set.jsonl"), "expected a prediction of `ossicle eval`"),
    (("set.jsonl", "--language", "Klingon"), "Klingon"),
    (("set.jsonl", "--batch-size", "0"), "--batch-size must be between 1 and 256, got 0"),
    (("set.jsonl", "--min-speed-ratio", "2"), "--min-speed-ratio must be between 0 and 1, got 2"),
])
def test_what_cannot_be_evaluated_is_said_before_any_work(ossicle, manifest, arguments, said):
    done = ossicle("eval", *arguments, *TINY)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert "loading" not in done.stderr


def test_a_language_of_the_manifest_that_nobody_knows_is_said_before_any_work(ossicle, tmp_path):
    written("set.jsonl", '{"audio": "a.wav", "text": "x", "language": "Klingon"}\n')
    done = ossicle("eval", "set.jsonl", *TINY, "--tell-language")
    assert (done.exit_code, "Klingon" in done.stderr, "loading" in done.stderr) == (2, True, False)


def test_outputs_of_other_tools_are_scored(ossicle, tmp_path):
    written("said.csv", "id,text\na,Hello there\nb,你好\n")
    written("heard.tsv", "id\tlanguage\thyp\na\ten\thello their\nb\tzh\t你号\n")
    done = ossicle("score", "--expected", "said.csv", "--predictions", "heard.tsv", "--normaliser", "basic", "-l", "en", "--out", "r.html")
    assert done.exit_code == 0, done.output
    assert "hello [-there-]{+their+}" in done.stdout
    assert "heard.tsv on said.csv" in (tmp_path / "r.html").read_text("utf-8")


def test_texts_without_a_partner_are_never_dropped(ossicle):
    written("said.csv", "id,text\na,one\nb,two\n")
    written("heard.csv", "id,text\na,one\nc,three\n")
    done = ossicle("score", "--expected", "said.csv", "--predictions", "heard.csv")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "1 without a prediction (b) and 1 without a reference (c)" in done.stderr
    listed = ossicle("score", "--expected", "said.csv", "--predictions", "heard.csv", "--missing", "skip", "--normaliser", "basic")
    assert (listed.exit_code, "no prediction: b" in listed.stdout, "no reference: c" in listed.stdout) == (1, True, True)
    report = json.loads(ossicle("score", "--expected", "said.csv", "--predictions", "heard.csv", "--missing", "empty", "--json").stdout)
    assert (report["total"]["wer"]["deletions"], report["missing"], report["unexpected"]) == (1, ["b"], ["c"])


def test_two_transcripts_are_compared_in_time(ossicle, tmp_path):
    written("a.srt", "1\n00:00:00,000 --> 00:00:02,000\nWe leave at seven\n\n2\n00:01:02,000 --> 00:01:04,000\nfrom home.\n")
    written("b.srt", "1\n00:00:00,500 --> 00:00:02,500\nWe leave at eleven\n\n2\n00:01:02,500 --> 00:01:04,500\nfrom here, home.\n")
    done = ossicle("diff", "a.srt", "b.srt", "-l", "en", "--out", "d.html", "--out", "d.json")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["0:01.3", "#", "We", "leave", "at", "[-seven-]{+eleven+}", "from", "home."]
    assert "from {+here,+} home." in lines[1]
    assert "B against A: WER 33.33 %" in done.stdout
    assert "estimated times of 5 words" in done.stdout
    assert "\x1b" not in done.stdout                            # colours are for terminals
    plain = json.loads((tmp_path / "d.json").read_text("utf-8"))
    assert json.loads(ossicle("diff", "a.srt", "b.srt", "-l", "en", "--json").stdout) == plain
    assert [(one["kind"], one["has_number"]) for one in plain["differences"]] == [("replaced", True), ("only in B", False)]
    assert "<del>seven</del> <ins>eleven</ins>" in (tmp_path / "d.html").read_text("utf-8")


def test_a_transcript_beside_itself_has_no_difference(ossicle):
    written("a.json", write_json(TRANSCRIPT))
    done = ossicle("diff", "a.json", "a.json", "--normaliser", "none")
    assert (done.exit_code, "0 differences" in done.stdout) == (0, True)


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (("a.json", "none.json"), 2, "expected a transcript at none.json, but there is none"),
    (("a.json", "bad.json"), 1, "bad.json is not valid JSON"), (("a.json", "x.doc"), 1, "x.doc is no transcript that ossicle reads"),
    (("a.json", "a.json", "--out", "x.txt"), 2, "--out must name a file that ends in .json or .html"),
])
def test_what_is_no_transcript_is_refused(ossicle, arguments, code, said):
    written("a.json", write_json(TRANSCRIPT))
    written("bad.json", "{")
    written("x.doc", "x")
    done = ossicle("diff", *arguments)
    assert (done.exit_code, said in done.stderr, done.stdout) == (code, True, "")


def test_batching_is_compared_with_none(ossicle, tmp_path):
    done = ossicle("perftest", HELDOUT / "joined_05_en.opus", *TINY, "--runs", "1", "--warmup", "0", "--chunk-seconds", "5",
                   "--json", "p.json")
    assert done.exit_code == 0, done.output
    header = next(line for line in done.stdout.splitlines() if line.startswith("FILE"))
    assert header.split()[:6] == ["FILE", "SOUND", "PIECES", "WAY", "TOTAL_S", "RTF"]
    assert {"AUDIO_S", "MEL_S", "ENCODE_S", "PREFILL_S", "DECODE_S", "OTHER_S", "PEAK_MB", "SPEEDUP"} <= set(header.split())
    report = json.loads((tmp_path / "p.json").read_text("utf-8"))
    assert (report["schema"], report["together"]) == ("ossicle-perftest/1", None)
    assert report["files"][0]["batched"]["total_s"]["median"] > 0
    assert "joined_05_en.opus, batched:" in done.stderr


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (("none.wav",), 1, "expected a sound file at none.wav"),
    (("talk.wav", "--batch-size", "1"), 2, "--batch-size must be 2 or more to be compared with 1, got 1"),
    (("talk.wav", "--runs", "0"), 2, "--runs must be between 1 and 1000, got 0"),
    (("talk.wav", "--json", "no/p.json"), 2, "--json must name a file in a folder that is there"),
])
def test_what_cannot_be_timed_is_said_before_any_work(ossicle, arguments, code, said):
    written("talk.wav", "sound")
    done = ossicle("perftest", *arguments, *TINY)
    assert (done.exit_code, said in done.stderr, done.stdout) == (code, True, "")
