import numpy as np
import pytest

from ossicle.audio.vad import is_silent, loud_seconds
from tests.audio.sounds import speech_like


def test_digital_silence_and_no_sound_are_silent():
    assert is_silent(np.zeros(16_000, np.float32))
    assert is_silent(np.zeros(0, np.float32))


def test_dither_is_silent():
    dither = np.random.default_rng(0).integers(-1, 2, 48_000) / np.float32(32768)
    assert is_silent(dither.astype(np.float32))


@pytest.mark.parametrize("gain_db", [0, -20, -40])
def test_soft_speech_passes(gain_db):
    assert not is_silent(speech_like(2) * np.float32(10 ** (gain_db / 20)))


def test_one_click_at_the_very_end_passes():
    samples = np.zeros(16_100, np.float32)
    samples[-1] = 0.5
    assert not is_silent(samples)


def test_loud_seconds_count_the_loud_part():
    samples = np.zeros(48_000, np.float32)
    samples[16_000:32_000] = 0.1
    assert loud_seconds(samples) == pytest.approx(1.0, abs=0.06)     # two frames of 30 ms at the edges
