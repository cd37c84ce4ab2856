"""Transcripts for the HTML page, and the page in a headless Chromium: what is clicked is a real page with a real recording."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ossicle.formats.html import link_media, write_html
from ossicle.results import Chunk, Coverage, Gap, Segment, Transcript, Turn, Word
from ossicle.text.words import split_words

SAMPLES = Path(__file__).resolve().parents[2] / "ossicle" / "models" / "tiny" / "samples"
RECORDING = SAMPLES / "english_joined.opus"         # three sentences in nine seconds
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SCRIPTS = {                                         # a sentence or two in scripts that are easily broken
    "Chinese": "明天是星期五。我们去北京吃饭，好吗？",
    "Japanese": "東京は今日も雨です。ちょっと待ってください。",
    "Thai": "วันนี้อากาศดีมาก เราไปตลาดกันเถอะ",
    "Hindi": "कल शुक्रवार है। क्या आप दिल्ली जाएँगे?",
    "Arabic": "غدًا يوم الجمعة. هل تذهب إلى القاهرة؟",
}


def talk() -> Transcript:
    """The bundled recording: measured word times, two speakers, words that the model was less sure of, one estimated time."""
    entry = next(entry for entry in json.loads((SAMPLES / "transcripts.json").read_text("utf-8")) if entry["file"] == RECORDING.name)
    words = [Word(("" if place == 0 else " ") + word["text"], word["start"], word["end"], 0.97, "aligned")
             for place, word in enumerate(entry["words"])]
    words[3] = replace(words[3], confidence=0.42)
    words[8] = replace(words[8], confidence=0.8, timing="interpolated")
    ends = [place + 1 for place, word in enumerate(words) if word.text[-1] in ".?"]
    segments = []
    for begin, end, speaker in zip([0, *ends], ends, ("SPEAKER_00", "SPEAKER_01", "SPEAKER_00")):
        segments.append(segment_of([replace(word, speaker=speaker) for word in words[begin:end]], "English", speaker))
    turns = tuple(Turn(segment.start, segment.end, segment.speaker or "") for segment in segments)
    return replace(transcript_of(segments, "English", entry["seconds"]), turns=turns, source=f"recordings/{RECORDING.name}")


def segment_of(words: list[Word], language: str | None = None, speaker: str | None = None) -> Segment:
    """A segment of words that have times."""
    known = [word.confidence for word in words if word.confidence is not None]
    return Segment("".join(word.text for word in words), words[0].start or 0.0, words[-1].end or 0.0, language,
                   sum(known) / len(known) if known else None, tuple(words), speaker)


def timed(
    text: str, start: float, language: str | None = None, seconds: float = 0.3, lead: str = "", speaker: str | None = None
) -> Segment:
    """A text as a segment whose words follow one another, each `seconds` long."""
    pieces = split_words(text)
    pieces[0] = lead + pieces[0]
    words = [Word(piece, round(start + place * seconds, 3), round(start + (place + 1) * seconds, 3), 0.95, "aligned", speaker)
             for place, piece in enumerate(pieces)]
    return segment_of(words, language, speaker)


def transcript_of(segments: list[Segment], language: str | None, duration: float, gaps: tuple[Gap, ...] = ()) -> Transcript:
    """A transcript of segments."""
    text = "".join(segment.text for segment in segments)
    missing = sum(gap.end - gap.start for gap in gaps)
    return Transcript(text, language, duration, tuple(segments), (Chunk(0, 0.0, duration, text, language, "eos"),),
                      Coverage(duration, duration - missing, 0.0, missing, gaps))


def many_scripts() -> Transcript:
    """Every script of SCRIPTS, one segment each."""
    segments, start = [], 0.0
    for language, text in SCRIPTS.items():
        segments.append(timed(text, start, language, lead=" " if segments and language in ("Hindi", "Arabic") else ""))
        start = segments[-1].end + 1
    return transcript_of(segments, ",".join(SCRIPTS), start)


def long_talk(num_words: int = 30_000) -> Transcript:
    """Three hours of talk between two people."""
    sentence = "This is what was said on that day by the one who had seen it all."
    segments, start = [], 0.0
    while len(segments) * 15 < num_words:
        speaker = f"SPEAKER_{len(segments) // 7 % 2:02d}"
        segments.append(timed(sentence, start, "English", 0.33, " " if segments else "", speaker))
        start = segments[-1].end + 0.4
    return transcript_of(segments, "English", start)


def find_browser() -> str | None:
    """A Chromium on this machine."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


class Reader:
    """Someone who opens pages in a browser without a network, and remembers what the browser complained of."""

    def __init__(self, browser, folder: Path) -> None:
        self._browser, self.folder = browser, folder
        self.complaints: list[str] = []
        self._contexts = []

    def open(self, html: str, name: str = "page.html", **context):
        """The page as a file, opened. `context`: viewport, color_scheme and other things of a new browser window."""
        (self.folder / name).write_text(html, "utf-8")
        return self.visit(self.window(**context).new_page(), name)

    def window(self, **context):
        """A browser window of its own: nothing kept from others."""
        window = self._browser.new_context(offline=True, accept_downloads=True, **context)
        window.on("request", self._on_request)
        window.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        window.on("weberror", lambda error: self.complaints.append(f"error: {error.error}"))
        window.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self._contexts.append(window)
        return window

    def visit(self, page, name: str = "page.html"):
        """Open a file of the folder in a page that is there."""
        page.set_default_timeout(10_000)
        page.goto((self.folder / name).as_uri())
        return page

    def close(self) -> None:
        for window in self._contexts:
            window.close()

    def _on_request(self, request) -> None:
        if not request.url.startswith((self.folder.as_uri(), "blob:", "data:")):
            self.complaints.append(f"request: {request.url[:100]}")


TALK = talk()
PLAYED = "document.getElementById('media')"


@pytest.fixture(scope="package")
def browser():
    """A headless Chromium; skips where there is none, or nothing to drive it with.

    It is gone when this package's tests are: while it is driven, an event loop runs in this thread, and asyncio allows no other.
    """
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    path = find_browser()
    if path is None:
        pytest.skip(f"needs a Chromium on PATH: {', '.join(BROWSERS)}")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--autoplay-policy=no-user-gesture-required"])
        yield browser
        browser.close()


@pytest.fixture
def reader(browser, tmp_path):
    """A reader beside a recording. At the end: no request left the folder, no error, no warning."""
    shutil.copy(RECORDING, tmp_path / RECORDING.name)
    reader = Reader(browser, tmp_path)
    yield reader
    reader.close()
    assert not reader.complaints, "; ".join(reader.complaints)


@pytest.fixture
def page(reader):
    """The page of the bundled recording, which plays it."""
    page = reader.open(write_html(TALK, link_media(reader.folder / RECORDING.name, reader.folder)))
    until(page, f"{PLAYED}.readyState >= 1")
    return page


def word(page, text: str):
    """The first word that has this in it."""
    return page.locator(".w", has_text=text).first


def paragraph(page, number: int):
    """The text of a paragraph."""
    return page.locator(".body").nth(number)


def until(page, expression: str, seconds: float = 10.0) -> None:
    """Wait until an expression is true in the page; asked from outside, as the page's policy lets nothing be evaluated inside."""
    ends = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < ends, f"after {seconds:g} s still not true: {expression}"
        page.wait_for_timeout(20)


def export(page, kind: str, folder: Path) -> str:
    """The text of the file that the page saves."""
    page.get_by_role("button", name="Export").click()
    page.locator(f"input[value={kind}]").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save file").click()
    path = folder / f"saved-{download.value.suggested_filename}"
    download.value.save_as(path)
    return path.read_text("utf-8")


def read_back(page, folder: Path) -> Transcript:
    """The transcript that the page exports as JSON."""
    plain = json.loads(export(page, "json", folder))
    assert plain["schema"] == "ossicle-transcript/1"
    return Transcript.from_dict(plain)
