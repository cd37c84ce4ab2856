"""A long recording to chunks: (samples,) in, spans out, cut where it is quiet.

Knows nothing of speech or text. Every cut falls between two samples: the spans joined are the recording.
"""

from dataclasses import dataclass

import numpy as np

from ossicle.audio.pcm import Samples
from ossicle.audio.resample import SAMPLE_RATE
from ossicle.options import SplitOptions

MIN_TAIL_SECONDS = 2.0               # a last chunk shorter than this has too little context to be read well
OFFICIAL_SEARCH_SECONDS = 5.0        # to both sides of the limit
OFFICIAL_WINDOW_SAMPLES = 1600


@dataclass(frozen=True)
class Span:
    """A stretch of samples, `end` not included."""

    start: int
    end: int

    @property
    def start_seconds(self) -> float:
        """Where it begins in the recording."""
        return self.start / SAMPLE_RATE

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start) / SAMPLE_RATE


def split_at_quiet(samples: Samples, options: SplitOptions = SplitOptions()) -> list[Span]:  # noqa: B008  (frozen)
    """Cut a recording into spans of at most `max_seconds`, each at the quietest place near its longest possible end.

    samples   (n,) float32 at 16 kHz
    returns   spans in order, nothing lost or doubled; none for no samples. The last is not tiny: the cut before it
              moves forward where less than 2 s would be left.
    """
    limit = round(options.max_seconds * SAMPLE_RATE)
    search = min(round(options.search_seconds * SAMPLE_RATE), limit // 2)
    tail = min(round(MIN_TAIL_SECONDS * SAMPLE_RATE), limit // 4)
    spans, start = [], 0
    while len(samples) - start > limit:
        high = min(start + limit, len(samples) - tail)
        cut = quietest_cut(samples, high - search, high, options.quiet_seconds)
        spans.append(Span(start, cut))
        start = cut
    return [*spans, Span(start, len(samples))] if len(samples) else []


def quietest_cut(samples: Samples, low: int, high: int, quiet_seconds: float = SplitOptions.quiet_seconds) -> int:
    """The place in `low … high` (both possible) with the least sound within `quiet_seconds` around it.

    Where many are equally quiet, as in digital silence, the middle of the last such stretch, away from both words.
    """
    assert 0 <= low <= high <= len(samples), f"expected 0 <= {low} <= {high} <= {len(samples)}"
    half = max(1, round(quiet_seconds * SAMPLE_RATE / 2))
    before, after = max(0, half - low), max(0, high + half - len(samples))      # where the recording is too short
    loud = np.abs(samples[max(0, low - half):high + half])
    sums = np.zeros(before + len(loud) + 1 + after)
    np.cumsum(loud, dtype=np.float64, out=sums[before + 1:len(sums) - after])
    sums[len(sums) - after:] = sums[before + len(loud)]
    loudness = sums[2 * half:] - sums[:-2 * half]    # (places,)
    if before or after:
        places = np.arange(low, high + 1)
        loudness /= np.maximum(1, np.minimum(places + half, len(samples)) - np.maximum(places - half, 0))
    quietest = np.flatnonzero(loudness == loudness.min())
    gaps = np.flatnonzero(np.diff(quietest) > 1)
    last_run = quietest[gaps[-1] + 1:] if len(gaps) else quietest
    return low + int(last_run[len(last_run) // 2])


def split_official(samples: Samples, limit_seconds: float) -> list[Span]:
    """Cut exactly as the official package does, for `--reference`; spans may exceed the limit by up to 5 s.

    The package fills spans shorter than 0.5 s with silence at their end; that is the caller's to do.
    Source: official package, `split_audio_into_chunks`; docs/model.md, "Long audio".
    """
    limit = int(limit_seconds * SAMPLE_RATE)
    search = int(OFFICIAL_SEARCH_SECONDS * SAMPLE_RATE)
    spans, start = [], 0
    while len(samples) - start > limit:
        left, right = max(start, start + limit - search), min(len(samples), start + limit + search)
        loud = np.abs(samples[left:right])
        window = np.ones(OFFICIAL_WINDOW_SAMPLES, np.float32)        # float32 sums decide ties as the original does
        first = int(np.argmin(np.convolve(loud, window, mode="valid"))) if len(loud) > len(window) else 0
        cut = left + first + int(np.argmin(loud[first:first + len(window)]))
        cut = min(max(cut, start + 1), len(samples))
        spans.append(Span(start, cut))
        start = cut
    return [*spans, Span(start, len(samples))]
