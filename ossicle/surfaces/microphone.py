"""A microphone in, blocks of samples out, none of them dropped: the sound card's thread fills a queue that somebody else empties.

Knows nothing of sessions. PortAudio does the work, through the package sounddevice; `Driver` is all that is used of it.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from ossicle.errors import AudioError, MissingExtra, OptionError

BLOCK_SECONDS = 0.05                 # handed over at a time: well below a step, and few calls a second
STALL_SECONDS = 5.0                  # without a block: no sound card waits so long
MUTE_SECONDS = 3.0                   # of nothing but zeros at the beginning: no microphone is so quiet
LOOPBACK_NAMES = ("blackhole", "loopback", "soundflower", "monitor of", ".monitor", "stereo mix", "vb-audio", "cable output", "what u hear")
INSTALL = 'install it with: pip install "ossicle[mic]"'


class Driver(Protocol):
    """What is used of the module sounddevice."""

    PortAudioError: type[Exception]

    def query_devices(self, device: Any = None, kind: str | None = None) -> Any: ...

    def query_hostapis(self, index: int | None = None) -> Any: ...

    def InputStream(self, **options: Any) -> Any: ...


@dataclass(frozen=True)
class Device:
    """Something that sound can be recorded from."""

    index: int                       # the driver's number; it may change when something is plugged in
    name: str
    host: str                        # the system's sound interface: Core Audio, ALSA, Windows WASAPI …
    channels: int
    rate: int                        # Hz, its own
    is_default: bool = False

    @property
    def is_loopback(self) -> bool:
        """Whether it seems to give what the machine plays, by its name."""
        return any(part in self.name.lower() for part in LOOPBACK_NAMES)


def open_driver() -> Driver:
    """The module sounddevice. Raises MissingExtra where it, or the library PortAudio, is not there."""
    try:
        import sounddevice
    except ImportError as error:
        raise MissingExtra(f"a microphone needs the package sounddevice; {INSTALL}") from error
    except OSError as error:                            # its wheels for Linux bring no PortAudio
        raise MissingExtra(f"a microphone needs the library PortAudio, which does not load ({error}); install it with: "
                           "apt install libportaudio2, dnf install portaudio, or brew install portaudio") from error
    driver: Driver = sounddevice
    return driver


def input_devices(driver: Driver) -> list[Device]:
    """Everything that sound can be recorded from, in the driver's order."""
    hosts = [str(host["name"]) for host in driver.query_hostapis()]
    try:
        default = driver.query_devices(kind="input")["index"]
    except (driver.PortAudioError, ValueError):         # there is none
        default = None
    return [Device(int(found["index"]), str(found["name"]), hosts[found["hostapi"]], int(found["max_input_channels"]),
                   round(found["default_samplerate"]), found["index"] == default)
            for found in driver.query_devices() if found["max_input_channels"] > 0]


def find_device(wanted: str | None, devices: Sequence[Device]) -> Device:
    """The device of this number, or with this in its name; None is the default one.

    Raises OptionError that names the devices, for none, for several of them, and where there are none at all.
    """
    if not devices:
        raise OptionError("there is no microphone on this machine, or it may not be used; plug one in, allow this program to use it, or "
                          "pipe sound into: ossicle listen -")
    if wanted is None:
        return next((device for device in devices if device.is_default), devices[0])
    if wanted.strip().isdecimal():
        found = [device for device in devices if device.index == int(wanted)]
    else:
        said = wanted.strip().lower()
        found = ([device for device in devices if device.name.lower() == said]
                 or [device for device in devices if said in device.name.lower()])
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{device.index} ({device.name})" for device in found or devices)
    if not found:
        raise OptionError(f"--device must be the number or a part of the name of one of {listed}; got {wanted!r}")
    raise OptionError(f"--device must name one device, but {wanted!r} fits {listed}; give its number")


class Microphone:
    """A device while it records. Use it in a `with` block; `blocks` ends when `stop` was called and all was handed out."""

    def __init__(self, driver: Driver, device: Device, rate: int | None = None, channels: int | None = None) -> None:
        """rate, channels   as it is to record; None is its own rate, and two channels where it has them: the mean is what is heard"""
        self.device, self.rate = device, rate or device.rate
        self.channels = channels or min(2, device.channels)
        self.num_overruns = 0                           # times that the driver itself lost sound, as it says
        self.is_mute = False                            # nothing but zeros came in the first seconds
        self._driver = driver
        self._queue: queue.SimpleQueue[np.ndarray | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._num_zeros: int | None = 0                 # samples at the beginning; None once there was another
        self._stream: Any = None

    def __enter__(self) -> "Microphone":
        try:
            self._stream = self._driver.InputStream(
                device=self.device.index, samplerate=self.rate, channels=self.channels, dtype="float32",
                blocksize=max(1, round(self.rate * BLOCK_SECONDS)), callback=self._take)
            self._stream.start()
        except (self._driver.PortAudioError, ValueError) as error:
            raise AudioError(f"expected sound from {self.device.name} at {self.rate} Hz with {self.channels} channel"
                             f"{'s' * (self.channels != 1)}, but the driver said: {error}; its own rate is {self.device.rate} Hz, "
                             f"and it has {self.device.channels} channels") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Record no more; what was recorded is still handed out. May be called twice, and from any thread but the driver's."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        if self._stream is not None:
            self._stream.stop()
            self._stream.close()
        self._queue.put(None)

    def blocks(self) -> Iterator[np.ndarray]:
        """Everything that is recorded, in order: (n, channels) float32. Raises AudioError when nothing comes any more."""
        while True:
            try:
                block = self._queue.get(timeout=STALL_SECONDS)
            except queue.Empty:
                if self._stopped.is_set():              # the driver takes its time
                    continue
                raise AudioError(f"{self.device.name} has given no sound for {STALL_SECONDS:g} s; was it unplugged, or is another "
                                 "program using it?") from None
            if block is None:
                return
            yield block

    def _take(self, block: np.ndarray, num_frames: int, _time: Any, status: Any) -> None:
        """On the driver's thread: keep the block, which is the driver's own, and be gone."""
        if status and status.input_overflow:
            self.num_overruns += 1
        if self._num_zeros is not None:
            self._num_zeros = None if block.any() else self._num_zeros + num_frames
            self.is_mute = self._num_zeros is not None and self._num_zeros >= MUTE_SECONDS * self.rate
        self._queue.put(block.copy())
