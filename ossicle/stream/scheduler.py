"""Many sessions, one engine: what is due in each of them, heard side by side.

One thread listens for all sessions and asks the engine for one batch at a time; the machine of a session is touched by this
thread alone. What goes wrong in one session ends that one. The thread lives as long as there are sessions.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from ossicle.audio.resample import SAMPLE_RATE
from ossicle.pipeline.engine import Engine, Parts
from ossicle.pipeline.recognize import StageClock
from ossicle.stream.hypothesis import Hypothesis, live_words
from ossicle.stream.item import Outcome
from ossicle.stream.machine import Entry, Machine, Task
from ossicle.stream.times import time_final, time_words
from ossicle.stream.window import Ask, hear
from ossicle.stream_events import SessionEvent
from ossicle.stream_options import LiveTiming

logger = logging.getLogger(__name__)

Told = Callable[[list[SessionEvent], bool], None]       # events in order, and whether they are the last


class Lane:
    """One session, as the scheduler sees it."""

    def __init__(self, machine: Machine, told: Told, aligner: Parts | None) -> None:
        self.machine, self.told, self.aligner = machine, told, aligner
        self.inbox: deque[Entry] = deque()      # appended to by any thread

    def take(self) -> None:
        """Hand on what came in."""
        while self.inbox:
            self.machine.add(self.inbox.popleft())

    def tell(self) -> None:
        """Tell what there is to tell."""
        events, self.machine.events = self.machine.events, []
        self.told(events, self.machine.is_closed)


class Scheduler:
    """Of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lanes: list[Lane] = []
        self._wake = threading.Condition()
        self._is_running = False

    def add(self, lane: Lane) -> None:
        """Listen to one more session. Raises ModelError when the engine was closed."""
        with self._wake:
            self._lanes.append(lane)
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="ossicle-stream", daemon=True).start()

    def wake(self) -> None:
        """Something came in."""
        with self._wake:
            self._wake.notify()

    def _run(self) -> None:
        try:
            with self._engine.in_use():                     # until the last session has ended
                while lanes := self._ready():
                    self._turn(lanes)
        except BaseException as error:                      # of ours, or an engine that was closed: nobody waits for ever
            logger.debug("the scheduler ended", exc_info=True)
            with self._wake:
                lanes, self._lanes, self._is_running = self._lanes, [], False
            for lane in lanes:
                lane.machine.fail(error)
                lane.tell()

    def _ready(self) -> list[Lane]:
        """The sessions that may have something to do; waits for one. Empty when there is no session left."""
        with self._wake:
            while True:
                self._lanes = [lane for lane in self._lanes if not lane.machine.is_closed]
                if not self._lanes:
                    self._is_running = False
                    return []
                if ready := [lane for lane in self._lanes if lane.inbox or lane.machine.has_work]:
                    return ready
                self._wake.wait()

    def _turn(self, lanes: Sequence[Lane]) -> None:
        due: list[tuple[Lane, Task]] = []
        for lane in lanes:
            try:
                lane.take()
                task = lane.machine.advance()
                if task is not None:
                    due.append((lane, task))
            except Exception as error:
                self._fail(lane, error)
        if due:
            self._hear(due)
        for lane in lanes:
            lane.tell()

    def _hear(self, due: Sequence[tuple[Lane, Task]]) -> None:
        tasks, aligners = [task for _, task in due], [lane.aligner for lane, _ in due]
        for (lane, task), outcome in zip(due, self._engine.run(work, self._engine.parts, tasks, aligners), strict=True):
            try:
                if isinstance(outcome, Exception):
                    raise outcome
                lane.machine.done(task, outcome)
            except Exception as error:
                self._fail(lane, error)

    def _fail(self, lane: Lane, error: Exception) -> None:
        logger.debug("a session failed", exc_info=error)
        lane.machine.fail(error)


def work(parts: Parts, tasks: Sequence[Task], aligners: Sequence[Parts | None]) -> list[Outcome | Exception]:
    """Do what is due, on the engine's thread: hear all windows side by side, then time the words of each."""
    began, clock = time.perf_counter(), StageClock()
    heard = hear(parts, [Ask(task.item.window, task.end, task.max_tokens) for task in tasks], clock)
    found: list[Outcome | Exception] = []
    for task, aligner, hypothesis in zip(tasks, aligners, heard, strict=True):
        if isinstance(hypothesis, Exception):
            found.append(hypothesis)
            continue
        try:
            found.append(_timed(parts, aligner, task, hypothesis, clock, began))
        except Exception as error:                          # as above: one session's trouble
            found.append(error)
    return found


def _timed(parts: Parts, aligner: Parts | None, task: Task, hypothesis: Hypothesis, clock: StageClock, began: float) -> Outcome:
    started, item, options = time.perf_counter(), task.item, task.options
    samples, start = item.window.samples(item.window.origin, task.end), item.window.origin / SAMPLE_RATE
    warnings: list[str] = []
    # The aligner hears an utterance once, at its end, unless the policy goes by it.
    how: LiveTiming = "aligner" if options.policy.name == "aligner" else "auto" if options.words == "aligner" else options.words
    words = tuple(time_words(parts, aligner, live_words(hypothesis, parts.tokenizer), hypothesis, samples, start, item.after, how,
                             warnings.append))
    measured = None
    if task.kind != "step" and options.words == "aligner" and aligner is not None:
        measured = tuple(time_final(aligner, item.all_words(words), hypothesis.language, samples, start, warnings.append))
    ended = time.perf_counter()
    return Outcome(hypothesis, words, clock, ended - started, ended - began, measured, tuple(warnings))
