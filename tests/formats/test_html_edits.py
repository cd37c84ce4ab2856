"""Corrections on the HTML page, and what it gives out: in a real browser, read back by the library."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from ossicle.formats.html import write_html
from ossicle.formats.presets import preset
from ossicle.formats.srt import write_srt
from ossicle.formats.vtt import write_vtt
from ossicle.results import Gap, Transcript, Word
from ossicle.text.words import split_words
from tests.formats.pages import (
    PLAYED,
    SCRIPTS,
    TALK,
    export,
    long_talk,
    many_scripts,
    paragraph,
    read_back,
    timed,
    transcript_of,
    until,
    word,
)


def type_into(page, number, text):
    """Replace a paragraph by hand: select all of it, type."""
    paragraph(page, number).click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def test_a_new_name_stands_everywhere_and_in_what_is_exported(page, reader):
    page.get_by_role("button", name="SPEAKER_00").first.click()
    page.get_by_role("textbox", name="Name").fill("Anna <b>")
    page.keyboard.press("Enter")
    assert page.locator(".who").all_text_contents() == ["Anna <b>", "SPEAKER_01", "Anna <b>"]
    back = read_back(page, reader.folder)
    assert back.speakers == ("Anna <b>", "SPEAKER_01")
    assert {turn.speaker for turn in back.turns} == {segment.speaker for segment in back.segments} == {"Anna <b>", "SPEAKER_01"}
    assert [replace(word, speaker=None) for word in back.words] == [replace(word, speaker=None) for word in TALK.words]
    assert export(page, "txt", reader.folder).startswith("Anna <b>: Wake me up")


def test_an_untouched_page_exports_the_transcript_it_was_made_of(page, reader):
    assert read_back(page, reader.folder) == TALK


def test_words_that_stay_keep_their_times_through_an_edit(page, reader):
    page.keyboard.press("e")
    old, number = TALK.words, next(place for place, word in enumerate(TALK.words) if word.text == " twelve")
    text = TALK.segments[1].text.strip()
    assert text == "Is it twelve forty five already?"
    type_into(page, 1, "So is it eleven forty-five already?")
    back = read_back(page, reader.folder)
    words = back.segments[1].words
    assert [word.text for word in words] == [" So", " is", " it", " eleven", " forty-five", " already?"]
    assert words[2] == old[number - 1]
    assert words[-1] == old[number + 3]
    assert (words[3].start, words[4].end) == (old[number].start, old[number + 2].end)
    assert (words[0].start, words[1].end) == (old[number - 2].start, old[number - 2].end)
    for new in (*words[:2], *words[3:5]):
        assert (new.confidence, new.timing, new.speaker) == (None, "interpolated", "SPEAKER_01")
    assert back.segments[0] == TALK.segments[0]
    assert back.segments[2] == TALK.segments[2]
    assert "".join(segment.text for segment in back.segments) == back.text == TALK.text.replace(text, "So is it eleven forty-five already?")
    assert all("".join(word.text for word in segment.words) == segment.text for segment in back.segments)
    assert back.warnings == ("edited by hand: 1 paragraphs, 4 words written anew",)
    assert back.chunks == TALK.chunks


def test_a_word_put_right_keeps_the_time_that_was_measured(page, reader):
    page.keyboard.press("e")
    type_into(page, 1, "Is it twelve forty nine already?")
    back, old = read_back(page, reader.folder), TALK.segments[1].words
    assert back.segments[1].words == (*old[:4], replace(old[4], text=" nine", confidence=None), old[5])


def test_typing_in_the_middle_of_a_word_changes_that_word_alone(page, reader):
    page.keyboard.press("e")
    word(page, "window").click()
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.keyboard.type("Well, ")
    back = read_back(page, reader.folder)
    assert back.segments[2].text == f" Well,{TALK.segments[2].text}"
    assert back.segments[2].words[1:] == TALK.segments[2].words


def test_words_written_by_hand_are_played_found_and_followed(page):
    page.keyboard.press("e")
    type_into(page, 1, "Is it noon already?")
    page.keyboard.press("Escape")
    word(page, "noon").click()
    start, end = TALK.segments[1].words[2].start, TALK.segments[1].words[4].end
    until(page, f"!{PLAYED}.paused && {PLAYED}.currentTime >= {start - 0.01}")
    until(page, "document.querySelector('.now')?.textContent === 'noon'")
    assert page.evaluate(f"{PLAYED}.currentTime") < end + 0.5
    page.fill("#query", "noon")
    until(page, "document.getElementById('hits').textContent === '1 of 1'")


def test_what_is_deleted_is_gone_and_what_is_undone_is_back(page, reader):
    page.keyboard.press("e")
    type_into(page, 1, "")
    assert read_back(page, reader.folder).text == TALK.segments[0].text + TALK.segments[2].text
    page.keyboard.press("Escape")
    paragraph(page, 1).click()
    page.keyboard.press("Control+z")
    assert paragraph(page, 1).text_content() == TALK.segments[1].text.strip()
    assert read_back(page, reader.folder) == TALK


def test_a_paragraph_can_be_put_back(page, reader):
    page.keyboard.press("e")
    type_into(page, 1, "Nonsense.")
    page.get_by_role("button", name="Undo").click()
    assert read_back(page, reader.folder) == TALK


def test_what_is_pasted_comes_in_as_plain_text(page):
    page.keyboard.press("e")
    paragraph(page, 1).click()
    page.keyboard.press("Control+a")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("""() => {
        const copied = { "text/html": "<h1>Big <b>words</b></h1>", "text/plain": "plain\\n\\nand simple" };
        const parts = Object.entries(copied).map(([type, text]) => [type, new Blob([text], { type })]);
        return navigator.clipboard.write([new ClipboardItem(Object.fromEntries(parts))]);
    }""")
    page.keyboard.press("Control+v")
    until(page, "document.activeElement.textContent.includes('simple')")
    page.keyboard.press("Enter")                    # begins no new line either
    assert paragraph(page, 1).text_content() == "plain and simple"
    assert not page.locator(".body h1, .body br, .body div").count()


@pytest.mark.parametrize("language", SCRIPTS)
def test_new_words_are_parted_as_the_library_parts_them(reader, language):
    text = SCRIPTS[language]
    page = reader.open(write_html(transcript_of([timed("…", 0.0, language)], language, 2.0)))
    page.keyboard.press("e")
    type_into(page, 0, text)
    assert [word.text for word in read_back(page, reader.folder).words] == split_words(text)


def test_times_hold_where_words_are_finer_than_any_text_can_be_split(reader):
    words = [Word(text, place * 0.5, place * 0.5 + 0.5, 0.9, "aligned") for place, text in enumerate(("학교", "에", " 갑니다", "."))]
    segment = replace(timed("x", 0.0, "Korean"), text="학교에 갑니다.", words=tuple(words))
    page = reader.open(write_html(transcript_of([segment], "Korean", 2.0)))
    page.keyboard.press("e")
    type_into(page, 0, "학교는 갑니다.")
    assert read_back(page, reader.folder).words == (words[0], replace(words[1], text="는", confidence=None), *words[2:])


def test_changes_are_kept_and_offered_when_the_page_is_opened_again(page, reader):
    page.keyboard.press("e")
    type_into(page, 1, "Is it noon already?")
    page.get_by_role("button", name="SPEAKER_01").click()
    page.get_by_role("textbox", name="Name").fill("Bo")
    page.keyboard.press("Enter")
    again = reader.visit(page.context.new_page())
    again.get_by_text("are kept in this browser (1 paragraph, 1 name)").wait_for()
    assert paragraph(again, 1).text_content() == TALK.segments[1].text.strip()
    again.keyboard.press("e")                       # not before it is said what is to become of them
    assert not again.locator(".editing").count()
    again.get_by_role("button", name="Restore").click()
    assert paragraph(again, 1).text_content() == "Is it noon already?"
    assert again.locator(".who").nth(1).text_content() == "Bo"
    third = reader.visit(page.context.new_page())
    third.get_by_role("button", name="Discard").click()
    assert not reader.visit(page.context.new_page()).locator("#kept").is_visible()


def test_the_changed_page_can_be_saved_as_a_page(page, reader):
    page.keyboard.press("e")
    type_into(page, 1, "Is it </script> <noon> already?")
    saved = export(page, "html", reader.folder)
    again = reader.open(saved, "saved.html")
    until(again, "document.getElementById('media').readyState >= 1")
    assert paragraph(again, 1).text_content() == "Is it </script> <noon> already?"
    assert read_back(again, reader.folder).text == read_back(page, reader.folder).text
    assert again.locator(".warning, #app").count() == 1


def test_copying_gives_the_text(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Export").click()
    page.get_by_label("Time of each paragraph").check()
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied").first.wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("[0:00] SPEAKER_00: Wake me up")


def test_json_of_the_page_says_numbers_as_they_were(page, reader):
    assert json.loads(export(page, "json", reader.folder)) == {"schema": "ossicle-transcript/1", **TALK.to_dict()}


def long_words() -> Transcript:
    german = "Donaudampfschifffahrtsgesellschaftskapitänsmützen-Rechtsschutzversicherungsgesellschaften sind lang & <b>."
    one = replace(timed("x", 9.0), text="無料通話" * 30, words=(Word("無料通話" * 30, 9.0, 40.0),))
    return transcript_of([timed(german, 0.0), one], None, 60.0)


@pytest.mark.parametrize("transcript", [
    TALK, many_scripts(), long_talk(600), long_words(), transcript_of([], None, 0.0),
    replace(TALK, coverage=replace(TALK.coverage, gaps=(Gap(8.0, 9.5, "a  loop --> of\nwords"),))),
    transcript_of([replace(timed("No times here at all.", 0.0), words=())], "English", 3.0)],
    ids=["talk", "scripts", "long", "words", "empty", "gaps", "bare"])
def test_subtitles_of_an_untouched_page_are_those_of_the_library(reader, transcript):
    page = reader.open(write_html(transcript))
    assert export(page, "srt", reader.folder) == write_srt(transcript)
    assert export(page, "vtt", reader.folder) == write_vtt(transcript)


def test_subtitles_follow_the_limits_that_were_asked_for(reader):
    page = reader.open(write_html(TALK, cues=preset("shorts")))
    assert export(page, "srt", reader.folder) == write_srt(TALK, preset("shorts"))


def test_a_correction_changes_the_subtitles_around_it_alone(page, reader):
    page.keyboard.press("e")
    type_into(page, 1, "Is it eleven forty five and a half already, or is it much, much later than any of us thought it was?")
    page.get_by_role("button", name="SPEAKER_00").first.click()
    page.get_by_role("textbox", name="Name").fill("Anna")
    page.keyboard.press("Enter")
    cues = export(page, "srt", reader.folder).split("\n\n")
    before = write_srt(TALK).replace("SPEAKER_00", "Anna").split("\n\n")
    assert cues[0] == before[0]
    assert cues[-2].split("\n")[1:] == before[-2].split("\n")[1:]
    changed = [cue.split("\n")[2:] for cue in cues[1:-2]]
    assert " ".join(line for lines in changed for line in lines).startswith("SPEAKER_01: Is it eleven forty five and a half already, or")
    assert all(len(lines) <= 2 and all(len(line) <= 42 for line in lines) for lines in changed)
    times = [cue.split("\n")[1] for cue in cues[:-1]]
    ends = [(time[:12], time[-12:]) for time in times]
    assert all(start < end for start, end in ends)
    assert all(end <= start for (_, end), (start, _) in pairwise(ends))


def test_export_of_the_page_is_read_by_from_dict_even_without_words(reader):
    plain = transcript_of([replace(timed("No words here.", 0.0), words=())], "English", 3.0)
    assert read_back(reader.open(write_html(plain)), reader.folder) == plain
    assert isinstance(plain, Transcript)
