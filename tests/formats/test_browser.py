"""WebVTT as a browser reads it: the one program that most people will show it with."""

import shutil

import pytest

from ossicle.formats.cues import cut_cues
from ossicle.formats.vtt import write_vtt
from ossicle.options import CueOptions
from tests.formats.speech import TEXTS, spoken

READ_CUES = """vtt => new Promise((done, fail) => {
    const video = document.createElement('video'), track = document.createElement('track')
    track.kind = 'subtitles'
    track.onload = () => done(Array.from(track.track.cues, cue => {
        const shown = cue.getCueAsHTML(), voice = shown.querySelector('[title]')
        return [cue.startTime, cue.endTime, shown.textContent, voice && voice.title]
    }))
    track.onerror = () => fail(new Error('the track was refused'))
    track.src = URL.createObjectURL(new Blob([vtt], {type: 'text/vtt'}))
    video.append(track)
    document.body.append(video)
    track.track.mode = 'hidden'
})"""


@pytest.fixture(scope="module")
def page():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        pytest.skip("needs a browser")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


@pytest.mark.parametrize("options", [CueOptions(), CueOptions(word_times=True)], ids=["plain", "word times"])
@pytest.mark.parametrize("language", TEXTS)
def test_a_browser_shows_every_cue_with_its_speaker(page, language, options):
    transcript = spoken(language, ("Anna & Co", "Bob <x>"))
    expected = [[cue.start, cue.end, cue.text, cue.speaker] for cue in cut_cues(transcript, options)]
    assert page.evaluate(READ_CUES, write_vtt(transcript, options)) == [
        [pytest.approx(start), pytest.approx(end), text, speaker] for start, end, text, speaker in expected]
