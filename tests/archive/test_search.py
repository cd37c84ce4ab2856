"""Searching what was said, in any script."""

import pytest

from ossicle.archive import search as archive
from ossicle.archive.ledger import Ledger
from ossicle.errors import OptionError
from tests.archive.recorder import transcript_of

SAID = {
    "talk.wav": "We met at the Café yesterday.\nThe weather was \"fine\" AND warm; 50% rain (maybe).",
    "zh.wav": "今天天气很好。\n我们去公园吧。",
    "ja.wav": "東京の天気は晴れです。",
    "th.wav": "วันนี้อากาศดีมาก",
    "hi.wav": "आज मौसम अच्छा है",
    "ar.wav": "الطقس جميل اليوم",
}


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        for name, text in SAID.items():
            opened.finish(opened.enter(name, "options", name), transcript_of(text, speaker="Ann"))
        yield opened


def found(ledger, words, **kwargs):
    return [(hit.path, hit.time) for hit in archive.search([ledger], words, **kwargs)]


@pytest.mark.parametrize(("words", "path", "time"), [
    ("weather", "talk.wav", 7.0),
    ("CAFE", "talk.wav", 4.0),
    ("yesterday met", "talk.wav", 1.0),
    ('"at the"', "talk.wav", 2.0),
    ('was "fine', "talk.wav", 8.0),
    ("50%", "talk.wav", 12.0),
    ("(maybe)", "talk.wav", 14.0),
    ("天气", "zh.wav", 0.0),
    ("公园", "zh.wav", 1.0),
    ("吧", "zh.wav", 1.0),
    ("天気", "ja.wav", 0.0),
    ("อากาศ", "th.wav", 0.0),
    ("मौसम", "hi.wav", 1.0),
    ("الطقس", "ar.wav", 0.0),
])
def test_words_are_found_with_their_times(ledger, words, path, time):
    assert found(ledger, words) == [(path, time)]


@pytest.mark.parametrize("words", ["weather tomorrow", '"the at"', "NOT AND OR *", "x" * 1000, "text:weather", "a OR b)"])
def test_what_was_not_said_is_not_found_and_no_sign_is_an_operator(ledger, words):
    assert found(ledger, words) == []


def test_no_words_are_an_error(ledger):
    with pytest.raises(OptionError, match="expected words"):
        found(ledger, "  ")


def test_a_snippet_marks_the_words_and_cuts_around_them(ledger):
    hit, = archive.search([ledger], "fine rain")
    assert archive.snippet(hit, "[", "]") == 'The weather was "[fine]" AND warm; 50% [rain] (maybe).'
    assert archive.snippet(hit, "[", "]", width=5) == '…was "[fine]" AND…'
    assert (hit.speaker, hit.end) == ("Ann", 15.0)


def test_a_newer_transcript_of_a_recording_takes_the_place_of_the_older(ledger):
    ledger.finish(ledger.enter("talk.wav", "other options", "talk.wav"), transcript_of("Nothing of that."))
    assert found(ledger, "weather") == []
    assert found(ledger, "nothing") == [("talk.wav", 0.0)]


def test_what_several_ledgers_hold_is_told_once(ledger):
    assert len(archive.search([ledger, ledger], "weather")) == 1


def test_a_limit_is_kept(ledger):
    for number in range(5):
        ledger.finish(ledger.enter(f"{number}", "options", f"{number}.wav"), transcript_of("more weather"))
    assert len(found(ledger, "weather", limit=3)) == 3


def test_output_folders_are_remembered_once_and_forgotten_when_gone(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(archive.platformdirs, "user_data_dir", lambda name: str(tmp_path / "data" / name))
    out = tmp_path / "out"
    Ledger(out / ".ossicle" / "ledger.sqlite").close()
    archive.register(out)
    archive.register(out)
    archive.register(tmp_path / "gone")
    assert archive.libraries() == [out / ".ossicle" / "ledger.sqlite"]
    with pytest.raises(OptionError, match="expected the output folder"):
        archive.libraries([tmp_path])
