"""`ossicle listen`: a microphone, or sound that is piped in, to text while somebody speaks."""

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from ossicle.errors import OptionError
from ossicle.options import AudioOptions, RawFormat
from ossicle.surfaces.cli.borrowed import with_flags_of
from ossicle.surfaces.cli.interrupt import Interrupt
from ossicle.surfaces.cli.live import Asked, asked_for, check_folder, follow, open_live, trouble_of
from ossicle.surfaces.cli.live_flags import live
from ossicle.surfaces.cli.live_view import view_of
from ossicle.surfaces.cli.story import Story, tell
from ossicle.surfaces.cli.table import print_table
from ossicle.surfaces.cli.transcribe_flags import SOUND

if TYPE_CHECKING:
    from ossicle.recognizer import Recognizer
    from ossicle.surfaces.microphone import Device, Driver

PIPE_RATE = 16_000                      # Hz of samples on standard input, where nothing else is said
CONTAINERS = (b"RIFF", b"RF64", b"fLaC", b"OggS")       # what a file that is no bare samples begins with


@with_flags_of(live)
def listen(
    ctx: typer.Context,
    source: Annotated[str | None, typer.Argument(
        metavar="[-]", help="'-' listens to standard input: samples, as --raw says, or a WAV, FLAC or Ogg file; default is a "
        "microphone.")] = None,
    device: Annotated[str | None, typer.Option(
        "--device", "-d", metavar="DEVICE", rich_help_panel=SOUND, help="Number or part of the name of a microphone; default is the "
        "system's own. --list-devices shows them.")] = None,
    list_devices: Annotated[bool, typer.Option(
        "--list-devices", rich_help_panel=SOUND, help="Show what can be listened to, and exit.")] = False,
    raw: Annotated[RawFormat | None, typer.Option(
        "--raw", rich_help_panel=SOUND, help="Standard input is samples without a container, in this form; default is s16le where it "
        "does not begin as a file does.")] = None,
    rate: Annotated[int | None, typer.Option(
        "--rate", metavar="HZ", rich_help_panel=SOUND, help="Samples per second: of standard input, default 16000, or of the microphone, "
        "default its own.")] = None,
    channels: Annotated[int | None, typer.Option(
        "--channels", metavar="N", rich_help_panel=SOUND, help="Interleaved channels of standard input, default 1, or channels to record, "
        "default 1 or 2; their mean is what is heard.")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print every event as a line of JSON, as it comes.")] = False,
    **flags: Any,
) -> None:
    """Write down what is said while it is said. Text goes to stdout, warnings to stderr.

    On a terminal the utterance that is being spoken stands at the bottom: firm what is committed, dim what may still change.
    Elsewhere each utterance is a line when it is final. Ctrl-C ends the listening and finishes what was said; a second one
    kills. docs/live.md shows how to listen to what the machine itself plays.
    """
    if list_devices:
        _print_devices()
        return
    _check_source(source, device, raw)
    audio = _audio(raw, rate, channels)                 # of a microphone the same bounds hold
    asked = asked_for(ctx)
    check_folder(asked.options.record)
    story = tell(asked.in_force.settings.quiet)
    if source == "-":
        with open_live(asked, story) as recognizer:
            _hear_pipe(recognizer, asked, audio, raw is not None or rate is not None or channels is not None, jsonl)
    else:
        from ossicle.surfaces.microphone import find_device, input_devices, open_driver

        driver = open_driver()                          # before the model is loaded: what cannot be done is said at once
        found = find_device(device, input_devices(driver))
        with open_live(asked, story) as recognizer:
            _hear_microphone(recognizer, asked, driver, found, (rate, channels), jsonl, story)


def _hear_pipe(recognizer: "Recognizer", asked: Asked, audio: AudioOptions, is_raw: bool, jsonl: bool) -> None:
    from ossicle.stream.blocks import SAMPLE_RATE, read_blocks
    from ossicle.surfaces.feeding import Feeder

    warnings: deque[str] = deque()

    def blocks() -> Iterator[tuple[Any, int]]:
        pipe = _Pipe(_standard_input())
        options = AudioOptions() if not is_raw and pipe.begins_with(CONTAINERS) else audio
        for samples in read_blocks(pipe, options, warnings.append):          # type: ignore[arg-type]  # it has all that is used
            yield samples, SAMPLE_RATE

    with recognizer.stream(asked.options) as session, Interrupt() as interrupt:
        feeder = Feeder(session, blocks())
        events = follow(session, feeder, view_of(jsonl), interrupt, warnings)
        is_empty = not session.audio_seconds
    if error := trouble_of(events, feeder):
        raise error
    if is_empty and not asked.in_force.settings.quiet:
        typer.echo("ossicle: warning: no sound came in on standard input; does what is piped in write to its standard output?", err=True)


def _hear_microphone(
    recognizer: "Recognizer", asked: Asked, driver: "Driver", device: "Device", form: tuple[int | None, int | None], jsonl: bool,
    story: Story,
) -> None:
    from ossicle.surfaces.feeding import Feeder, microphone_blocks
    from ossicle.surfaces.microphone import Microphone

    warnings: deque[str] = deque()
    microphone = Microphone(driver, device, *form)
    with ExitStack() as stack:
        session = stack.enter_context(recognizer.stream(asked.options))
        interrupt = stack.enter_context(Interrupt())
        stack.enter_context(microphone)
        story.say(f"listening to {device.name}, {microphone.rate} Hz; Ctrl-C ends")
        feeder = Feeder(session, microphone_blocks(microphone, warnings), None, microphone.stop)
        events = follow(session, feeder, view_of(jsonl), interrupt, warnings)
    if count := microphone.num_overruns:
        typer.echo(f"ossicle: warning: the driver lost sound {count} time{'s' * (count != 1)} in all", err=True)
    if error := trouble_of(events, feeder):
        raise error


def _check_source(source: str | None, device: str | None, raw: str | None) -> None:
    if source not in (None, "-"):
        raise OptionError(f"listen takes '-' for standard input, or nothing for a microphone, got {source!r}; `ossicle stream` plays a "
                          "recording to a live session, --device names a microphone")
    if source is None and raw is not None:
        raise OptionError("--raw is of standard input: give '-' with it, or leave it away")
    if source == "-" and device is not None:
        raise OptionError("--device names a microphone and '-' is standard input: give one of them")
    if source == "-" and (sys.stdin is None or sys.stdin.isatty()):
        raise OptionError("'-' listens to standard input, which is a terminal or closed; pipe sound into it")


def _audio(raw: RawFormat | None, rate: int | None, channels: int | None) -> AudioOptions:
    try:
        return AudioOptions(PIPE_RATE if rate is None else rate, raw or "s16le", 1 if channels is None else channels)
    except OptionError as error:
        raise OptionError("--" + str(error).removeprefix("raw_")) from error


def _print_devices() -> None:
    from ossicle.surfaces.microphone import input_devices, open_driver

    devices = input_devices(open_driver())
    if not devices:
        typer.echo("ossicle: no microphone is there, or it may not be used", err=True)
        return
    print_table(("DEVICE", "NAME", "CHANNELS", "RATE", "SYSTEM", ""), [
        (str(found.index), found.name, str(found.channels), f"{found.rate} Hz", found.host,
         ", ".join(filter(None, ("default" * found.is_default, "loopback: what the machine plays" * found.is_loopback))))
        for found in devices])
    if not any(found.is_loopback for found in devices):
        typer.echo("ossicle: none of them seems to give what the machine itself plays; docs/live.md says how to get one", err=True)


def _standard_input() -> IO[bytes]:
    """Without a buffer: a thread that waits inside a buffer could not be left when the program ends."""
    try:
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    except (OSError, ValueError):                       # no real one, as under a test
        return sys.stdin.buffer


class _Pipe:
    """Standard input, whose first bytes can be looked at."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._head = file, b""
        self.name = "standard input"

    def begins_with(self, beginnings: tuple[bytes, ...]) -> bool:
        """Whether the first four bytes are one of these; waits for them."""
        while len(self._head) < 4 and (piece := self._file.read(4 - len(self._head))):
            self._head += piece
        return self._head in beginnings

    def read(self, size: int) -> bytes:
        """What is there by now, at most so many bytes; waits for the first."""
        if self._head:
            head, self._head = self._head[:size], self._head[size:]
            return head
        return self._file.read(size)
