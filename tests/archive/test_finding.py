"""Which recordings a batch takes, and where their results go."""

from pathlib import Path

import pytest

from ossicle.archive.finding import find_recordings
from ossicle.errors import OptionError


@pytest.fixture
def tree(tmp_path, monkeypatch):
    names = ["in/a.wav", "in/a.MP3", "in/Talk.wav", "in/talk.flac", "in/b.txt", "in/.hidden.wav", "in/.git/c.wav", "in/day 1/ü/d.opus",
             "in/day 1/e.mkv", "in/v1.2.wav", "in/out/f.wav", "two/in/a.wav"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"sound")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def places(*inputs, out="in/out", **kwargs):
    return [found.place.as_posix() for found in find_recordings(inputs, Path(out), **kwargs)]


def test_a_tree_is_mirrored_without_hidden_files_and_results(tree):
    assert places("in") == ["Talk.wav", "a.MP3", "a.wav", "day 1/e", "day 1/ü/d", "talk.flac", "v1.2"]


def test_names_alike_but_for_case_stay_apart(tree):
    found = places("in")
    assert len({name.casefold() for name in found}) == len(found)


@pytest.mark.parametrize(("pattern", "expected"), [
    ("in/**/*.opus", ["day 1/ü/d"]),
    ("in/day*/*.mkv", ["day 1/e"]),
    ("in/a.wav", ["a"]),
])
def test_patterns_and_files_are_taken_as_named(tree, pattern, expected):
    assert places(pattern) == expected


def test_several_trees_get_a_folder_each(tree):
    assert places("in/day 1", "two/in", out="out") == ["day 1/e", "day 1/ü/d", "in/a"]
    assert places("in/day 1", "in/day 1", out="out") == ["e", "ü/d"]


def test_include_and_exclude_look_at_names_and_paths(tree):
    assert places("in", include=["*.wav"], exclude=["v1*"]) == ["Talk", "a"]
    assert places("in", exclude=["day 1/*", "*.flac", "*.MP3", "v*"]) == ["Talk", "a"]
    assert "b" in places("in", all_files=True)


@pytest.mark.parametrize("name", ["nowhere", "in/*.doc"])
def test_an_input_that_is_not_there_is_an_error(tree, name):
    with pytest.raises(OptionError, match=r"expected a file|no file matches"):
        places(name)
