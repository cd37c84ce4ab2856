"""What a user sees of a live session: events in, text on a terminal, plain lines or JSON lines out.

On a terminal the utterance that is being spoken stands in a region at the bottom, firm what is committed and dim what may still
change, over a line with the level of the sound; what is final scrolls up as plain text. Elsewhere nothing is ever redrawn.
"""

import json
import math
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

import typer
from rich.console import Console
from rich.text import Text

from ossicle.stream_events import Final, LiveWarning, Partial, SessionEvent, SpeechStarted

FLOOR_DBFS = -60.0                  # the empty meter
LOUD_DBFS, CLIPPED_DBFS = -9.0, -1.0
METER_CELLS, NARROW_METER_CELLS = 12, 4
NARROW = 32                         # columns
EIGHTHS = " ▏▎▍▌▋▊▉█"
TOLD_LAG_SECONDS = 0.05             # less is no lag
CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], " ")      # a model may write anything; a terminal must not obey it
HIDE_CURSOR, SHOW_CURSOR, CLEAR_BELOW = "\x1b[?25l", "\x1b[?25h", "\r\x1b[J"


@dataclass(frozen=True)
class Pulse:
    """How the session is doing, between its events."""

    audio_seconds: float            # of sound that came in
    lag_seconds: float              # of it that is not heard yet
    level_dbfs: float               # of the last sound
    is_ending: bool = False         # no more sound comes, and what there is is being heard


class View(Protocol):
    """What shows a session. Use it in a `with` block; one thread at a time."""

    def __enter__(self) -> "View": ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def take(self, event: SessionEvent) -> None:
        """The next event."""
        ...

    def tick(self, pulse: Pulse) -> None:
        """Some ten times a second."""
        ...


class Lines:
    """A line for each utterance, when it is final. Warnings go to stderr."""

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def take(self, event: SessionEvent) -> None:
        if isinstance(event, Final) and event.text:
            put(f"{event.text}\n")
        elif isinstance(event, LiveWarning):
            tell_warning(event)

    def tick(self, pulse: Pulse) -> None:
        pass


class EventLines(Lines):
    """Every event as a line of JSON, at once; `event_from_dict` reads them back."""

    def take(self, event: SessionEvent) -> None:
        put(json.dumps(event.to_dict(), ensure_ascii=False) + "\n")
        if isinstance(event, LiveWarning):
            tell_warning(event)


class Silent(Lines):
    """Only warnings: the text is written when all is over."""

    def take(self, event: SessionEvent) -> None:
        if isinstance(event, LiveWarning):
            tell_warning(event)


class Screen:
    """A terminal. The cursor waits at the upper left of the region, so that a terminal that wraps lines anew when it is resized takes
    it along, and everything below it can be wiped whatever became of it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._committed, self._pending = "", ""        # of the utterance that is open
        self._start: float | None = None
        self._pulse = Pulse(0.0, 0.0, -math.inf)
        self._shown = ""

    def __enter__(self) -> "Screen":
        self._write(HIDE_CURSOR)
        self._draw()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._write(CLEAR_BELOW + SHOW_CURSOR)

    def take(self, event: SessionEvent) -> None:
        match event:
            case SpeechStarted():
                self._start, self._committed, self._pending = event.start, "", ""
            case Partial():
                self._committed, self._pending = event.committed_text.translate(CONTROLS), event.pending_text.translate(CONTROLS)
            case Final():
                self._start, self._committed, self._pending = None, "", ""
                if event.text:
                    line = Text.assemble((f"{clock(event.start)}  ", "dim"), event.text.translate(CONTROLS))
                    self._write(CLEAR_BELOW + self._render(line, soft_wrap=True))
            case LiveWarning():
                self._write(CLEAR_BELOW)
                tell_warning(event)
            case _:
                return
        self._draw()

    def tick(self, pulse: Pulse) -> None:
        self._pulse = pulse
        self._draw()

    def _draw(self) -> None:
        room = max(1, self._console.size.height - 1)
        lines = [*self._spoken(), *self._render(self._status()).split("\n")][:-1][-room:]
        back = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
        self._write(f"{CLEAR_BELOW}{chr(10).join(lines)}\r{back}")

    def _spoken(self) -> list[str]:
        """The lines of the utterance that is open."""
        if self._start is None or not (self._committed or self._pending):
            return []
        text = Text.assemble((f"{clock(self._start)}  ", "dim"), self._committed, (self._pending, "dim italic"))
        return self._render(text).split("\n")[:-1]

    def _status(self) -> Text:
        pulse = self._pulse
        style = "red" if pulse.level_dbfs >= CLIPPED_DBFS else "yellow" if pulse.level_dbfs >= LOUD_DBFS else "green"
        cells = METER_CELLS if self._width >= NARROW else NARROW_METER_CELLS
        doing = "finishing" if pulse.is_ending else "speech" if self._start is not None else "listening"
        lag = f"  {pulse.lag_seconds:.1f} s behind" if pulse.lag_seconds > TOLD_LAG_SECONDS else ""
        status = Text.assemble((f"{clock(pulse.audio_seconds)} ▕", "dim"), (meter(pulse.level_dbfs, cells), style),
                               (f"▏ {doing}{lag}", "dim"))
        status.truncate(self._width, overflow="ellipsis")
        return status

    @property
    def _width(self) -> int:
        return max(2, self._console.size.width - 1)         # a character in the last column would leave the cursor in two minds

    def _render(self, text: Text, soft_wrap: bool = False) -> str:
        """With the terminal's own colours, or none; ends with a line end."""
        with self._console.capture() as capture:
            if soft_wrap:                                   # one line, however wide: it can be selected and copied as one
                self._console.print(text, soft_wrap=True, highlight=False)
            else:
                self._console.print(text, width=self._width, highlight=False)
        return capture.get()

    def _write(self, text: str) -> None:
        # What did not change is not drawn again, or a terminal could not be scrolled or selected in.
        if text == self._shown:
            return
        self._shown = text
        self._console.file.write(text)
        self._console.file.flush()


def view_of(is_jsonl: bool = False) -> View:
    """The view that fits where stdout goes."""
    console = Console()
    if is_jsonl:
        return EventLines()
    if console.is_terminal and not console.is_dumb_terminal and not console.legacy_windows:
        return Screen(console)
    return Lines()


def meter(level_dbfs: float, cells: int = METER_CELLS) -> str:
    """A bar of so many cells for a level from -60 to 0 dBFS."""
    share = min(1.0, max(0.0, 1 - level_dbfs / FLOOR_DBFS))
    eighths = round(8 * cells * share)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(cells)


def clock(seconds: float) -> str:
    """`0:07`, `12:05`, `1:02:05`: the second that has begun."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def tell_warning(event: LiveWarning) -> None:
    """One line on stderr."""
    typer.echo(f"ossicle: warning: {clock(event.audio_seconds)}: {' '.join(event.message.split())}", err=True)


def put(text: str) -> None:
    """Write a result, so that whoever reads has it now."""
    sys.stdout.write(text)
    sys.stdout.flush()
