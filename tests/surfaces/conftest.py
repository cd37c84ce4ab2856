"""No test here reads the settings of whoever runs it."""

import os

import pytest
from typer.testing import CliRunner

from ossicle.surfaces.cli import recordings
from ossicle.surfaces.cli.main import app
from tests.talk import Recogniser


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
