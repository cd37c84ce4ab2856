"""`ossicle batch`: a folder of recordings to a tree of results, over as many runs as it takes."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ossicle.errors import FormatError, OptionError
from ossicle.formats.registry import FORMATS
from ossicle.formats.write import to_json
from ossicle.options import AudioOptions
from ossicle.progress import CancelToken
from ossicle.surfaces.cli import recordings
from ossicle.surfaces.cli.answer import FAILED, INTERRUPTED
from ossicle.surfaces.cli.batch_story import BatchStory, Silent, report_of, tell_batch
from ossicle.surfaces.cli.borrowed import with_flags_of
from ossicle.surfaces.cli.flags import ConfigFlag, by_flag
from ossicle.surfaces.cli.media import check_embedding, embed_recordings
from ossicle.surfaces.cli.outlet import style_of, write_whole
from ossicle.surfaces.cli.story import Story
from ossicle.surfaces.cli.transcribe import context_of, run_of, transcribe
from ossicle.surfaces.settings import InForce, Settings, cue_options, read_settings

if TYPE_CHECKING:
    from ossicle.archive.batch import Listener, Style
    from ossicle.archive.finding import Found
    from ossicle.archive.ledger import Ledger

FOLDERS = "Folders"


def _flag(*names: str, help: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=FOLDERS)


@with_flags_of(transcribe, without=("files", "output", "start", "end", "track", "raw", "rate", "channels", "allow_url"))
def batch(
    ctx: typer.Context,
    inputs: Annotated[list[str], typer.Argument(metavar="IN", help="Folders, files or quoted patterns such as 'talks/**/*.mp3'.")],
    out: Annotated[Path, _flag("--out", "-o", metavar="DIR", help="Results go here, in the same tree as the recordings.")],
    include: Annotated[list[str] | None, _flag(
        "--include", metavar="PATTERN", help="Take only what matches, by name or path; may be repeated.")] = None,
    exclude: Annotated[list[str] | None, _flag("--exclude", metavar="PATTERN", help="Leave out what matches; may be repeated.")] = None,
    all_files: Annotated[bool, _flag("--all-files", help="Take every file of a folder, whatever its suffix.")] = False,
    ledger: Annotated[Path | None, _flag(
        "--ledger", metavar="FILE", help="Where to write down what is done; default is .ossicle/ledger.sqlite in --out.")] = None,
    retry_failed: Annotated[bool, _flag(
        "--retry-failed", help="Try again what failed three times, and what was incomplete.")] = False,
    jobs: Annotated[int, _flag("--jobs", "-j", metavar="N", help=(
        "Threads that read files ahead to know their content; default is 2. The model itself uses all cores already."))] = 2,
    watch: Annotated[bool, _flag("--watch", help="Go on and take what comes; Ctrl-C ends it.")] = False,
    quiet_seconds: Annotated[float, _flag(
        "--quiet-seconds", metavar="S", help="With --watch: a file is taken when it has not changed for so long; default is 5.")] = 5.0,
    poll: Annotated[bool, _flag("--poll", help="With --watch: look through the folders, for disks that tell of no changes.")] = False,
    report: Annotated[Path | None, _flag("--report", metavar="FILE", help="Write what happened to every recording here, as JSON.")] = None,
    context_file: Annotated[Path | None, typer.Option("--context-file", metavar="FILE", help="--context from a text file.")] = None,
    config: ConfigFlag = None,
    **flags: Any,
) -> None:
    """Transcribe folders of recordings. What is done is never done again, and what was killed goes on where it was.

    Recordings are known by their content: one that was moved or renamed is not transcribed anew, one that changed is. An
    output that is missing or was changed is written again from the stored transcript, as is a new format. One recording
    that fails does not stop the others. docs/folders.md has the whole story.
    """
    from ossicle.archive.ledger import FILE, FOLDER, Ledger
    from ossicle.archive.search import register

    given = {name: value for name, value in ctx.params.items() if name in Settings.model_fields}
    in_force = read_settings(given | {"context": context_of(ctx.params.get("context"), context_file)}, config)
    try:
        run = run_of(ctx, (), in_force, AudioOptions())
    except OptionError as error:
        raise OptionError(by_flag(str(error), in_force)) from error
    if in_force.settings.words is None:                     # every format can then be written later, and hits of a search have their time
        run = replace(run, options=replace(run.options, words="auto"))
    wanted = Wanted(tuple(inputs), out, tuple(include or ()), tuple(exclude or ()), all_files)
    found = wanted.find()
    if jobs < 1:
        raise OptionError(f"--jobs must be at least 1, got {jobs}")
    if not 0 <= quiet_seconds < float("inf"):
        raise OptionError(f"--quiet-seconds must be at least 0 s, got {quiet_seconds:g}")
    story = tell_batch(in_force.settings.quiet)
    with Ledger(ledger or out / FOLDER / FILE) as book, stopping() as cancel:
        register(out)
        work = Work(run, in_force, wanted, book, story, retry_failed, jobs, cancel)
        try:
            if watch:
                work.watch(quiet_seconds, poll)
            else:
                work.go_through(found)
        finally:
            work.close()
            story.end(work.tally)
            if report:
                write_whole(report, to_json(report_of(work.tally)), True, "--report")
    if cancel.is_cancelled and not watch:
        raise typer.Exit(INTERRUPTED)
    if work.tally.count("failed", "busy") or (run.is_strict and work.tally.count("incomplete")):
        raise typer.Exit(FAILED)


@dataclass(frozen=True)
class Wanted:
    """Which recordings a batch takes."""

    inputs: tuple[str, ...]
    out: Path
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    all_files: bool

    def find(self) -> "list[Found]":
        """Look for them now. Raises OptionError for an input that is not there."""
        from ossicle.archive.finding import find_recordings

        return find_recordings(self.inputs, self.out, self.include, self.exclude, self.all_files)


class Work:
    """One run over a ledger; the model is loaded when the first recording needs it."""

    def __init__(
        self, run: recordings.Run, in_force: InForce, wanted: Wanted, ledger: "Ledger", story: BatchStory | Silent,
        retry: bool, jobs: int, cancel: CancelToken,
    ) -> None:
        from ossicle import catalog
        from ossicle.archive.batch import Job, Tally
        from ossicle.archive.identity import identity

        recordings.fetch_model(run.model, run.where, story)
        recordings.check_languages((run.options.language, *run.options.languages), run.model, run.where)
        self.tally = Tally()
        self._run, self._wanted, self._ledger, self._story, self._cancel = run, wanted, ledger, story, cancel
        self._recognizer: recordings.Listener | None = None
        aligner = recordings.fetch_aligner(run, story)
        models = [run.model, *([aligner] if aligner else [])]
        shape = identity(run.options, run.engine, *(catalog.fingerprint(name, run.where) for name in models))
        styles = _styles(in_force.settings, story)
        self._job = Job(wanted.out, styles, run.options, shape, in_force.settings.overwrite, retry, jobs)

    def go_through(self, found: "list[Found]") -> None:
        """Bring these recordings to their ends, or to a stop."""
        from ossicle.archive.batch import run_batch

        self._story.begin_all(found, self.tally)
        for outcome in run_batch(found, self._ledger, self._open, self._job, self._story.on_recording, self._cancel):
            self.tally.add(outcome)
            self._story.ended(outcome, self.tally)

    def watch(self, quiet_seconds: float, poll: bool) -> None:
        """Take recordings as they come, until cancelled."""
        from ossicle.archive.watching import watch

        roots = [path for name in self._wanted.inputs if (path := Path(name).expanduser()).is_dir()]
        if not roots:
            raise OptionError("--watch needs a folder among the inputs, to see what comes into it")
        self._story.say(f"watching {', '.join(map(str, roots))}; Ctrl-C ends it")
        for ready in watch(self._wanted.find, roots, quiet_seconds, self._cancel, poll):
            self.go_through(ready)

    def close(self) -> None:
        """Give the model's memory back."""
        if self._recognizer is not None:
            self._recognizer.close()

    def _open(self) -> "Listener":
        if self._recognizer is None:
            self._recognizer = recordings.open_model(self._run, self._story)
        return cast("Listener", self._recognizer)           # what a batch asks of a Recognizer is more than a run does


def _styles(settings: Settings, story: Story) -> "tuple[Style, ...]":
    from ossicle.archive.batch import Style

    style = style_of(settings)
    if settings.embed_audio:
        check_embedding(style.formats, (), is_flag=False)
        style = replace(style, media=embed_recordings({}, AudioOptions(), story.say))

    def render(name: str) -> Callable[[Any, Path], str | None]:
        def write(transcript: Any, path: Path) -> str | None:
            try:
                return style.write(transcript, name, path.parent)
            except FormatError:
                if style.is_all:
                    return None
                raise

        return write

    shape = f"{settings.tokens} {settings.embed_audio} {cue_options(settings)} {cue_options(settings, 'Chinese')}"
    return tuple(Style(FORMATS[name].suffix, render(name), f"{name} {shape}") for name in style.formats)


@contextmanager
def stopping() -> Iterator[CancelToken]:
    """Ctrl-C and a polite kill end the work in good order; the second one ends the process."""
    token = CancelToken()

    def stop(number: int, frame: Any) -> None:
        if token.is_cancelled:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        token.cancel()
        if sys.stderr is not None:
            sys.stderr.write("ossicle: stopping; what is decoded is kept\n")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield token
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
