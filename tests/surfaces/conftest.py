"""No test here reads the settings of whoever runs it."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ossicle.model import machine as machines
from ossicle.surfaces.cli import recordings
from ossicle.surfaces.cli.main import app
from tests.talk import Recogniser

HELDOUT = Path(__file__).parents[1] / "data" / "tiny_heldout"


@pytest.fixture
def small_machine(monkeypatch):
    """A machine that is measured in no time."""
    monkeypatch.setattr(machines, "PROBE_BYTES", 2**22)
    monkeypatch.setattr(machines, "WIDTH", 64)


@pytest.fixture
def manifest_of(tmp_path):
    """Write a manifest of held-out clips, with one word wrong in the text of the first; gives its name."""
    clips = {clip["file"]: clip for clip in json.loads((HELDOUT / "transcripts.json").read_text("utf-8"))}

    def write(*names: str) -> str:
        lines = [{"audio": str(HELDOUT / name), "id": name, "text": clips[name]["text"], "language": clips[name]["language"]}
                 for name in names]
        lines[0]["text"] = "Hello Anna, how are you today?"
        (tmp_path / "set.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        return "set.jsonl"

    return write


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("OSSICLE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OSSICLE_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text("")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def ossicle():
    """Run the command line in this process: `ossicle("languages").stdout`."""
    def run(*arguments, **kwargs):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], **kwargs)
    return run


@pytest.fixture
def recogniser(monkeypatch):
    """What `ossicle transcribe` opens instead of a model."""
    opened = Recogniser()
    monkeypatch.setattr(recordings, "open_model", lambda run, story: opened)
    return opened


@pytest.fixture
def talks(tmp_path):
    """Three files that exist; what is in them nobody looks at."""
    names = ["talk.wav", "other.wav", "broken.wav"]
    for name in names:
        (tmp_path / name).write_bytes(b"sound")
    return names
