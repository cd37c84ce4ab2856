"""Sound in, samples out: anything a caller may name to mono float32 at 16 kHz.

The order is the official one: decode, mean of the channels, resample (soxr HQ), range. Knows nothing of models or text.
`source` opens, `soundfiles` and `containers` decode, `pcm` counts, `resample` brings to 16 kHz.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import soundfile

from ossicle.audio.channels import ChannelLevels
from ossicle.audio.containers import open_container
from ossicle.audio.pcm import (
    BLOCK_SECONDS,
    LIVE_BLOCK_SECONDS,
    AudioInfo,
    AudioTrack,
    Feed,
    OnWarning,
    Samples,
    array_feed,
    raw_feed,
)
from ossicle.audio.resample import SAMPLE_RATE, fit_range, samples_of_feed
from ossicle.audio.soundfiles import is_plain_sound, open_sound_file
from ossicle.audio.source import OpenFile, Source, open_source
from ossicle.errors import AudioError, OptionError
from ossicle.options import AudioOptions

__all__ = ["SAMPLE_RATE", "AudioInfo", "AudioTrack", "Samples", "Source", "describe", "read_samples", "stream_samples"]

logger = logging.getLogger(__name__)

OnProgress = Callable[[float, float | None], None]   # seconds read, seconds in all where known

FIRST_SECONDS = 60                   # of the buffer, where the source does not say how long it is
TRUSTED_SECONDS = 4 * 3600           # the longest buffer made on a header's word alone
HEAD_BYTES = 4096                    # looked at to tell sound from text
LIVE_HEAD_BYTES = 12                 # the same where waiting for more would delay the first words
GROWTH = 1.5


def read_samples(
    source: Source,
    options: AudioOptions = AudioOptions(),  # noqa: B008  (frozen)
    on_progress: OnProgress | None = None,
    on_warning: OnWarning | None = None,
) -> Samples:
    """Read a whole recording, or the asked part of it.

    source       path, bytes, binary file, "-" (standard input), URL, array with options.rate, or (array, rate)
    on_progress  called with (seconds read, seconds in all or None)
    on_warning   called with a message where sound was cut off or damaged; by default the log gets it
    returns      (samples,) float32 at 16 kHz in -1 … 1; empty where the recording is

    Raises AudioError for a source that cannot be read, OptionError for options that do not fit it.
    Source: official package, `utils`; differences in docs/model.md, "Audio input".
    """
    with open_samples(source, options, on_warning) as (blocks, total_seconds):
        buffer = np.empty(round(min(total_seconds or FIRST_SECONDS, TRUSTED_SECONDS) * SAMPLE_RATE) + 16, np.float32)
        num_samples = 0
        for samples in blocks:
            needed = num_samples + len(samples)
            if needed > len(buffer):                 # in place: a long recording is never held twice
                buffer.resize(max(needed, int(len(buffer) * GROWTH)), refcheck=False)
            buffer[num_samples:needed] = samples
            num_samples = needed
            if on_progress is not None:
                on_progress(num_samples / SAMPLE_RATE, total_seconds)
    buffer.resize(num_samples, refcheck=False)
    return fit_range(buffer)


@contextmanager
def open_samples(
    source: Source, options: AudioOptions, on_warning: OnWarning | None = None, levels: ChannelLevels | None = None
) -> Iterator[tuple[Iterator[Samples], float | None]]:
    """The blocks of a recording that is not waited for live, before their range is fitted, and its seconds where known.

    levels   gets to know how loud each channel is while the blocks are taken: a pipe cannot be read again
    """
    with _open_feed(source, options, False, on_warning or logger.warning) as feed:
        feed = feed if levels is None else levels.listen(feed, options)
        yield samples_of_feed(feed, options), _total_seconds(feed, options)


def stream_samples(
    source: Source,
    options: AudioOptions = AudioOptions(),  # noqa: B008  (frozen)
    on_warning: OnWarning | None = None,
) -> Iterator[Samples]:
    """Hand out a recording block by block while it is read; a pipe is not waited for.

    The blocks joined are `read_samples` before its last step: whoever needs -1 … 1 must clip. Closing the generator
    closes the source. Errors as in `read_samples`, the moment they are met.
    """
    with _open_feed(source, options, True, on_warning or logger.warning) as feed:
        yield from samples_of_feed(feed, options)


def describe(source: Source, options: AudioOptions = AudioOptions()) -> AudioInfo:  # noqa: B008  (frozen)
    """Say what a source is without decoding it: format, codec, rate, channels, length, tracks."""
    with _open_feed(source, options, False, lambda _message: None) as feed:
        return feed.info


@contextmanager
def _open_feed(source: Source, options: AudioOptions, is_live: bool, on_warning: OnWarning) -> Iterator[Feed]:
    if isinstance(source, tuple):
        if len(source) != 2 or not isinstance(source[0], np.ndarray):
            raise OptionError("a tuple must be (samples, rate) with samples an array; got something else")
        yield array_feed(source[0], AudioOptions(rate=_whole_rate(source[1])).rate)
        return
    if isinstance(source, np.ndarray):
        yield array_feed(source, options.rate)
        return
    block_seconds = LIVE_BLOCK_SECONDS if is_live else BLOCK_SECONDS
    with ExitStack() as stack:
        opened = stack.enter_context(open_source(source, options, is_live))
        if options.raw_format is not None:
            yield raw_feed(opened.file, opened.size, options, block_seconds, on_warning)
            return
        if options.rate is not None:
            on_warning(f"{opened.name} states its own rate; the given one ({options.rate} Hz) is of arrays and raw bytes and was not used")
        head = opened.head(HEAD_BYTES if opened.is_seekable else LIVE_HEAD_BYTES)
        _refuse_what_is_no_sound(head, opened)
        if opened.is_seekable and is_plain_sound(head):
            try:
                feed = stack.enter_context(open_sound_file(opened, options, block_seconds, on_warning))
            except (soundfile.SoundFileRuntimeError, TypeError):     # an unusual coding, or a misleading name
                opened.file.seek(0)
                feed = stack.enter_context(open_container(opened, options, block_seconds, on_warning))
        else:
            feed = stack.enter_context(open_container(opened, options, block_seconds, on_warning))
        yield feed


def _whole_rate(rate: object) -> int:
    if not isinstance(rate, (int, float, np.integer, np.floating)) or int(rate) != rate:
        raise OptionError(f"rate must be a whole number of samples a second, got {rate!r}")
    return int(rate)


def _refuse_what_is_no_sound(head: bytes, opened: OpenFile) -> None:
    if not head:
        raise AudioError(f"expected sound in {opened.name}, got 0 bytes; was it written to its end?")
    if is_plain_sound(head):                         # a header of text characters only, cut short
        return
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) - error.start > 3 or error.reason != "unexpected end of data":
            return
        text = head[: error.start].decode("utf-8")   # a character was cut by the end of the head
    if all(character.isprintable() or character.isspace() for character in text):
        beginning = " ".join(text[:40].split())
        raise AudioError(
            f"expected sound in {opened.name}, got text that begins {beginning!r}; name the recording itself"
        )


def _total_seconds(feed: Feed, options: AudioOptions) -> float | None:
    if feed.info.duration_seconds is None:
        return None
    end = min(feed.info.duration_seconds, options.end_seconds or np.inf)
    return max(0.0, end - options.start_seconds)
