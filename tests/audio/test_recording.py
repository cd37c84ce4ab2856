"""A recording stretch by stretch: held or in a file, it is what reading it whole gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.audio.load import read_samples
from ossicle.audio.recording import read_recording
from ossicle.errors import AudioError, Cancelled
from ossicle.options import AudioOptions
from tests.audio.sounds import speech_like, write_wav


@pytest.mark.parametrize("held_seconds", [0.5, 100])
@pytest.mark.parametrize("gain", [1.0, 4.0])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_joined_stretches_are_the_recording_read_whole(rate, gain, held_seconds):
    sound = (gain * speech_like(3.3, rate), rate)
    whole = read_samples(sound)
    with read_recording(sound, held_seconds=held_seconds) as recording:
        assert len(recording) == len(whole)
        stretches = [recording.samples(at, at + 7_001) for at in range(0, len(recording), 7_001)]
        assert np.array_equal(np.concatenate(stretches), whole)
        assert np.array_equal(recording.samples(), whole)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 20_000)), max_size=6))
def test_any_stretch_can_be_had_in_any_order(asked):
    whole = speech_like(1.25)
    with read_recording((whole, 16_000), held_seconds=0.1) as recording:
        for start, end in map(sorted, asked):
            assert np.array_equal(recording.samples(start, end), whole[start:end])


def test_a_stretch_is_a_copy_of_its_own():
    with read_recording((speech_like(1), 16_000)) as recording:
        first = recording.samples(0, 100)
        first[:] = 7
        assert recording.samples(0, 100).max() < 1


def test_a_recording_without_samples_is_empty():
    with read_recording((np.zeros(0, np.float32), 16_000)) as recording:
        assert (len(recording), recording.seconds, len(recording.samples())) == (0, 0.0, 0)


def test_a_part_of_a_file_is_read_as_asked():
    file = write_wav(speech_like(3), 16_000)
    options = AudioOptions(start_seconds=0.5, end_seconds=2.25)
    with read_recording(file, options, held_seconds=1) as recording:
        assert recording.seconds == 1.75
        assert np.array_equal(recording.samples(), read_samples(file, options))


def test_what_stops_reading_leaves_no_file_open(monkeypatch):
    import tempfile

    made = []
    real = tempfile.SpooledTemporaryFile
    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", lambda size: made.append(real(size)) or made[-1])

    def stop(done, total):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        read_recording((speech_like(3), 16_000), on_progress=stop, held_seconds=0.5)
    assert made[0].closed


def test_no_room_for_the_file_is_an_error_that_says_what_to_do(monkeypatch):
    import tempfile

    class Full(tempfile.SpooledTemporaryFile):
        def rollover(self):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", Full)
    with pytest.raises(AudioError, match=r"No space left.*TMPDIR"):
        read_recording((speech_like(3), 16_000), held_seconds=0.5)
