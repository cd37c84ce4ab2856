"""Cues keep every limit that can be kept, in the order in which docs/formats.md promises it."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.formats.breaking import Strip
from ossicle.formats.columns import columns
from ossicle.formats.cues import FOREVER, _cut_block, cue_cost, cut_cues, possible_ends
from ossicle.formats.presets import PRESETS, preset
from ossicle.formats.units import make_units
from ossicle.options import CueOptions
from ossicle.results import Chunk, Coverage, Segment, Transcript, Word
from tests.formats.speech import TEXTS, spoken

PIECES = [" well-known", " I", " said.", " it's,", " 3.14", " $5", " Donaudampfschifffahrt", " Yes!", " no?", "我", "们，", "好。", "カ",
          "ー", "です。", " สวัส", "ดี", " हिन्दी", " है।", " مرحبًا", " كيف؟", " 한국어", "“你", "好”", " a", " \u00abBonjour\u00a0!\u00bb",
          " 👩‍👩‍👧", "——", " \t "]
ANY_LIMITS = st.builds(
    CueOptions, max_line_width=st.integers(8, 50), max_lines=st.integers(1, 3), max_words=st.none() | st.integers(1, 8),
    max_gap=st.floats(0.1, 2), min_duration=st.floats(0, 1.5), max_duration=st.floats(1.5, 8), max_cps=st.floats(5, 40),
    max_linger=st.floats(0, 2), min_gap=st.sampled_from([0.0, 2 / 24, 0.5]), close_gap=st.floats(0, 1))


@st.composite
def any_speech(draw):
    """Words of any script with any times: some missing, some piled on one spot, some running backwards."""
    now, segments = 0.0, []
    for _ in range(draw(st.integers(0, 3))):
        words, start = [], now
        for _ in range(draw(st.integers(1, 14))):
            length = draw(st.sampled_from([0.0, 0.05, 0.2, 0.4, 0.8, 2.5]))
            speaker = draw(st.sampled_from([None, "Anna"]))
            word = Word(draw(st.sampled_from(PIECES)), now, now + length, None, "aligned", speaker)
            kind = draw(st.integers(0, 9))
            words.append(replace(word, start=None, end=None, timing=None) if kind == 0
                         else replace(word, start=max(0.0, now - 1)) if kind == 1 else word)
            now += length + draw(st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.3, 1.2]))
        segments.append(Segment("".join(word.text for word in words), start, now, draw(st.sampled_from([None, "English", "Chinese"])),
                                words=tuple(words)))
    return Transcript("".join(segment.text for segment in segments), None, now, tuple(segments), (), Coverage(now, now, 0.0, 0.0))


def squashed(text):
    return "".join(text.replace("\u200b", "").split())


@settings(max_examples=200, deadline=None)
@given(any_speech(), ANY_LIMITS)
def test_the_text_is_shown_once_and_in_order(transcript, options):
    cues = cut_cues(transcript, options)
    assert squashed("".join(cue.text for cue in cues)) == squashed(transcript.text)
    assert all(line == line.strip() and line for cue in cues for line in cue.text.split("\n"))


@settings(max_examples=200, deadline=None)
@given(any_speech(), ANY_LIMITS)
def test_cues_never_overlap_and_never_vanish(transcript, options):
    cues = cut_cues(transcript, options)
    assert all(cue.start < cue.end for cue in cues)
    assert all(left.end <= right.start for left, right in pairwise(cues))


def test_the_last_cue_does_not_outlast_the_recording():
    words = (Word("Short.", 1.5, 1.7, None, "aligned"),)
    chunk = Chunk(0, 0.0, 2.0, "Short.", "English", "eos")
    transcript = Transcript("Short.", "English", 2.0, (Segment("Short.", 1.5, 1.7, "English", words=words),), (chunk,),
                            Coverage(2.0, 2.0, 0.0, 0.0))
    cue, = cut_cues(transcript)
    assert (cue.start, cue.end) == (1.5, 2.0)


@settings(max_examples=300, deadline=None)
@given(any_speech(), ANY_LIMITS)
def test_width_lines_words_and_longest_duration_are_kept(transcript, options):
    for cue in cut_cues(transcript, options):
        is_one_word = len(cue.units) == 1
        assert all(columns(line) <= options.max_line_width or len(cue.lines[place]) == 1 for place, line in enumerate(cue.text.split("\n")))
        assert len(cue.lines) <= options.max_lines
        assert cue.end - cue.start <= options.max_duration + 1e-9
        assert is_one_word or options.max_words is None or sum(unit.num_words for unit in cue.units) <= options.max_words
        assert is_one_word or cue.units[-1].end - cue.units[0].start <= options.max_duration + 1e-9


@settings(max_examples=200, deadline=None)
@given(any_speech(), ANY_LIMITS)
def test_no_cue_holds_a_long_pause_or_two_speakers(transcript, options):
    for cue in cut_cues(transcript, options):
        assert len({unit.speaker for unit in cue.units}) == 1
        assert all(right.start - left.end <= options.max_gap for left, right in pairwise(cue.units))


@settings(max_examples=300, deadline=None)
@given(any_speech(), ANY_LIMITS)
def test_a_cue_is_too_short_only_where_no_neighbour_could_take_it(transcript, options):
    cues = cut_cues(transcript, options)
    for left, right in pairwise(cues):
        for cue in (left, right):
            if cue.end - cue.start < options.min_duration - 0.002 and (cue is left or right is cues[-1]):
                assert not could_be_one(left, right, options)


def could_be_one(left, right, options):
    """Whether the units of two neighbours may stand in one cue."""
    units = [*left.units, *right.units]
    if left.speaker != right.speaker or right.units[0].start - left.units[-1].end > options.max_gap:
        return False
    strip = Strip(units, options.max_line_width)
    return (strip.num_lines(0, len(units)) <= options.max_lines and units[-1].end - units[0].start <= options.max_duration
            and (options.max_words is None or sum(unit.num_words for unit in units) <= options.max_words))


@settings(max_examples=200, deadline=None)
@given(any_speech(), ANY_LIMITS)
def test_a_cue_that_must_be_read_fast_stays_as_long_as_it_may(transcript, options):
    cues = cut_cues(transcript, options)
    for cue, following in zip(cues, [*cues[1:], None]):
        width = columns(cue.plain)
        if width / (cue.end - cue.start) > options.max_cps + 0.1:
            room = following.start - cue.start if following else FOREVER
            latest = min(cue.start + room - min(options.min_gap, room / 2), cue.start + options.max_duration)
            lingers = max(cue.units[-1].end, cue.start) + options.max_linger
            assert cue.end >= min(latest, lingers) - 0.003


@settings(max_examples=60, deadline=None)
@given(any_speech(), ANY_LIMITS)
def test_the_cheapest_path_is_the_cheapest_of_all(transcript, options):
    units = [unit for unit in make_units(transcript, options) if unit.speaker is None][:9]
    units = [replace(unit, cost=0.0) for unit in units]          # every place is open, so that none is left out for speed
    if not units:
        return
    strip, places = Strip(units, options.max_line_width), range(len(units))

    def cost_of(cut):
        lack = cost = 0.0
        for start, end in pairwise([0, *cut, len(units)]):
            short, dear = cue_cost(strip, start, end, units[end].start if end < len(units) else FOREVER, options)
            lack, cost = lack + short, cost + dear + strip.break_lines(start, end)[0]
        return lack, round(cost, 6)

    def every_cut(start):
        for end in possible_ends(strip, start, places, options):
            if end == len(units):
                yield []
            else:
                yield from ([end, *rest] for rest in every_cut(end))

    found = _cut_block(units, FOREVER, options)
    chosen = [0]
    for lines in found:
        chosen.append(chosen[-1] + sum(len(line) for line in lines))
    assert cost_of(chosen[1:-1]) == min(map(cost_of, every_cut(0)))


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("language", TEXTS)
def test_every_preset_keeps_its_limits_in_every_script(language, name):
    transcript, options = spoken(language), preset(name, language)
    cues = cut_cues(transcript, options)
    assert squashed("".join(cue.text for cue in cues)) == squashed(transcript.text)
    too_wide = [line for cue in cues for line in cue.text.split("\n") if columns(line) > options.max_line_width]
    assert not [line for line in too_wide if " " in line]        # a single word at most
    assert all(len(cue.lines) <= options.max_lines and cue.end - cue.start <= options.max_duration for cue in cues)
    assert all(right.start - left.end >= options.min_gap - 0.001 for left, right in pairwise(cues))


@pytest.mark.parametrize("language", ["English", "German", "Hindi", "Arabic"])
def test_no_cue_holds_parts_of_two_sentences_where_each_has_time(language):
    cues = cut_cues(spoken(language))
    inner = [unit.text for cue in cues for unit in cue.units[:-1] if unit.ends_sentence]
    assert inner == (["Yes.", "No."] if language == "English" else [])      # half a second each


def words(*texts, seconds=0.4, pause=0.0, speaker=None, **rest):
    """A transcript of these words, one after the other."""
    made = [Word(text, place * (seconds + pause), place * (seconds + pause) + seconds, speaker=speaker) for place, text in enumerate(texts)]
    end = made[-1].end
    text = "".join(texts)
    return Transcript(text, "English", end, (Segment(text, 0.0, end, "English", words=tuple(made)),), (), Coverage(end, end, 0.0, 0.0))


def texts_of(transcript, **limits):
    return [cue.text for cue in cut_cues(transcript, CueOptions(**limits))]


def test_a_short_cue_stays_into_the_pause_behind_it():
    one, two = cut_cues(words("Yes.", " Indeed.", seconds=0.3, pause=2.0))
    assert (one.start, one.end, two.start) == (0.0, 1.0, 2.3)


def test_short_sentences_share_a_cue_and_long_ones_do_not():
    assert texts_of(words("Yes.", " No.", " Maybe.", seconds=0.3, pause=0.1)) == ["Yes. No. Maybe."]
    assert texts_of(words("Yes.", " No.", " Maybe.", seconds=1.2, pause=0.1)) == ["Yes.", "No.", "Maybe."]


def test_a_flickering_rest_is_closed_and_a_real_one_is_left():
    near, _ = cut_cues(words("A sentence.", " Another one.", seconds=1.5, pause=0.3))
    assert near.end == pytest.approx(1.8 - 2 / 24, abs=0.001)
    far, _ = cut_cues(words("A sentence.", " Another one.", seconds=1.5, pause=0.7))
    assert far.end == 1.5


def test_a_word_wider_than_the_line_stays_whole_and_one_of_a_script_without_spaces_is_cut():
    lines = [line for cue in texts_of(words("Die", " Donaudampfschifffahrt", " sinkt."), max_line_width=16) for line in cue.split("\n")]
    assert lines == ["Die", "Donaudampfschifffahrt", "sinkt."]
    cues = texts_of(words("我们今天要讨论的话题是人工智能"), max_line_width=16)
    assert all(columns(line) <= 16 for cue in cues for line in cue.split("\n"))


def test_a_long_pause_and_a_speaker_end_a_cue():
    assert texts_of(words("one", " two", pause=0.9)) == ["one", "two"]
    transcript = words("one", " two")
    first, second = transcript.segments[0].words
    parted = replace(transcript.segments[0], words=(replace(first, speaker="A"), replace(second, speaker="B")))
    assert texts_of(replace(transcript, segments=(parted,))) == ["one", "two"]


def test_names_stand_where_the_speaker_changes_and_count_in_the_width():
    cues = cut_cues(spoken("English", ("Anna", "Bob")), with_labels=True)
    starts = [cue.text.partition(" ")[0] for cue in cues if cue.lines[0][0].is_label]
    assert starts == ["Anna:", "Bob:", "Anna:", "Bob:", "Anna:"]
    assert all(columns(line) <= 42 for cue in cues for line in cue.text.split("\n"))
    assert not any("Anna" in cue.text for cue in cut_cues(spoken("English", ("Anna",)), with_labels=True))
    assert not any("Anna" in cue.text for cue in cut_cues(spoken("English", ("Anna", "Bob")), CueOptions(speaker_labels=False), True))


def test_a_name_too_long_is_shortened_and_one_that_fits_nowhere_left_out():
    long = spoken("English", ("Dr. Wolfeschlegelsteinhausenbergerdorff the Elder", "Bob"))
    first = cut_cues(long, with_labels=True)[0]
    assert first.text.startswith("Dr. Wolfeschlegelst…:")
    assert all(columns(line) <= 12 or " " not in line
               for cue in cut_cues(long, CueOptions(max_lines=1, max_line_width=12), True) for line in cue.text.split("\n"))


def test_words_without_times_share_their_segment():
    bare = replace(spoken("English"), segments=tuple(replace(segment, words=()) for segment in spoken("English").segments))
    cues = cut_cues(bare)
    assert squashed("".join(cue.text for cue in cues)) == squashed(bare.text)
    assert cues[0].start == bare.segments[0].start
    assert cues[-1].units[-1].end == bare.segments[-1].end


def test_an_empty_transcript_has_no_cues():
    assert cut_cues(Transcript("", None, 0.0, (), (), Coverage(0.0, 0.0, 0.0, 0.0))) == ()


def test_lines_are_balanced_and_broken_where_phrases_part():
    assert cut_cues(spoken("English"))[0].text == "Good evening,\nand welcome to the programme."
    assert cut_cues(spoken("German"))[-1].text == "wie Frau Dr. Müller-Lüdenscheidt sagt,\nfast ausverkauft."
    assert cut_cues(spoken("Japanese"))[1].text == "今日は東京の古い町並みについて\nお話ししたいと思います。"
    assert cut_cues(spoken("Arabic"))[1].text.split("\n")[0] == "أعلنت الحكومة اليوم عن خطة جديدة"


def test_no_line_begins_with_a_mark_that_closes():
    for language in TEXTS:
        for width in range(8, 44):
            lines = [line for cue in cut_cues(spoken(language), CueOptions(max_line_width=width)) for line in cue.text.split("\n")]
            assert not [line for line in lines if line[0] in "，。、！？）」』”’،؛؟।,.!?)ーっゃょ々ๆะ" or line[-1] in "（「『“‘(เแโใไ"]
