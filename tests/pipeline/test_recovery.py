"""Chunks that loop, run on or make things up: what is kept, where they are cut, what is said about it."""

from itertools import pairwise

import numpy as np
import pytest

from ossicle.audio.recording import read_recording
from ossicle.audio.vad import Speech
from ossicle.errors import SpeechError
from ossicle.options import DecodeOptions, SplitOptions, TranscribeOptions, VadOptions
from ossicle.pipeline.pieces import Piece
from ossicle.pipeline.recovery import Pace, cut_again
from ossicle.progress import Warned
from ossicle.recognizer import Recognizer
from ossicle.results import Chunk, Token
from tests.audio.sounds import noise
from tests.sounds import speech

RATE = 16_000
FRAME = 512


def everywhere(samples, rate):
    """A voice detector that hears speech throughout."""
    return [(0.0, len(samples) / rate)]


def warnings_of(events):
    return [event.message for event in events if isinstance(event, Warned)]


def chunk_of(num_tokens=0, loop=(), **changes) -> Chunk:
    tokens = tuple(Token(id_, "", -0.1) for id_ in (*range(100, 100 + num_tokens), *loop))
    values = {"index": 0, "start": 0.0, "end": 30.0, "text": "text", "language": None, "stopped_by": "loop",
              "num_tokens": len(tokens), "tokens": tokens, "speech_seconds": 30.0}
    return Chunk(**{**values, **changes})


def test_the_good_part_of_a_chunk_that_loops_is_kept_and_the_rest_is_heard_again(engine_of, ids, tokenizer):
    def answer(tokens, loudness):
        good = tokenizer.encode("language English<asr_text>One two three four.")
        return [*good, *tokenizer.encode(" seven")] if tokens > 250 else ids("One two." if loudness < 0 else "Three four.")

    sound = np.concatenate([noise(15, 0.001)[0], np.zeros(RATE // 2, np.float32), noise(15, 0.3)[0]])
    events = []
    transcript = Recognizer(engine_of(answer)).transcribe((sound, RATE), options=TranscribeOptions(
        vad=VadOptions("energy"), split=SplitOptions(max_seconds=40)), on_event=events.append)
    assert transcript.text == "One two. Three four."
    assert transcript.is_complete
    assert [chunk.tries for chunk in transcript.chunks] == [2, 2]
    assert transcript.chunks[0].end == pytest.approx(15.25, abs=0.3)
    assert any("loop" in message for message in warnings_of(events))


def test_where_it_loops_again_the_other_part_is_whole_and_the_gap_is_small(engine_of, ids, tokenizer):
    def answer(tokens, loudness):
        return tokenizer.encode("language English<asr_text>La la la")[:-1] + tokenizer.encode(" la") if loudness > 0 else ids("One two.")

    sound = np.concatenate([noise(14, 0.001)[0], np.zeros(RATE, np.float32), noise(14, 0.3)[0]])
    transcript = Recognizer(engine_of(answer)).transcribe((sound, RATE), options=TranscribeOptions(
        vad=VadOptions("energy"), retries=1))
    assert transcript.text.startswith("One two.")
    assert transcript.coverage.gaps[0].start > 14
    assert transcript.coverage.decoded_seconds > 14


def test_no_sample_is_heard_twice_or_never_however_often_it_fails(engine_of, ids, tokenizer):
    def answer(tokens, loudness):
        return tokenizer.encode(" seven") if tokens % 3 else ids("One.")

    for retries in range(4):
        options = TranscribeOptions(retries=retries, split=SplitOptions(max_seconds=12))
        chunks = Recognizer(engine_of(answer)).transcribe(noise(70), options=options, detector=everywhere).chunks
        assert (chunks[0].start, chunks[-1].end) == (0, 70)
        assert all(one.end == two.start for one, two in pairwise(chunks))
        assert max(chunk.tries for chunk in chunks) <= retries + 1
        assert sum(chunk.speech_seconds for chunk in chunks) == pytest.approx(70, abs=0.01)


def test_the_second_try_is_penalised_and_the_last_is_not(engine_of, ids, tokenizer, monkeypatch):
    from ossicle.pipeline import schedule

    asked = []
    real = schedule.make_sound

    def make_sound(recording, piece, options):
        asked.append((piece.tries, (sound := real(recording, piece, options)).loop_penalty, sound.loop_guard))
        return sound

    monkeypatch.setattr(schedule, "make_sound", make_sound)
    Recognizer(engine_of(lambda tokens, _: tokenizer.encode(" seven"))).transcribe(noise(28), options=TranscribeOptions(retries=2))
    assert set(asked) == {(1, False, True), (2, True, True), (3, False, False)}


def test_a_spent_budget_is_no_reason_for_the_penalty(engine_of, ids, monkeypatch):
    from ossicle.pipeline import schedule

    asked = []
    real = schedule.make_sound
    monkeypatch.setattr(schedule, "make_sound", lambda *args: asked.append(real(*args)) or asked[-1])
    Recognizer(engine_of(lambda tokens, _: ids("one two three four five six seven eight"))).transcribe(
        noise(20), options=TranscribeOptions(decode=DecodeOptions(max_tokens=6)))
    assert len(asked) > 3
    assert not any(sound.loop_penalty for sound in asked)


def test_what_the_penalty_changed_is_said(engine_of, ids, tokenizer):
    """The way out of the loop is the network's second choice."""
    way_out = tokenizer.im_end
    engine = engine_of(lambda tokens, _: tokenizer.encode("language English<asr_text>One. seven"))
    network = engine.parts.network
    forward = network.forward

    def torn(*args, **kwargs):
        found = forward(*args, **kwargs)
        found.logits[..., way_out] = np.maximum(found.logits[..., way_out], 30.0 - 4.0)
        return found

    network.forward = torn
    events = []
    transcript = Recognizer(engine).transcribe(noise(20), on_event=events.append)
    assert transcript.is_complete
    assert {chunk.tries for chunk in transcript.chunks} == {2}
    assert transcript.text.startswith("One. seven")
    assert sum("mild penalty" in message for message in warnings_of(events)) == len(transcript.chunks)


def test_a_loop_is_cut_near_where_the_good_text_ends():
    pace = Pace()
    pace.add(chunk_of(200, stopped_by="eos", speech_seconds=40.0))              # 5 tokens a second
    speech = Speech(30 * RATE, np.ones(938, bool), np.ones(938, bool))
    speech.speech[625:640] = False                                             # a pause at 20 s
    speech.speech[300:315] = False                                             # and one at 9.6 s
    with read_recording(noise(30)) as recording:
        for num_good, expected in ((100, 20.2), (50, 9.8)):
            failed = chunk_of(num_good, loop=[7] * 200)
            first, second = cut_again(recording, speech, Piece(0, 30 * RATE), failed, pace, SplitOptions())
            assert first.end == second.start
            assert first.seconds == pytest.approx(expected, abs=0.3)
            assert first.has_looped
            assert second.has_looped


@pytest.mark.parametrize(("stopped_by", "num_good"), [("loop", 0), ("loop", 149), ("budget", 100)])
def test_no_part_is_tiny_wherever_it_failed(stopped_by, num_good):
    pace = Pace(200, 40.0)
    speech = Speech(30 * RATE, np.ones(938, bool), np.ones(938, bool))
    failed = chunk_of(num_good, loop=[7] * 200, stopped_by=stopped_by)
    with read_recording(noise(30)) as recording:
        first, second = cut_again(recording, speech, Piece(0, 30 * RATE), failed, pace, SplitOptions())
    assert min(first.seconds, second.seconds) >= 0.19 * 30


def test_the_pace_is_known_once_enough_was_said():
    pace = Pace()
    pace.add(chunk_of(30, stopped_by="eos", speech_seconds=6.0))
    assert pace.tokens_per_second is None
    pace.add(chunk_of(500, stopped_by="loop"))
    pace.add(chunk_of(20, stopped_by="eos", speech_seconds=4.0))
    assert pace.tokens_per_second == 5.0


@pytest.mark.parametrize("copies", [2, 3, 5, 7])
@pytest.mark.parametrize("phrase", ["our father who art in heaven", "no", "one two three four five six seven eight nine ten", "na na hey"])
def test_what_is_said_up_to_seven_times_is_written_as_often(engine_of, ids, phrase, copies):
    said = " ".join([phrase] * copies)
    transcript = Recognizer(engine_of(lambda tokens, _: ids(said))).transcribe(noise(25))
    assert (transcript.text, transcript.stopped_by) == (said, "eos")
    assert [chunk.tries for chunk in transcript.chunks] == [1]


@pytest.mark.parametrize("said", ["Amen. " * 20, "one, two, one, two, " * 12, "Row, row, row your boat, gently down the stream. " * 3])
def test_drills_prayers_and_songs_are_written_whole(engine_of, ids, said):
    said = said.strip()
    transcript = Recognizer(engine_of(lambda tokens, _: ids(said))).transcribe(noise(28))
    assert (transcript.text, transcript.is_complete) == (said, True)


def test_the_end_token_at_the_cap_is_a_normal_end(engine_of, ids):
    reply = ids("One two three.")
    options = TranscribeOptions(decode=DecodeOptions(max_tokens=len(reply)), retries=0)
    transcript = Recognizer(engine_of(lambda tokens, _: reply)).transcribe(noise(5), options=options)
    assert (transcript.text, transcript.stopped_by, transcript.is_complete) == ("One two three.", "eos", True)
    options = TranscribeOptions(decode=DecodeOptions(max_tokens=len(reply) - 1), retries=0)
    assert Recognizer(engine_of(lambda tokens, _: reply)).transcribe(noise(5), options=options).stopped_by == "budget"


def unsure(engine, logprob):
    engine.parts.network.greedy = lambda logits: (logits.argmax(-1).astype(np.int32), np.full(len(logits), logprob, np.float32))
    return Recognizer(engine)


def test_what_nobody_said_and_the_model_is_not_sure_of_is_left_out_and_told(engine_of, ids):
    events = []
    transcript = unsure(engine_of(lambda tokens, _: ids("Thank you for watching.")), -0.6).transcribe(
        noise(20), on_event=events.append)
    assert (transcript.text, transcript.language, transcript.segments) == ("", None, ())
    assert transcript.is_complete
    assert [message for message in warnings_of(events) if "left out: Thank you for watching." in message]
    assert transcript.chunks[0].tokens                                          # what was written can still be seen


def test_what_the_model_is_sure_of_stays_though_no_voice_is_heard(engine_of, ids):
    """Speech under loud music: the detector hears none of it."""
    transcript = unsure(engine_of(lambda tokens, _: ids("Take cover!")), -0.1).transcribe(noise(20))
    assert transcript.text == "Take cover!"
    assert transcript.warnings == ()
    assert transcript.chunks[0].speech_seconds == 0


@pytest.mark.parametrize("options", [{"vad": VadOptions("energy")}, {"reference": True}])
def test_where_nobody_listened_for_speech_no_text_is_left_out(engine_of, ids, options):
    transcript = unsure(engine_of(lambda tokens, _: ids("Thank you.")), -2.0).transcribe(noise(20), options=TranscribeOptions(**options))
    assert transcript.text == "Thank you."


def test_a_clip_too_short_to_be_heard_keeps_its_text(engine_of, ids):
    assert unsure(engine_of(lambda tokens, _: ids("Yes.")), -2.0).transcribe(noise(0.4)).text == "Yes."


def test_text_left_out_does_not_poison_the_language(engine_of, ids):
    def answer(tokens, loudness):
        return ids("谢谢观看", "Chinese") if tokens > 200 else ids("Good morning.")

    sound = np.concatenate([noise(25)[0], np.zeros(5 * RATE, np.float32), speech(8 * RATE, 3)])
    transcript = unsure(engine_of(answer), -0.6).transcribe((sound, RATE))
    assert (transcript.text, transcript.language) == ("Good morning.", "English")


def test_coverage_counts_speech_decoded_over_speech(engine_of, ids, tokenizer):
    def answer(tokens, loudness):
        return tokenizer.encode(" seven") if loudness > 0 else ids("One two.")

    sound = np.concatenate([noise(20, 0.001)[0], np.zeros(10 * RATE, np.float32), noise(20, 0.3)[0]])
    heard = [(2.0, 18.0), (32.0, 40.0)]
    transcript = Recognizer(engine_of(answer)).transcribe((sound, RATE), detector=lambda samples, rate: heard,
                                                          options=TranscribeOptions(retries=0))
    coverage = transcript.coverage
    assert coverage.speech_seconds == pytest.approx(24, abs=0.1)
    assert coverage.decoded_speech_seconds == pytest.approx(16, abs=0.1)
    assert coverage.ratio == pytest.approx(2 / 3, abs=0.01)
    assert coverage.decoded_seconds + coverage.silent_seconds + coverage.missing_seconds == pytest.approx(coverage.audio_seconds)


def test_coverage_says_nothing_of_speech_where_nobody_listened(engine_of, ids):
    transcript = Recognizer(engine_of(lambda tokens, _: ids("One."))).transcribe(
        noise(20), options=TranscribeOptions(vad=VadOptions("none")))
    assert (transcript.coverage.speech_seconds, transcript.coverage.ratio) == (None, 1.0)


def test_every_chunk_tells_its_facts(engine_of, ids):
    transcript = Recognizer(engine_of(lambda tokens, _: ids("one two one two one two"))).transcribe(noise(40), detector=everywhere)
    for chunk in transcript.to_dict()["chunks"]:
        assert chunk["end"] > chunk["start"]
        assert (chunk["language"], chunk["stopped_by"], chunk["tries"]) == ("English", "eos", 1)
        assert chunk["speech_seconds"] == pytest.approx(chunk["end"] - chunk["start"], abs=0.04)
        assert chunk["tokens_per_second"] == pytest.approx(chunk["num_tokens"] / chunk["speech_seconds"])
        assert chunk["mean_logprob"] == pytest.approx(-0.1)
        assert chunk["compression_ratio"] > 0.5


def test_strict_names_the_gap_that_recovery_left(engine_of, ids, tokenizer):
    def answer(tokens, loudness):
        return tokenizer.encode(" seven") if loudness > 0 else ids("One two.")

    sound = np.concatenate([noise(14, 0.001)[0], np.zeros(RATE, np.float32), noise(14, 0.3)[0]])
    with pytest.raises(SpeechError, match=r"incomplete .* to 29\.00 s: the model repeated itself"):
        Recognizer(engine_of(answer)).transcribe((sound, RATE), options=TranscribeOptions(strict=True, vad=VadOptions("energy")))
