"""Subtitles and lyrics in seven languages, read back by parsers that are not ours."""

import io
import re
from dataclasses import replace

import pysubs2
import pytest
import srt
import webvtt

from ossicle.errors import FormatError
from ossicle.formats.ass import write_ass
from ossicle.formats.cues import cut_cues
from ossicle.formats.lrc import write_lrc
from ossicle.formats.presets import preset
from ossicle.formats.srt import write_srt
from ossicle.formats.vtt import write_vtt
from ossicle.options import CueOptions
from ossicle.results import Coverage, Gap, Segment, Transcript, Word
from tests.formats.speech import TEXTS, spoken

KARAOKE = CueOptions(word_times=True)
EMPTY = Transcript("", None, 0.0, (), (), Coverage(0.0, 0.0, 0.0, 0.0))
each_language = pytest.mark.parametrize("language", TEXTS)


def expected(transcript, options=None, with_labels=False):
    return [(round(cue.start * 1000), round(cue.end * 1000), cue.text) for cue in cut_cues(transcript, options, with_labels)]


@each_language
def test_srt_is_read_back_by_srt_and_pysubs2(language):
    transcript = spoken(language, ("Anna", "Bob"))
    written = write_srt(transcript)
    cues = list(srt.parse(written))
    assert [(round(cue.start.total_seconds() * 1000), round(cue.end.total_seconds() * 1000), cue.content) for cue in cues] == expected(
        transcript, with_labels=True)
    assert [cue.index for cue in cues] == list(range(1, len(cues) + 1))
    assert srt.compose(cues, reindex=False) == written
    read = pysubs2.SSAFile.from_string(written, format_="srt")
    assert [(event.start, event.end, event.plaintext) for event in read] == expected(transcript, with_labels=True)


@each_language
def test_vtt_is_read_back_by_webvtt_with_its_voices(language):
    transcript = spoken(language, ("Anna & Co", "Bob <x>"))
    cues = webvtt.from_buffer(io.StringIO(write_vtt(transcript)))
    found = [(milliseconds(cue.start), milliseconds(cue.end), unescaped(cue.text)) for cue in cues]
    assert found == expected(transcript)
    assert [unescaped(cue.voice) for cue in cues] == [cue.speaker for cue in cut_cues(transcript)]


@each_language
def test_vtt_with_word_times_keeps_the_text_and_counts_up(language):
    transcript = spoken(language)
    cues = list(webvtt.from_buffer(io.StringIO(write_vtt(transcript, KARAOKE))))
    assert [unescaped(cue.text) for cue in cues] == [text for _, _, text in expected(transcript, KARAOKE)]
    for cue in cues:
        times = [milliseconds(time) for time in re.findall(r"<([\d:.]+)>", cue.raw_text)]
        assert times == sorted(set(times))
        assert all(milliseconds(cue.start) < time < milliseconds(cue.end) for time in times)


@each_language
def test_ass_is_read_back_by_pysubs2(language):
    transcript = spoken(language, ("Anna", "Bob"))
    read = pysubs2.SSAFile.from_string(write_ass(transcript))
    assert [(event.start, event.end, event.plaintext) for event in read] == rounded(expected(transcript, with_labels=True))
    assert [event.name for event in read] == [cue.speaker for cue in cut_cues(transcript, with_labels=True)]


@each_language
def test_karaoke_fills_each_word_in_its_time(language):
    transcript = spoken(language)
    read = pysubs2.SSAFile.from_string(write_ass(transcript, KARAOKE))
    for event, cue in zip(read, cut_cues(transcript, KARAOKE), strict=True):
        assert event.plaintext == cue.text
        parts = re.findall(r"\{\\kf(\d+)\}([^{]*)", event.text)
        assert [text.replace("\\N", "").strip() for _, text in parts] == [unit.text for unit in cue.units]
        begins = round(cue.start * 100)
        for (length, _), unit in zip(parts, cue.units):
            assert begins == pytest.approx(unit.start * 100, abs=1.01)       # hundredths, rounded
            begins += int(length)
        assert begins <= round(cue.end * 100) + 1


@each_language
@pytest.mark.parametrize("options", [CueOptions(), KARAOKE], ids=["lines", "words"])
def test_lyrics_keep_text_and_times(language, options):
    transcript = spoken(language)
    cues = cut_cues(transcript, options)
    lines = [line for line in write_lrc(transcript, options).splitlines() if re.match(r"\[\d", line)]
    sung = [(time, re.sub(r"<[\d:.]+>", "", text)) for time, text in (line[1:].split("]", 1) for line in lines) if text]
    assert [text for _, text in sung] == [cue.plain for cue in cues]
    assert [seconds(time) for time, _ in sung] == [pytest.approx(cue.start, abs=0.011) for cue in cues]
    for line in lines:
        times = [seconds(time) for time in re.findall(r"[\[<]([\d:.]+)[\]>]", line)]
        assert times == sorted(times)


def test_lyrics_clear_the_line_before_a_long_rest():
    words = (Word("One", 0.0, 1.0), Word(" two", 9.0, 10.0))
    transcript = Transcript("One two", None, 12.0, (Segment("One two", 0.0, 10.0, words=words),), (), Coverage(12.0, 12.0, 0.0, 0.0))
    assert write_lrc(transcript).splitlines()[3:] == ["[00:00.00]One", "[00:01.00]", "[00:09.00]two", "[00:10.00]"]


def test_an_empty_transcript_is_a_valid_file():
    assert write_srt(EMPTY) == ""
    assert write_vtt(EMPTY) == "WEBVTT\n"
    assert list(webvtt.from_buffer(io.StringIO(write_vtt(EMPTY)))) == []
    assert len(pysubs2.SSAFile.from_string(write_ass(EMPTY))) == 0
    assert [line for line in write_lrc(EMPTY).splitlines() if re.match(r"\[\d", line)] == []


def test_what_is_missing_stands_as_a_note_that_shows_no_text():
    gap = Gap(2.0, 4.0, "the budget --> ran\nout")
    transcript = replace(spoken("English"), coverage=Coverage(30.0, 28.0, 0.0, 2.0, (gap,)))
    written = write_vtt(transcript)
    assert "NOTE text may be missing from 00:00:02.000 to 00:00:04.000: the budget -> ran out\n\n" in written
    assert len(list(webvtt.from_buffer(io.StringIO(written)))) == len(cut_cues(transcript))
    comment, *_ = pysubs2.SSAFile.from_string(write_ass(transcript))
    assert (comment.type, comment.start, comment.end) == ("Comment", 2000, 4000)


def test_signs_that_mean_something_to_a_format_stay_text():
    text = "Use {x} or \\N and \\n, <b>1 < 2</b> &amp; --> 3"
    transcript = Transcript(text, "English", 5.0, (Segment(text, 0.0, 5.0),), (), Coverage(5.0, 5.0, 0.0, 0.0))
    wide = CueOptions(max_line_width=200)
    cue, = webvtt.from_buffer(io.StringIO(write_vtt(transcript, wide)))
    assert unescaped(cue.text) == text
    event, = pysubs2.SSAFile.from_string(write_ass(transcript, wide))
    assert event.plaintext.replace("\u2060", "") == text.replace("{", "｛").replace("}", "｝")
    assert "\\N" not in event.text.replace("\\\u2060", "")


def test_a_recording_beyond_the_clock_of_ass_is_refused():
    late = Transcript("Hi", None, 36_010.0, (Segment("Hi", 36_000.0, 36_001.0),), (), Coverage(36_010.0, 36_010.0, 0.0, 0.0))
    with pytest.raises(FormatError, match=r"ass has times up to 9:59:59\.99"):
        write_ass(late)
    assert "10:00:00,000" in write_srt(late)
    assert "[600:00.00]Hi" in write_lrc(late)


@pytest.mark.parametrize("name", ["netflix", "broadcast", "shorts", "karaoke"])
def test_presets_reach_the_files(name):
    transcript = spoken("English")
    options = preset(name, "English")
    assert [cue.content for cue in srt.parse(write_srt(transcript, options))] == [text for _, _, text in expected(transcript, options)]
    assert ("<00:" in write_vtt(transcript, options)) is options.word_times


def milliseconds(time):
    return round(seconds(time) * 1000)


def seconds(time):
    total = 0.0
    for part in time.split(":"):
        total = 60 * total + float(part)
    return total


def rounded(cues):
    """Hundredths, as pysubs2 writes them: half a hundredth goes up."""
    return [((start + 5) // 10 * 10, (end + 5) // 10 * 10, text) for start, end, text in cues]


def unescaped(text):
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
