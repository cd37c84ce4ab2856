"""Levels of channels are those of the sound, however it is read, and reading with them changes no sample."""

import io

import numpy as np
import pytest
import soundfile

from ossicle.audio.channels import STEPS_PER_SECOND, ChannelLevels
from ossicle.audio.load import read_samples
from ossicle.audio.recording import read_recording
from ossicle.options import AudioOptions
from tests.audio.sounds import encode, speech_like

RATE = 16_000


def stereo(rate=RATE, seconds=3.0):
    """Left speaks in the first half, right in the second."""
    sound = speech_like(seconds, rate)
    half = len(sound) // 2
    return np.stack([np.where(np.arange(len(sound)) < half, sound, 0), np.where(np.arange(len(sound)) < half, 0, sound)], axis=1)


def expected(frames, rate):
    step = rate // STEPS_PER_SECOND
    whole = frames[: len(frames) // step * step].reshape(-1, step, frames.shape[1])
    return np.mean(np.square(whole.astype(np.float64)), axis=1).T


def wav(frames, rate):
    file = io.BytesIO()
    soundfile.write(file, frames, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_power_is_the_mean_square_of_each_step(rate):
    frames, levels = stereo(rate), ChannelLevels()
    read_recording((frames, rate), levels=levels).close()
    # The mean of each second is taken off first: here about 1e-3, which moves a square by twice that times the sample.
    np.testing.assert_allclose(levels.power, expected(frames, rate), atol=3e-4)


def test_a_rate_that_no_step_divides_loses_nothing():
    frames, levels = stereo(11_025), ChannelLevels()
    read_recording((frames, 11_025), levels=levels).close()
    assert levels.power.shape == (2, 300)
    left, right = levels.power[:, :140].mean(axis=1), levels.power[:, 160:].mean(axis=1)
    assert left[0] > 100 * left[1]
    assert right[1] > 100 * right[0]


@pytest.mark.parametrize("source", [lambda: wav(stereo(), RATE), lambda: io.BytesIO(wav(stereo(), RATE)),
                                    lambda: encode([stereo()], RATE, "flac", "flac", "stereo")], ids=["bytes", "file", "flac"])
def test_the_way_of_reading_does_not_matter(source):
    levels = ChannelLevels()
    read_recording(source(), levels=levels).close()
    np.testing.assert_allclose(levels.power, expected(stereo(), RATE), atol=3e-4)


def test_listening_changes_no_sample():
    plain = read_samples((stereo(44_100), 44_100))
    with read_recording((stereo(44_100), 44_100), levels=ChannelLevels()) as recording:
        np.testing.assert_array_equal(plain, recording.samples())


@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (0.5, None), (1.25, 2.5), (2.0, 2.005)])
def test_only_the_asked_range_is_weighed_and_counted_from_its_start(start, end):
    options, levels = AudioOptions(start_seconds=start, end_seconds=end), ChannelLevels()
    with read_recording(wav(stereo(), RATE), options, levels=levels) as recording:
        samples = recording.samples()
    first = round(start * RATE)
    last = None if end is None else round(end * RATE)
    assert levels.power.shape[1] == -(-len(samples) // (RATE // STEPS_PER_SECOND))
    np.testing.assert_allclose(levels.power[:, : len(samples) // 160], expected(stereo()[first:last], RATE), atol=3e-4)


def test_integers_count_by_their_full_scale():
    levels, frames = ChannelLevels(), (stereo() * 32_767).astype(np.int16)
    read_recording((frames, RATE), levels=levels).close()
    np.testing.assert_allclose(levels.power, expected(stereo(), RATE), atol=3e-4)


def test_a_constant_is_no_sound():
    levels = ChannelLevels()
    read_recording((np.full((RATE, 2), 0.5, np.float32), RATE), levels=levels).close()
    assert levels.power.max() < 1e-9


def test_a_recording_of_nothing_has_no_levels():
    levels = ChannelLevels()
    read_recording((np.zeros(0, np.float32), RATE), levels=levels).close()
    assert levels.power.size == 0
