"""Sound for the tests, and files of it in every format."""

import io
from fractions import Fraction

import av
import numpy as np
import soundfile


def speech_like(seconds: float, rate: int = 16_000, seed: int = 0) -> np.ndarray:
    """Harmonics of a gliding voice in syllables of 0.3 s, with some noise: (samples,) float32, peak below 0.6."""
    rng = np.random.default_rng(seed)
    at = np.arange(round(seconds * rate)) / rate
    pitch = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * at + seed)) / rate
    voice = sum(np.sin(k * pitch + k) / k for k in range(1, 12))
    syllables = np.clip(np.sin(2 * np.pi * at / 0.6) + 0.3 * np.sin(2 * np.pi * at / 1.7), 0, None)
    return (0.2 * voice * syllables + 0.003 * rng.standard_normal(len(at))).astype(np.float32)


def noise(seconds: float, level: float = 0.1, seed: int = 0, rate: int = 16_000) -> tuple[np.ndarray, int]:
    """White noise of this RMS, and its rate."""
    return np.random.default_rng(seed).normal(0, level, round(seconds * rate)).astype(np.float32), rate


def encode(
    tracks: list[np.ndarray], rate: int, container: str, codec: str, layout: str = "mono", with_picture: bool = False
) -> bytes:
    """Encode one or more tracks, each (samples,) or (samples, channels)."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        if with_picture:
            picture = out.add_stream("mpeg4", rate=25)
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        streams = [out.add_stream(codec, rate=rate, layout=layout) for _ in tracks]
        if with_picture:
            for _ in range(25):
                for packet in picture.encode(av.VideoFrame(64, 48, "yuv420p")):
                    out.mux(packet)
            out.mux(picture.encode(None))
        for stream, samples in zip(streams, tracks, strict=True):
            planes = np.ascontiguousarray(np.atleast_2d(samples.T), dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(planes, "fltp", layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            fit = av.AudioResampler(stream.format, layout, rate, stream.frame_size or 1024)
            for piece in [*fit.resample(frame), *fit.resample(None)]:
                out.mux(stream.encode(piece))
            out.mux(stream.encode(None))
    return file.getvalue()


def write_wav(samples: np.ndarray, rate: int, subtype: str = "PCM_16", container: str = "WAV") -> bytes:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, np.atleast_2d(samples.T).shape[0], subtype, format=container) as out:
        for at in range(0, len(samples), 4096):      # libsndfile's Vorbis encoder overflows the stack on large writes
            out.write(samples[at:at + 4096])
    return file.getvalue()


def best_shift(one: np.ndarray, other: np.ndarray) -> tuple[int, float]:
    """By how many samples `other` is later than `one`, and how well they agree there (1.0 is the same)."""
    num = min(len(one), len(other))
    one, other = one[:num], other[:num]
    size = 1 << (2 * num).bit_length()
    agreement = np.fft.irfft(np.fft.rfft(other, size) * np.conj(np.fft.rfft(one, size)), size)
    shift = int(np.argmax(agreement))
    return shift - size * (shift > size // 2), float(agreement.max() / np.sqrt(np.dot(one, one) * np.dot(other, other)))
