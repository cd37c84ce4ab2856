"""Detection: the probabilities that decoding would see, over a few pieces of a recording, without its text."""

import asyncio
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import ossicle
from ossicle.audio.load import read_samples
from ossicle.errors import AudioError, Cancelled, OptionError
from ossicle.model.checkpoint import open_checkpoint
from ossicle.options import AudioOptions, DetectOptions, EngineOptions, SplitOptions, TranscribeOptions
from ossicle.pipeline.detect import detect, hear_languages, spread_out
from ossicle.pipeline.engine import Parts
from ossicle.pipeline.pieces import Piece
from ossicle.pipeline.recognize import Sound
from ossicle.progress import CancelToken
from ossicle.recognizer import Recognizer
from ossicle.text.tokenizer import Tokenizer
from tests.model.conftest import FORMS, load

SAMPLES = Path(str(files("ossicle") / "models" / "tiny" / "samples"))
EN, DE, ZH = "English", "German", "Chinese"


@pytest.fixture(scope="module")
def asr():
    with ossicle.load("tiny", EngineOptions("cpu")) as asr:
        yield asr


@pytest.mark.parametrize(("clip", "language"), [
    ("english.wav", EN), ("english_unseen_speaker.flac", EN), ("german.flac", DE), ("chinese.flac", ZH), ("noise.wav", None)])
def test_the_language_of_a_clip_is_heard_with_certainty(asr, clip, language):
    found = asr.detect(SAMPLES / clip)
    assert found.overall.language == language
    assert found.overall.probability > 0.98
    assert sum(found.overall.probabilities.values()) + found.overall.no_speech == pytest.approx(1)
    assert list(found.overall.probabilities.values()) == sorted(found.overall.probabilities.values(), reverse=True)
    assert found.source == str(SAMPLES / clip)


def test_what_is_detected_is_what_decoding_sees(asr):
    for clip in ("english.wav", "german.flac", "chinese.flac"):
        chunk, = asr.transcribe(SAMPLES / clip).chunks
        assert asr.detect(SAMPLES / clip).overall.probability == pytest.approx(chunk.languages[chunk.language], abs=1e-3)


@pytest.mark.parametrize("form", FORMS)
def test_sounds_side_by_side_are_heard_as_alone(form):
    checkpoint = open_checkpoint(SAMPLES.parent)
    parts = Parts(load(form, SAMPLES.parent), Tokenizer.from_folder(SAMPLES.parent), checkpoint.config, frozenset(checkpoint.eos_ids))
    sounds = [Sound(read_samples(SAMPLES / name), 1) for name in ("english.wav", "german.flac", "chinese.flac", "noise.wav")]
    together = hear_languages(parts, sounds, (), CancelToken())
    assert [next(iter(chances)) for chances in together] == [EN, DE, ZH, "None"]
    for sound, chances in zip(sounds, together, strict=True):
        alone, = hear_languages(parts, [sound], (), CancelToken())
        assert chances == pytest.approx(alone, abs=1e-4)            # float32, summed in another order


def test_a_choice_leaves_only_its_languages(asr):
    found = asr.detect(SAMPLES / "english.wav", options=DetectOptions(languages=("zh", "deutsch")))
    assert set(found.overall.probabilities) == {DE, ZH}
    assert found.overall.language in (DE, ZH)
    with pytest.raises(OptionError, match="one that this checkpoint knows"):
        asr.detect(SAMPLES / "english.wav", options=DetectOptions(languages=("fr",)))
    with pytest.raises(OptionError, match="languages must be several names"):
        DetectOptions(languages="en")


@pytest.mark.parametrize(("count", "most", "expected"), [
    (3, 8, [0, 1, 2]), (3, None, [0, 1, 2]), (9, 8, [0, 1, 2, 3, 5, 6, 7, 8]), (100, 4, [12, 37, 62, 87]), (5, 1, [2]), (0, 4, [])])
def test_a_few_pieces_stand_for_all_from_beginning_to_end(count, most, expected):
    pieces = [Piece(place, place + 1) for place in range(count)]
    assert [piece.start for piece in spread_out(pieces, most)] == expected


def test_no_piece_is_listened_to_twice():
    for count in range(1, 40):
        for most in range(1, count + 1):
            assert len({piece.start for piece in spread_out([Piece(place, place + 1) for place in range(count)], most)}) == most


@pytest.fixture(scope="module")
def talk() -> np.ndarray:
    return np.concatenate([read_samples(SAMPLES / "english_joined.opus")[:120_000], np.zeros(8000, np.float32)])


def test_overall_is_the_mean_over_speech_by_length(listening_engine, talk):
    heard_at = []

    def languages(heard):
        heard_at.append(heard.loudness)
        return {EN: 0.6, DE: 0.4} if heard.loudness > limit else {"None": 1.0} if heard.loudness < silent else {DE: 0.8, EN: 0.2}

    limit, silent = np.inf, -np.inf
    engine = listening_engine(languages, lambda heard, _: "")
    options = DetectOptions(split=SplitOptions(max_seconds=10))
    sound = np.concatenate([talk, talk * 0.1, talk * 0.01])
    detect(engine, (sound, 16_000), options)
    loud, soft, softest = sorted(heard_at, reverse=True)
    limit, silent = (loud + soft) / 2, (soft + softest) / 2
    found = detect(engine, (sound, 16_000), options)
    assert [guess.language for guess in found.chunks] == [EN, DE, None]
    seconds = [guess.end - guess.start for guess in found.chunks[:2]]
    assert found.overall.probabilities[EN] == pytest.approx((0.6 * seconds[0] + 0.2 * seconds[1]) / sum(seconds), abs=1e-4)
    assert found.overall.no_speech == pytest.approx(0, abs=1e-4)
    assert (found.overall.start, found.overall.end) == (0, found.duration)


def test_only_so_much_of_a_long_recording_is_listened_to(listening_engine, talk):
    engine = listening_engine(lambda heard: {EN: 1.0}, lambda heard, _: pytest.fail("decoded"))
    sound = np.tile(talk, 6)
    found = detect(engine, (sound, 16_000), DetectOptions(max_chunks=3, split=SplitOptions(max_seconds=10)))
    assert len(found.chunks) == len(engine.parts.network.heard) == 3
    assert found.chunks[0].start > 0
    assert found.chunks[-1].end > 0.7 * found.duration
    everything = detect(engine, (sound, 16_000), DetectOptions(max_chunks=None, split=SplitOptions(max_seconds=10)))
    assert len(everything.chunks) >= 6


def test_silence_has_no_language_and_nothing_is_asked(listening_engine):
    engine = listening_engine(lambda heard: {EN: 1.0}, lambda heard, _: "")
    found = detect(engine, (np.zeros(80_000, np.float32), 16_000), DetectOptions())
    assert (found.overall.language, found.overall.probability, found.chunks) == (None, 1.0, ())
    assert found.overall.probabilities == {ZH: 0.0, EN: 0.0, DE: 0.0}
    assert engine.parts.network.heard == []


def test_times_count_from_the_beginning_of_the_recording(listening_engine, talk):
    engine = listening_engine(lambda heard: {EN: 1.0}, lambda heard, _: "")
    found = detect(engine, (np.tile(talk, 3), 16_000), DetectOptions(audio=AudioOptions(start_seconds=4, end_seconds=9)))
    assert (found.overall.start, found.overall.end, found.duration) == (4, 9, 5)
    assert (found.chunks[0].start, found.chunks[-1].end) == (4, 9)


def test_detecting_can_be_cancelled_and_awaited(listening_engine, talk, tmp_path):
    engine = listening_engine(lambda heard: {EN: 1.0}, lambda heard, _: "")
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        Recognizer(engine).detect((talk, 16_000), cancel=cancel)
    with pytest.raises(AudioError):
        Recognizer(engine).detect(tmp_path / "nothing.wav")
    found = asyncio.run(Recognizer(engine).detect_async((talk, 16_000)))
    assert found.overall.language == EN


def test_a_detection_is_ready_for_json(asr):
    plain = asr.detect(SAMPLES / "german.flac").to_dict()
    assert plain["overall"]["language"] == DE
    assert plain["overall"]["probability"] == plain["overall"]["probabilities"][DE]
    assert plain["chunks"][0]["probability"] > 0.9
    assert plain["model"]["name"] == "tiny"


def test_transcribing_with_a_choice_hears_the_likeliest_of_it(asr):
    found = asr.transcribe(SAMPLES / "german.flac", options=TranscribeOptions(languages=("en", "de")))
    assert (found.text, found.language, found.warnings) == ("Die Nummer ist drei sechs zwei sieben neun.", DE, ())
    forced = asr.transcribe(SAMPLES / "english.wav", options=TranscribeOptions(languages=("zh", "de")))
    assert forced.language in (DE, ZH)
    assert "sounds like English (1.00)" in forced.warnings[0]
