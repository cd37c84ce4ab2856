"""Files appear whole or not at all."""

import os
import subprocess
import sys

import pytest

from ossicle.archive import processes
from ossicle.archive.files import content_hash, text_hash, write_file


def test_a_file_appears_whole_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / ("ü" * 80 + ".txt")
    write_file(path, "Grüß Gott")
    write_file(path, b"again")
    assert path.read_bytes() == b"again"
    assert os.listdir(path.parent) == [path.name]
    assert content_hash(path) == text_hash("again")


def test_what_is_there_is_kept_where_asked(tmp_path):
    path = tmp_path / "talk.txt"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        write_file(path, "theirs", overwrite=False)
    assert (path.read_text(), os.listdir(tmp_path)) == ("mine", ["talk.txt"])
    write_file(tmp_path / "new.txt", "new", overwrite=False)
    assert (tmp_path / "new.txt").read_text() == "new"


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(OSError):                            # noqa: PT011  (which one, the system says)
        write_file(path, "text")
    assert os.listdir(tmp_path) == ["folder"]


def test_what_a_killed_process_left_goes_with_the_next_write_and_a_living_ones_stays(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    dead = f".ossicle.{processes._host()}_{child.pid}_{processes._started(child.pid)}.{text_hash('talk.txt')[:12]}"
    child.wait()
    (tmp_path / dead).write_text("half")
    other = dead.replace(text_hash("talk.txt")[:12], text_hash("other.txt")[:12])
    (tmp_path / other).write_text("half")
    write_file(tmp_path / "talk.txt", "whole")
    assert sorted(os.listdir(tmp_path)) == sorted([other, "talk.txt"])
