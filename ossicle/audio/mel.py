"""Sound to log-mel: (samples,) at 16 kHz in, (mel_bins, frames) float32 out.

Knows nothing of models or text. The recipe is in docs/model.md under "Log-mel front end".
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ossicle.audio.pcm import Samples

Mel = np.ndarray[Any, np.dtype[np.float32]]          # (mel_bins, frames) float32

FLOOR = np.float32(1e-10)            # of power, before the logarithm
RANGE = np.float32(8.0)              # powers of ten kept below the loudest value of the clip
MIN_SAMPLES = 201                    # reflecting 200 samples at each end needs one more
SHORT_SAMPLES = 8000                 # what a shorter clip is filled up to with silence; our addition
BLOCK_FRAMES = 512                   # transformed at once: 800 kB; smaller wakes the threads of the product too often


@dataclass(frozen=True)
class MelConfig:
    """The published front end; other values are for other models."""

    rate: int = 16_000               # Hz
    num_fft: int = 400               # samples in a frame
    hop: int = 160                   # samples from one frame to the next
    mel_bins: int = 128

    @property
    def reflected(self) -> int:
        """How many samples are mirrored before the first and after the last."""
        return self.num_fft // 2


PUBLISHED = MelConfig()


def log_mel(samples: Samples, config: MelConfig = PUBLISHED) -> Mel:
    """Compute the features of one clip, as the official extractor does.

    samples   (n,) float32; below 201 they are filled up with silence to 0.5 s
    returns   (mel_bins, n // hop) float32

    Source: Whisper's feature extractor with the padding off; docs/model.md, "Log-mel front end".
    """
    samples = _long_enough(samples)
    padded = np.pad(samples, config.reflected, mode="reflect")
    raw = _raw_frames(padded, len(samples) // config.hop, config)
    return clamp(raw, float(raw.max()))


def clamp(raw: Mel, maximum: float) -> Mel:
    """Apply the last two steps to raw frames: the floor below the clip's `maximum`, and the scale. Changes `raw`."""
    np.maximum(raw, np.float32(maximum) - RANGE, out=raw)
    raw += np.float32(4)
    raw *= np.float32(0.25)
    return raw


class MelStream:
    """The same features while the sound arrives, in pieces of any length.

    `push` gives the frames that later sound cannot change; `finish` the rest. They are raw: `clamp` them with
    `maximum`, which grows while louder sound comes, once it is known how far it counts.
    """

    def __init__(self, config: MelConfig = PUBLISHED) -> None:
        self.config = config
        self.maximum = -np.inf           # of all raw frames so far
        self.num_frames = 0              # given out so far
        self._waiting = np.zeros(0, np.float32)      # from the next frame's first sample on
        self._num_samples = 0
        self._is_finished = False

    def push(self, samples: Samples) -> Mel:
        """Take the next (n,) float32 samples; returns the (mel_bins, frames) that became final, often none."""
        assert not self._is_finished, "push after finish"
        self._waiting = np.concatenate([self._waiting, samples], dtype=np.float32)
        began = self._num_samples > self.config.reflected
        self._num_samples += len(samples)
        if not began and self._num_samples > self.config.reflected:
            self._waiting = np.pad(self._waiting, (self.config.reflected, 0), mode="reflect")
        if self._num_samples <= self.config.reflected:
            return np.zeros((self.config.mel_bins, 0), np.float32)
        return self._take(max(0, (len(self._waiting) - self.config.num_fft) // self.config.hop + 1))

    def finish(self) -> Mel:
        """End the sound; returns the last frames, which saw it mirrored."""
        assert not self._is_finished, "finish twice"
        if self._num_samples <= self.config.reflected:
            self._num_samples = SHORT_SAMPLES
            whole = _long_enough(self._waiting)
            self._waiting = np.pad(whole, (self.config.reflected, 0), mode="reflect")
        self._is_finished = True
        self._waiting = np.pad(self._waiting, (0, self.config.reflected), mode="reflect")
        return self._take(self._num_samples // self.config.hop - self.num_frames)

    def _take(self, num_frames: int) -> Mel:
        raw = _raw_frames(self._waiting, num_frames, self.config)
        if num_frames:
            self._waiting = self._waiting[num_frames * self.config.hop:].copy()
            self.num_frames += num_frames
            self.maximum = max(self.maximum, float(raw.max()))
        return raw


def _long_enough(samples: Samples) -> Samples:
    assert samples.ndim == 1, f"log_mel takes (samples,), got {samples.shape}"
    if len(samples) >= MIN_SAMPLES:
        return samples
    return np.pad(samples, (0, SHORT_SAMPLES - len(samples)))


def _raw_frames(padded: Samples, num_frames: int, config: MelConfig) -> Mel:
    """The first `num_frames` frames of mirrored sound, up to and with the logarithm: (mel_bins, num_frames)."""
    raw = np.empty((config.mel_bins, num_frames), np.float32)
    if num_frames == 0:
        return raw
    window, filters = hann_window(config.num_fft), mel_filters(config)
    frames = np.lib.stride_tricks.sliding_window_view(padded, config.num_fft)[:: config.hop]     # (frames, num_fft)
    for at in range(0, num_frames, BLOCK_FRAMES):
        spectrum = np.fft.rfft(frames[at:min(at + BLOCK_FRAMES, num_frames)] * window)           # (frames, bins)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        raw[:, at:at + BLOCK_FRAMES] = (power @ filters).T
    np.maximum(raw, FLOOR, out=raw)
    return np.log10(raw, out=raw)


@cache
def hann_window(length: int) -> Samples:
    """The periodic Hann window, (length,) float32."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)
    window.flags.writeable = False
    return window


@cache
def mel_filters(config: MelConfig) -> np.ndarray:
    """Slaney's triangles of equal area on Slaney's scale, 0 Hz to half the rate: (bins, mel_bins) float32."""
    bins_hz = np.arange(config.num_fft // 2 + 1) * config.rate / config.num_fft
    edges_hz = _mel_to_hz(np.linspace(0, _hz_to_mel(config.rate / 2), config.mel_bins + 2))
    low, centre, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising = (bins_hz[:, None] - low) / (centre - low)
    falling = (high - bins_hz[:, None]) / (high - centre)
    filters = (np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)).astype(np.float32)
    filters.flags.writeable = False
    return filters


# Slaney's scale: even below 1000 Hz (15 mel), then 27 mel to every factor of 6.4.
def _hz_to_mel(hz: float) -> float:
    return hz * 3 / 200 if hz < 1000 else 15 + float(np.log(hz / 1000)) * 27 / float(np.log(6.4))


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
