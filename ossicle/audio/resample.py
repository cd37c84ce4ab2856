"""Mono blocks at any rate in, mono float32 blocks at 16 kHz out; and the range every recording is brought into.

Knows nothing of where the blocks come from.
"""

from collections.abc import Iterator

import numpy as np
import soxr

from ossicle.audio.pcm import Block, Feed, Samples
from ossicle.options import AudioOptions

SAMPLE_RATE = 16_000                 # Hz; the rate of the models, and of every `samples` beyond this room
MARGIN_SECONDS = 1                   # read before and after a time range; the resampler's filter reaches some 10 ms


def samples_of_feed(feed: Feed, options: AudioOptions) -> Iterator[Samples]:
    """Resample a feed and cut the asked time range out of it, to the sample."""
    first = round((options.start_seconds - feed.begin_seconds) * SAMPLE_RATE)
    last = None if options.end_seconds is None else round((options.end_seconds - feed.begin_seconds) * SAMPLE_RATE)
    assert first >= 0, "a feed begins no later than the range that was asked for"
    at = 0
    for samples in resample(feed.blocks):
        begin, end = max(0, first - at), len(samples) if last is None else min(len(samples), last - at)
        if begin < end:
            yield samples[begin:end]
        at += len(samples)
        if last is not None and at >= last:
            return


def resample(blocks: Iterator[Block]) -> Iterator[Samples]:
    """Blocks to 16 kHz, as soxr HQ would resample the whole at once; a change of rate begins anew."""
    resampler = Resampler()
    for block in blocks:
        samples = resampler.push(block.samples, block.rate)
        if len(samples):
            yield samples
    tail = resampler.flush()
    if len(tail):
        yield tail


class Resampler:
    """The same for sound that is handed in piece by piece. A piece of another rate ends the sound before it."""

    def __init__(self) -> None:
        self._rate = SAMPLE_RATE
        self._stream: soxr.ResampleStream | None = None

    def push(self, samples: Samples, rate: int) -> Samples:
        """The next (n,) samples at `rate` Hz, as far as what is known of them at 16 kHz is final."""
        ended = self.flush() if rate != self._rate else np.zeros(0, np.float32)
        if self._rate != rate or (self._stream is None and rate != SAMPLE_RATE):
            self._rate = rate
            self._stream = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, "float32", "HQ")
        if self._stream is not None:
            samples = self._stream.resample_chunk(np.ascontiguousarray(samples))
        return np.concatenate([ended, samples]) if len(ended) else samples

    def flush(self) -> Samples:
        """The rest of what was pushed; what is pushed next begins anew."""
        if self._stream is None:
            return np.zeros(0, np.float32)
        tail = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        self._stream = None
        return tail


def fit_range(samples: Samples) -> Samples:
    """Bring a whole recording into -1 … 1, in place: divide by the peak if it is above 1. Quiet sound stays quiet."""
    return into_range(samples, max(float(samples.max()), -float(samples.min()))) if len(samples) else samples


def into_range(samples: Samples, peak: float) -> Samples:
    """Any stretch of a recording whose loudest sample is `peak`, as `fit_range` would leave it, in place."""
    if peak > 1:
        samples /= np.float32(peak)
        np.clip(samples, -1, 1, out=samples)
    return samples


def range_begin(options: AudioOptions) -> int:
    """The whole second from which to decode so that resampling has settled when the asked range begins."""
    return max(0, int(options.start_seconds) - MARGIN_SECONDS)


def range_end(options: AudioOptions) -> float | None:
    """The second up to which to decode, for the same reason; None is the end of the recording."""
    return None if options.end_seconds is None else options.end_seconds + MARGIN_SECONDS
