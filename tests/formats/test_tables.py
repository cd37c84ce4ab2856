"""Tables, tiers and pages in seven languages, read back by parsers that are not ours."""

import csv
import io
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from praatio import textgrid

from ossicle.errors import FormatError
from ossicle.formats.markdown import write_markdown
from ossicle.formats.research import write_ctm, write_rttm, write_stm
from ossicle.formats.tables import write_audacity, write_csv, write_tsv
from ossicle.formats.textgrid import write_textgrid
from ossicle.options import CueOptions
from ossicle.results import Coverage, Gap, Segment, Transcript, Turn, Word
from tests.formats.speech import TEXTS, spoken

WORDS = CueOptions(word_times=True)
EMPTY = Transcript("", None, 0.0, (), (), Coverage(0.0, 0.0, 0.0, 0.0))
each_language = pytest.mark.parametrize("language", TEXTS)


@each_language
def test_tsv_has_whispers_columns_in_milliseconds(language):
    transcript = spoken(language)
    rows = list(csv.DictReader(io.StringIO(write_tsv(transcript)), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [(int(row["start"]), int(row["end"]), row["text"]) for row in rows] == [
        (round(part.start * 1000), round(part.end * 1000), part.text.strip()) for part in transcript.segments]
    words = list(csv.DictReader(io.StringIO(write_tsv(transcript, WORDS)), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [row["text"] for row in words] == [word.text.strip() for word in transcript.words]


@each_language
def test_csv_keeps_segments_and_words_whole(language):
    transcript = spoken(language, ("Anna", 'Bob "the", Builder'))
    rows = list(csv.DictReader(io.StringIO(write_csv(transcript))))
    assert [(float(row["start"]), float(row["end"]), row["speaker"], row["language"], row["text"]) for row in rows] == [
        (part.start, part.end, part.speaker, language, part.text.strip()) for part in transcript.segments]
    words = list(csv.DictReader(io.StringIO(write_csv(transcript, WORDS))))
    assert [(float(row["start"]), row["timing"], float(row["confidence"]), row["text"]) for row in words] == [
        (word.start, "aligned", word.confidence, word.text.strip()) for word in transcript.words]


def test_csv_leaves_what_is_unknown_empty():
    part = Segment("Hi", 0.0, 1.0)
    row, = csv.DictReader(io.StringIO(write_csv(replace(EMPTY, segments=(part,)))))
    assert row == {"start": "0.000", "end": "1.000", "speaker": "", "language": "", "confidence": "", "text": "Hi"}


@each_language
def test_audacity_labels_are_three_fields(language):
    rows = [line.split("\t") for line in write_audacity(spoken(language, ("Anna",))).splitlines()]
    assert [(float(start), float(end), text) for start, end, text in rows] == [
        (part.start, part.end, f"Anna: {part.text.strip()}") for part in spoken(language).segments]
    assert len(write_audacity(spoken(language), WORDS).splitlines()) == len(spoken(language).words)


@each_language
def test_textgrid_is_read_back_by_praatio(language, tmp_path):
    transcript = spoken(language, ("Anna", "Bob"))
    grid = opened(write_textgrid(transcript), tmp_path)
    assert grid.tierNames == ("words", "segments", "speakers")
    words = [entry for entry in grid.getTier("words").entries if entry.label]
    assert [(entry.start, entry.end, entry.label) for entry in words] == [
        (pytest.approx(word.start), pytest.approx(word.end), word.text.strip()) for word in transcript.words]
    assert [entry.label for entry in grid.getTier("segments").entries if entry.label] == [part.text.strip() for part in transcript.segments]
    assert {entry.label for entry in grid.getTier("speakers").entries} <= {"Anna", "Bob", ""}


@settings(max_examples=100, deadline=None)
@given(st.lists(max_size=12, elements=st.tuples(
    st.sampled_from(["a", 'say "x"', "好", ""]), st.sampled_from([0.0, 0.1, 0.5]), st.sampled_from([0.0, 0.2]))))
def test_tiers_leave_no_gap_and_lose_no_word(words):
    now, made = 0.0, []
    for text, length, pause in words:
        made.append(Word(f" {text}", now, now + length))
        now += length + pause
    part = Segment("".join(word.text for word in made), 0.0, now, words=tuple(made))
    written = write_textgrid(replace(EMPTY, duration=now, segments=(part,) if made else ()))
    for tier in re.split(r"item \[\d\]:", written)[1:]:
        end = float(re.search(r"xmax = ([\d.]+)", tier)[1])
        intervals = [(float(low), float(high)) for low, high in re.findall(r"xmin = ([\d.]+)\n +xmax = ([\d.]+)\n +text", tier)]
        assert intervals[0][0] == 0
        assert intervals[-1][1] == end
        assert all(low < high for low, high in intervals)
        assert all(left[1] == right[0] for left, right in pairwise(intervals))
    labels = re.findall(r'text = "((?:[^"]|"")*)"', written.partition("item [2]")[0])
    assert " ".join(filter(None, labels)).replace('""', '"').split() == " ".join(text for text, _, _ in words).split()


@each_language
def test_ctm_has_a_line_for_each_word(language):
    transcript = spoken(language)
    rows = [line.split() for line in write_ctm(transcript).splitlines()]
    assert {tuple(row[:2]) for row in rows} == {(f"{language}_talk", "1")}
    assert [(float(start), float(length), word, float(sure)) for _, _, start, length, word, sure in rows] == [
        (word.start, pytest.approx(word.end - word.start, abs=0.001), "_".join(word.text.split()), word.confidence)
        for word in transcript.words]


def test_ctm_says_where_times_are_estimates_and_leaves_out_unknown_confidence():
    bare = replace(EMPTY, source="talk.wav", segments=(Segment("one two", 0.0, 2.0),))
    assert write_ctm(bare).splitlines() == [
        ";; the times of 2 of 2 words are estimates: shares of their segment", "talk 1 0.000 1.000 one", "talk 1 1.000 1.000 two"]


@each_language
def test_stm_has_a_line_for_each_segment(language):
    transcript = spoken(language, ("Anna", "Bob Jones"))
    rows = [re.fullmatch(r"(\S+) 1 (\S+) (\S+) (\S+) <o,f0,unknown> (.*)", line).groups() for line in write_stm(transcript).splitlines()]
    assert [(name, float(start), float(end), text) for _, name, start, end, text in rows] == [
        ("_".join(part.speaker.split()), part.start, part.end, part.text.strip()) for part in transcript.segments]


def test_rttm_has_a_line_for_each_turn_in_order():
    turns = (Turn(2.0, 4.0, "Bob Jones"), Turn(0.5, 3.0, "Anna"))
    assert write_rttm(replace(EMPTY, source="a b.wav", turns=turns)).splitlines() == [
        "SPEAKER a_b 1 0.500 2.500 <NA> <NA> Anna <NA> <NA>", "SPEAKER a_b 1 2.000 2.000 <NA> <NA> Bob_Jones <NA> <NA>"]


def test_rttm_makes_turns_of_words_and_says_what_it_needs():
    talk = replace(spoken("English", ("Anna", "Bob")), turns=())
    assert [line.split()[7] for line in write_rttm(talk).splitlines()] == ["Anna", "Bob", "Anna", "Bob", "Anna"]
    with pytest.raises(FormatError, match="transcribe with --speakers"):
        write_rttm(spoken("English"))
    assert write_rttm(EMPTY) == ""


@each_language
def test_markdown_shows_the_text_as_it_is(language):
    transcript = spoken(language, ("Anna_1", "*Bob*"))
    shown = plain(write_markdown(transcript))
    assert "".join(shown.split()).count("".join("".join(part.text for part in transcript.segments[:1]).split())) == 1
    for part in transcript.segments:
        assert "".join(part.text.split()) in "".join(shown.split())
    assert "Anna_1" in shown
    assert "*Bob*" in shown


@pytest.mark.parametrize("text", [
    "# no title", "- no list", "1. no list", "*a* _b_ `c` [d](e) <f> ~g~ |h| a & b &amp; \\n", "> no quote", "+ x", "====", "2) y"])
def test_markdown_takes_no_text_for_markup(text):
    part = Segment(text, 0.0, 1.0)
    assert plain(write_markdown(replace(EMPTY, text=text, segments=(part,)))).splitlines()[-1] == text


def test_markdown_names_what_is_missing_and_what_was_warned_of():
    gap = Gap(1.0, 2.0, "the budget ran out")
    written = write_markdown(replace(spoken("English"), coverage=Coverage(30.0, 29.0, 0.0, 1.0, (gap,)), warnings=("a *warning*",)))
    assert "> **Missing**: text may be missing from 00:00:01.000 to 00:00:02.000: the budget ran out" in written
    assert written.endswith("## Warnings\n\n- a \\*warning\\*\n")


def test_a_paragraph_ends_with_a_sentence_before_a_long_pause():
    words = (Word("One", 0, 1), Word(" two.", 1, 2), Word(" Three,", 5, 6), Word(" four.", 9, 10))
    part = Segment("One two. Three, four.", 0.0, 10.0, words=words)
    assert write_markdown(replace(EMPTY, segments=(part,))).split("\n\n")[2:] == ["`00:00:00`  \nOne two.", "`00:00:05`  \nThree, four.\n"]


def test_an_empty_transcript_is_a_valid_file(tmp_path):
    assert write_tsv(EMPTY) == "start\tend\ttext\n"
    assert write_csv(EMPTY) == "start,end,speaker,language,confidence,text\n"
    assert write_audacity(EMPTY) == write_ctm(EMPTY) == write_stm(EMPTY) == ""
    assert opened(write_textgrid(EMPTY), tmp_path).tierNames == ("words", "segments")
    assert plain(write_markdown(EMPTY)).startswith("Transcript")


def opened(written, folder):
    (folder / "talk.TextGrid").write_text(written, "utf-8")
    return textgrid.openTextgrid(str(folder / "talk.TextGrid"), includeEmptyIntervals=True, reportingMode="error")


def plain(markdown):
    """What a reader sees, by another program."""
    shown = []
    for token in MarkdownIt("commonmark").parse(markdown):
        for child in token.children or ():
            shown.append("\n" if child.type in ("softbreak", "hardbreak") else child.content)
        shown.append("\n" if token.type == "inline" else "")
    return "".join(shown)
