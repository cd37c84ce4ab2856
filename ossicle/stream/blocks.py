"""A source of sound to blocks for a session: anything the library reads in, mono float32 at 16 kHz out, while it is read.

Knows nothing of sessions; the range of the samples is as it came, for what is to come cannot be known.
"""

from collections.abc import Iterator

from ossicle.audio.load import SAMPLE_RATE, Samples, Source, describe, stream_samples
from ossicle.audio.pcm import OnWarning
from ossicle.options import AudioOptions

__all__ = ["SAMPLE_RATE", "read_blocks", "sound_seconds"]


def read_blocks(
    source: Source,
    options: AudioOptions = AudioOptions(),  # noqa: B008  (frozen)
    on_warning: OnWarning | None = None,
) -> Iterator[Samples]:
    """The sound of a source block by block, each (n,) float32 at 16 kHz; a pipe is not waited for.

    source      a path, "-" for standard input, bytes, a binary file, a URL (where options allow it), or (samples, rate)
    on_warning  called with a message where sound was cut off or damaged; by default the log gets it

    Raises AudioError and OptionError the moment they are met. Closing the generator closes the source.
    """
    yield from stream_samples(source, options, on_warning)


def sound_seconds(source: Source, options: AudioOptions = AudioOptions()) -> float | None:  # noqa: B008  (frozen)
    """How long the asked part of a source is, as far as it says so without being decoded; None where it does not, as a pipe."""
    if source == "-":
        return None
    seconds = describe(source, options).duration_seconds
    return None if seconds is None else max(0.0, min(seconds, options.end_seconds or seconds) - options.start_seconds)
