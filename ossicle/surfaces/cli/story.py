"""What a user sees on stderr while work goes on: a bar on a terminal, plain lines elsewhere, nothing when quiet.

Knows events, not how they come about. Errors are not told here: they are told even when quiet.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
)

from ossicle.progress import ChunkDone, Diarizing, Done, Event, Started, Warned
from ossicle.results import ModelFacts
from ossicle.surfaces.cli.answer import named

OnBytes = Callable[[int, int], None]     # (bytes done, bytes in all)
LINE_SECONDS = 10.0                     # a log file does not want a line per chunk


class Story:
    """The quiet one: says nothing. The others override what they tell."""

    def __enter__(self) -> "Story":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.pause()

    def say(self, message: str) -> None:
        """One line of news."""

    def begin(self, name: str, number: int, count: int) -> None:
        """Work on a recording begins, the `number`th of `count`."""

    def on_event(self, event: Event) -> None:
        """News of the recording in hand."""

    def bytes(self, title: str) -> AbstractContextManager[OnBytes]:
        """Hands out the function that is told of bytes done."""
        return nullcontext(lambda done, total: None)

    def pause(self) -> None:
        """Leave the terminal to others: an error or a result comes next."""


class LineStory(Story):
    """Plain lines, for log files and pipes."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console, self._clock = console, clock
        self._name, self._last_line = "", 0.0

    def say(self, message: str) -> None:
        self.console.print(message, markup=False, highlight=False, soft_wrap=True)

    def bytes(self, title: str) -> AbstractContextManager[OnBytes]:
        return byte_story(title)

    def begin(self, name: str, number: int, count: int) -> None:
        self._name = f"[{number}/{count}] {name}" if count > 1 else name
        self._last_line = self._clock()

    def on_event(self, event: Event) -> None:
        match event:
            case Started() if event.num_chunks:
                pieces = f" in {event.num_chunks} pieces" if event.num_chunks > 1 else ""
                self.say(f"{self._name}: {say_seconds(event.audio_seconds)} of sound{pieces}")
            case Diarizing() if event.share < 1 and self._clock() - self._last_line >= LINE_SECONDS:
                self._last_line = self._clock()
                self.say(f"{self._name}: telling speakers apart, {event.share:.0%}")
            case ChunkDone() if event.progress < 1 and self._clock() - self._last_line >= LINE_SECONDS:
                self._last_line = self._clock()
                self.say(f"{self._name}: {event.progress:.0%}, {', '.join(speed_and_left(event))}")
            case Warned():
                self.say(f"ossicle: warning: {named(self._name, event.message)}")
            case Done():
                self.say(f"{self._name}: {_say_done(event)}")


class BarStory(LineStory):
    """A bar with percentage, speed and time left, gone when the recording is done."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._bar: Progress | None = None

    def begin(self, name: str, number: int, count: int) -> None:
        super().begin(name, number, count)
        self._bar = _Bar(
            SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=30), TaskProgressColumn(),
            TextColumn("{task.fields[pace]}", markup=False), console=self.console, transient=True)
        title = f"[{number}/{count}] {shortened(name)}" if count > 1 else shortened(name)
        self._bar.add_task(title, total=None, pace="reading")
        self._bar.start()

    def on_event(self, event: Event) -> None:
        if self._bar is not None:
            task = self._bar.task_ids[0]
            if isinstance(event, Started):
                self._bar.update(task, total=1.0, completed=0.0, pace=say_seconds(event.audio_seconds))
                return
            if isinstance(event, Diarizing):
                self._bar.update(task, completed=event.share, pace="telling speakers apart")
                return
            if isinstance(event, ChunkDone):
                self._bar.update(task, completed=event.progress, pace=", ".join(speed_and_left(event)))
                return
        if isinstance(event, Done):
            self.pause()
        super().on_event(event)

    def pause(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class _Bar(Progress):
    """Leaves room for the `^C` that a terminal echoes: a line over the whole width would wrap and stay on the screen."""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield from map(_Room, super().get_renderables())


@dataclass
class _Room:
    inner: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(self.inner, options.update(width=max(20, options.max_width - 3)))


def tell(quiet: bool, is_shared: bool = False) -> Story:
    """The story that fits where stderr goes.

    is_shared   results are written to the same terminal meanwhile, which a bar would spoil
    """
    console = Console(stderr=True)
    if quiet:
        return Story()
    return BarStory(console) if console.is_terminal and not is_shared else LineStory(console)


def say_loaded(facts: ModelFacts, seconds: float) -> str:
    """Which model answers, in one line."""
    return f"{facts.name}: {say_model(facts)}, loaded in {seconds:.1f} s"


def say_model(facts: ModelFacts) -> str:
    """`2.8 million parameters, float32, on cpu, AMD EPYC (cpu)`."""
    return f"{_say_count(facts.parameters)} parameters, {facts.weights}, on {facts.engine}, {facts.device}"


def speed_and_left(event: ChunkDone) -> Iterator[str]:
    """`4.2x real time` and `1:10 left`, as far as they can be known."""
    if event.elapsed_seconds > 0 and event.done_seconds > 0:
        speed = event.done_seconds / event.elapsed_seconds
        yield f"{speed:.1f}x real time"
        yield f"{say_seconds((event.audio_seconds - event.done_seconds) / speed)} left"


def say_seconds(seconds: float) -> str:
    """`3.6 s`, `45 s`, `2:05`, `1:02:05`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def byte_story(title: str) -> Iterator[OnBytes]:
    """Tell of bytes done: a bar on a terminal, a line per tenth elsewhere. Hands out the function that is to be called."""
    console = Console(stderr=True)
    if console.is_terminal:
        bar = Progress(TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), DownloadColumn(),
                       console=console, transient=True)
        task = bar.add_task(title, total=None)

        def on_bytes(done: int, total: int) -> None:
            bar.start()                                 # not before there is something to show
            bar.update(task, completed=done, total=total)

        try:
            yield on_bytes
        finally:
            bar.stop()
        return
    told = {0}

    def on_progress(done: int, total: int) -> None:
        tenth = 10 * done // total if total else 0
        if tenth not in told:
            told.add(tenth)
            console.print(f"{title}: {10 * tenth} % of {total / 1e6:.1f} MB", markup=False, highlight=False, soft_wrap=True)

    yield on_progress


def _say_done(event: Done) -> str:
    transcript = event.transcript
    if transcript.stopped_by == "cancelled":
        done = transcript.coverage.audio_seconds - transcript.coverage.missing_seconds
        return f"interrupted, {say_seconds(done)} of {say_seconds(transcript.duration)} are done"
    speed = f" ({1 / transcript.rtf:.1f}x real time)" if transcript.rtf else ""
    if transcript.aligner and not transcript.model:     # its text was given: nothing was heard
        said = f"{len(transcript.words)} words aligned"
    else:
        said = transcript.language or "no language heard"
    num_respelled = sum(one.count for one in transcript.respellings)
    glossary = f", {num_respelled} by the glossary" if num_respelled else ""
    return f"{said}, {say_seconds(transcript.duration)} of sound in {say_seconds(transcript.timings.total)}{speed}{glossary}"


def _say_count(count: int) -> str:
    return f"{count / 1e9:.1f} billion" if count >= 1e9 else f"{count / 1e6:.1f} million"


def shortened(name: str, limit: int = 22) -> str:
    """The last part of a path, cut to fit beside a bar."""
    name = name.rstrip("/").rpartition("/")[2] or name
    return name if len(name) <= limit else name[: limit - 1] + "…"
