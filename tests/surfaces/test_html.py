"""Pages from the command line: where they look for the recording, and what they carry."""

import base64
import json
import re
import shutil
from dataclasses import replace

import pytest

from ossicle.formats.write import write_json
from tests.formats.pages import RECORDING
from tests.talk import WHOLE


@pytest.fixture
def talk(tmp_path):
    """A recording in a folder of its own, named so that an address must quote it."""
    (tmp_path / "my talks").mkdir()
    path = tmp_path / "my talks" / "talk #1.opus"
    shutil.copy(RECORDING, path)
    return "my talks/talk #1.opus"


def part(page, name):
    return re.search(rf'id="{name}-data">(.*?)</script>', page, re.DOTALL).group(1)


def media_of(path):
    return json.loads(part(path.read_text("utf-8"), "media"))


def test_a_page_plays_the_file_that_is_there(ossicle, recogniser, talk, tmp_path):
    done = ossicle("transcribe", talk, "-f", "html", "-o", "pages")
    assert done.exit_code == 0, done.output
    assert media_of(tmp_path / "pages" / "talk #1.html") == {
        "name": "talk #1.opus", "address": "../my%20talks/talk%20%231.opus", "mime": "application/octet-stream", "begin": 0.0}
    assert part((tmp_path / "pages" / "talk #1.html").read_text("utf-8"), "sound") == ""
    assert json.loads(part(ossicle("transcribe", talk, "-f", "html").stdout, "media"))["address"] == "my%20talks/talk%20%231.opus"


def test_a_page_may_carry_the_recording(ossicle, recogniser, talk, tmp_path):
    done = ossicle("transcribe", talk, "-f", "html", "-o", "pages", "--embed-audio", "--start", "2")
    page = tmp_path / "pages" / "talk #1.html"
    assert media_of(page) == {"name": "talk #1.opus", "address": None, "mime": "audio/webm", "begin": 2.0}
    assert base64.b64decode(part(page.read_text("utf-8"), "sound"))[:4] == b"\x1a\x45\xdf\xa3"
    assert "talk #1.opus: its page carries 0.0 MB of sound" in done.stderr


def test_a_recording_that_cannot_be_carried_costs_no_transcript(ossicle, recogniser, talks, tmp_path):
    done = ossicle("transcribe", "talk.wav", "-f", "html,txt", "-o", "pages", "--embed-audio")
    assert done.exit_code == 0
    assert "warning: talk.wav is not inside its page: expected sound in talk.wav" in done.stderr
    assert media_of(tmp_path / "pages" / "talk.html")["address"] == "../talk.wav"
    assert (tmp_path / "pages" / "talk.txt").read_text("utf-8") == f"{WHOLE.text}\n"


@pytest.mark.parametrize(("arguments", "said"), [
    (["talk.wav", "--embed-audio"], "--embed-audio is of the format html, got txt"),
    (["-", "-f", "html", "--embed-audio"], "reads each recording a second time, which standard input cannot be"),
])
def test_what_cannot_be_carried_is_refused_before_the_work(ossicle, recogniser, talks, arguments, said):
    done = ossicle("transcribe", *arguments, input=b"sound")
    assert done.exit_code == 2
    assert said in done.stderr
    assert recogniser.asked == []


def test_as_a_setting_it_stands_for_pages_alone(ossicle, recogniser, talks, monkeypatch):
    monkeypatch.setenv("OSSICLE_EMBED_AUDIO", "true")
    assert ossicle("transcribe", "talk.wav").stdout == f"{WHOLE.text}\n"


@pytest.mark.parametrize("source", ["my talks/talk #1.opus", "elsewhere/talk #1.opus", "C:\\talks\\talk #1.opus"])
def test_export_finds_the_recording_beside_its_transcript(ossicle, talk, tmp_path, source):
    (tmp_path / "my talks" / "talk.json").write_text(write_json(replace(WHOLE, source=source)), "utf-8")
    done = ossicle("export", "my talks/talk.json", "-o", "talk.html")
    assert done.exit_code == 0, done.output
    assert media_of(tmp_path / "talk.html")["address"] == "my%20talks/talk%20%231.opus"
    assert ossicle("export", "my talks/talk.json", "-o", "talk.html", "--overwrite", "--embed-audio").exit_code == 0
    assert media_of(tmp_path / "talk.html")["mime"] == "audio/webm"


def test_export_without_the_recording_lets_the_reader_choose_it(ossicle, tmp_path):
    (tmp_path / "talk.json").write_text(write_json(replace(WHOLE, source="gone.wav")), "utf-8")
    done = ossicle("export", "talk.json", "-o", "talk.html", "--embed-audio")
    assert "warning: gone.wav is not inside its page: expected a sound file at gone.wav" in done.stderr
    assert media_of(tmp_path / "talk.html") == {"name": "gone.wav", "address": None, "mime": "application/octet-stream", "begin": 0.0}
