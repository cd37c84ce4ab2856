"""A whole recording, to be had stretch by stretch: a source in, samples of any part of it out.

A short one is held in memory. A longer one lies in a temporary file, so that hours of sound take no more memory than
minutes; what is read from there is, to the bit, what `read_samples` would hold. Knows nothing of speech or models.
"""

import io
import tempfile
from types import TracebackType
from typing import cast

import numpy as np

from ossicle.audio.channels import ChannelLevels
from ossicle.audio.load import OnProgress, OnWarning, Source, open_samples
from ossicle.audio.pcm import Samples
from ossicle.audio.resample import SAMPLE_RATE, into_range
from ossicle.errors import AudioError
from ossicle.options import AudioOptions

HELD_SECONDS = 300                   # in memory, 19 MB; several recordings may be in hand at once
SAMPLE_BYTES = 4


class Recording:
    """The samples of one recording, mono float32 at 16 kHz in -1 … 1. Close it to give its memory and file back."""

    def __init__(self, file: io.BufferedIOBase, num_samples: int, peak: float) -> None:
        self._file, self._num_samples, self._peak = file, num_samples, peak

    def __len__(self) -> int:
        return self._num_samples

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self._num_samples / SAMPLE_RATE

    def samples(self, start: int = 0, end: int | None = None) -> Samples:
        """The samples from `start` up to `end`, (samples,) float32: a copy of their own."""
        end = len(self) if end is None else min(end, len(self))
        assert 0 <= start <= end, f"expected 0 <= {start} <= {end}"
        self._file.seek(start * SAMPLE_BYTES)
        found = np.empty(end - start, np.float32)
        num_bytes = self._file.readinto(found.data.cast("B")) if len(found) else 0
        assert num_bytes == found.nbytes, f"expected {found.nbytes} bytes of the recording, got {num_bytes}"
        return into_range(found, self._peak)

    def close(self) -> None:
        """Give memory and file back; closing twice changes nothing."""
        self._file.close()

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def read_recording(
    source: Source,
    options: AudioOptions = AudioOptions(),  # noqa: B008  (frozen)
    on_progress: OnProgress | None = None,
    on_warning: OnWarning | None = None,
    held_seconds: float = HELD_SECONDS,
    levels: ChannelLevels | None = None,
) -> Recording:
    """Read a whole recording, or the asked part of it, once; arguments and errors are those of `read_samples`.

    held_seconds   a longer one goes to a temporary file, which has no name and ends with the process
    levels         gets to know how loud each channel is, on the way
    """
    spool = tempfile.SpooledTemporaryFile(round(held_seconds * SAMPLE_RATE) * SAMPLE_BYTES)  # noqa: SIM115  (handed on)
    file = cast(io.BufferedIOBase, spool)
    try:
        return Recording(file, *_write(file, source, options, on_progress, on_warning, levels))
    except BaseException:
        file.close()
        raise


def _write(
    file: io.BufferedIOBase, source: Source, options: AudioOptions, on_progress: OnProgress | None, on_warning: OnWarning | None,
    levels: ChannelLevels | None,
) -> tuple[int, float]:
    num_samples, peak = 0, 0.0
    with open_samples(source, options, on_warning, levels) as (blocks, total_seconds):
        for samples in blocks:
            try:
                file.write(np.ascontiguousarray(samples, np.float32).tobytes())
            except OSError as error:
                raise AudioError(
                    f"expected room for a long recording in the folder {tempfile.gettempdir()}, 230 MB for each hour of it, but the "
                    f"system said: {error}; make room there, or name another folder in TMPDIR"
                ) from error
            num_samples += len(samples)
            peak = max(peak, float(samples.max()), -float(samples.min()))
            if on_progress is not None:
                on_progress(num_samples / SAMPLE_RATE, total_seconds)
    return num_samples, peak
