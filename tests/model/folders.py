"""Fixtures: tiny checkpoints as folders. A test file names those it uses, so that other files may have a `folder` of their own."""

import shutil
from pathlib import Path

import pytest

from tests.checkpoints import build


@pytest.fixture(scope="session")
def original(tmp_path_factory) -> Path:
    """A tiny recogniser in the original layout; not to be changed."""
    return build(tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="session")
def aligner(tmp_path_factory) -> Path:
    """A tiny aligner in the original layout; not to be changed."""
    return build(tmp_path_factory.mktemp("aligner"), "aligner", num_classes=640)


@pytest.fixture
def folder(original, tmp_path) -> Path:
    """A copy of the tiny recogniser, to be damaged."""
    return Path(shutil.copytree(original, tmp_path / "checkpoint"))
