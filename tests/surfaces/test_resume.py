"""`ossicle resume`: what a crashed session leaves becomes a transcript, and one that ended well is only written."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

import ossicle
from ossicle.stream.record import COMMANDS, EVENTS
from ossicle.stream.resume import find_sessions
from ossicle.surfaces.cli.main import app
from tests.stream.conftest import sample, silence, tell

SAID = "Henry saw a small tree near Berlin."


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A folder with two sessions of one sentence: the second crashed before its text was final."""
    folder = tmp_path_factory.mktemp("day")
    options = ossicle.StreamOptions(record=folder, coalesce=False)
    with ossicle.load("tiny", ossicle.EngineOptions(engine="cpu", dtype="float32")) as asr:
        for gap in (0.5, 0.8):
            tell(asr.stream(replace(options)), [*silence(gap), *sample("english.wav"), *silence(1)])
    crashed = find_sessions(folder)[1]
    for name in (EVENTS, COMMANDS):
        lines = (crashed / name).read_text("utf-8").splitlines(keepends=True)
        (crashed / name).write_text("".join(line for line in lines if json.loads(line).get("type") == "speech_started"), "utf-8")
    return folder


def run(*arguments):
    return CliRunner().invoke(app, ["resume", *map(str, arguments), "--engine", "cpu", "--quiet", "--config", "none.toml"])


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "none.toml").touch()


def test_a_session_that_ended_well_is_written_without_a_model(day, monkeypatch):
    monkeypatch.setattr("ossicle.recognizer.load", None)
    done = run(find_sessions(day)[0])
    assert (done.exit_code, done.stdout.strip()) == (0, SAID)


def test_sessions_of_a_folder_are_finished_and_written_in_several_formats(day, tmp_path):
    done = run(day, "--format", "txt,json,srt", "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    names = [path.name for path in find_sessions(day)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        f"{name}.{suffix}" for name in names for suffix in ("txt", "json", "srt"))
    assert {(tmp_path / "out" / f"{name}.txt").read_text("utf-8").strip() for name in names} == {SAID}
    assert run(day, "--format", "txt", "--output", tmp_path / "out").exit_code == 1          # they are there already
    again = run(find_sessions(day)[1], "--format", "srt", "--output", tmp_path / "one.srt")
    assert again.exit_code == 0, again.output
    assert SAID in (tmp_path / "one.srt").read_text("utf-8")


def test_one_file_for_several_sessions_is_refused(day, tmp_path):
    done = run(day, "--format", "txt", "--output", tmp_path / "all.txt")
    assert done.exit_code == 2
    assert "2 sessions" in done.output


def test_a_folder_without_sessions_is_refused(tmp_path):
    done = run(tmp_path)
    assert done.exit_code != 0
    assert "holds no recorded session" in done.output
