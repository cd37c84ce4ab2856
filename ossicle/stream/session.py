"""What callers hold while somebody speaks: sound in from any thread, events out for one reader, sync or async.

Knows nothing of recognition: it hands sound to the scheduler and events to whoever reads them.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import fields, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from ossicle.audio.resample import SAMPLE_RATE
from ossicle.errors import OptionError, StreamError
from ossicle.stream.intake import Intake
from ossicle.stream.record import Recorder
from ossicle.stream.scheduler import Lane, Scheduler
from ossicle.stream_events import LiveWarning, SessionEvent
from ossicle.stream_options import StreamOptions

if TYPE_CHECKING:
    from ossicle.stream.machine import Command, Settings

LATE_SECONDS = 3.0                   # of sound that waits, from which one is told once that the machine is too slow
LIVE_SHARE = 1.5                     # sound that comes in faster than this is no microphone: then waiting is no fault


class Session:
    """One live session. `Recognizer.stream` makes them."""

    def __init__(
        self, scheduler: Scheduler, lane: Lane, options: StreamOptions, settings_of: Callable[[StreamOptions], "Settings"],
        recorder: Recorder | None = None,
    ) -> None:
        self.options = options
        self._scheduler, self._lane, self._settings_of = scheduler, lane, settings_of
        self._recorder = recorder
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

    def update(self, **changes: Any) -> None:
        """Change options for the utterances that begin from here on: language, languages, context, policy, step_seconds …

        Of `endpoint`, all counts at once but the mode. What needs an aligner, or records, is chosen when a session is opened.
        Raises OptionError for what is no option or not possible.
        """
        fixed = {"aligner", "record", "coalesce"} & set(changes)
        unknown = set(changes) - {entry.name for entry in fields(StreamOptions)}
        if fixed or unknown:
            raise OptionError(f"update takes options of a session that can change, got {', '.join(sorted(fixed or unknown))}; "
                              + ("open another session for that" if fixed else "StreamOptions names them"))
        options = replace(self.options, **changes)
        if options.endpoint.mode != self.options.endpoint.mode:
            raise OptionError("the endpoint mode of a session cannot change; open another session for that")
        if "aligner" in (options.words, options.policy.name) and self._lane.aligner is None:
            raise OptionError("this session has no aligner; open another one with words or policy aligner")
        settings = self._settings_of(options)
        with self._feeding:
            self._refuse_if_closed()
            self.options = options
            self._hand_in(self._intake.flush())
            self._keep_command("options", options)
            self._lane.inbox.append(settings)
        self._scheduler.wake()

    def close(self) -> None:
        """Finish what was fed; events end after that. Closing twice changes nothing."""
        with self._feeding:
            if self._is_closed:
                return
            self._is_closed = True
            self._hand_in(self._intake.flush())
            self._keep_command("close")
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
            self._publish(*events)
            if self._is_behind():
                self._publish(LiveWarning(code="late", lag_seconds=self.queued_seconds, message=(
                    f"{self.queued_seconds:.1f} s of sound wait to be heard: this machine is too slow for the model, and steps are left "
                    "out; a smaller model, fewer bits or longer steps keep up"), audio_seconds=self._lane.machine.audio_seconds))
            self._has_ended = self._has_ended or is_last
            if self._recorder is not None and is_last:
                self._recorder.close()
            self._changed.notify_all()
            readers = list(self._readers)
        for loop, ready in readers:
            if not loop.is_closed():
                loop.call_soon_threadsafe(ready.set)

    def _is_behind(self) -> bool:
        """Once: whether sound comes in as fast as it is spoken, and waits."""
        if self._has_told_late or not self.options.coalesce or self._began is None or self.queued_seconds < LATE_SECONDS:
            return False
        self._has_told_late = self.audio_seconds < LIVE_SHARE * (time.monotonic() - self._began)
        return self._has_told_late

    def _publish(self, *events: SessionEvent) -> None:
        """To disk first: what was seen is kept."""
        for event in events:
            self._events.append(event)
            if self._recorder is not None:
                self._recorder.event(event)
                if problem := self._recorder.take_problem():
                    self._events.append(LiveWarning(code="record", message=problem, audio_seconds=self.audio_seconds))

    def _keep_command(self, name: str, options: StreamOptions | None = None) -> None:
        if self._recorder is not None:
            self._recorder.command(name, self._num_fed, options)

    def _command(self, command: "Command") -> None:
        with self._feeding:
            self._refuse_if_closed()
            self._hand_in(self._intake.flush())
            self._keep_command(command)
            self._lane.inbox.append(command)
        self._scheduler.wake()

    def _hand_in(self, samples: Any) -> None:
        if self._began is None:
            self._began = time.monotonic()
        if len(samples):
            self._num_fed += len(samples)
            if self._recorder is not None:
                self._recorder.sound(samples)
                if problem := self._recorder.take_problem():
                    self._intake.warnings.append(("record", problem))
            self._lane.inbox.append(samples)
        for code, message in self._intake.warnings:
            with self._changed:
                self._publish(LiveWarning(code=code, message=message, audio_seconds=self.audio_seconds))
        self._intake.warnings.clear()

    def _refuse_if_closed(self) -> None:
        if self.is_closed:
            raise StreamError("this session is closed; open another one with Recognizer.stream")
