"""Files back to transcripts: ours exactly, those of other programs with their text, times and speakers."""

import json
from dataclasses import replace

import pytest

from ossicle.errors import AudioError, FormatError
from ossicle.formats.ass import write_ass
from ossicle.formats.cues import cut_cues
from ossicle.formats.lines import error_line, segment_line, write_jsonl
from ossicle.formats.read import Failure, read_file, read_text, read_transcript
from ossicle.formats.srt import write_srt
from ossicle.formats.vtt import write_vtt
from ossicle.formats.write import write_json, write_json_error
from ossicle.options import CueOptions
from ossicle.results import Transcript
from tests.formats.speech import TEXTS, spoken
from tests.talk import TRANSCRIPT, WHOLE

each_language = pytest.mark.parametrize("language", TEXTS)


def one(text):
    found, = read_text(text, "talk")
    return found


def without_words_of_chunks(transcript):
    """What a file can give back: words stand in the segments."""
    return replace(transcript, chunks=tuple(replace(chunk, words=()) for chunk in transcript.chunks))


@pytest.mark.parametrize("transcript", [TRANSCRIPT, WHOLE, *(spoken(language, ("Anna", "Bob")) for language in TEXTS)],
                         ids=lambda transcript: transcript.language)
def test_json_and_lines_give_the_same_transcript_back(transcript):
    expected = without_words_of_chunks(transcript)
    assert one(write_json(transcript, with_tokens=True)) == expected
    assert one(write_jsonl(transcript, with_tokens=True)) == expected
    bare = replace(expected, chunks=tuple(replace(chunk, tokens=()) for chunk in expected.chunks))
    assert one(write_json(transcript)) == one(write_jsonl(transcript)) == bare


def test_several_recordings_keep_their_order_and_their_failures():
    error = AudioError("expected sound, got text")
    array = json.dumps([json.loads(write_json(WHOLE)), json.loads(write_json_error(error, "b.wav"))])
    mixed = write_jsonl(WHOLE).splitlines(keepends=True)
    lines = mixed[0] + error_line(error, "b.wav") + "".join(mixed[1:])
    assert [type(entry) for entry in read_text(array, "all.json")] == [Transcript, Failure]
    assert read_text(array, "all.json")[1] == Failure("b.wav", "expected sound, got text")
    assert sorted(str(type(entry)) for entry in read_text(lines, "all.jsonl")) == sorted(map(str, [Failure, Transcript]))
    assert read_text("[]", "none.json") == []


def test_lines_that_end_early_are_a_failure_that_says_so():
    cut = segment_line(WHOLE.segments[0], "talk.wav")
    assert read_text(cut, "talk.jsonl") == [Failure("talk.wav", "its lines end before `done`: the work was interrupted")]


def test_a_line_separator_in_the_text_parts_no_line():
    odd = replace(WHOLE, segments=(replace(WHOLE.segments[0], text="a\u2028b", words=()),), text="a\u2028b")
    assert one(write_jsonl(odd)).text == "a\u2028b"


def test_fields_of_a_later_release_are_passed_over():
    entry = json.loads(write_json(WHOLE)) | {"mood": "cheerful"}
    entry["segments"][0]["mood"] = "calm"
    assert one(json.dumps(entry)).text == WHOLE.text


@pytest.mark.parametrize(("change", "message"), [
    ({"schema": "ossicle-transcript/2"}, "talk is in the form ossicle-transcript/2, and this ossicle reads ossicle-transcript/1"),
    ({"schema": "other"}, "talk has schema 'other', expected 'ossicle-transcript/1'"),
    ({"duration": "long"}, "talk: duration must be a number, got 'long'"),
    ({"duration": float("nan")}, "talk: duration must be a number, got nan"),
    ({"segments": {}}, "talk: segments must be a list, got {}"),
    ({"segments": [{"text": "a", "start": 0}]}, "talk: segments[0] has no end, which every segment has"),
    ({"segments": [{"text": "a", "start": 0, "end": 1, "words": [{"text": 7}]}]}, "talk: segments[0].words[0].text must be text, got 7"),
    ({"segments": [{"text": "a", "start": 0, "end": True}]}, "talk: segments[0].end must be a number, got True"),
    ({"chunks": [{"index": 0, "start": 0, "end": 1, "text": "", "language": None, "stopped_by": "luck"}]},
     "talk: chunks[0].stopped_by must be one of eos, budget, loop, cancelled, silence, got 'luck'"),
    ({"coverage": None}, "talk: coverage must be an object, got None"),
    ({"source": 5}, "talk: source must be text, got 5")])
def test_what_is_wrong_is_named_with_its_place(change, message):
    with pytest.raises(FormatError) as caught:
        one(json.dumps(json.loads(write_json(WHOLE)) | change))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(("text", "message"), [
    ("{", "talk is not valid JSON: "), ("[1]", "expected a transcript at talk[0], got int"), ("{}", "talk is JSON but no transcript"),
    ("Hello.", "talk is no transcript that ossicle reads; it reads JSON"), ("", "talk is no transcript"),
    ('{"kind": "segment"}\nnot', "talk, line 2 is not valid JSON"), ('{"a": 1}\n{"b": 2}', "talk, line 1 is no line of a transcript"),
    ("WEBVTT\n\nfoo --> bar\nHi", "talk has no line of times that can be read")])
def test_what_is_no_transcript_is_said_in_words(text, message):
    with pytest.raises(FormatError) as caught:
        read_text(text, "talk")
    assert str(caught.value).startswith(message)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(FormatError, match=r"expected a transcript at .*none\.json, but the system said"):
        read_file(tmp_path / "none.json")
    (tmp_path / "talk.wav").write_bytes(b"RIFF\xff\xfe")
    with pytest.raises(FormatError, match=r"talk\.wav is not text in UTF-8 \(byte 4\)"):
        read_file(tmp_path / "talk.wav")
    (tmp_path / "two.json").write_text(json.dumps([json.loads(write_json(WHOLE))] * 2))
    with pytest.raises(FormatError, match=r"expected one transcript in .*two\.json, got 2"):
        read_transcript(tmp_path / "two.json")
    (tmp_path / "bom.json").write_text(write_json(WHOLE), "utf-8-sig")
    assert read_transcript(tmp_path / "bom.json").text == WHOLE.text


@each_language
@pytest.mark.parametrize("write", [write_srt, write_vtt, write_ass], ids=["srt", "vtt", "ass"])
def test_subtitles_come_back_with_text_times_and_speakers(language, write):
    options = CueOptions(speaker_labels=write is write_vtt)
    transcript = spoken(language, ("Anna", "Bob"))
    read, cues = one(write(transcript, options)), cut_cues(transcript, options)
    if language == "Thai":                           # a line may end at a space or at none, which the file does not say
        assert read.text.replace(" ", "") == transcript.text.replace(" ", "")
    else:
        assert read.text == transcript.text.strip()
    step = 0.0051 if write is write_ass else 1e-9
    assert [(part.start, part.end) for part in read.segments] == [(pytest.approx(cue.start, abs=step), pytest.approx(cue.end, abs=step))
                                                                   for cue in cues]
    if write is not write_srt:
        assert [part.speaker for part in read.segments] == [cue.speaker for cue in cues]
    assert "".join(part.text for part in read.segments) == read.text
    assert read.warnings


@each_language
def test_times_of_words_come_back_from_vtt(language):
    transcript = spoken(language)
    read = one(write_vtt(transcript, CueOptions(word_times=True)))
    assert all("".join(word.text for word in part.words) == part.text for part in read.segments)
    units = [unit for cue in cut_cues(transcript) for unit in cue.units]
    assert [word.text.strip() for word in read.words] == [unit.text for unit in units]
    assert [word.start for word in read.words] == [pytest.approx(unit.start, abs=0.002) for unit in units]


def test_subtitles_of_other_programs_are_read_in_their_ways():
    text = "1\r\n00:00:01,5 --> 00:00:02,000 X1:1\r\n<i>Hi</i> {\\an8}there\r\nfriend\r\n\r\n2\r\n0:00:03,000 --> 0:00:04,000\r\n12\r\n\r\n"
    assert [(part.start, part.end, part.text) for part in one(text).segments] == [(1.5, 2.0, "Hi there friend"), (3.0, 4.0, " 12")]
    vtt = ("WEBVTT - title\nX: y\n\nSTYLE\n::cue { color: red }\n\nid one\n01:00.000 --> 01:02.000 line:0\n"
           "<v.loud Bob &amp; Co><c.x>A &lt; B</c></v>\n")
    assert [(part.start, part.text, part.speaker) for part in one(vtt).segments] == [(60.0, "A < B", "Bob & Co")]
    assert one("WEBVTT\n").segments == ()


def test_lines_of_chinese_join_without_a_space_and_of_english_with_one():
    times = ["00:00:01,000 --> 00:00:02,000", "00:00:03,000 --> 00:00:04,000", "00:00:05,000 --> 00:00:06,000"]
    lines = ["你好\n世界", "한국어\n여러분", "well\ndone"]
    text = "".join(f"{number}\n{time}\n{line}\n\n" for number, (time, line) in enumerate(zip(times, lines), start=1))
    assert one(text).text == "你好世界 한국어 여러분 well done"


def test_whispers_json_is_read_with_its_words():
    whisper = {"text": " Well-known. It's 5:30", "language": "en", "segments": [
        {"id": 0, "start": 0.0, "end": 1.0, "text": " Well-known.", "avg_logprob": -0.1, "words": [
            {"word": " Well", "start": 0.0, "end": 0.4, "probability": 0.9},
            {"word": "-known.", "start": 0.4, "end": 1.0, "probability": 0.8}]},
        {"id": 1, "start": 1.0, "end": 2.0, "text": " It's 5:30", "words": []}]}
    read = one(json.dumps(whisper))
    assert (read.text, read.language, read.duration) == ("Well-known. It's 5:30", "English", 2.0)
    assert [(word.text, word.start, word.confidence) for word in read.words] == [("Well", 0.0, 0.9), ("-known.", 0.4, 0.8)]


def test_loose_and_stripped_words_find_their_place_in_the_text():
    verbose = {"task": "transcribe", "language": "english", "duration": "2.5", "text": "Well-known, it's $5.",
               "segments": [{"start": 0, "end": 2.5, "text": "Well-known, it's $5."}],
               "words": [{"word": "Well-known", "start": 0, "end": 1}, {"word": "it's", "start": 1, "end": 1.5},
                         {"word": "5", "start": 1.5, "end": 2.5}]}
    read = one(json.dumps(verbose))
    assert [word.text for word in read.words] == ["Well-known,", " it's", " $5."]
    assert (read.duration, read.language) == (2.5, "English")
    diarized = {"segments": [{"start": 0, "end": 1, "text": "Hi", "speaker": "SPEAKER_00", "words": [{"word": "Hi"}]}], "language": "xx"}
    assert (one(json.dumps(diarized)).segments[0].speaker, one(json.dumps(diarized)).words[0].start) == ("SPEAKER_00", None)


@pytest.mark.parametrize(("segment", "message"), [
    ({"start": "a", "end": 1, "text": ""}, "talk: segments[0].start must be a number of seconds, got 'a'"),
    ({"start": 0, "end": None, "text": ""}, "talk: segments[0] must have numbers as start and end"),
    ({"start": 0, "end": 1, "text": "a", "words": [{"start": 0}]}, "talk: segments[0] has a word without text")])
def test_broken_json_of_another_program_is_named_with_its_place(segment, message):
    with pytest.raises(FormatError) as caught:
        one(json.dumps({"segments": [segment]}))
    assert str(caught.value).startswith(message)
