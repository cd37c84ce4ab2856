"""Presets are what the page says, and flags change single limits."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from ossicle.errors import OptionError
from ossicle.formats.presets import NETFLIX_BY_LANGUAGE, PRESETS, preset
from ossicle.formats.registry import FORMATS, find_formats, write
from ossicle.options import CueOptions
from tests.formats.speech import spoken

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text("utf-8")


def said(value):
    return ("yes" if value else "no") if isinstance(value, bool) else "" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")


def test_the_page_has_every_limit_of_every_preset():
    table = {row[0].strip("` "): [cell.strip() for cell in row[1:]] for line in PAGE.splitlines()
             if line.startswith("| `") and len(row := line.strip("|").split("|")) == len(PRESETS) + 1}
    for field in fields(CueOptions):
        if field.name != "speaker_labels":
            assert table[field.name] == [said(getattr(options, field.name)) for options in PRESETS.values()], field.name


def test_the_page_has_every_language_that_differs():
    rows = dict(re.findall(r"^\| ([A-Z][\w, ]+) \| (\d+ \| \d+) \|", PAGE, re.MULTILINE))
    listed = {language: row for languages, row in rows.items() for language in languages.split(", ")}
    assert listed == {name: f"{found.max_line_width} | {found.max_cps:g}" for name in NETFLIX_BY_LANGUAGE
                      if (found := preset("netflix", name))}


def test_the_page_has_every_format():
    listed = re.findall(r"^\| `(\w+)` \| `talk\.([\w.]+)` \|", PAGE, re.MULTILINE)
    assert listed == [(name, found.suffix) for name, found in FORMATS.items()]


def test_a_change_goes_before_the_preset_and_none_leaves_it():
    assert preset("shorts", max_words=3, max_lines=None) == preset("shorts", None, max_words=3)
    assert preset("netflix", "Japanese", max_cps=4.0).max_cps == 4.0
    assert preset("netflix", "Japanese,English").max_line_width == 32
    assert preset("standard", "Japanese") == CueOptions()


def test_an_unknown_preset_and_contradicting_limits_are_refused():
    with pytest.raises(OptionError, match="preset must be one of standard, netflix, broadcast, karaoke, shorts; got 'films'"):
        preset("films")
    with pytest.raises(OptionError, match="min_duration must be at most max_duration"):
        preset("shorts", min_duration=5.0)


@pytest.mark.parametrize(("asked", "found"), [
    ("srt", ("srt",)), (" SRT , vtt,srt", ("srt", "vtt")), (["srt", "vtt,txt"], ("srt", "vtt", "txt")), ("all", tuple(FORMATS)),
    ("vtt,all", ("vtt", *(name for name in FORMATS if name != "vtt")))])
def test_formats_are_named_in_many_ways(asked, found):
    assert find_formats(asked) == found


@pytest.mark.parametrize(("asked", "message"), [("srtt", "got 'srtt'; did you mean srt"), ("", "got nothing"), (",", "got nothing")])
def test_an_unknown_format_is_refused_with_near_names(asked, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        find_formats(asked)


def test_write_makes_one_file():
    assert write(spoken("English"), "SRT").startswith("1\n00:00:00,400 --> ")
    with pytest.raises(OptionError, match="write makes one file"):
        write(spoken("English"), "all")
