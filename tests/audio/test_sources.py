"""Every way of handing sound over, and every way it can be wrong."""

import io
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from ossicle.audio.load import describe, read_samples, stream_samples
from ossicle.audio.resample import fit_range
from ossicle.errors import AudioError, OptionError
from ossicle.options import AudioOptions
from tests.audio.sounds import encode, speech_like, write_wav

SPEECH = speech_like(3)
WAV = write_wav(SPEECH, 16_000)


class Pipe(io.RawIOBase):
    """A source that cannot seek and gives a few bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self._rest = io.BytesIO(content)
        self.num_read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        piece = self._rest.read(min(len(buffer), 1000))
        buffer[:len(piece)] = piece
        self.num_read += len(piece)
        return len(piece)


@pytest.fixture
def served(tmp_path):
    """The address of a small server: /talk.wav is sound, /moved leads there, anything else is missing."""
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = {"/talk.wav": 200, "/moved": 302}.get(self.path.split("?")[0], 404)
            self.send_response(status)
            self.send_header("Location", "/talk.wav")
            self.end_headers()
            self.wfile.write(WAV if status == 200 else b"")

        def log_message(self, *_arguments) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_path_bytes_file_and_pipe_give_the_same(tmp_path):
    path = tmp_path / "talk with spaces – ü.wav"
    path.write_bytes(WAV)
    at_its_end = io.BytesIO(WAV)
    at_its_end.seek(0, io.SEEK_END)
    expected = read_samples(WAV)
    pipes = (Pipe(WAV), io.BufferedReader(Pipe(WAV)))
    for source in (path, str(path), bytearray(WAV), memoryview(WAV), at_its_end, *pipes):
        np.testing.assert_array_equal(read_samples(source), expected)
    assert not at_its_end.closed


def test_a_container_in_a_pipe_is_streamed_before_it_ends():
    file = bytearray(write_wav(np.tile(SPEECH, 4), 16_000))
    file[4:8] = file[40:44] = b"\xff\xff\xff\xff"
    pipe = Pipe(bytes(file))
    blocks = stream_samples(pipe)
    first = next(blocks)
    np.testing.assert_allclose(first, SPEECH[:len(first)], atol=2**-15)
    assert pipe.num_read < len(file) / 3
    blocks.close()


def test_standard_input_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Pipe(WAV))))
    np.testing.assert_array_equal(read_samples("-"), read_samples(WAV))


@pytest.mark.parametrize(("raw_format", "scale", "dtype"), [("s16le", 32768, "<i2"), ("f32le", 1, "<f4")])
@pytest.mark.parametrize("channels", [1, 2])
def test_raw_bytes_are_read(raw_format, scale, dtype, channels):
    raw = np.repeat((SPEECH * scale).astype(dtype), channels).tobytes()
    options = AudioOptions(rate=16_000, raw_format=raw_format, raw_channels=channels)
    np.testing.assert_allclose(read_samples(Pipe(raw), options), SPEECH, atol=2**-15)
    np.testing.assert_allclose(np.concatenate(list(stream_samples(Pipe(raw), options))), SPEECH, atol=2**-15)


def test_raw_bytes_that_end_inside_a_sample_are_said_to():
    warnings: list[str] = []
    samples = read_samples(b"\0\0\0", AudioOptions(rate=16_000, raw_format="s16le"), on_warning=warnings.append)
    assert len(samples) == 1
    assert "1 of 2 bytes" in warnings[0]


@pytest.mark.parametrize(("dtype", "zero", "low"), [
    (np.uint8, 128, 0), (np.int8, 0, -128), (np.int16, 0, -32768), (np.uint16, 32768, 0), (np.int32, 0, -(2**31)),
])
def test_integers_are_scaled_by_their_full_scale(dtype, zero, low):
    middle = (zero + low) // 2
    assert read_samples((np.array([zero, low, middle], dtype), 16_000)).tolist() == [0.0, -1.0, -0.5]


def test_channels_first_and_channels_last_are_told_apart():
    both = np.stack([SPEECH, -SPEECH / 2])
    for array in (both, both.T, both.astype(np.float64)):
        np.testing.assert_allclose(read_samples((array, 16_000)), SPEECH / 4, atol=1e-7)


def test_the_callers_array_is_not_changed():
    array = SPEECH * 8
    before = array.copy()
    read_samples((array, 16_000))
    np.testing.assert_array_equal(array, before)


def test_range_rule_equals_the_goldens(shared):
    for case in json.loads((shared / "oracle/golden/text_cases.json").read_text())["normalize_audio"]:
        np.testing.assert_array_equal(
            fit_range(np.array(case["in"], np.float32)), np.array(case["out"], np.float32)
        )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_named_with_its_place(value):
    broken = np.tile(SPEECH, 2)
    broken[16_000 * 4 + 8] = value
    for source in ((broken, 16_000), write_wav(broken, 16_000, "FLOAT")):
        with pytest.raises(AudioError, match=r"at 4\.00[01] s"):
            read_samples(source)


@pytest.mark.parametrize("array", [
    SPEECH.astype(np.complex64), SPEECH > 0, np.zeros((2, 2, 2), np.float32), np.arange(5),
    np.zeros((9, 0), np.float32),
])
def test_arrays_that_are_no_sound_are_refused(array):
    with pytest.raises(OptionError):
        read_samples((array, 16_000))


def test_an_array_without_rate_is_refused_with_the_way_out():
    with pytest.raises(OptionError, match="AudioOptions\\(rate=16000\\)"):
        read_samples(SPEECH)
    np.testing.assert_array_equal(read_samples(SPEECH, AudioOptions(rate=16_000)), SPEECH)


@pytest.mark.parametrize(("content", "said"), [
    (b"", "0 bytes"), (b"Dear diary,\nno sound today: \xc3\xa4", "text that begins 'Dear diary"),
    (b"<!DOCTYPE html><html>", "text that begins"), (bytes(range(256)) * 40, "format is unknown"),
    (b"RIFF\x00\x01\x00\x00WAVEfmt \xff\xff\xff\xff" + bytes(300), "unknown or it is damaged"),
    (b"#EXTM3U\nfile:///etc/passwd\n", "text that begins"),
])
def test_what_is_no_sound_is_named(content, said):
    with pytest.raises(AudioError, match=said):
        read_samples(content)
    with pytest.raises(AudioError, match=said):
        list(stream_samples(Pipe(content)))


def test_a_file_that_is_not_there_or_not_readable_is_named(tmp_path):
    with pytest.raises(AudioError, match=r"there is none"):
        read_samples(tmp_path / "none.wav")
    with pytest.raises(AudioError, match="is a folder"):
        read_samples(str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file_is_named(tmp_path):
    path = tmp_path / "secret.wav"
    path.write_bytes(WAV)
    path.chmod(0)
    with pytest.raises(AudioError, match="permission was denied"):
        read_samples(path)


def test_denied_permission_is_an_audio_error(tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError(13, "Permission denied")
    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(AudioError, match="permission was denied"):
        read_samples(tmp_path / "secret.wav")


def test_a_film_without_sound_and_a_track_that_is_not_there_are_named():
    silent = encode([], 48_000, "mp4", "aac", with_picture=True)
    with pytest.raises(AudioError, match="holds video only"):
        read_samples(silent)
    film = encode([SPEECH], 16_000, "matroska", "flac", with_picture=True)
    with pytest.raises(OptionError, match=r"between 0 and 0 .*flac 16000 Hz.*got 3"):
        read_samples(film, AudioOptions(track=3))
    with pytest.raises(OptionError, match="track must be 0"):
        read_samples(WAV, AudioOptions(track=1))


@pytest.mark.parametrize("source", [None, 5, io.StringIO("text"), (SPEECH,), (16_000, SPEECH)])
def test_a_source_of_another_kind_is_refused(source):
    with pytest.raises(OptionError):
        read_samples(source)


@pytest.mark.parametrize(("container", "codec", "part"), [
    ("wav", "pcm_s16le", 0.5), ("flac", "flac", 0.5), ("matroska", "flac", 0.5), ("aiff", "pcm_s16be", 0.5),
])
def test_a_file_that_breaks_off_keeps_what_is_there_and_says_so(container, codec, part):
    file = encode([np.tile(SPEECH, 4)], 16_000, container, codec)
    warnings: list[str] = []
    samples = read_samples(file[:int(len(file) * part)], on_warning=warnings.append)
    assert 3 * 16_000 < len(samples) <= 9 * 16_000
    np.testing.assert_allclose(samples[:40_000], np.tile(SPEECH, 4)[:40_000], atol=1e-4)
    assert "cut off" in warnings[-1] or "breaks off" in warnings[-1]


def test_damaged_packets_become_silence_and_are_said_to():
    file = bytearray(encode([np.tile(SPEECH, 4)], 16_000, "matroska", "aac"))
    for at in range(len(file) // 2, len(file) // 2 + 400):
        file[at] ^= 0x5A
    warnings: list[str] = []
    samples = read_samples(file, on_warning=warnings.append)
    assert abs(len(samples) - 12 * 16_000) < 6000
    assert any("damaged" in warning or "breaks off" in warning for warning in warnings)


def test_an_mp4_without_its_index_is_named():
    file = encode([SPEECH], 16_000, "mp4", "aac")
    with pytest.raises(AudioError, match="index is missing"):
        read_samples(file[:len(file) // 2])


def test_a_url_is_read_only_when_allowed(served):
    with pytest.raises(AudioError, match="allow_url=True"):
        read_samples(f"{served}/talk.wav")
    allowed = AudioOptions(allow_url=True)
    np.testing.assert_array_equal(read_samples(f"{served}/moved", allowed), read_samples(WAV))
    assert describe(f"{served}/talk.wav", allowed).rate == 16_000


def test_a_url_that_fails_is_named_without_its_secrets(served):
    with pytest.raises(AudioError, match="404") as caught:
        read_samples(f"{served}/none?key=hidden", AudioOptions(allow_url=True))
    assert "hidden" not in str(caught.value)
    with pytest.raises(AudioError, match="fetching failed"):
        read_samples("http://127.0.0.1:1/", AudioOptions(allow_url=True))


def test_a_url_beyond_the_limit_is_refused(served, monkeypatch):
    monkeypatch.setattr("ossicle.audio.source.MAX_URL_BYTES", 1000)
    with pytest.raises(AudioError, match="expected at most"):
        read_samples(f"{served}/talk.wav", AudioOptions(allow_url=True))


@pytest.mark.parametrize("rate", [0, -1, None, 16_000.5, "16000"])
def test_an_impossible_rate_is_refused(rate):
    with pytest.raises(OptionError, match="rate must be"):
        read_samples((SPEECH, rate))


def test_a_rate_beside_a_container_is_said_to_be_of_no_use():
    warnings = []
    np.testing.assert_array_equal(read_samples(WAV, AudioOptions(rate=8000), on_warning=warnings.append), read_samples(WAV))
    assert "states its own rate" in warnings[0]


def test_a_header_cut_short_is_not_called_text():
    with pytest.raises(AudioError, match="unknown or it is damaged"):
        read_samples(b"RIFF\x20\x20\x20\x20WAVE")
