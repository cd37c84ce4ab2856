"""An interrupted run goes on where it ended: what is known is passed on as it was and not decoded again."""

from dataclasses import replace

import pytest

from ossicle.errors import OptionError
from ossicle.options import AudioOptions, DecodeOptions, SplitOptions, TranscribeOptions
from ossicle.progress import CancelToken, ChunkDone
from ossicle.recognizer import Recognizer
from ossicle.results import Chunk, Transcript, Word
from tests.audio.sounds import noise

OPTIONS = TranscribeOptions(split=SplitOptions(max_seconds=8), decode=DecodeOptions(batch_size=2))
SOUND = noise(60)


def answer_of(ids):
    return lambda tokens, loudness: ids("One two three four five."[: tokens % 23])


def decoded(engine) -> int:
    return sum(len(call) for call in engine.parts.network.calls)


@pytest.fixture
def whole(engine_of, ids) -> Transcript:
    return Recognizer(engine_of(answer_of(ids))).transcribe(SOUND, options=OPTIONS)


@pytest.mark.parametrize("num_known", [0, 1, 5, 100])
def test_what_is_known_is_not_decoded_again(engine_of, ids, whole, num_known):
    engine, events = engine_of(answer_of(ids)), []
    known = whole.chunks[:num_known]
    transcript = Recognizer(engine).transcribe(SOUND, options=OPTIONS, known_chunks=known, on_event=events.append)
    assert decoded(engine) == len(whole.chunks) - len(known)
    assert transcript.chunks == whole.chunks
    assert (transcript.text, transcript.segments, transcript.coverage) == (whole.text, whole.segments, whole.coverage)
    assert [event.chunk for event in events if isinstance(event, ChunkDone)] == list(whole.chunks)


def test_a_run_that_was_cancelled_goes_on_to_the_same_end(engine_of, ids, whole):
    cancel = CancelToken()
    seen = []

    def stop_after_three(event):
        seen.append(event.kind)
        if seen.count("chunk") == 3:
            cancel.cancel()

    first = Recognizer(engine_of(answer_of(ids))).transcribe(SOUND, options=OPTIONS, on_event=stop_after_three, cancel=cancel)
    assert first.truncated
    engine = engine_of(answer_of(ids))
    second = Recognizer(engine).transcribe(SOUND, options=OPTIONS, known_chunks=first.chunks)
    assert second.chunks == whole.chunks
    assert 0 < decoded(engine) < len(whole.chunks)


def test_parts_of_a_piece_that_failed_are_known_too(engine_of, ids, tokenizer):
    def answer(tokens, loudness):
        return tokenizer.encode(" seven") if tokens > 70 else ids("One.")

    whole = Recognizer(engine_of(answer)).transcribe(SOUND, options=OPTIONS)
    assert [chunk.tries for chunk in whole.chunks[:4]] == [2] * 4
    for num_known in (1, 2, 3):
        engine = engine_of(answer)
        transcript = Recognizer(engine).transcribe(SOUND, options=OPTIONS, known_chunks=whole.chunks[:num_known])
        assert [(chunk.start, chunk.end, chunk.text, chunk.tries) for chunk in transcript.chunks] == [
            (chunk.start, chunk.end, chunk.text, chunk.tries) for chunk in whole.chunks]
        assert transcript.is_complete


def test_a_loop_that_was_half_done_ends_as_it_would_have(engine_of, ids, tokenizer):
    def answer(tokens, loudness):                           # loops without end in any piece but short ones, which take a third try
        return [*tokenizer.encode("language English<asr_text>Well"), *tokenizer.encode(" then") * 400] if tokens > 40 else ids("One.")

    whole = Recognizer(engine_of(answer)).transcribe(SOUND, options=OPTIONS)
    assert max(chunk.tries for chunk in whole.chunks) == 3
    for num_known in range(1, len(whole.chunks)):
        again = Recognizer(engine_of(answer)).transcribe(SOUND, options=OPTIONS, known_chunks=whole.chunks[:num_known])
        assert again.chunks == whole.chunks


def test_times_of_a_part_that_was_asked_for_stay_exact(engine_of, ids):
    options = replace(OPTIONS, audio=AudioOptions(start_seconds=7.3))
    whole = Recognizer(engine_of(answer_of(ids))).transcribe(SOUND, options=options)
    engine = engine_of(answer_of(ids))
    transcript = Recognizer(engine).transcribe(SOUND, options=options, known_chunks=whole.chunks[:4])
    assert transcript.chunks == whole.chunks
    assert decoded(engine) == len(whole.chunks) - 4


def test_other_cuts_are_decoded(engine_of, ids, whole):
    engine = engine_of(answer_of(ids))
    shifted = [replace(chunk, start=chunk.start + 0.01, end=chunk.end + 0.01) for chunk in whole.chunks]
    transcript = Recognizer(engine).transcribe(SOUND, options=OPTIONS, known_chunks=shifted)
    assert decoded(engine) == len(whole.chunks)
    assert transcript.text == whole.text


def test_words_with_times_and_speakers_stay_as_they_were(engine_of, ids, whole):
    first = whole.chunks[0]
    words = tuple(replace(word, start=0.5, end=0.75, timing="aligned", speaker="Ann") for word in first.words)
    known = [replace(first, words=words)]
    options = replace(OPTIONS, words="estimated")
    transcript = Recognizer(engine_of(answer_of(ids))).transcribe(SOUND, options=options, known_chunks=known)
    assert transcript.chunks[0].words == words
    assert transcript.chunks[1].words[0].timing == "estimated"


def test_a_chunk_from_json_without_words_gets_them_from_its_text(engine_of, ids, whole):
    known = [replace(chunk, words=()) for chunk in whole.chunks[:3]]
    transcript = Recognizer(engine_of(answer_of(ids))).transcribe(SOUND, options=OPTIONS, known_chunks=known)
    assert transcript.text == whole.text
    assert "".join(word.text for word in transcript.words) == whole.text
    assert isinstance(transcript.words[0], Word)


def test_gaps_and_warnings_of_known_chunks_are_told_again(engine_of, ids):
    options = replace(OPTIONS, retries=0, decode=DecodeOptions(max_tokens=5), audio=AudioOptions(start_seconds=2.0))
    whole = Recognizer(engine_of(lambda tokens, _: ids("one two three four five six"))).transcribe(SOUND, options=options)
    transcript = Recognizer(engine_of(lambda tokens, _: ids("ghost"))).transcribe(SOUND, options=options, known_chunks=whole.chunks)
    assert transcript.coverage == whole.coverage
    assert transcript.warnings == whole.warnings


def test_each_of_several_recordings_has_its_own(engine_of, ids, whole):
    engine = engine_of(answer_of(ids))
    each = Recognizer(engine).transcribe_each([noise(5), SOUND], options=OPTIONS, known_chunks={1: whole.chunks})
    one, two = each
    assert two.chunks == whole.chunks
    assert decoded(engine) == len(one.chunks)


def test_what_is_no_chunk_is_refused(engine_of, ids):
    with pytest.raises(OptionError, match="known_chunks must be chunks"):
        Recognizer(engine_of(answer_of(ids))).transcribe(SOUND, known_chunks=[{"start": 0.0}])
    with pytest.raises(OptionError, match="known_chunks must map the place"):
        Recognizer(engine_of(answer_of(ids))).transcribe_each([SOUND], known_chunks=[[]])


@pytest.mark.parametrize("name", ["diarizer", "detector"])
def test_what_is_no_function_is_refused(engine_of, ids, name):
    with pytest.raises(OptionError, match=f"{name} must be a function, got str"):
        Recognizer(engine_of(answer_of(ids))).transcribe(SOUND, **{name: "sherpa"})


def test_silence_that_is_known_stays_silence(engine_of, ids):
    silent = Chunk(0, 0.0, 8.0, "", None, "silence", speech_seconds=0.0)
    assert silent.num_tokens == 0
    transcript = Recognizer(engine_of(answer_of(ids))).transcribe(SOUND, options=OPTIONS, known_chunks=[silent])
    assert transcript.chunks[-1].end == 60
