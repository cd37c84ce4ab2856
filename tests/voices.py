"""Two voices that any diariser must tell apart: noise in a low and in a high band, in syllables. Turns in, sound out."""

from collections.abc import Sequence

import numpy as np

RATE = 16_000
BANDS = {"low": (200, 800), "high": (2200, 3800)}       # Hz
SYLLABLE_SECONDS = 0.4


def voice(name: str, seconds: float, seed: int = 0) -> np.ndarray:
    """(samples,) float32 at 16 kHz, peak 0.5."""
    num_samples = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(num_samples))
    hertz = np.fft.rfftfreq(num_samples, 1 / RATE)
    low, high = BANDS[name]
    spectrum[(hertz < low) | (hertz > high)] = 0
    samples = np.fft.irfft(spectrum, num_samples)
    syllables = np.clip(np.sin(2 * np.pi * np.arange(num_samples) / RATE / SYLLABLE_SECONDS) + 0.6, 0, None)
    return (0.5 * samples / np.abs(samples).max() * syllables / 1.6).astype(np.float32)


def talk(turns: Sequence[tuple[str, float, float]], seconds: float) -> np.ndarray:
    """A recording with these turns of (voice, start, end); voices may overlap."""
    samples = np.zeros(round(seconds * RATE), np.float32)
    for seed, (name, start, end) in enumerate(turns):
        said = voice(name, end - start, seed)
        at = round(start * RATE)
        samples[at : at + len(said)] += said
    return samples
