import json

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.audio.mel import MelStream, clamp, log_mel
from tests import goldens
from tests.audio.sounds import speech_like


@pytest.mark.parametrize("clip", ["c0p3", "c3", "c5", "c11", "c40"])
def test_mel_equals_the_official_extractor(shared, clip):
    golden = shared / "oracle/golden/asr_tiny"
    cut = json.loads((golden / "manifest.json").read_text())["clips"][clip]
    samples, _ = soundfile.read(shared / "audio" / cut["file"], dtype="float32")
    mel = log_mel(samples[cut["start"]:cut["start"] + cut["samples"]])
    expected = np.load(golden / f"{clip}.npz")["mel"]
    assert mel.dtype == np.float32
    assert mel.shape == expected.shape
    np.testing.assert_allclose(mel, expected, rtol=0, atol=1e-4)     # float32 FFT; measured 3.8e-5


@pytest.mark.parametrize("clip", goldens.clips())
def test_mel_equals_the_official_extractor_on_made_sound(clip):
    arrays = goldens.load(clip)
    mel = log_mel(goldens.samples(clip))[:, arrays["rows_mel"]]
    np.testing.assert_allclose(mel, arrays["mel"], rtol=0, atol=1e-4)     # as above


@pytest.mark.parametrize(
    ("num_samples", "num_frames"), [(0, 50), (200, 50), (201, 1), (319, 1), (320, 2), (16_000, 100)]
)
def test_frames_are_whole_hops_and_tiny_clips_are_filled_to_half_a_second(num_samples, num_frames):
    assert log_mel(speech_like(1)[:num_samples]).shape == (128, num_frames)


def test_silence_is_finite_and_flat():
    mel = log_mel(np.zeros(16_000, np.float32))
    assert np.all(mel == mel[0, 0])
    assert mel[0, 0] == pytest.approx(-1.5)              # (log10(1e-10) + 4) / 4


def test_mel_does_not_depend_on_block_size(monkeypatch):
    samples = speech_like(3)
    whole = log_mel(samples)
    monkeypatch.setattr("ossicle.audio.mel.BLOCK_FRAMES", 7)
    np.testing.assert_allclose(log_mel(samples), whole, rtol=0, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5000), st.lists(st.integers(0, 700), max_size=20))
def test_mel_of_a_stream_equals_mel_of_the_whole(num_samples, cuts):
    samples = speech_like(1, seed=num_samples % 3)[:num_samples]
    stream, parts, at = MelStream(), [], 0
    for length in [*cuts, num_samples]:
        parts.append(stream.push(samples[at:at + length]))
        at += length
    parts.append(stream.finish())
    mel = clamp(np.concatenate(parts, axis=1), stream.maximum)
    assert stream.num_frames == mel.shape[1]
    np.testing.assert_allclose(mel, log_mel(samples), rtol=0, atol=1e-6)     # order of sums in the product


def test_a_stream_gives_a_frame_as_soon_as_later_sound_cannot_change_it():
    samples = speech_like(1)
    stream = MelStream()
    assert stream.push(samples[:200]).shape[1] == 0
    assert stream.push(samples[200:201]).shape[1] == 1       # the beginning is mirrored around 201 samples
    assert stream.push(samples[201:359]).shape[1] == 0
    assert stream.push(samples[359:360]).shape[1] == 1       # frame 1 ends with sample 160 + 199
