"""`ossicle align` with the bundled aligner: what goes where, under which exit code."""

import json
import shutil
from pathlib import Path

import pytest

HELDOUT = Path(__file__).parents[1] / "data" / "tiny_aligner_heldout"
TEXT = "Emma will arrive on the fifth of June."


@pytest.fixture(autouse=True)
def talk(tmp_path):
    shutil.copy(HELDOUT / "en_00.opus", tmp_path / "talk.opus")
    (tmp_path / "talk.txt").write_text(f"\ufeff{TEXT}\n", "utf-8")
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "config.toml").write_text('model = "tiny"\nengine = "cpu"\n')


def test_words_come_out_with_times_as_json(ossicle):
    done = ossicle("align", "talk.opus", "--text", "talk.txt")
    assert done.exit_code == 0
    written = json.loads(done.stdout)
    words = written["segments"][0]["words"]
    assert "".join(word["text"] for word in words) == written["text"] == TEXT
    assert all(word["start"] < word["end"] for word in words)
    assert written["aligner"]["name"] == "tiny-aligner"
    assert "talk.opus: 8 words aligned, 2.1 s of sound" in done.stderr


def test_other_formats_and_a_folder_are_as_in_transcribe(ossicle, tmp_path):
    assert ossicle("align", "talk.opus", "--text", "talk.txt", "-f", "txt", "-q").stdout == TEXT + "\n"
    lines = ossicle("align", "talk.opus", "--text", "talk.txt", "-f", "jsonl", "-q").stdout.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["segment", "done"]
    assert ossicle("align", "talk.opus", "--text", "talk.txt", "-o", "out").exit_code == 0
    assert json.loads((tmp_path / "out" / "talk.json").read_text("utf-8"))["text"] == TEXT


def test_the_text_may_come_from_standard_input(ossicle):
    done = ossicle("align", "talk.opus", "--text", "-", "-f", "txt", "-q", input=TEXT)
    assert (done.exit_code, done.stdout) == (0, TEXT + "\n")


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (["talk.opus", "--text", "none.txt"], 2, "cannot read --text none.txt"),
    (["talk.opus", "--text", "empty.txt"], 2, "--text must hold the words"),
    (["none.opus", "--text", "talk.txt"], 1, "expected a sound file at none.opus"),
    (["-", "--text", "-"], 2, "not for both"),
    (["talk.opus", "--text", "talk.txt", "--aligner", "tiny"], 2, "--aligner must name a forced aligner, tiny is a recogniser"),
    (["talk.opus", "--text", "talk.txt", "--aligner", "nowhere"], 2, "no model is called 'nowhere'"),
    (["talk.opus", "--text", "talk.txt", "--language", "klingon"], 2, "language must be one that the model knows"),
    (["talk.opus"], 2, "--text"),
])
def test_what_cannot_be_done_is_said_in_a_line(ossicle, arguments, code, said):
    done = ossicle("align", *arguments)
    assert done.exit_code == code
    assert said in done.stderr
    assert done.stdout == ""


def test_a_language_it_does_not_know_is_tried_and_told(ossicle):
    done = ossicle("align", "talk.opus", "--text", "talk.txt", "--language", "nl")
    assert done.exit_code == 0
    assert "not on Dutch" in done.stderr
    assert json.loads(done.stdout)["language"] == "Dutch"


@pytest.mark.parametrize(("arguments", "timings"), [
    (["-f", "json"], {"aligned", "interpolated"}), (["-f", "json", "--words", "none"], {None}),
    (["-f", "json", "--words", "estimated"], {"estimated"}), (["-f", "json", "--words", "attention"], {"attention"}),
])
def test_transcribe_times_words_where_the_format_shows_them(ossicle, arguments, timings):
    done = ossicle("transcribe", "talk.opus", "-q", *arguments)
    words = json.loads(done.stdout)["segments"][0]["words"]
    assert {word["timing"] for word in words} <= timings


def test_text_alone_needs_no_aligner(ossicle):
    done = ossicle("transcribe", "talk.opus", "--aligner", "nowhere")
    assert (done.exit_code, done.stdout) == (0, TEXT + "\n")


def test_an_aligner_that_was_named_must_be_there(ossicle):
    done = ossicle("transcribe", "talk.opus", "-f", "json", "--aligner", "nowhere")
    assert done.exit_code == 2
    assert "no model is called 'nowhere'" in done.stderr


def test_an_unknown_way_of_timing_names_the_known_ones(ossicle):
    done = ossicle("transcribe", "talk.opus", "--words", "guess")
    assert done.exit_code == 2
    assert "estimated" in done.stderr
