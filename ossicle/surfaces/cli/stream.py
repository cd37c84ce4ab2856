"""`ossicle stream`: a recording through a live session, at the pace of speech or as fast as it is heard."""

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from ossicle.errors import OptionError
from ossicle.options import AudioOptions
from ossicle.progress import ChunkDone, Done, Started, Warned
from ossicle.results import Chunk, source_name
from ossicle.stream_events import SessionEvent
from ossicle.surfaces.cli import transcribe_flags as flags
from ossicle.surfaces.cli.answer import FAILED, INTERRUPTED, is_debug, tell_error
from ossicle.surfaces.cli.borrowed import with_flags_of
from ossicle.surfaces.cli.flags import by_flag
from ossicle.surfaces.cli.interrupt import Interrupt
from ossicle.surfaces.cli.live import Asked, asked_for, check_folder, follow, open_live, trouble_of
from ossicle.surfaces.cli.live_flags import live
from ossicle.surfaces.cli.live_view import Screen, Silent, View, put, view_of
from ossicle.surfaces.cli.outlet import Style, style_of
from ossicle.surfaces.cli.story import Story, tell
from ossicle.surfaces.settings import Settings

if TYPE_CHECKING:
    from ossicle.recognizer import Recognizer

MAX = "max"


@with_flags_of(live)
def stream(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A sound or video file, '-' for standard input, or with --allow-url a URL.")],
    pace: Annotated[str, typer.Option(
        "--pace", metavar="PACE", help="1.0 plays it as it was spoken, 2 twice as fast; max, the default, as fast as it is heard, with the "
        "same events on every machine.")] = MAX,
    format: flags.Format = None,
    log: Annotated[Path | None, typer.Option(
        "--log", metavar="FILE", help="Write here when each piece of text was committed, as JSON lines for tools that measure "
        "latency.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file of --log.")] = False,
    start: flags.Start = None,
    end: flags.End = None,
    track: flags.Track = None,
    raw: flags.Raw = None,
    rate: flags.Rate = None,
    channels: flags.Channels = None,
    allow_url: flags.AllowUrl = None,
    preset: flags.Preset = None,
    max_line_width: flags.MaxLineWidth = None,
    max_lines: flags.MaxLines = None,
    max_words: flags.MaxWords = None,
    max_gap: flags.MaxGap = None,
    min_duration: flags.MinDuration = None,
    max_duration: flags.MaxDuration = None,
    max_cps: flags.MaxCps = None,
    word_times: flags.WordTimes = None,
    **flags_of_live: Any,
) -> None:
    """Play a recording to a live session, and write what it says: what a listener would have got.

    txt is shown as it comes, jsonl is every event as it comes; all other formats are written when the recording is over. The first
    Ctrl-C ends the recording and finishes what was heard; a second one kills.
    """
    speed = _speed(pace)
    asked = asked_for(ctx, **({"coalesce": False} if speed is None else {}))
    settings = asked.in_force.settings
    style = _style(settings)
    try:
        audio = AudioOptions(rate, raw, 1 if channels is None else channels, start or 0.0, end, track, settings.allow_url)
    except OptionError as error:
        raise OptionError(by_flag(str(error), asked.in_force)) from error
    _check(file, log, overwrite)
    check_folder(asked.options.record)
    view = _view(style)
    story = tell(settings.quiet, is_shared=sys.stdout is not None and sys.stdout.isatty() and style.formats[0] in ("txt", "jsonl"))
    seconds = _seconds(file, audio)                     # a file that cannot be read is told before the model is loaded
    with open_live(asked, story) as recognizer, story, ExitStack() as stack:
        lines = stack.enter_context(log.open("w", encoding="utf-8")) if log else None
        code = _play(recognizer, asked, (file, audio, seconds), speed, (style, view, lines), story, is_debug(ctx))
    if code:
        raise typer.Exit(code)


def _play(
    recognizer: "Recognizer", asked: Asked, sound: tuple[str, AudioOptions, float | None], speed: float | None,
    out: tuple[Style, View, IO[str] | None], story: Story, debug: bool,
) -> int:
    from ossicle.stream.blocks import SAMPLE_RATE, read_blocks
    from ossicle.stream.delta_log import DeltaLog
    from ossicle.stream.transcript import transcript_of
    from ossicle.surfaces.feeding import Feeder, at_pace

    (file, audio, seconds), (style, view, lines) = sound, out
    name, warnings, deltas = source_name(file) or file, deque[str](), DeltaLog()
    is_told = not isinstance(view, Screen)              # which tells how far it is itself
    began = time.monotonic()

    def blocks() -> Iterator[tuple[Any, int]]:
        for samples in read_blocks(file, audio, warnings.append):
            yield samples, SAMPLE_RATE

    def on_event(event: SessionEvent, emission_time: float) -> None:
        if lines is not None and (line := deltas.line(event, emission_time)):
            lines.write(line)
            lines.flush()

    def on_tick(heard: float) -> None:
        if is_told and seconds:
            heard = min(heard, seconds)
            story.on_event(ChunkDone(Chunk(0, 0.0, heard, "", None, "silence"), heard, seconds, time.monotonic() - began, heard / seconds))

    story.begin(name, 1, 1)
    if is_told:
        story.on_event(Started(name, seconds or 0.0, 0))
    with recognizer.stream(asked.options) as session, Interrupt() as interrupt:
        feeder = Feeder(session, blocks() if speed is None else at_pace(blocks(), speed))
        events = follow(session, feeder, view, interrupt, warnings, on_event, on_tick)
    transcript = transcript_of(events, session.audio_seconds, source=name, facts=recognizer.facts)
    story.pause()
    if audio.start_seconds and not session.audio_seconds:
        story.on_event(Warned(f"the recording ends before --start {audio.start_seconds:g} s; there is nothing to hear"))
    if isinstance(view, Silent):
        put(style.write(transcript, style.formats[0]))
    story.on_event(Done(transcript))
    if error := trouble_of(events, feeder):
        tell_error(error, debug, about=name)
        return FAILED
    return INTERRUPTED if interrupt.token.is_cancelled else 0


def _speed(pace: str) -> float | None:
    if pace.strip().lower() == MAX:
        return None
    try:
        speed = float(pace)
    except ValueError:
        speed = 0.0
    if not 0.01 <= speed <= 1000:
        raise OptionError(f"--pace must be max or a number between 0.01 and 1000, got {pace!r}")
    return speed


def _style(settings: Settings) -> Style:
    style = style_of(settings)
    if len(style.formats) > 1:
        raise OptionError(f"stream writes one format, got {', '.join(style.formats)}; `ossicle export` makes others of json")
    return style


def _view(style: Style) -> View:
    """txt and jsonl are told as they come."""
    if style.formats[0] == "jsonl":
        return view_of(is_jsonl=True)
    return view_of() if style.formats[0] == "txt" else Silent()


def _check(file: str, log: Path | None, overwrite: bool) -> None:
    if file == "-" and (sys.stdin is None or sys.stdin.isatty()):
        raise OptionError("'-' reads sound from standard input, which is a terminal or closed; pipe a file into it")
    if log is not None and log.is_dir():
        raise OptionError(f"--log must name a file, got {log}, which is a folder")
    if log is not None and log.exists() and not overwrite:
        raise OptionError(f"{log} is there already; --overwrite replaces it, another --log leaves it")
    if log is not None and not log.absolute().parent.is_dir():
        raise OptionError(f"--log must name a file in a folder that is there, got {log}")


def _seconds(file: str, audio: AudioOptions) -> float | None:
    from ossicle.stream.blocks import sound_seconds

    return sound_seconds(file, audio)
