"""Sound to log-mel: (samples,) at 16 kHz in, (frames, 128) log10 mel out, and the floor and scale apart.

The recipe is Whisper's: 400-sample Hann windows every 160, the last frame dropped, Slaney mel bands. Training keeps the
log10 mel before floor and scale, so that clips can be joined, mixed and shifted in loudness first.
"""
import numpy as np
import torch

SAMPLE_RATE, FFT, HOP, BANDS = 16000, 400, 160, 128
FRAMES_PER_SECOND = SAMPLE_RATE // HOP
SILENCE = -10.0                          # log10 of the smallest power, 1e-10


def raw_log_mel(samples) -> torch.Tensor:
    """log10 mel of (samples,) float32: (frames, 128), frames = samples // 160."""
    samples = torch.as_tensor(samples, dtype=torch.float32)
    spectrum = torch.stft(samples, FFT, HOP, window=WINDOW, return_complex=True)[..., :-1]
    return torch.log10(torch.clamp(FILTERS @ spectrum.abs() ** 2, min=1e-10)).T.contiguous()


def normalise(raw):
    """Floor at 8 below the clip's maximum, then (x + 4) / 4."""
    floor = raw.max() - 8.0
    raw = torch.clamp(raw, min=floor) if isinstance(raw, torch.Tensor) else np.maximum(raw, floor)
    return (raw + 4.0) / 4.0


def mel_filters() -> np.ndarray:
    """(128, 201) triangles on the exact frequencies of the transform."""
    frequencies = np.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1)
    points = _to_hertz(np.linspace(_to_mel(0.0), _to_mel(SAMPLE_RATE / 2), BANDS + 2))
    low, centre, high = points[:-2, None], points[1:-1, None], points[2:, None]
    weights = np.minimum((frequencies - low) / (centre - low), (high - frequencies) / (high - centre))
    return (np.maximum(0, weights) * (2 / (high - low))).astype(np.float32)


def _to_mel(hertz):
    hertz = np.asarray(hertz, float)
    return np.where(hertz >= 1000, 15 + np.log(np.maximum(hertz, 1e-9) / 1000) * 27 / np.log(6.4), hertz * 3 / 200)


def _to_hertz(mel):
    return np.where(mel >= 15, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)), mel * 200 / 3)


FILTERS, WINDOW = torch.from_numpy(mel_filters()), torch.hann_window(FFT)
