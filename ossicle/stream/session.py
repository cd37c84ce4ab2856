"""What callers hold while somebody speaks: sound in from any thread, events out for one reader, sync or async.

Knows nothing of recognition: it hands sound to the scheduler and events to whoever reads them.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from ossicle.audio.resample import SAMPLE_RATE
from ossicle.errors import StreamError
from ossicle.stream.intake import Intake
from ossicle.stream.scheduler import Lane, Scheduler
from ossicle.stream_events import LiveWarning, SessionEvent

if TYPE_CHECKING:
    from ossicle.stream.machine import Command

LATE_SECONDS = 3.0                   # of sound that waits, from which one is told once that the machine is too slow
LIVE_SHARE = 1.5                     # sound that comes in faster than this is no microphone: then waiting is no fault


class Session:
    """One live session. `Recognizer.stream` makes them."""

    def __init__(self, scheduler: Scheduler, lane: Lane) -> None:
        self._scheduler, self._lane = scheduler, lane
        self._intake = Intake()
        self._feeding = threading.Lock()                # sound and commands keep their order
        self._changed = threading.Condition()           # guards what follows
        self._events: deque[SessionEvent] = deque()
        self._has_ended = False                         # all is told
        self._num_fed, self._num_heard = 0, 0           # samples at 16 kHz
        self._readers: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._is_closed = False
        self._began: float | None = None
        self._has_told_late = False

    @property
    def audio_seconds(self) -> float:
        """Of sound that was fed."""
        return self._num_fed / SAMPLE_RATE

    @property
    def queued_seconds(self) -> float:
        """Of sound that was fed and is not heard yet."""
        return max(0, self._num_fed - self._num_heard) / SAMPLE_RATE

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called, or the session failed."""
        return self._is_closed or self._has_ended

    def feed(self, samples: np.ndarray | bytes, rate: int = SAMPLE_RATE) -> None:
        """Hand in the next stretch of sound, of any length; never waits.

        samples   (n,) or (n, channels) of floats or integers, or bytes of 16-bit little-endian PCM, one channel
        rate      Hz; may change from one stretch to the next

        Raises StreamError once closed, OptionError for what is no sound.
        """
        with self._feeding:
            self._refuse_if_closed()
            self._hand_in(self._intake.take(samples, rate))
        self._scheduler.wake()

    def commit(self) -> None:
        """End the utterance here, without waiting for silence: its final event follows, an empty one where nobody spoke."""
        self._command("commit")

    def clear(self) -> None:
        """Drop what is not committed, and the utterance with it."""
        self._command("clear")

    def close(self) -> None:
        """Finish what was fed; events end after that. Closing twice changes nothing."""
        with self._feeding:
            if self._is_closed:
                return
            self._is_closed = True
            self._hand_in(self._intake.flush())
            self._lane.inbox.append("close")
        self._scheduler.wake()

    def wait(self, queued_seconds: float = 0.0, timeout: float | None = None) -> bool:
        """Wait until no more than so much sound is waiting; False when `timeout` seconds passed before. For feeding files."""
        with self._changed:
            # Less than a frame of 32 ms is not heard before more comes, or the end.
            return self._changed.wait_for(lambda: self._has_ended or self.queued_seconds <= max(queued_seconds, 0.032), timeout)

    def __iter__(self) -> Iterator[SessionEvent]:
        """Events in order, as they come, until the session has ended."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._events or self._has_ended)
                if not self._events:
                    return
                event = self._events.popleft()
            yield event

    async def __aiter__(self) -> AsyncIterator[SessionEvent]:
        """The same for asyncio."""
        ready = asyncio.Event()
        reader = (asyncio.get_running_loop(), ready)
        with self._changed:
            self._readers.append(reader)
        try:
            while True:
                ready.clear()
                with self._changed:
                    event = self._events.popleft() if self._events else None
                    has_ended = self._has_ended
                if event is not None:
                    yield event
                elif has_ended:
                    return
                else:
                    await ready.wait()
        finally:
            with self._changed:
                self._readers.remove(reader)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def told(self, events: list[SessionEvent], is_last: bool) -> None:
        """Take events from the scheduler, on its thread."""
        with self._changed:
            self._num_heard = round(self._lane.machine.audio_seconds * SAMPLE_RATE)
            self._events.extend(events)
            if self._is_behind():
                self._events.append(LiveWarning(code="late", lag_seconds=self.queued_seconds, message=(
                    f"{self.queued_seconds:.1f} s of sound wait to be heard: this machine is too slow for the model, and steps are left "
                    "out; a smaller model, fewer bits or longer steps keep up"), audio_seconds=self._lane.machine.audio_seconds))
            self._has_ended = self._has_ended or is_last
            self._changed.notify_all()
            readers = list(self._readers)
        for loop, ready in readers:
            if not loop.is_closed():
                loop.call_soon_threadsafe(ready.set)

    def _is_behind(self) -> bool:
        """Once: whether sound comes in as fast as it is spoken, and waits."""
        if self._has_told_late or self._began is None or self.queued_seconds < LATE_SECONDS:
            return False
        self._has_told_late = self.audio_seconds < LIVE_SHARE * (time.monotonic() - self._began)
        return self._has_told_late

    def _command(self, command: "Command") -> None:
        with self._feeding:
            self._refuse_if_closed()
            self._hand_in(self._intake.flush())
            self._lane.inbox.append(command)
        self._scheduler.wake()

    def _hand_in(self, samples: Any) -> None:
        if self._began is None:
            self._began = time.monotonic()
        if len(samples):
            self._num_fed += len(samples)
            self._lane.inbox.append(samples)
        for code, message in self._intake.warnings:
            with self._changed:
                self._events.append(LiveWarning(code=code, message=message, audio_seconds=self.audio_seconds))
        self._intake.warnings.clear()

    def _refuse_if_closed(self) -> None:
        if self.is_closed:
            raise StreamError("this session is closed; open another one with Recognizer.stream")
