"""What callers feed, whatever its type, rate and channels, to mono float32 at 16 kHz: the front of a session.

Chopping does not matter: the samples that come out are the same, to the bit, and so is what is said of them. They are ours:
whoever feeds may use his buffer again.
"""

from dataclasses import dataclass, field

import numpy as np

from ossicle.audio.pcm import Samples, to_mono
from ossicle.audio.resample import SAMPLE_RATE, Resampler
from ossicle.errors import OptionError
from ossicle.stream.inbox import Notice
from ossicle.stream_events import WarningCode

LOUDEST = 4.0                        # of samples in floats: beyond this they are no numbers from -1 to 1, whatever they are
MIN_RATE, MAX_RATE = 1000, 384_000   # Hz


@dataclass
class Intake:
    """Takes what is fed; `notices` are to be told, each comes once."""

    notices: list[Notice] = field(default_factory=list)
    _resampler: Resampler = field(default_factory=Resampler)
    _warned: set[str] = field(default_factory=set)
    _odd_byte: bytes = b""
    _rate: int = SAMPLE_RATE
    _seconds: float = 0.0            # that came in at other rates before
    _num_samples: int = 0            # that came in at this rate since

    def take(self, sound: np.ndarray | bytes, rate: int) -> Samples:
        """The next samples (n,) at 16 kHz; may be fewer than came in, or none: a resampler looks ahead.

        Raises OptionError for what is no sound.
        """
        if not isinstance(rate, int | np.integer) or isinstance(rate, bool) or not MIN_RATE <= rate <= MAX_RATE:
            raise OptionError(f"rate must be a whole number from {MIN_RATE} to {MAX_RATE} Hz, got {rate!r}")
        frames, rate = self._frames(sound), int(rate)
        if rate != self._rate:
            self._seconds, self._num_samples, self._rate = self._seconds + self._num_samples / self._rate, 0, rate
        samples = self._clean(np.array(to_mono(frames)))
        self._num_samples += len(samples)
        return self._resampler.push(samples, rate)

    def flush(self) -> Samples:
        """What the resampler still holds: the sound so far ends here. Half a sample waits for its other half all the same."""
        return self._resampler.flush()

    def _frames(self, sound: np.ndarray | bytes) -> np.ndarray:
        """(samples, channels) of what was fed."""
        if isinstance(sound, bytes | bytearray | memoryview):
            sound = self._odd_byte + bytes(sound)
            whole = len(sound) - len(sound) % 2
            self._odd_byte = sound[whole:]
            return np.frombuffer(sound[:whole], "<i2")[:, None]
        array = np.asarray(sound)
        if array.dtype.kind not in "iuf" or (array.dtype.kind != "f" and array.dtype.itemsize > 4):
            raise OptionError("samples must be float, 8, 16 or 32-bit integers, or bytes of 16-bit little-endian PCM; "
                              f"got an array of {array.dtype}; convert it first")
        if array.ndim not in (1, 2) or (array.ndim == 2 and not 1 <= array.shape[1] <= 64):
            raise OptionError(f"samples must be (samples,) or (samples, channels), got the shape {array.shape}")
        return array[:, None] if array.ndim == 1 else array

    def _clean(self, samples: Samples) -> Samples:
        is_finite = np.isfinite(samples)
        if not is_finite.all():
            self._warn("bad_samples", int(np.argmin(is_finite)), "samples that are no finite numbers are taken for silence; "
                                                                 "check what feeds this session")
            samples[~is_finite] = 0
        is_loud = np.abs(samples) > LOUDEST
        if is_loud.any():
            place = int(np.argmax(is_loud))
            self._warn("loud_samples", place, f"samples in floats should lie between -1 and 1, got {float(samples[place]):g}; "
                                              "feed 16-bit sound as integers, or divide it by 32768")
        self.notices.sort(key=lambda notice: notice.at)
        return samples

    def _warn(self, code: WarningCode, place: int, message: str) -> None:
        """Of the sample at this place of what came in now."""
        if code not in self._warned:
            self._warned.add(code)
            at = self._seconds + (self._num_samples + place) / self._rate
            self.notices.append(Notice(int(at * SAMPLE_RATE), code, message))
