"""Speakers through the whole pipeline: each word of a talk between two voices goes to the one who says it."""

from itertools import groupby

import numpy as np
import pytest
import soundfile

import ossicle
from ossicle import (
    AudioOptions,
    EngineOptions,
    MissingExtra,
    ModelError,
    OptionError,
    SpeakerOptions,
    TranscribeOptions,
)
from ossicle.formats.write import write_txt
from ossicle.pipeline.diarizer import Diarizers
from ossicle.pipeline.transcribe import Request, transcribe_each
from ossicle.progress import CancelToken, ChunkDone, Diarizing, Done, SegmentDone, Started, Warned
from ossicle.results import Turn
from tests.two_voices import RATE, two_voices
from tests.voices import talk

CPU = EngineOptions("cpu", "float32")


@pytest.fixture(scope="module")
def asr():
    with ossicle.load("tiny", CPU) as recognizer:
        yield recognizer


@pytest.fixture(scope="module", params=[0.05, 0.8], ids=["hardly a pause", "pauses"])
def spoken(request):
    return two_voices(request.param)


def of_words(transcript):
    return tuple(word.speaker for word in transcript.words)


def check(transcript, spoken):
    """What holds for every talk, whoever found the turns."""
    assert of_words(transcript) == spoken.speakers
    assert "".join(word.text for word in transcript.words) == transcript.text
    assert "".join(segment.text for segment in transcript.segments) == transcript.text
    assert [segment.speaker for segment in transcript.segments] == ["Ann", "Bo"] * 4
    assert transcript.speakers == ("Ann", "Bo")
    paragraphs = write_txt(transcript).split("\n\n")
    assert [paragraph.partition(":")[0] for paragraph in paragraphs] == ["Ann", "Bo"] * 4


@pytest.mark.parametrize("words", ["none", "attention"])
def test_a_function_of_the_caller_says_who_speaks(asr, spoken, words):
    asked = []

    def diarizer(samples, options):
        asked.append((samples, options))
        return list(spoken.turns)

    transcript = asr.transcribe((spoken.mono, RATE), options=TranscribeOptions(words=words), diarizer=diarizer)
    check(transcript, spoken)
    assert transcript.turns == spoken.turns
    (samples, options), = asked
    np.testing.assert_array_equal(samples, spoken.mono)
    assert options == SpeakerOptions()


def test_an_rttm_file_says_who_speaks(asr, spoken, tmp_path):
    (tmp_path / "talk.rttm").write_text(spoken.rttm() + spoken.rttm("other"))
    soundfile.write(tmp_path / "talk.wav", spoken.mono, RATE, subtype="FLOAT")
    for source in (tmp_path / "talk.rttm", str(tmp_path)):
        check(asr.transcribe(tmp_path / "talk.wav", options=TranscribeOptions(speakers=SpeakerOptions(source))), spoken)


@pytest.mark.parametrize("leak", [0.0, 0.1])
def test_channels_say_who_speaks(asr, spoken, leak):
    hiss = 1e-4 * np.random.default_rng(0).standard_normal(spoken.channels.shape)
    frames = (spoken.channels + leak * spoken.channels[:, ::-1] + hiss).astype(np.float32)
    options = TranscribeOptions(speakers=SpeakerOptions("channels", names={"0": "Ann", "RIGHT": "Bo"}))
    check(asr.transcribe((frames, RATE), options=options), spoken)


def test_speakers_are_called_by_their_channels(asr):
    frames = two_voices(0.8).channels
    transcript = asr.transcribe((frames, RATE), options=TranscribeOptions(speakers=SpeakerOptions("channels")))
    assert transcript.speakers == ("LEFT", "RIGHT")


def test_times_count_from_the_beginning_of_the_recording(asr, tmp_path):
    late = two_voices(0.8, before_seconds=20.0)
    (tmp_path / "talk.rttm").write_text(late.rttm())
    start = AudioOptions(start_seconds=late.turns[1].start - 0.4)
    options = TranscribeOptions(audio=start, speakers=SpeakerOptions(tmp_path / "talk.rttm"))
    transcript = asr.transcribe((late.mono, RATE), options=options)
    for got, turn in zip(transcript.turns, late.turns[1:], strict=True):
        assert (got.start, got.end) == pytest.approx((turn.start, turn.end), abs=1e-3)      # the file has milliseconds
        assert got.speaker == turn.speaker
    assert transcript.words[0].start == pytest.approx(late.turns[1].start, abs=0.2)
    assert [speaker for speaker, _ in groupby(of_words(transcript))] == ["Bo", "Ann"] * 3 + ["Bo"]


def test_every_way_of_transcribing_takes_a_function(asr, spoken):
    sources, seen = [(spoken.mono, RATE)] * 2, []

    def diarizer(samples, options):
        seen.append(len(samples))
        return list(spoken.turns)

    for transcripts in (asr.transcribe_many(sources, diarizer=diarizer), list(asr.transcribe_each(sources, diarizer=diarizer))):
        assert [of_words(transcript) for transcript in transcripts] == [spoken.speakers] * 2
    assert len(seen) == 4


def test_without_speakers_nobody_is_named_and_no_word_is_timed(asr, spoken):
    transcript = asr.transcribe((spoken.mono, RATE))
    assert set(of_words(transcript)) == {None}
    assert transcript.turns == ()
    assert all(word.start is None for word in transcript.words)
    assert write_txt(transcript) == transcript.text + "\n"


# ---------------------------------------------------------------- around a scripted network


def transcribe(engine, samples, options=None, own=None, **how):
    result, = transcribe_each(engine, [Request((samples, RATE))], options or TranscribeOptions(), diarizers=Diarizers(own), **how)
    if isinstance(result, ossicle.SpeechError):
        raise result
    return result


TURNS = [("low", 0.0, 3.0), ("high", 3.5, 7.5), ("low", 8.0, 13.0), ("high", 13.0, 19.0)]


def test_sherpa_says_who_speaks_and_tells_how_far_it_is(engine_of, ids):
    pytest.importorskip("sherpa_onnx")
    events, options = [], TranscribeOptions(speakers=SpeakerOptions("sherpa", model="tests/data/diarizer"), words="estimated")
    transcript = transcribe(engine_of(lambda tokens, _: ids("One two three.")), talk(TURNS, 19.0), options, on_event=events.append)
    assert [turn.speaker for turn in transcript.turns] == ["SPEAKER_00", "SPEAKER_01"] * 2
    assert all(word.speaker for word in transcript.words)
    kinds = [kind for kind, _ in groupby(events, key=type)]
    assert kinds[:3] == [Started, Diarizing, ChunkDone]
    assert [event.share for event in events if isinstance(event, Diarizing)][-1] == 1.0
    assert {SegmentDone, Done} <= set(kinds)
    assert 0 < transcript.timings.diarize < transcript.timings.total


def test_where_no_turn_is_found_all_words_go_to_one_speaker_and_a_warning_says_so(engine_of, ids):
    events = []
    transcript = transcribe(engine_of(lambda tokens, _: ids("One two.")), talk(TURNS, 19.0), own=lambda samples, options: [],
                            on_event=events.append)
    assert set(of_words(transcript)) == {"SPEAKER_00"}
    assert transcript.turns == ()
    assert "no turn of any speaker was found" in transcript.warnings[0]
    assert any(isinstance(event, Warned) for event in events)


def test_a_name_for_nobody_is_a_warning(engine_of, ids):
    options = TranscribeOptions(speakers=SpeakerOptions(names={"0": "Ann", "5": "Cy"}), words="estimated")
    transcript = transcribe(engine_of(lambda tokens, _: ids("One two.")), talk(TURNS, 19.0), options,
                            own=lambda samples, options: [Turn(0, 10, "x"), Turn(10, 19, "y")])
    assert transcript.warnings == ("no speaker is called 5; there are x, y",)
    assert transcript.speakers == ("Ann", "y")


@pytest.mark.parametrize("channels", [1, 2])
def test_channels_that_tell_nothing_are_named(engine_of, ids, channels):
    frames = np.repeat(talk(TURNS, 19.0)[:, None], channels, axis=1)
    options = TranscribeOptions(speakers=SpeakerOptions("channels"), words="estimated")
    engine = engine_of(lambda tokens, _: ids("One two."))
    if channels == 1:
        with pytest.raises(OptionError, match="need a recording with two channels or more, this one has one"):
            transcribe(engine, frames, options)
    else:
        transcript = transcribe(engine, frames, options)
        assert "the 2 channels hold the same sound" in transcript.warnings[0]
        assert set(of_words(transcript)) == {"SPEAKER_00"}


def test_cancelling_while_turns_are_found_gives_an_empty_transcript_that_says_so(engine_of, ids):
    token = CancelToken()

    def diarizer(samples, options):
        token.cancel()
        return []

    transcript = transcribe(engine_of(lambda tokens, _: ids("One.")), talk(TURNS, 19.0), own=diarizer, cancel=token)
    assert transcript.stopped_by == "cancelled"
    assert transcript.text == ""
    assert transcript.coverage.missing_seconds == pytest.approx(19.0)


def test_a_diarizer_and_a_source_are_one_too_many(engine_of, ids):
    with pytest.raises(OptionError, match="speakers must come from one source, got a diarizer and channels"):
        transcribe(engine_of(lambda tokens, _: ids("One.")), talk(TURNS, 19.0), TranscribeOptions(speakers=SpeakerOptions("channels")),
                   own=lambda samples, options: [])


@pytest.mark.parametrize(("given", "message"), [
    ("Ann", "must give a list of Turn"), ([(0, 1, "Ann")], r"must be a Turn\(start, end, speaker\)")])
def test_a_diarizer_that_gives_something_else_is_told(engine_of, ids, given, message):
    with pytest.raises(OptionError, match=message):
        transcribe(engine_of(lambda tokens, _: ids("One.")), talk(TURNS, 19.0), own=lambda samples, options: given)


def test_what_is_missing_is_told_before_anything_is_read(engine_of, ids, monkeypatch, tmp_path):
    engine, read = engine_of(lambda tokens, _: ids("One.")), []
    monkeypatch.setattr("ossicle.pipeline.transcribe.read_recording", lambda *args, **how: read.append(args))
    with pytest.raises(ModelError, match="expected a folder with two models"):
        transcribe(engine, talk(TURNS, 19.0), TranscribeOptions(speakers=SpeakerOptions("sherpa", model=str(tmp_path / "none"))))
    monkeypatch.setitem(__import__("sys").modules, "sherpa_onnx", None)
    with pytest.raises(MissingExtra):
        transcribe(engine, talk(TURNS, 19.0), TranscribeOptions(speakers=SpeakerOptions("sherpa")))
    assert read == []


def test_turns_of_another_recording_do_not_stay(engine_of, ids):
    engine, seen = engine_of(lambda tokens, _: ids("One two.")), iter(["x", "y"])
    results = list(transcribe_each(
        engine, [Request((talk(TURNS, 19.0), RATE))] * 2, TranscribeOptions(words="estimated"),
        diarizers=Diarizers(lambda samples, options: [Turn(0, 19, next(seen))])))
    assert [result.speakers for result in results] == [("x",), ("y",)]
