"""The `ossicle` command: its subcommands, and what all of them share. Imports nothing heavy until a command runs."""

import io
import logging
import os
import sys
from typing import Annotated

import typer

from ossicle._version import __version__
from ossicle.surfaces.cli import (
    align,
    batch,
    bench,
    bridge,
    config,
    convert,
    detect,
    diff,
    doctor,
    eval,
    export,
    glossary,
    heads,
    languages,
    listen,
    models,
    perftest,
    plot,
    resume,
    score,
    search,
    stream,
    transcribe,
)
from ossicle.surfaces.cli.answer import Answering

app = typer.Typer(
    name="ossicle",
    cls=Answering,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("transcribe")(transcribe.transcribe)
app.command("listen")(listen.listen)
app.command("stream")(stream.stream)
app.command("batch")(batch.batch)
app.command("resume")(resume.resume)
app.command("search")(search.search)
app.command("align")(align.align)
app.command("export")(export.export)
app.command("detect")(detect.detect)
app.command("languages")(languages.languages)
app.command("bridge")(bridge.bridge)
app.add_typer(glossary.app, name="glossary")
app.add_typer(models.app, name="models")
app.command("convert")(convert.convert)
app.add_typer(heads.app, name="heads")
app.command("bench")(bench.bench)
app.command("eval")(eval.evaluate)
app.command("score")(score.score)
app.command("diff")(diff.diff)
app.command("perftest")(perftest.perftest)
app.command("plot")(plot.plot)
app.command("doctor")(doctor.doctor)
app.add_typer(config.app, name="config")


def run() -> None:
    """The entry point of the installed program."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:                      # closed by the shell: results are lost, the program is not
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))     # noqa: SIM115  (lives until the exit)
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            # Text in thirty languages, whatever the locale says; file names that are no text at all.
            output.reconfigure(encoding="utf-8", errors="backslashreplace")
    app(prog_name="ossicle")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"ossicle {__version__}")
        raise typer.Exit


@app.callback()
def ossicle(
    version: Annotated[bool, typer.Option(
        "--version", "-V", callback=_show_version, is_eager=True, help="Show the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and the log of every stage on stderr.")] = False,
) -> None:
    """Turn speech into text on this machine, with the open Qwen3-ASR models.

    The result goes to stdout, everything else to stderr.

    Exit codes: 0 all is well; 1 a recording failed, or with --strict is incomplete; 2 wrong usage; 130 interrupted.
    """
    logger = logging.getLogger("ossicle")
    logger.handlers = [logging.StreamHandler()] if debug else [logging.NullHandler()]
    logger.setLevel(logging.DEBUG if debug else logging.WARNING)
    logger.propagate = False
