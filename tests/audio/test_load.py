"""What is read is what was recorded: formats, channels, tracks, ranges."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

import ossicle
from ossicle.audio.load import describe, read_samples, stream_samples
from ossicle.options import AudioOptions
from tests.audio.sounds import best_shift, encode, speech_like, write_wav
from tests.conftest import SHARED

SPEECH = speech_like(3)


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """A recording of a person where there is one, else of a synthesiser; 16 kHz."""
    recording = SHARED / "audio/jfk.wav"
    if recording.exists():
        return soundfile.read(recording, dtype="float32")[0][:64_000]
    spoken = Path(ossicle.__file__).parent / "models/tiny/samples/english_long.wav"
    samples = soundfile.read(spoken, dtype="float32")[0][:64_000]
    # A synthesiser speaks up to the last hertz, where no resampler can give everything back.
    return soxr.resample(soxr.resample(samples, 16_000, 12_000), 12_000, 16_000)


FORMATS = [
    # container, codec, rate, how alike, how far the length may be off (seconds; one frame of the codec)
    ("wav", "pcm_s16le", 44_100, 0.99999, 0.0), ("wav", "pcm_s24le", 48_000, 0.99999, 0.0),
    ("wav", "pcm_f32le", 8_000, 0.95, 0.0), ("wav", "pcm_alaw", 16_000, 0.999, 0.0),
    ("wav", "pcm_mulaw", 16_000, 0.999, 0.0), ("wav", "adpcm_ima_wav", 16_000, 0.99, 0.13),
    ("flac", "flac", 44_100, 0.99999, 0.0), ("mp3", "libmp3lame", 44_100, 0.99, 0.0),
    ("ogg", "libopus", 48_000, 0.99, 0.0), ("webm", "libopus", 48_000, 0.99, 0.0),
    ("ipod", "aac", 44_100, 0.99, 0.0233), ("mp4", "aac", 48_000, 0.99, 0.0214),
    ("matroska", "flac", 48_000, 0.99999, 0.0), ("aiff", "pcm_s16be", 22_050, 0.99, 0.0),
]


@pytest.mark.parametrize(("container", "codec", "rate", "likeness", "slack"), FORMATS)
def test_every_format_gives_the_sound_back_unshifted(speech, container, codec, rate, likeness, slack):
    file = encode([soxr.resample(speech, 16_000, rate)], rate, container, codec)
    samples = read_samples(file)
    assert samples.dtype == np.float32
    assert abs(len(samples) - len(speech)) <= slack * 16_000 + 1
    shift, agreement = best_shift(speech, samples)
    assert shift == 0
    assert agreement > likeness


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_of_libsndfile_is_read_unshifted(speech, subtype):
    samples = read_samples(write_wav(speech, 16_000, subtype, "OGG"))
    assert abs(len(samples) - len(speech)) <= 1
    shift, agreement = best_shift(speech, samples)
    assert shift == 0
    assert agreement > 0.99


@pytest.mark.parametrize(
    ("subtype", "container", "step"),
    [("PCM_16", "WAV", 2**-15), ("PCM_U8", "WAV", 2**-7), ("PCM_24", "WAVEX", 2**-23), ("PCM_32", "RF64", 2**-23),
     ("DOUBLE", "WAV", 0), ("FLOAT", "W64", 0), ("PCM_16", "AU", 2**-15), ("PCM_24", "CAF", 2**-23),
     ("PCM_24", "FLAC", 2**-23)],
)
def test_plain_sound_is_read_to_the_step(subtype, container, step):
    samples = read_samples(write_wav(SPEECH, 16_000, subtype, container))
    assert len(samples) == len(SPEECH)
    np.testing.assert_allclose(samples, SPEECH, rtol=0, atol=step * 1.01)


@pytest.mark.parametrize("size", [0xFFFF_FFFF, 0x7FFF_F000, 0])
def test_wav_written_to_a_pipe_is_whole_and_needs_no_warning(size):
    file = bytearray(write_wav(SPEECH, 16_000))
    file[4:8] = file[40:44] = struct.pack("<I", size)
    warnings: list[str] = []
    samples = read_samples(file, on_warning=warnings.append)
    np.testing.assert_array_equal(samples, read_samples(write_wav(SPEECH, 16_000)))
    assert warnings == []


def test_mp3_with_a_tag_is_read_as_without():
    file = encode([soxr.resample(SPEECH, 16_000, 44_100)], 44_100, "mp3", "libmp3lame")
    assert file[:3] == b"ID3"
    bare = file[10 + int.from_bytes(file[6:10], "big"):]
    np.testing.assert_allclose(read_samples(file), read_samples(bare), atol=1e-6)


@pytest.mark.parametrize(("rate", "layout", "channels"), [(44_100, "stereo", 2), (48_000, "5.1", 6)])
def test_channels_are_averaged_before_resampling(rate, layout, channels):
    apart = np.stack([speech_like(2, rate, seed) for seed in range(channels)], axis=1)
    samples = read_samples(encode([apart], rate, "matroska", "pcm_f32le", layout))
    np.testing.assert_allclose(samples, soxr.resample(apart.mean(axis=1), rate, 16_000), atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 48_000, 192_000])
def test_resampling_in_blocks_equals_resampling_at_once(rate):
    recording = speech_like(2.3, rate)
    expected = soxr.resample(recording, rate, 16_000, "HQ")
    samples = read_samples((recording, rate))
    assert len(samples) == len(expected)
    np.testing.assert_allclose(samples, expected, atol=1e-6)


@pytest.mark.parametrize("track", [0, 1])
def test_the_asked_track_is_read(track):
    voices = [speech_like(2, 48_000, seed) for seed in (1, 2)]
    film = encode(voices, 48_000, "matroska", "flac", with_picture=True)
    samples = read_samples(film, AudioOptions(track=track))
    np.testing.assert_allclose(samples, soxr.resample(voices[track], 48_000, 16_000), atol=1e-4)
    assert [found.codec for found in describe(film).tracks] == ["flac", "flac"]


def test_the_sound_of_a_film_is_read():
    film = encode([speech_like(2, 44_100)], 44_100, "mp4", "aac", with_picture=True)
    assert best_shift(speech_like(2, 44_100), soxr.resample(read_samples(film), 16_000, 44_100))[0] in (-1, 0, 1)


@pytest.mark.parametrize(("container", "codec"), [("wav", "pcm_s16le"), ("flac", "flac"), ("matroska", "flac")])
@pytest.mark.parametrize(("start", "end"), [(0.0, 1.25), (0.5, 1.0), (3.3337, 5.1), (6.25, None), (9.0, None)])
def test_a_range_is_cut_to_the_sample(container, codec, start, end):
    file = encode([speech_like(8, 44_100)], 44_100, container, codec)
    whole = read_samples(file)
    part = read_samples(file, AudioOptions(start_seconds=start, end_seconds=end))
    expected = whole[round(start * 16_000):None if end is None else round(end * 16_000)]
    assert len(part) == len(expected)
    # matroska counts in milliseconds: a sought place is off by as much as half of one
    np.testing.assert_allclose(part, expected, atol=1e-5 if container != "matroska" else 0.2)


@pytest.mark.parametrize(("container", "codec", "rate"), [
    ("mp3", "libmp3lame", 44_100), ("ogg", "libopus", 48_000), ("mp4", "aac", 48_000), ("adts", "aac", 44_100),
])
def test_a_range_of_a_lossy_file_lies_where_it_lies_in_the_whole(container, codec, rate):
    file = encode([speech_like(8, rate)], rate, container, codec)
    whole = read_samples(file)
    part = read_samples(file, AudioOptions(start_seconds=4.5, end_seconds=6))
    assert len(part) == 24_000
    shift, agreement = best_shift(whole[72_000:96_000], part)        # not equal: AAC fills up with noise made anew
    assert shift == 0
    assert agreement > 0.999


def test_a_stream_of_blocks_joins_to_the_whole():
    webm = encode([speech_like(3, 48_000)], 48_000, "webm", "libopus")
    for file in (write_wav(speech_like(3, 44_100), 44_100), webm):
        blocks = list(stream_samples(file))
        assert len(blocks) > 10
        np.testing.assert_allclose(np.concatenate(blocks), read_samples(file), atol=1e-6)


def test_progress_runs_up_to_the_length():
    seen: list[tuple[float, float | None]] = []
    read_samples(write_wav(SPEECH, 16_000), on_progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (3.0, 3.0)


def test_a_container_without_samples_gives_no_samples():
    assert read_samples(write_wav(np.zeros(0, np.float32), 16_000)).shape == (0,)


def test_float_sound_beyond_full_scale_is_divided_by_its_peak():
    samples = read_samples(write_wav(SPEECH * 8, 16_000, "FLOAT"))
    np.testing.assert_allclose(samples, SPEECH / np.abs(SPEECH).max(), atol=1e-6)


@pytest.mark.parametrize("file", [
    write_wav(SPEECH, 16_000), encode([SPEECH], 16_000, "flac", "flac"),
    encode([soxr.resample(SPEECH, 16_000, 48_000)], 48_000, "mp4", "aac"),
])
def test_describing_says_what_reading_gives(file):
    info = describe(io.BytesIO(file))
    assert (info.channels, len(info.tracks)) == (1, 1)
    assert info.duration_seconds == pytest.approx(3.0, abs=0.03)
    assert info.rate in (16_000, 48_000)


def test_a_tag_in_another_encoding_is_no_hindrance():
    tag = b"TIT2" + struct.pack(">I", 6) + b"\0\0" + b"\3\xfc\xe4\xf6\xdf\xff"     # says UTF-8, is not
    head = b"ID3\4\0\0" + bytes([0, 0, 0, len(tag)])
    file = encode([SPEECH], 16_000, "mp3", "libmp3lame")
    np.testing.assert_array_equal(read_samples(head + tag + file), read_samples(file))
