"""Every other container and codec, films included, to a feed: packets in, mono blocks out, by FFmpeg's libraries.

The delay of an encoder is taken off as the container states it, by FFmpeg; nothing is shifted here. Damage costs the
damaged packets only: silence of their length keeps the rest in its place, and a warning says so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.stream import Discard

from ossicle.audio.pcm import AudioInfo, AudioTrack, Block, Feed, OnWarning, check_finite
from ossicle.audio.resample import range_begin, range_end
from ossicle.audio.source import OpenFile
from ossicle.errors import AudioError, OptionError
from ossicle.options import AudioOptions

PREROLL_SECONDS = 1                  # decoded before a sought place and dropped: codecs overlap, Opus wants 80 ms
SHORTFALL_SECONDS = 0.25             # less than this below the promised length is the rounding of containers
BUFFER_BYTES = 32_768                # what FFmpeg asks a file for at once; a pipe gives less
MIN_GAP_SECONDS = 0.1                # less is the rounding and jitter of clocks
MAX_GAP_SECONDS = 600.0              # more is a clock that was set anew, not a pause
HONEST_FORMATS = ("mov", "flac", "wav")          # their headers count samples; others estimate, or count the film
SANDBOX = {"protocol_whitelist": "none"}         # a playlist must not make us open other files or addresses
# Tags in some other encoding than UTF-8 are no reason to refuse sound; from 19 on PyAV sees it so by itself.
LENIENT: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.partition(".")[0]) < 19 else {}
# A pipe is looked at less far before the first words; WAV still waits for 64 KiB (measured).
# Not "nobuffer": it drops what was looked at, and with it the beginning of an mp3.
LIVE = {**SANDBOX, "probesize": "32768"}


@dataclass
class _Damage:
    """What could not be decoded, as far as we got."""

    num_packets: int = 0
    first_seconds: float = 0.0
    gap_seconds: float = 0.0
    broke_off: Exception | None = None


@contextmanager
def open_container(
    opened: OpenFile, options: AudioOptions, block_seconds: float, on_warning: OnWarning
) -> Iterator[Feed]:
    """Open a container at the asked track; AudioError when it is none, or holds no sound."""
    head = opened.head(12)
    try:
        settings = SANDBOX if opened.is_seekable else LIVE
        container = av.open(opened.file, "r", options=settings, **LENIENT, buffer_size=BUFFER_BYTES)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise AudioError(_say_unreadable(opened.name, head, error)) from error
    with container:
        stream = _choose(container, opened.name, options.track)
        info = _info(container, stream)
        begin = range_begin(options) if opened.is_seekable else 0
        blocks = _blocks(container, stream, opened.name, begin, range_end(options), block_seconds, on_warning)
        yield Feed(info, begin, check_finite(blocks, begin))


def _choose(container: Any, name: str, track: int | None) -> Any:
    streams = container.streams.audio
    if not streams:
        others = sorted({stream.type for stream in container.streams}) or ["nothing"]
        raise AudioError(
            f"expected sound in {name}, but it holds {' and '.join(others)} only; give a file with an audio track"
        )
    if track is not None and track >= len(streams):
        listed = "; ".join(str(found) for found in _tracks(container))
        raise OptionError(f"track must be between 0 and {len(streams) - 1} in {name} ({listed}), got {track}")
    chosen = streams[track] if track is not None else container.streams.best("audio") or streams[0]
    if chosen.codec_context is None:
        raise AudioError(
            f"expected a known codec in {name}, but no decoder is built in for its audio track; convert it to FLAC"
        )
    for stream in container.streams:
        if stream.index != chosen.index:
            stream.discard = Discard.all
    return chosen


def _tracks(container: Any) -> tuple[AudioTrack, ...]:
    return tuple(
        AudioTrack(
            number, stream.codec_context.name if stream.codec_context else "unknown",
            stream.rate or 0, stream.channels or 0, stream.language,
        )
        for number, stream in enumerate(container.streams.audio)
    )


def _info(container: Any, stream: Any) -> AudioInfo:
    seconds = None
    if stream.duration is not None:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        seconds = container.duration / 1e6           # AV_TIME_BASE
    context = stream.codec_context
    return AudioInfo(container.format.name, context.name, stream.rate, stream.channels, seconds, _tracks(container))


def _blocks(
    container: Any, stream: Any, name: str, begin: int, end: float | None, block_seconds: float, on_warning: OnWarning
) -> Iterator[Block]:
    """Mono blocks from `begin` to about `end` seconds, then a warning for everything that was not as promised."""
    damage = _Damage()
    seconds = float(begin)
    for block in _join(_cut(_positioned(container, stream, begin, damage), begin, end), block_seconds):
        seconds += len(block.samples) / block.rate
        yield block
    if seconds == begin and begin == 0 and (damage.num_packets or damage.broke_off):
        reason = damage.broke_off or f"none of its {damage.num_packets} packets can be decoded"
        raise AudioError(
            f"expected sound in {name}, but it is damaged or protected: {reason}; try to play it, or convert it"
        )
    if damage.gap_seconds:
        on_warning(f"{name} has no sound for {damage.gap_seconds:.2f} s within its track; silence stands there")
    if damage.num_packets:
        on_warning(
            f"{name} is damaged: {damage.num_packets} packets could not be decoded, "
            f"the first at {damage.first_seconds:.2f} s; silence stands in their place"
        )
    is_film = any(other.type != "audio" for other in container.streams)
    is_honest = container.format.name.split(",")[0] in (HONEST_FORMATS if is_film else (*HONEST_FORMATS, "matroska"))
    promised = _info(container, stream).duration_seconds if is_honest else None
    if damage.broke_off:
        on_warning(f"{name} breaks off at {seconds:.2f} s ({damage.broke_off}); what came before is used")
    elif end is None and promised is not None and seconds < promised - SHORTFALL_SECONDS:
        on_warning(f"{name} is cut off: it promises {promised:.2f} s and holds {seconds:.2f} s; what is there is used")


def _positioned(container: Any, stream: Any, begin: int, damage: _Damage) -> Iterator[tuple[int, int, np.ndarray]]:
    """Frames as (position in samples, rate, (samples, channels)), from somewhere before `begin` seconds on."""
    if begin > PREROLL_SECONDS:
        origin = stream.start_time or 0
        try:
            container.seek(origin + int((begin - PREROLL_SECONDS) / stream.time_base), stream=stream)
            frames = _frames(container, stream, damage)
            first_pts, rate, first = next(frames, (None, 1, np.zeros((0, 1), np.float32)))
        except av.FFmpegError:
            first_pts = None                         # this one cannot seek
        if first_pts is not None and (at := round((first_pts - origin) * stream.time_base * rate)) <= begin * rate:
            yield at, rate, first
            yield from _counted(frames, at + len(first), stream, damage)
            return
        container.seek(0)
    yield from _counted(_frames(container, stream, damage), 0, stream, damage)


def _counted(
    frames: Iterator[tuple[int | None, int, np.ndarray]], at: int, stream: Any, damage: _Damage
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Count positions; where the container's clock jumps ahead, silence keeps the rest in its place."""
    last_rate, origin = 0, stream.start_time or 0
    for pts, rate, samples in frames:
        if last_rate not in (0, rate):               # positions go on in the new rate
            at = round(at * Fraction(rate, last_rate))
        last_rate = rate
        gap_seconds = 0.0 if pts is None else float((pts - origin) * stream.time_base) - at / rate
        if gap_seconds > MAX_GAP_SECONDS:            # a clock set anew: from here on it is only counted
            origin = pts - round(at / rate / stream.time_base)
        elif gap_seconds > MIN_GAP_SECONDS:
            silence = np.zeros((round(gap_seconds * rate), samples.shape[1]), samples.dtype)
            yield at, rate, silence if samples.dtype != np.uint8 else silence + np.uint8(128)
            at += len(silence)
            damage.gap_seconds += gap_seconds
        yield at, rate, samples
        at += len(samples)


def _frames(container: Any, stream: Any, damage: _Damage) -> Iterator[tuple[int | None, int, np.ndarray]]:
    """Decode packet by packet; a damaged packet becomes silence of its length, a broken container ends the sound."""
    seconds = 0.0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError) as error:
            damage.broke_off = error
            packet = None
        try:
            decoded = stream.codec_context.decode(None) if packet is None and damage.broke_off else []
            decoded = packet.decode() if packet is not None else decoded
        except av.FFmpegError:
            decoded = []
            if packet is not None and packet.size:
                damage.first_seconds = damage.first_seconds if damage.num_packets else seconds
                damage.num_packets += 1
                if packet.duration and stream.rate:
                    lost = round(packet.duration * packet.time_base * stream.rate)
                    yield packet.pts, stream.rate, np.zeros((lost, stream.channels), np.float32)
                    seconds += lost / stream.rate
        for frame in decoded:
            yield frame.pts, frame.sample_rate, _to_array(frame)
            seconds += frame.samples / frame.sample_rate
        if packet is None:
            return


def _to_array(frame: Any) -> np.ndarray:
    values = frame.to_ndarray()                      # (channels, samples), or (1, samples * channels) when packed
    if not frame.format.is_planar:
        return values.reshape(-1, frame.layout.nb_channels)
    return values.T


def _cut(
    frames: Iterator[tuple[int, int, np.ndarray]], begin: int, end: float | None
) -> Iterator[tuple[int, np.ndarray]]:
    for at, rate, samples in frames:
        if end is not None and at >= end * rate:
            return
        kept = samples[max(0, begin * rate - at):]
        if len(kept):
            yield rate, kept


def _join(frames: Iterator[tuple[int, np.ndarray]], block_seconds: float) -> Iterator[Block]:
    """Codec frames are a few milliseconds; join them to blocks worth a call to NumPy."""
    waiting: list[np.ndarray] = []
    kind: tuple[int, int, np.dtype[Any]] | None = None           # what is joined must agree in all three
    num_waiting = 0
    for rate, samples in frames:
        is_other = kind != (rate, samples.shape[1], samples.dtype)
        if waiting and kind is not None and (is_other or num_waiting >= block_seconds * kind[0]):
            yield _block_of(waiting, kind[0])
            waiting, num_waiting = [], 0
        kind = (rate, samples.shape[1], samples.dtype)
        waiting.append(samples)
        num_waiting += len(samples)
    if waiting and kind is not None:
        yield _block_of(waiting, kind[0])


def _block_of(frames: list[np.ndarray], rate: int) -> Block:
    return Block.of(np.concatenate([frame.T for frame in frames], axis=1).T, rate)


def _say_unreadable(name: str, head: bytes, error: Exception) -> str:
    if head[4:8] == b"ftyp":
        return (
            f"expected a whole MP4 in {name}, but its index is missing or damaged, as when writing it was cut off "
            f"({error}); record or copy it again"
        )
    return (
        f"expected sound or a film in {name}, but its format is unknown or it is damaged ({error}); "
        "check the file; for bytes without a container give raw_format and rate"
    )
