"""Numbers in any shape to mono float32 blocks: arrays and raw bytes in, a `Feed` of blocks at their own rate out.

Knows nothing of files or codecs; the decoders hand their blocks on in the same form.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from ossicle.errors import AudioError, OptionError
from ossicle.options import AudioOptions

Samples = np.ndarray[Any, np.dtype[np.float32]]      # (samples,) float32
OnWarning = Callable[[str], None]

BLOCK_SECONDS = 1.0                  # how much is read at a time; small enough for progress, large enough for NumPy
LIVE_BLOCK_SECONDS = 0.1             # the same where somebody waits for the first words
MAX_CHANNELS_FIRST = 8               # official rule: a first dimension up to this, with a longer second, is channels
RAW_DTYPES: dict[str, np.dtype[Any]] = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}


@dataclass(frozen=True)
class AudioTrack:
    """One audio track of a container."""

    index: int                       # among the audio tracks, from 0; what `AudioOptions.track` counts
    codec: str
    rate: int                        # Hz
    channels: int
    language: str | None = None      # as the container says it, e.g. "eng"

    def __str__(self) -> str:
        language = f", {self.language}" if self.language else ""
        return f"{self.index}: {self.codec} {self.rate} Hz {self.channels} ch{language}"


@dataclass(frozen=True)
class AudioInfo:
    """What a source says of itself, before it is decoded."""

    format: str                      # the container's name, or "array", "s16le", "f32le"
    codec: str
    rate: int                        # Hz
    channels: int
    duration_seconds: float | None   # None where only decoding to the end would tell
    tracks: tuple[AudioTrack, ...]


@dataclass(frozen=True)
class Block:
    """A stretch of mono sound at the rate it came in, and what it is the mean of."""

    samples: Samples
    rate: int
    frames: np.ndarray | None = None     # (samples, channels) of any supported type, as decoded

    @classmethod
    def of(cls, frames: np.ndarray, rate: int) -> "Block":
        """The block of (samples, channels)."""
        return cls(to_mono(frames), rate, frames)


@dataclass(frozen=True)
class Feed:
    """An opened source: mono blocks in order, the first of which begins at `begin_seconds` of the recording."""

    info: AudioInfo
    begin_seconds: int               # whole seconds, so that it falls on a sample of every rate
    blocks: Iterator[Block]


def array_feed(array: np.ndarray, rate: int | None) -> Feed:
    """Take an array as a recording.

    array     (samples,), (samples, channels) or (channels, samples); float or integer, integers by their full scale
    rate      Hz; None raises OptionError
    """
    if rate is None:
        raise OptionError("an array needs its rate, got none; give (samples, rate), or AudioOptions(rate=16000), say")
    if array.dtype.kind not in "iuf" or (array.dtype.kind != "f" and array.dtype.itemsize > 4):
        raise OptionError(
            "samples must be float, or 8, 16 or 32-bit integers (then full scale is 1.0); "
            f"got an array of {array.dtype}; convert it first"
        )
    if array.ndim not in (1, 2):
        raise OptionError(f"samples must have one dimension, or two with channels; got the shape {array.shape}")
    frames = _frames_first(array)
    info = _plain_info("array", str(array.dtype), rate, frames.shape[1], frames.shape[0] / rate)
    step = max(1, round(rate * BLOCK_SECONDS))
    blocks = (Block.of(frames[at:at + step], rate) for at in range(0, frames.shape[0], step))
    return Feed(info, 0, check_finite(blocks, 0))


def raw_feed(
    file: BinaryIO, size: int | None, options: AudioOptions, block_seconds: float, on_warning: OnWarning
) -> Feed:
    """Take bytes without a container as `options.raw_format` at `options.rate`; `size` is their number, where known."""
    assert options.raw_format is not None
    assert options.rate is not None, "AudioOptions sees to it"
    dtype = RAW_DTYPES[options.raw_format]
    frame_bytes = dtype.itemsize * options.raw_channels
    seconds = None if size is None else size // frame_bytes / options.rate
    info = _plain_info(options.raw_format, options.raw_format, options.rate, options.raw_channels, seconds)
    blocks = _raw_blocks(file, dtype, options, block_seconds, on_warning)
    return Feed(info, 0, check_finite(blocks, 0))


def to_float(values: np.ndarray) -> np.ndarray:
    """Scale integers so that their full scale is 1.0 (unsigned ones are recentred); floats become float32."""
    kind, bits = values.dtype.kind, 8 * values.dtype.itemsize
    if kind == "f":
        with np.errstate(over="ignore"):             # a float64 beyond float32 becomes inf, and is reported as such
            return values.astype(np.float32, copy=False)
    half = 2.0 ** (bits - 1)
    if kind == "u":                                  # float64 in between: 32 bits do not fit a float32
        return ((values.astype(np.float64) - half) / half).astype(np.float32)
    if bits == 32:
        return (values / half).astype(np.float32)
    return values.astype(np.float32) * np.float32(1 / half)


def to_mono(frames: np.ndarray) -> Samples:
    """(samples, channels) of any supported type to the mean of the channels, (samples,) float32."""
    scaled = to_float(frames)
    return scaled[:, 0] if scaled.shape[1] == 1 else scaled.mean(axis=1, dtype=np.float32)


def check_finite(blocks: Iterator[Block], begin_seconds: float) -> Iterator[Block]:
    """Pass blocks on; a NaN or infinity raises AudioError with its place."""
    seconds = float(begin_seconds)
    for block in blocks:
        is_finite = np.isfinite(block.samples)
        if not is_finite.all():
            place = seconds + int(np.argmin(is_finite)) / block.rate
            value = block.samples[int(np.argmin(is_finite))]
            raise AudioError(
                f"samples must be finite numbers, got {value} at {place:.3f} s; "
                "repair the recording, or read only a part of it (start_seconds, end_seconds; on the command line --start, --end)"
            )
        seconds += len(block.samples) / block.rate
        yield block


def _frames_first(array: np.ndarray) -> np.ndarray:
    if array.ndim == 1:
        return array[:, None]
    if array.shape[0] <= MAX_CHANNELS_FIRST and array.shape[1] > array.shape[0]:
        return array.T
    if array.shape[1] == 0:
        raise OptionError(f"samples must have at least one channel, got the shape {array.shape}")
    return array


def _plain_info(name: str, codec: str, rate: int, channels: int, seconds: float | None) -> AudioInfo:
    return AudioInfo(name, codec, rate, channels, seconds, (AudioTrack(0, codec, rate, channels),))


def _raw_blocks(
    file: BinaryIO, dtype: np.dtype, options: AudioOptions, block_seconds: float, on_warning: OnWarning
) -> Iterator[Block]:
    assert options.rate is not None
    frame_bytes = dtype.itemsize * options.raw_channels
    step = frame_bytes * max(1, round(options.rate * block_seconds))
    rest = b""
    while piece := file.read(step):
        rest += piece
        whole = len(rest) - len(rest) % frame_bytes
        if whole:
            frames = np.frombuffer(rest[:whole], dtype).reshape(-1, options.raw_channels)
            yield Block.of(frames, options.rate)
            rest = rest[whole:]
    if rest:
        on_warning(
            f"the raw sound ends inside a sample: {len(rest)} of {frame_bytes} bytes were left over and not used; "
            "check the form of the samples and the number of channels"
        )
