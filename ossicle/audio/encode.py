"""A recording to a small file that every browser plays: any source in, Opus in WebM out.

What is kept is what the models hear, 16 kHz mono, in the bit rate that telephony over networks uses for speech of that width.
Knows nothing of pages; WebM, as Safari plays Opus in it since 2021 and in Ogg since 2025 only.
"""

import io
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from ossicle.audio.load import Source, stream_samples
from ossicle.audio.pcm import OnWarning
from ossicle.audio.resample import SAMPLE_RATE
from ossicle.errors import AudioError
from ossicle.options import AudioOptions

BIT_RATE = 24_000                    # bits a second; 11 MB an hour
MIME = "audio/webm"


@dataclass(frozen=True)
class EncodedSound:
    """A file in memory, and which part of the recording it holds."""

    data: bytes
    mime: str
    begin_seconds: float             # of the recording, where the file begins
    seconds: float                   # its length


def encode_sound(
    source: Source,
    options: AudioOptions = AudioOptions(),  # noqa: B008  (frozen)
    on_warning: OnWarning | None = None,
) -> EncodedSound:
    """Encode a recording, or the asked part of it, while it is read.

    Raises what `read_samples` raises, and AudioError for a recording without a single sample.
    """
    file, num_samples = io.BytesIO(), 0
    with av.open(file, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE, layout="mono", options={"application": "audio"})
        stream.bit_rate = BIT_RATE
        for samples in stream_samples(source, options, on_warning):
            frame = av.AudioFrame.from_ndarray(np.clip(samples, -1, 1)[None, :], "flt", "mono")
            frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, num_samples, Fraction(1, SAMPLE_RATE)
            container.mux(stream.encode(frame))
            num_samples += len(samples)
        if num_samples:
            container.mux(stream.encode(None))
    if not num_samples:
        raise AudioError("expected sound to put into the page, got a recording of 0 s; check the file and the time range")
    return EncodedSound(file.getvalue(), MIME, options.start_seconds, num_samples / SAMPLE_RATE)
