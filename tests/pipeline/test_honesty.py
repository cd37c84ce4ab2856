"""A network that misbehaves on purpose: nothing it does may lose sound in silence."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ossicle.errors import Cancelled, ModelError, SpeechError
from ossicle.options import AudioOptions, DecodeOptions, SplitOptions, TranscribeOptions
from ossicle.pipeline.transcribe import transcribe
from ossicle.progress import CancelToken, ChunkDone, Done, Started, Warned
from ossicle.recognizer import Recognizer
from tests.audio.sounds import noise

RATE = 16_000


def test_an_hour_in_chunks_is_joined_and_covered(engine_of, ids):
    transcript = transcribe(engine_of(lambda tokens, _: ids("Three of them.")), noise(300), TranscribeOptions())
    assert transcript.text == " ".join(["Three of them."] * len(transcript.chunks))
    assert len(transcript.chunks) >= 10
    assert transcript.coverage.ratio == 1.0
    assert not transcript.truncated
    assert transcript.stopped_by == "eos"
    assert transcript.language == "English"


def test_chunks_lie_end_to_end(engine_of, ids):
    chunks = transcribe(engine_of(lambda tokens, _: ids("One.")), noise(100), TranscribeOptions()).chunks
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert chunks[0].start == 0
    assert chunks[-1].end == 100
    assert all(one.end == two.start for one, two in pairwise(chunks))


def test_joined_words_give_segments_and_joined_segments_the_text(engine_of, ids):
    transcript = transcribe(engine_of(lambda tokens, _: ids("It is three o'clock, thank you.")), noise(70), TranscribeOptions())
    assert "".join(segment.text for segment in transcript.segments) == transcript.text
    for segment in transcript.segments:
        assert "".join(word.text for word in segment.words) == segment.text
        assert all(word.confidence == pytest.approx(np.exp(-0.1)) for word in segment.words)
    assert transcript.confidence == pytest.approx(np.exp(-0.1))


def test_a_loop_is_cut_and_tried_again_until_it_ends(engine_of, ids, tokenizer):
    def answer(tokens, _):
        return tokenizer.encode(" seven") if tokens > 250 else ids("Seven.")

    events = []
    transcript = transcribe(engine_of(answer), noise(30), TranscribeOptions(), events.append)
    assert transcript.text == "Seven. Seven."
    assert [chunk.tries for chunk in transcript.chunks] == [2, 2]
    assert not transcript.truncated
    assert any(isinstance(event, Warned) and "loop" in event.message for event in events)


def test_a_loop_that_stays_is_flagged_with_its_place(engine_of, tokenizer):
    transcript = transcribe(engine_of(lambda tokens, _: tokenizer.encode(" seven")), noise(16), TranscribeOptions(retries=1))
    assert transcript.truncated
    assert transcript.stopped_by == "loop"
    assert all("repeated itself" in gap.reason for gap in transcript.coverage.gaps)
    assert transcript.coverage.gaps[0].start == 0
    assert transcript.coverage.gaps[-1].end == 16
    assert transcript.coverage.ratio == 0
    assert transcript.text == "seven seven"             # of each half one copy is kept
    assert any("text may be missing" in warning for warning in transcript.warnings)


def test_what_repeats_honestly_is_written_out_whole_on_the_last_try(engine_of, ids):
    said = ids("no " * 60)
    transcript = transcribe(engine_of(lambda tokens, _: said), noise(14), TranscribeOptions(retries=1))
    assert not transcript.truncated
    assert transcript.text.count("no") == 60 * len(transcript.chunks)


def test_a_spent_budget_is_tried_again_with_twice_the_rate(engine_of, ids):
    long_reply = ids(" ".join(["one two three four five six seven"] * 6 + ["eight nine ten"]))
    options = TranscribeOptions(decode=DecodeOptions(tokens_per_second=1.0, min_tokens=1))
    transcript = transcribe(engine_of(lambda tokens, _: long_reply), noise(24), options)
    assert {chunk.tries for chunk in transcript.chunks} > {2} or all(chunk.tries == 3 for chunk in transcript.chunks)


def test_an_explicit_budget_that_is_spent_is_flagged(engine_of, ids):
    options = TranscribeOptions(decode=DecodeOptions(max_tokens=5))
    transcript = transcribe(engine_of(lambda tokens, _: ids("one two three four five six")), noise(8), options)
    assert transcript.stopped_by == "budget"
    assert transcript.truncated
    assert transcript.coverage.missing_seconds == pytest.approx(8)


def test_retries_keep_the_order_of_the_recording(engine_of, ids, tokenizer):
    def answer(tokens, loudness):
        return tokenizer.encode(" seven") if tokens > 300 and loudness > 1 else ids("One.")

    engine = engine_of(answer)
    transcript = transcribe(engine, noise(120), TranscribeOptions())
    assert [chunk.index for chunk in transcript.chunks] == list(range(len(transcript.chunks)))
    assert all(one.end == two.start for one, two in pairwise(transcript.chunks))


def test_silence_is_never_decoded(engine_of, ids):
    engine = engine_of(lambda tokens, _: ids("ghost"))
    transcript = transcribe(engine, (np.zeros(40 * RATE, np.float32), RATE), TranscribeOptions())
    assert engine.parts.network.calls == []
    assert (transcript.text, transcript.language, transcript.stopped_by) == ("", None, "silence")
    assert transcript.coverage.silent_seconds == 40
    assert not transcript.truncated


def test_the_reference_decodes_silence_too(engine_of, ids):
    engine = engine_of(lambda tokens, _: ids("", "None"))
    transcribe(engine, (np.zeros(40 * RATE, np.float32), RATE), TranscribeOptions(reference=True))
    assert engine.parts.network.calls == [[520]]


def test_the_reference_makes_one_pass_without_guard_or_retry(engine_of, tokenizer):
    engine = engine_of(lambda tokens, _: tokenizer.encode(" seven"))
    transcript = transcribe(engine, noise(60), TranscribeOptions(reference=True))
    assert engine.parts.network.calls == [[780]]
    assert transcript.stopped_by == "loop"              # named, though it ran to its budget
    assert transcript.chunks[0].num_tokens == 60 * 16 + 16


def test_no_speech_gives_no_language(engine_of, ids):
    transcript = transcribe(engine_of(lambda tokens, _: ids("", "None")), noise(5), TranscribeOptions())
    assert (transcript.text, transcript.language, transcript.segments) == ("", None, ())


def test_a_silent_first_chunk_does_not_poison_the_language(engine_of, ids):
    sound = noise(28)[0]
    samples = np.concatenate([np.zeros(30 * RATE, np.float32), sound])
    transcript = transcribe(engine_of(lambda tokens, _: ids("现在几点？", "Chinese")), (samples, RATE), TranscribeOptions())
    assert transcript.language == "Chinese"


def test_chinese_chunks_join_without_a_space_and_english_ones_with(engine_of, ids):
    options = TranscribeOptions(split=SplitOptions(max_seconds=10))
    chinese = transcribe(engine_of(lambda tokens, _: ids("你好", "Chinese")), noise(20), options)
    assert chinese.text == "你好" * len(chinese.chunks)
    english = transcribe(engine_of(lambda tokens, _: ids("well")), noise(20), options)
    assert english.text == " ".join(["well"] * len(english.chunks))


def test_events_come_in_order_and_progress_never_falls(engine_of, ids):
    events = []
    transcript = transcribe(engine_of(lambda tokens, _: ids("One.")), noise(100), TranscribeOptions(), events.append)
    assert isinstance(events[0], Started)
    assert events[0].num_chunks == len(transcript.chunks)
    assert isinstance(events[-1], Done)
    assert events[-1].transcript is transcript
    assert [event.chunk for event in events if isinstance(event, ChunkDone)] == list(transcript.chunks)
    progress = [event.progress for event in events]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0


def test_cancelling_stops_before_the_next_token_and_keeps_what_is_there(engine_of, tokenizer):
    cancel, steps = CancelToken(), []
    said = tokenizer.encode("language English<asr_text>One two three four five six seven eight nine ten.") * 3
    engine = engine_of(lambda tokens, _: said)
    network = engine.parts.network
    forward = network.forward

    def counting(*args, **kwargs):
        steps.append(1)
        if len(steps) == 10:
            cancel.cancel()
        return forward(*args, **kwargs)

    network.forward = counting
    transcript = transcribe(engine, noise(300), TranscribeOptions(), cancel=cancel)
    assert len(steps) <= 11
    assert transcript.stopped_by == "cancelled"
    assert transcript.text.startswith("One two")
    assert transcript.coverage.missing_seconds == 300
    assert transcript.chunks[-1].end == 300


def test_cancelling_before_the_sound_is_read_reads_nothing(engine_of, ids, tmp_path):
    cancel = CancelToken()
    cancel.cancel()
    engine = engine_of(lambda tokens, _: ids("ghost"))
    with pytest.raises(Cancelled):
        transcribe(engine, tmp_path / "nothing is here.wav", TranscribeOptions(), cancel=cancel)
    assert engine.parts.network.calls == []


def test_once_cancelled_recordings_not_begun_are_not_read(engine_of, ids, tmp_path):
    cancel = CancelToken()
    recognizer = Recognizer(engine_of(lambda tokens, _: ids("One.")))
    first, second, third = recognizer.transcribe_many(
        [noise(2), tmp_path / "nothing is here.wav", noise(2)], cancel=cancel,
        on_event=lambda event: cancel.cancel() if event.kind == "done" else None)
    assert first.text == "One."
    assert isinstance(second, Cancelled)
    assert isinstance(third, Cancelled)


def test_cancelling_is_honoured_before_the_encoder_and_between_chunks_of_it(engine_of, ids):
    cancel, encoded = CancelToken(), []
    engine = engine_of(lambda tokens, _: ids("ghost"))
    network = engine.parts.network
    encode = network.encode

    def counting(mel):
        encoded.append(1)
        if len(encoded) == 2:
            cancel.cancel()
        return encode(mel)

    network.encode = counting
    transcript = transcribe(engine, noise(200), TranscribeOptions(), cancel=cancel)
    assert len(encoded) == 2
    assert network.calls == []
    assert (transcript.text, transcript.coverage.missing_seconds) == ("", 200)


def test_cancelling_while_a_retry_is_due_keeps_the_first_try(engine_of, ids):
    cancel = CancelToken()
    engine = engine_of(lambda tokens, _: ids("one two three four five six"))
    network = engine.parts.network
    greedy, steps = network.greedy, []

    def counting(logits):
        steps.append(1)
        if len(steps) == 8:                             # the step in flight when the budget of seven is spent
            cancel.cancel()
        return greedy(logits)

    network.greedy = counting
    options = TranscribeOptions(decode=DecodeOptions(max_tokens=7))
    transcript = transcribe(engine, noise(8), options, cancel=cancel)
    assert transcript.text.startswith("one two")
    assert len(transcript.chunks) == 1


def test_progress_does_not_count_what_was_cancelled(engine_of, ids):
    cancel, events = CancelToken(), []

    def listen(event):
        events.append(event)
        if event.kind == "chunk":
            cancel.cancel()

    options = TranscribeOptions(decode=DecodeOptions(batch_size=1))
    transcript = transcribe(engine_of(lambda tokens, _: ids("One.")), noise(100), options, listen, cancel)
    chunks = [event for event in events if isinstance(event, ChunkDone)]
    assert chunks[-1].progress == chunks[0].progress < 0.5
    assert transcript.coverage.missing_seconds == pytest.approx(100 - transcript.chunks[0].end)


def test_warnings_from_reading_come_after_the_start(engine_of, ids):
    events = []
    raw = AudioOptions(rate=RATE, raw_format="s16le")
    sound = (noise(2)[0] * 32767).astype("<i2").tobytes() + b"x"
    transcribe(engine_of(lambda tokens, _: ids("One.")), sound, TranscribeOptions(audio=raw), events.append)
    assert [event.kind for event in events] == ["started", "warning", "chunk", "segment", "done"]


@pytest.mark.parametrize("header", ["language", "language Eng", "language English", "language None"])
def test_a_header_cut_short_is_not_speech(engine_of, ids, tokenizer, header):
    reply = tokenizer.encode(header)
    options = TranscribeOptions(retries=0, decode=DecodeOptions(max_tokens=len(reply)))
    transcript = transcribe(engine_of(lambda tokens, _: reply), noise(5), options)
    assert (transcript.text, transcript.segments, transcript.stopped_by) == ("", (), "budget")
    assert transcript.truncated


def test_a_header_without_its_tag_is_not_speech(engine_of, tokenizer):
    reply = [*tokenizer.encode("language German Guten Tag."), tokenizer.im_end]
    transcript = transcribe(engine_of(lambda tokens, _: reply), noise(5), TranscribeOptions())
    assert (transcript.language, transcript.text) == ("German", "Guten Tag.")
    official = transcribe(engine_of(lambda tokens, _: reply), noise(5), TranscribeOptions(reference=True))
    assert (official.language, official.text) == (None, "language German Guten Tag.")


def test_without_retries_the_guard_stays_on(engine_of, tokenizer):
    transcript = transcribe(engine_of(lambda tokens, _: tokenizer.encode(" seven")), noise(30), TranscribeOptions(retries=0))
    assert transcript.stopped_by == "loop"
    assert transcript.chunks[0].num_tokens < 200


def test_an_engine_that_fails_is_an_error_of_ours_and_leaves_the_token_alone(engine_of, ids):
    cancel = CancelToken()
    engine = engine_of(lambda tokens, _: ids("One."))

    def fail(mel):
        raise RuntimeError("out of memory")

    engine.parts.network.encode = fail
    with pytest.raises(SpeechError, match=r"out of memory.*smaller max_seconds"):
        transcribe(engine, noise(5), TranscribeOptions(), cancel=cancel)
    assert not cancel.is_cancelled


def test_what_is_too_much_at_once_is_done_in_halves(engine_of, ids):
    engine = engine_of(lambda tokens, _: ids("One."))
    network = engine.parts.network
    new_cache = network.new_cache

    def small(padding=(0,), capacity=0):
        if len(padding) > 2:
            raise MemoryError("no room for so many rows")
        return new_cache(padding, capacity)

    network.new_cache = small
    transcript = transcribe(engine, noise(200), TranscribeOptions())
    assert transcript.is_complete
    assert transcript.text == " ".join(["One."] * len(transcript.chunks))
    assert max(len(call) for call in network.calls) == 2


def test_closing_lets_the_recording_in_hand_end_and_takes_no_new_one(engine_of, ids):
    engine = engine_of(lambda tokens, _: ids("One."))
    options = TranscribeOptions(decode=DecodeOptions(batch_size=1))
    transcript = transcribe(engine, noise(100), options, lambda event: engine.close())
    assert transcript.is_complete
    with pytest.raises(ModelError, match="closed"):
        transcribe(engine, noise(1), options)


def test_the_odd_chunks_come_first_in_as_many_batches(engine_of, ids):
    engine = engine_of(lambda tokens, _: ids("One."))
    options = TranscribeOptions(split=SplitOptions(max_seconds=4), decode=DecodeOptions(batch_size=4))
    chunks = transcribe(engine, noise(30), options).chunks
    sizes = [len(call) for call in engine.parts.network.calls]
    assert sum(sizes) == len(chunks)
    assert sizes == [len(chunks) % 4 or 4, *[4] * ((len(chunks) - 1) // 4)]


def test_a_short_piece_of_a_long_recording_is_filled_up_and_a_short_recording_is_not(engine_of, ids):
    engine = engine_of(lambda tokens, _: ids("One."))
    transcribe(engine, noise(0.3), TranscribeOptions())
    transcribe(engine, noise(1.3), TranscribeOptions(split=SplitOptions(max_seconds=1.0), reference=False))
    alone, *pieces = [tokens for call in engine.parts.network.calls for tokens in call]
    assert alone == 4
    assert min(pieces) == 7


def test_confidence_belongs_to_the_words_and_the_mean_to_the_tokens(engine_of, ids, tokenizer):
    reply = ids("Three four.")
    engine = engine_of(lambda tokens, _: reply)
    network = engine.parts.network
    header = len(tokenizer.encode("language English<asr_text>"))
    logprobs = iter([*[-2.0] * header, *(-0.01 * place for place in range(1, len(reply) - header + 1)), -3.0, -3.0])
    network.greedy = lambda logits: (logits.argmax(-1), np.array([next(logprobs)], np.float32))
    chunk = (transcript := transcribe(engine, noise(3), TranscribeOptions())).chunks[0]
    assert [token.logprob for token in chunk.tokens[:header]] == [-2.0] * header
    assert all(word.confidence > 0.9 for word in transcript.segments[0].words)
    assert chunk.mean_logprob == pytest.approx(np.mean([token.logprob for token in chunk.tokens]))


def test_the_three_parts_of_coverage_add_up(engine_of, ids):
    samples = np.concatenate([noise(28)[0], np.zeros(31 * RATE, np.float32), noise(20)[0]])
    coverage = transcribe(engine_of(lambda tokens, _: ids("One.")), (samples, RATE), TranscribeOptions()).coverage
    assert coverage.silent_seconds > 20
    assert coverage.decoded_seconds + coverage.silent_seconds + coverage.missing_seconds == pytest.approx(coverage.audio_seconds)


def test_warnings_name_places_in_the_whole_recording(engine_of, ids):
    options = TranscribeOptions(retries=0, decode=DecodeOptions(max_tokens=3), audio=AudioOptions(start_seconds=10))
    transcript = transcribe(engine_of(lambda tokens, _: ids("one two three four")), noise(14), options)
    assert transcript.warnings[0].startswith("10.00 to 14.00 s")


def test_a_start_behind_the_end_is_named(engine_of, ids):
    options = TranscribeOptions(audio=AudioOptions(start_seconds=100))
    transcript = transcribe(engine_of(lambda tokens, _: ids("ghost")), noise(3), options)
    assert "ends before the start at 100 s" in transcript.warnings[0]


def test_first_text_waits_for_the_first_word(engine_of, ids, tokenizer):
    import time

    engine = engine_of(lambda tokens, _: ids("One."))
    network = engine.parts.network
    forward, header = network.forward, len(tokenizer.encode("language English<asr_text>"))

    def slow(*args, **kwargs):
        time.sleep(0.05)
        return forward(*args, **kwargs)

    network.forward = slow
    timings = transcribe(engine, noise(3), TranscribeOptions()).timings
    assert timings.first_text > 0.05 * (header + 1)
    assert timings.prefill >= 0.05
    assert timings.mel + timings.encode + timings.prefill + timings.decode <= timings.total


def test_steps_are_those_whose_time_was_taken(engine_of, ids):
    reply = ids("One.")
    assert transcribe(engine_of(lambda tokens, _: reply), noise(3), TranscribeOptions()).timings.num_steps == len(reply) - 1
    side_by_side = transcribe(engine_of(lambda tokens, _: reply), noise(40), TranscribeOptions())
    assert (len(side_by_side.chunks), side_by_side.timings.num_steps) == (2, len(reply) - 1)


@pytest.mark.parametrize("num_tokens", [1, 30, 300])
def test_a_filled_budget_goes_past_end_tokens_and_loops_and_is_not_tried_again(engine_of, ids, tokenizer, num_tokens):
    options = TranscribeOptions(decode=DecodeOptions(max_tokens=num_tokens, fill_budget=True), language="English")
    transcript = transcribe(engine_of(lambda tokens, _: [*ids("One."), *ids("One.")]), noise(3), options)
    chunk, = transcript.chunks
    assert (chunk.num_tokens, chunk.tries) == (num_tokens, 1)
    assert transcript.truncated


def test_a_recording_without_samples_gives_an_empty_transcript_and_a_warning(engine_of, ids):
    transcript = transcribe(engine_of(lambda tokens, _: ids("ghost")), (np.zeros(0, np.float32), RATE), TranscribeOptions())
    assert (transcript.text, transcript.chunks, transcript.duration) == ("", (), 0.0)
    assert "no samples" in transcript.warnings[0]


def test_strict_turns_an_incomplete_transcript_into_an_error(engine_of, ids):
    options = TranscribeOptions(strict=True, decode=DecodeOptions(max_tokens=3))
    recognizer = Recognizer(engine_of(lambda tokens, _: ids("one two three four five six")))
    with pytest.raises(SpeechError, match=r"incomplete .*0\.00 to 8\.00 s"):
        recognizer.transcribe(noise(8), options=options)
    assert recognizer.transcribe(noise(8), options=replace(options, strict=False)).truncated


def test_json_holds_every_generated_id_when_asked(engine_of, ids, tokenizer):
    reply = ids("Three.")
    transcript = transcribe(engine_of(lambda tokens, _: reply), noise(3), TranscribeOptions())
    tokens = transcript.to_dict(with_tokens=True)["chunks"][0]["tokens"]
    assert [token["id"] for token in tokens] == reply[:-1]
    assert "tokens" not in transcript.to_dict()["chunks"][0]
    assert tokens[0]["logprob"] == pytest.approx(-0.1)
