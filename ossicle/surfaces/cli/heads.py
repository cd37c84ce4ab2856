"""`ossicle heads`: which attention heads of a checkpoint point at the sound, so that it can time its own words."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from ossicle.errors import Cancelled, OptionError
from ossicle.formats.write import to_json
from ossicle.options import TranscribeOptions
from ossicle.surfaces.cli import transcribe_flags as flags
from ossicle.surfaces.cli.answer import FAILED, INTERRUPTED, tell_error
from ossicle.surfaces.cli.flags import ConfigFlag, by_flag
from ossicle.surfaces.cli.interrupt import Interrupt
from ossicle.surfaces.cli.outlet import refuse_if_there, write_whole
from ossicle.surfaces.cli.recordings import check_languages, fetch_model
from ossicle.surfaces.cli.story import Story, say_loaded, tell
from ossicle.surfaces.cli.table import print_table
from ossicle.surfaces.settings import Settings, engine_options, forced_language, read_settings, source_options

TELL_SECONDS = 5.0                  # between two lines of progress
SHOWN = 12

app = typer.Typer(help="Find the attention heads by which a checkpoint can time its own words.", no_args_is_help=True)


@app.callback()
def heads() -> None:
    """Find the attention heads by which a checkpoint can time its own words."""


@app.command()
def find(
    ctx: typer.Context,
    checkpoint: Annotated[str, typer.Argument(metavar="MODEL", help="A recogniser: a folder, a hub id or a short name.")],
    sources: Annotated[list[Path], typer.Argument(
        metavar="AUDIO...", help="Recordings, each with its text beside it as .txt where there is one; or manifests, as eval reads them.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the report here, as JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report in place of the table.")] = False,
    apply: Annotated[bool, typer.Option(
        "--apply", help="Write the best heads into the checkpoint's generation_config.json; MODEL must be a folder of your own.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="No more than so many recordings.")] = None,
    aligner: flags.Aligner = None,
    overwrite: flags.Overwrite = None,
    quiet: flags.Quiet = None,
    language: flags.Language = None,
    engine: flags.Engine = None,
    dtype: flags.Dtype = None,
    threads: flags.Threads = None,
    cache_dir: flags.CacheDir = None,
    offline: flags.Offline = None,
    config: ConfigFlag = None,
) -> None:
    """Measure how often each attention head of a recogniser points at the word whose token it reads, as a forced aligner placed it.

    A recording without a text is transcribed first. docs/heads.md says how it is measured and what the report holds. Exit code 1
    when a recording failed.
    """
    from ossicle.measure.heads import apply_heads, heads_report, heads_to_apply, read_items

    in_force = read_settings({name: value for name, value in ctx.params.items() if name in Settings.model_fields}, config)
    settings = in_force.settings
    if out is not None:
        refuse_if_there(out, settings.overwrite, "--out")
    if apply and not Path(checkpoint).is_dir():
        raise OptionError(f"--apply writes into the checkpoint, so MODEL must be a folder of your own, got {checkpoint}; "
                          "copy the model, or convert it, first")
    try:
        options = TranscribeOptions(forced_language(settings), aligner=settings.aligner)
        numbers = engine_options(settings)
    except OptionError as error:
        raise OptionError(by_flag(str(error), in_force)) from error
    check_languages((options.language,), checkpoint, source_options(settings))
    items = read_items(sources)[:limit]
    story = tell(settings.quiet)
    fetch_model(checkpoint, source_options(settings), story)
    scores, failures = _measure(checkpoint, items, options, numbers, source_options(settings), story)
    report = heads_report(scores, checkpoint, failures)
    for name, message in failures.items():
        tell_error(OptionError(message), about=name)
    for warning in report["warnings"]:
        typer.echo(f"ossicle: warning: {warning}", err=True)
    if out is not None:
        write_whole(out, to_json(report), settings.overwrite, "--out")
    if as_json:
        typer.echo(to_json(report), nl=False)
    else:
        _print(report)
    if apply:
        chosen = heads_to_apply(report)
        story.say(f"{len(chosen)} heads are in {apply_heads(Path(checkpoint), chosen)}; --words attention and live sessions use them")
    if failures:
        raise typer.Exit(FAILED)


def _measure(checkpoint: str, items: list[Any], options: TranscribeOptions, numbers: Any, where: Any, story: Story) -> tuple[Any, Any]:
    from ossicle.measure.heads import find_heads
    from ossicle.recognizer import load

    began = last = time.monotonic()

    def on_done(done: int, count: int, name: str) -> None:
        nonlocal last
        if time.monotonic() - last >= TELL_SECONDS or done == count:
            last = time.monotonic()
            story.say(f"{done} of {count} recordings are done")

    story.say(f"loading {checkpoint}")
    with load(checkpoint, numbers, where) as recognizer, Interrupt() as interrupt:
        story.say(say_loaded(recognizer.facts, time.monotonic() - began))
        interrupt.is_decoding = True
        try:
            return find_heads(recognizer, items, options, on_done, interrupt.token)
        except Cancelled:
            typer.echo("ossicle: interrupted; nothing is kept", err=True)
            raise typer.Exit(INTERRUPTED) from None


def _print(report: dict[str, Any]) -> None:
    typer.echo(f"{report['total_alignable_tokens']} tokens of {report['num_samples']} stretches of sound, {report['language']}")
    for title, asked in (("asked where the token is fed", report), ("asked where it is predicted", report["predicted"])):
        typer.echo(f"\n{title}")
        print_table(("LAYER", "HEAD", "HITS", "ATTENTION THERE"), [
            (str(entry["layer"]), str(entry["head"]), f"{entry['ts']:.1%}", f"{entry['concentration']:.1%}")
            for entry in asked["alignment_heads"][:SHOWN]])
