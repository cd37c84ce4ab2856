"""A long recording to chunks: where speech is in, spans out, cut in pauses.

Knows nothing of text. Every cut falls between two samples: the spans joined are the recording.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ossicle.audio.pcm import Samples
from ossicle.audio.recording import Recording
from ossicle.audio.resample import SAMPLE_RATE
from ossicle.audio.vad import Speech
from ossicle.options import SplitOptions

MIN_TAIL_SECONDS = 5.0               # a last chunk shorter than this has too little context to be read well
SHORT_SECONDS = 4.0                  # nor has a stretch of speech shorter than this: it is decoded with its neighbour,
NEAR_SECONDS = 8.0                   # and the silence between them, where that is no longer than this
LONG_PAUSE_SECONDS = 1.0             # of two pauses longer than this, the later one
LATE_SECONDS = 0.25                  # so much longer must a pause be to be preferred to one at the end of the search
MIN_PAUSE_SECONDS = 0.25             # shorter may lie inside a word; longer, and it is worth a cut that saves a chunk
EDGE_SECONDS = 0.15                  # of a pause: the voice has not died away, or draws breath
OFFICIAL_SEARCH_SECONDS = 5.0        # to both sides of the limit
OFFICIAL_WINDOW_SAMPLES = 1600


@dataclass(frozen=True)
class Span:
    """A stretch of samples, `end` not included."""

    start: int
    end: int
    is_active: bool = True           # to be decoded

    @property
    def start_seconds(self) -> float:
        """Where it begins in the recording."""
        return self.start / SAMPLE_RATE

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start) / SAMPLE_RATE


def pack(recording: Recording, speech: Speech, options: SplitOptions = SplitOptions()) -> list[Span]:  # noqa: B008  (frozen)
    """Cut a recording into spans of at most `max_seconds` that are to be decoded, and spans between them that are not.

    A stretch that fits is one span. A longer one is walked through: each cut falls into the best pause near the longest
    possible end, or at the quietest place there where nobody says what a pause is.
    returns   spans in order, nothing lost or doubled; none for no samples. The last of a stretch is not tiny: the cut
              before it moves forward where less than 5 s (at most a quarter of a span) would be left.
    """
    spans: list[Span] = []
    for stretch in _joined([Span(*stretch) for stretch in speech.stretches()], speech, options):
        spans += _walk(recording, speech, stretch, options) if stretch.is_active else [stretch]
    return spans


def best_cut(recording: Recording, speech: Speech, low: int, high: int, quiet_seconds: float = SplitOptions.quiet_seconds) -> int:
    """The place in `low … high` (both possible) to cut at: inside the longest pause, or at the quietest place where there is none."""
    best = None
    for start, end in speech.pauses(low, high):
        seconds, lateness = (end - start) / SAMPLE_RATE, (end - low) / (high - low)
        score = min(seconds, LONG_PAUSE_SECONDS) + LATE_SECONDS * lateness
        if best is None or score > best[0]:
            best = score, start, end
    if best is not None:
        _, start, end = best
        edge = min(round(EDGE_SECONDS * SAMPLE_RATE), (end - start) // 4)
        low, high = start + edge, end - edge
    margin = round(quiet_seconds * SAMPLE_RATE)
    first = max(0, low - margin)
    return first + quietest_cut(recording.samples(first, high + margin), low - first, high - first, quiet_seconds)


def _joined(stretches: Sequence[Span], speech: Speech, options: SplitOptions) -> list[Span]:
    """The same, but for short stretches of speech: these take in the silence up to a near neighbour, unless it is noise."""
    limit, near, short = (round(seconds * SAMPLE_RATE) for seconds in (options.max_seconds, NEAR_SECONDS, SHORT_SECONDS))
    joined: list[Span] = []
    for stretch in stretches:
        if stretch.is_active and len(joined) > 1:
            before, gap = joined[-2:]
            lengths = [one.end - one.start for one in (before, gap, stretch)]
            is_speech = all(speech.seconds(one.start, one.end) != 0 for one in (before, stretch))
            if is_speech and min(lengths[0], lengths[2]) < short and lengths[1] <= near and sum(lengths) <= limit:
                joined[-2:] = [replace(before, end=stretch.end)]
                continue
        joined.append(stretch)
    return joined


def _walk(recording: Recording, speech: Speech, stretch: Span, options: SplitOptions) -> list[Span]:
    limit = round(options.max_seconds * SAMPLE_RATE)
    search = min(round(options.search_seconds * SAMPLE_RATE), limit // 2)
    tail = min(round(MIN_TAIL_SECONDS * SAMPLE_RATE), limit // 4)
    spans, start = [], stretch.start
    while stretch.end - start > limit:
        high = min(start + limit, stretch.end - tail)
        low = high - search
        least = stretch.end - (-(-(stretch.end - start) // limit) - 1) * limit      # an earlier cut takes one chunk more in all
        if low < least < high and any(until - at >= MIN_PAUSE_SECONDS * SAMPLE_RATE for at, until in speech.pauses(least, high)):
            low = least
        cut = best_cut(recording, speech, low, high, options.quiet_seconds)
        spans.append(Span(start, cut))
        start = cut
    return [*spans, Span(start, stretch.end)]


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
