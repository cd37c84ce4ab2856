"""What is not speech gives no text and says nothing of the language: the bundled model, real weights."""

import numpy as np
import pytest
import soundfile

import ossicle
from ossicle import EngineOptions, TranscribeOptions, VadOptions
from tests.audio.sounds import noise
from tests.pipeline.conftest import TINY

RATE = 16_000
SAMPLES = TINY / "samples"
WAYS = [VadOptions(), VadOptions("energy"), VadOptions("none")]


@pytest.fixture(scope="module")
def asr():
    with ossicle.load("tiny", EngineOptions("cpu")) as recognizer:
        yield recognizer


def sample(name: str) -> np.ndarray:
    return soundfile.read(SAMPLES / name, dtype="float32")[0]


def colour(seconds: float, power: float) -> np.ndarray:
    """Noise whose spectrum falls with this power of the frequency."""
    white = noise(seconds)[0]
    shape = np.maximum(1, np.arange(len(white) // 2 + 1)) ** power
    coloured = np.fft.irfft(np.fft.rfft(white) / shape, len(white))
    return (0.05 * coloured / coloured.std()).astype(np.float32)


SOUNDS = {
    "silence": np.zeros(5 * RATE, np.float32),
    "nothing": np.zeros(0, np.float32),
    "a sample": np.full(1, 0.3, np.float32),
    "a hundredth of a second": noise(0.01)[0],
    "white noise": noise(8)[0],
    "pink noise": colour(8, 0.5),
    "brown noise": colour(8, 1.0),
    "hum": (0.1 * np.sin(2 * np.pi * 50 * np.arange(8 * RATE) / RATE)).astype(np.float32),
}


@pytest.mark.parametrize("vad", WAYS, ids=lambda vad: vad.mode)
@pytest.mark.parametrize("name", SOUNDS)
def test_what_is_not_speech_gives_no_text_and_no_language(asr, name, vad):
    transcript = asr.transcribe((SOUNDS[name], RATE), options=TranscribeOptions(vad=vad))
    assert (transcript.text, transcript.language, transcript.segments) == ("", None, ())
    assert transcript.is_complete


@pytest.mark.parametrize("vad", WAYS, ids=lambda vad: vad.mode)
@pytest.mark.parametrize(("name", "language"), [("german.flac", "German"), ("chinese.flac", "Chinese"), ("english.wav", "English")])
def test_what_follows_silence_and_noise_is_heard_in_its_own_language(asr, name, language, vad):
    alone = asr.transcribe((sample(name), RATE))
    sound = np.concatenate([np.zeros(12 * RATE, np.float32), 0.1 * noise(9)[0], np.zeros(6 * RATE, np.float32), sample(name)])
    transcript = asr.transcribe((sound, RATE), options=TranscribeOptions(vad=vad))
    assert transcript.language == alone.language == language
    assert transcript.text == alone.text


def test_sentences_far_apart_are_all_there_and_the_silence_is_not_decoded(asr):
    names = ["english.wav", "german.flac", "english_context.flac", "chinese.flac"]
    alone = [asr.transcribe((sample(name), RATE)).text for name in names]
    parts = [part for name in names for part in (np.zeros(12 * RATE, np.float32), sample(name))]
    transcript = asr.transcribe((np.concatenate(parts), RATE))
    assert transcript.text == " ".join(alone)
    assert transcript.coverage.silent_seconds > 40
    assert transcript.coverage.ratio == 1.0
    assert transcript.coverage.decoded_seconds < 0.35 * transcript.duration


def test_many_short_recordings_give_what_each_gives_alone(asr):
    names = ["english.wav", "german.flac", "noise.wav", "english_context.flac", "chinese.flac", "english_unseen_speaker.flac"]
    alone = [asr.transcribe(SAMPLES / name).text for name in names]
    together = [result.text for result in asr.transcribe_many([SAMPLES / name for name in names])]
    assert together == alone
