"""What a user sees of a batch: how far it is, how fast, how long still; and at the end what became of every recording."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn

from ossicle.progress import ChunkDone, Event, Started, Warned
from ossicle.surfaces.cli.answer import named
from ossicle.surfaces.cli.story import LINE_SECONDS, LineStory, Story, say_seconds, shortened, speed_and_left

if TYPE_CHECKING:
    from ossicle.archive.batch import Ending, Outcome, Tally
    from ossicle.archive.finding import Found

SAID = {"done": "done", "rewritten": "written from the ledger", "skipped": "done in an earlier run", "incomplete": "incomplete",
        "failed": "failed", "busy": "left to another process"}


class BatchStory(LineStory):
    """Plain lines: one per recording that needed work, and one now and then about the whole."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, clock)
        self._bytes: dict[Path, int] = {}
        self._done_bytes = self._worked_bytes = 0
        self._work_seconds = 0.0
        self._number = 0
        self._last_whole = clock()

    def begin_all(self, found: "Sequence[Found]", tally: "Tally") -> None:
        """These recordings come next."""
        self._bytes = {recording.path: _size(recording.path) for recording in found}
        self._done_bytes = self._worked_bytes = self._number = 0
        self._work_seconds = 0.0
        self.say(f"{len(found)} recording{'' if len(found) == 1 else 's'}, {sum(self._bytes.values()) / 1e6:.1f} MB")

    def on_recording(self, path: Path, event: Event) -> None:
        """News of one recording."""
        if isinstance(event, Warned):
            self.say(f"ossicle: warning: {named(path, event.message)}")

    def ended(self, outcome: "Outcome", tally: "Tally") -> None:
        """One more recording came to its end."""
        self._number += 1
        size = self._bytes.get(outcome.path, 0)
        self._done_bytes += size
        if outcome.work_seconds:
            self._worked_bytes += size
            self._work_seconds += outcome.work_seconds
        if outcome.ending != "skipped":
            self.say(f"[{self._number}/{len(self._bytes)}] {outcome.path}: {_say_outcome(outcome)}")
        if self._clock() - self._last_whole >= LINE_SECONDS and self._number < len(self._bytes):
            self._last_whole = self._clock()
            self.say(f"{self._share:.0%} of all, {self._say_pace(tally)}")

    def end(self, tally: "Tally") -> None:
        """The run is over."""
        self.pause()
        endings: tuple[Ending, ...] = ("done", "rewritten", "skipped", "incomplete", "failed", "busy")
        counts = [f"{tally.count(ending)} {SAID[ending]}" for ending in endings if tally.count(ending)]
        self.say(", ".join(counts) or "nothing to do: no recording was found; --all-files takes every file, whatever its suffix")
        if tally.audio_seconds:
            speed = f" ({tally.audio_seconds / tally.seconds:.1f}x real time)" if tally.seconds else ""
            self.say(f"{say_seconds(tally.audio_seconds)} of sound in {say_seconds(tally.seconds)}{speed}")
        for outcome in tally.outcomes:
            if outcome.ending in ("incomplete", "failed", "busy"):
                self.say(f"{SAID[outcome.ending]}: {outcome.path}: {outcome.reason}")

    @property
    def _share(self) -> float:
        return self._done_bytes / total if (total := sum(self._bytes.values())) else 0.0

    def _say_pace(self, tally: "Tally") -> str:
        """Speed so far, and the time left: by bytes, as nobody has counted the seconds of what is not read yet."""
        said = [f"{tally.audio_seconds / tally.seconds:.1f}x real time"] if tally.audio_seconds and tally.seconds else []
        if self._worked_bytes:
            left = (sum(self._bytes.values()) - self._done_bytes) * self._work_seconds / self._worked_bytes
            said.append(f"{say_seconds(left)} left")
        return ", ".join(said) or "nothing decoded yet"


class BatchBars(BatchStory):
    """Two bars: the whole, and the recording in hand."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._bars: Progress | None = None

    def begin_all(self, found: "Sequence[Found]", tally: "Tally") -> None:
        super().begin_all(found, tally)
        self.pause()
        self._bars = Progress(TextColumn("{task.description}", markup=False), BarColumn(bar_width=30), TaskProgressColumn(),
                              MofNCompleteColumn(), TextColumn("{task.fields[pace]}", markup=False), console=self.console, transient=True)
        self._whole = self._bars.add_task("all", total=len(found), pace="")
        self._one = self._bars.add_task("", total=None, pace="", visible=False)
        self._bars.start()

    def on_recording(self, path: Path, event: Event) -> None:
        if self._bars is None:
            return
        if isinstance(event, Started):
            self._bars.reset(self._one, description=shortened(path.name), total=event.num_chunks, visible=True,
                             pace=say_seconds(event.audio_seconds))
        elif isinstance(event, ChunkDone):
            self._bars.update(self._one, advance=1, pace=", ".join(speed_and_left(event)))
        else:
            super().on_recording(path, event)

    def ended(self, outcome: "Outcome", tally: "Tally") -> None:
        super().ended(outcome, tally)
        if self._bars is not None:
            self._bars.update(self._whole, completed=self._number, pace=self._say_pace(tally))
            self._bars.update(self._one, visible=False)

    def pause(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


class Silent(Story):
    """Says nothing."""

    def begin_all(self, found: "Sequence[Found]", tally: "Tally") -> None:
        """Nothing."""

    def on_recording(self, path: Path, event: Event) -> None:
        """Nothing."""

    def ended(self, outcome: "Outcome", tally: "Tally") -> None:
        """Nothing."""

    def end(self, tally: "Tally") -> None:
        """Only what went wrong, which is told even when quiet."""
        console = Console(stderr=True)
        for outcome in tally.outcomes:
            if outcome.ending in ("failed", "busy"):
                console.print(f"ossicle: error: {outcome.path}: {outcome.reason}", markup=False, highlight=False, soft_wrap=True)


def tell_batch(quiet: bool) -> BatchStory | Silent:
    """The story that fits where stderr goes."""
    console = Console(stderr=True)
    if quiet:
        return Silent()
    return BatchBars(console) if console.is_terminal else BatchStory(console)


def report_of(tally: "Tally") -> dict[str, Any]:
    """What happened to every recording, ready for JSON."""
    return {
        "schema": "ossicle-batch/1",
        "counts": {ending: tally.count(ending) for ending in SAID},        # type: ignore[arg-type]
        "audio_seconds": tally.audio_seconds,
        "seconds": tally.seconds,
        "recordings": [{
            "path": str(outcome.path), "ending": outcome.ending, "reason": outcome.reason,
            "outputs": [str(path) for path in outcome.outputs],
            "audio_seconds": outcome.audio_seconds, "work_seconds": outcome.work_seconds,
            "num_chunks": outcome.num_chunks, "num_known": outcome.num_known,
        } for outcome in tally.outcomes],
    }


def _say_outcome(outcome: "Outcome") -> str:
    if outcome.ending in ("failed", "busy"):
        return f"{SAID[outcome.ending]}: {outcome.reason}"
    if outcome.ending == "rewritten":
        return SAID["rewritten"]
    speed = f" ({outcome.audio_seconds / outcome.work_seconds:.1f}x real time)" if outcome.work_seconds else ""
    known = f", {outcome.num_known} of {outcome.num_chunks} pieces known from before" if outcome.num_known else ""
    gaps = f"; incomplete: {outcome.reason}" if outcome.ending == "incomplete" else ""
    return f"{say_seconds(outcome.audio_seconds)} of sound in {say_seconds(outcome.work_seconds)}{speed}{known}{gaps}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
