"""`ossicle batch` and `ossicle search` as a user runs them, with a recogniser that answers at once."""

import json

import pytest

from ossicle import catalog
from ossicle.archive import search as archive


@pytest.fixture(autouse=True)
def no_model(monkeypatch, tmp_path):
    monkeypatch.setattr(catalog, "resolve", lambda *_: tmp_path)
    monkeypatch.setattr(catalog, "fingerprint", lambda *_: "a model")
    monkeypatch.setattr(archive.platformdirs, "user_data_dir", lambda name: str(tmp_path / "data" / name))


@pytest.fixture
def folder(tmp_path):
    for name in ("in/talk.wav", "in/deep/other.mp3", "in/notes.doc"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "in"


def test_a_folder_becomes_a_tree_and_can_be_searched(ossicle, recogniser, folder, tmp_path):
    result = ossicle("batch", folder, "--out", "out")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out/deep/other.txt").read_text() == "Grüß Gott. 你好\n"
    assert (tmp_path / "out/talk.txt").exists()
    assert "2 done" in result.stderr
    assert result.stdout == ""
    assert recogniser.is_closed

    hits = json.loads(ossicle("search", "gruss", "--json").stdout)
    assert [hit["path"] for hit in hits] == []
    found = ossicle("search", "GRÜß")
    assert found.stdout.splitlines() == [f"{folder}/deep/other.mp3 0:00:00.0 Grüß Gott.", f"{folder}/talk.wav 0:00:00.0 Grüß Gott."]
    assert ossicle("search", "你好", "--in", "out").exit_code == 0
    assert ossicle("search", "nothing of it").exit_code == 1


@pytest.mark.parametrize(("arguments", "said"), [
    (["--out", "a-file"], "cannot make the folder a-file/.ossicle for the ledger"),
    (["--out", "out", "--jobs", "0"], "--jobs must be at least 1, got 0"),
    (["--out", "out", "--quiet-seconds", "nan"], "--quiet-seconds must be at least 0 s, got nan"),
])
def test_a_wrong_command_is_refused_in_one_line(ossicle, recogniser, folder, tmp_path, arguments, said):
    (tmp_path / "a-file").write_text("no folder")
    done = ossicle("batch", folder, *arguments)
    assert (done.exit_code, done.stdout, recogniser.asked) == (2, "", [])
    assert said in done.stderr


def test_what_the_system_refuses_is_one_line_and_no_traceback(ossicle, recogniser, folder, tmp_path, monkeypatch):
    (tmp_path / "data").write_text("where the list of output folders would lie")
    done = ossicle("batch", folder, "--out", "out")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith("ossicle: error: ")


def test_the_second_run_has_nothing_to_do(ossicle, recogniser, folder):
    ossicle("batch", folder, "--out", "out")
    asked = len(recogniser.asked)
    result = ossicle("batch", folder, "--out", "out")
    assert "2 done in an earlier run" in result.stderr
    assert len(recogniser.asked) == asked


def test_a_failure_is_told_counted_and_in_the_report(ossicle, recogniser, folder, tmp_path):
    (folder / "broken.wav").write_bytes(b"noise")
    result = ossicle("batch", folder, "--out", "out", "--report", "report.json")
    assert result.exit_code == 1
    assert "failed: " in result.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["counts"] == {"done": 2, "rewritten": 0, "skipped": 0, "incomplete": 0, "failed": 1, "busy": 0}
    broken, = (entry for entry in report["recordings"] if entry["ending"] == "failed")
    assert broken["reason"].startswith("expected sound in")
    quiet = ossicle("batch", folder, "--out", "out", "--quiet")
    assert quiet.stderr.startswith(f"ossicle: error: {folder}/broken.wav: expected sound")


@pytest.mark.parametrize(("arguments", "message"), [
    (["nowhere", "--out", "out"], "nothing at nowhere"),
    (["in", "--out", "out", "--temperature", "99"], "--temperature must be between 0 and 10"),
    (["in/talk.wav", "--out", "out", "--watch"], "--watch needs a folder"),
])
def test_what_cannot_be_done_is_said_before_any_work(ossicle, recogniser, folder, arguments, message):
    result = ossicle("batch", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert recogniser.asked == []


def test_nothing_to_search_says_what_to_do(ossicle):
    result = ossicle("search", "words")
    assert result.exit_code == 2
    assert "--in names its output folder" in result.stderr
