"""The HTML page as text: safe, complete in itself, and put together of all its parts."""

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ossicle.formats.html import SCRIPTS, Media, link_media, write_html
from ossicle.text.languages import all_languages
from tests.formats.pages import many_scripts
from tests.talk import TRANSCRIPT

PAGE = Path(write_html.__code__.co_filename).parent / "page"


class Parts(HTMLParser):
    """Elements of a page with their attributes, and the text inside those that hold no markup."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.texts.append("")

    def handle_endtag(self, tag):
        self.elements.append(("", {}))              # what comes behind belongs to nothing that is asked for
        self.texts.append("")

    def handle_data(self, data):
        if self.texts:
            self.texts[-1] += data

    def find(self, tag, **wanted):
        return [(attrs, text) for (found, attrs), text in zip(self.elements, self.texts)
                if found == tag and wanted.items() <= attrs.items()]


def test_the_page_may_run_and_load_nothing_but_itself():
    parts = Parts(write_html(TRANSCRIPT))
    policy = parts.find("meta", **{"http-equiv": "Content-Security-Policy"})[0][0]["content"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))

    def hashed(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["script-src"] == hashed(parts.find("script")[-1][1])
    assert rules["style-src"] == hashed(parts.find("style")[0][1])
    assert rules["media-src"] == "'self' file: blob:"
    assert set(rules) == {"default-src", "script-src", "style-src", "media-src", "img-src", "base-uri", "form-action"}


def test_nothing_is_fetched_and_nothing_runs_from_attributes():
    page = write_html(replace(TRANSCRIPT, source=None))
    assert not re.search(r"https?:|//\w+\.\w|@import|url\(", page)
    parts = Parts(page)
    assert {attrs["href"] for tag, attrs in parts.elements if "href" in attrs} == {"data:,", "#text"}
    assert not [attrs for _, attrs in parts.elements if "src" in attrs or "style" in attrs or any(name.startswith("on") for name in attrs)]


@pytest.mark.parametrize("evil", [
    "</script><script>alert(1)</script>", "<!--<script>", "]]>", "$policy ${x} $$", "\u2028\u2029\x00\r", "'\"&amp;"])
def test_no_text_ends_the_place_it_stands_in(evil):
    transcript = replace(TRANSCRIPT, text=evil, source=f"x/{evil}", warnings=(evil,),
                         segments=(replace(TRANSCRIPT.segments[0], text=evil, words=(), speaker=evil),))
    plain, odd = Parts(write_html(TRANSCRIPT)), Parts(write_html(transcript, Media(evil, evil), evil))
    tags, expected = ([tag for tag, _ in parts.elements if tag not in ("p", "")] for parts in (odd, plain))
    assert tags == expected
    assert json.loads(odd.find("script", id="transcript-data")[0][1]) == json.loads(json.dumps({"schema": "ossicle-transcript/1",
                                                                                                **transcript.to_dict()}))
    assert json.loads(odd.find("script", id="media-data")[0][1])["name"] == evil
    assert odd.find("title")[0][1] == evil


def test_readers_without_scripts_get_the_text():
    page = write_html(replace(many_scripts(), source="a <b>.wav"))
    noscript = page[page.index("<noscript>"):page.index("</noscript>")]
    assert [html.unescape(text) for text in re.findall(r"<p>(.*?)</p>", noscript)][1:] == [s.text.strip() for s in many_scripts().segments]
    assert "<h1>a &lt;b&gt;.wav</h1>" in noscript


def test_the_recording_is_carried_as_it_is():
    sound = bytes(range(256)) * 5
    parts = Parts(write_html(TRANSCRIPT, Media("talk.webm", "talk.wav", sound, "audio/webm", 2.5)))
    assert base64.b64decode(parts.find("script", id="sound-data")[0][1]) == sound
    assert json.loads(parts.find("script", id="media-data")[0][1]) == {
        "name": "talk.webm", "address": None, "mime": "audio/webm", "begin": 2.5}


@pytest.mark.parametrize(("recording", "folder", "address"), [
    ("talks/a.wav", "pages", "../talks/a.wav"),
    ("a.wav", ".", "a.wav"),
    ("talk: part #1? 100%.wav", ".", "talk%3A%20part%20%231%3F%20100%25.wav"),
    ("Gespräch \"eins\".wav", ".", "Gespr%C3%A4ch%20%22eins%22.wav"),
    ("bad\udcff.wav", ".", "bad%FF.wav"),
])
def test_a_recording_is_named_by_the_way_to_it(recording, folder, address):
    assert link_media(recording, folder) == Media(Path(recording).name, address)


def test_every_part_is_in_the_page_once():
    assert sorted(path.stem for path in PAGE.glob("*.js")) == sorted(SCRIPTS)
    page = write_html(TRANSCRIPT)
    for name in ("page.css", *(f"{script}.js" for script in SCRIPTS)):
        text = (PAGE / name).read_text("utf-8")
        assert page.count(text) == 1
        assert len(text.splitlines()) <= 400
        assert max(map(len, text.splitlines())) <= 160
        assert text.startswith(("// ", "/* ")), "a file says what it is for"


def test_the_page_knows_the_tag_of_every_language():
    table = re.search(r"TAGS = \{(.*?)\}", (PAGE / "data.js").read_text("utf-8"), re.DOTALL).group(1)
    assert dict(re.findall(r'(\w+): "(\w+)"', table)) == {language.name: language.code for language in all_languages()}


def test_the_title_is_the_name_of_the_recording():
    def title(source, given=None):
        return Parts(write_html(replace(TRANSCRIPT, source=source), title=given)).find("title")[0][1]

    assert title("C:\\talks\\monday.wav") == "monday.wav"
    assert title("-") == title(None) == "Transcript"
    assert title("monday.wav", "Monday") == "Monday"
