"""`ossicle search`: where something was said, in everything that `ossicle batch` has transcribed."""

import contextlib
import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ossicle.errors import OptionError
from ossicle.formats.write import to_json
from ossicle.surfaces.cli.answer import FAILED
from ossicle.surfaces.cli.flags import JsonFlag


def search(
    words: Annotated[str, typer.Argument(
        metavar="WORDS", help='What was said: every word must occur in a segment; "in quotes" as a phrase.')],
    folders: Annotated[list[Path] | None, typer.Option(
        "--in", metavar="DIR", help="Look only into this output folder of `ossicle batch`, or ledger file; may be repeated.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="At most so many hits; default is 20.")] = 20,
    json: JsonFlag = False,
) -> None:
    """Find words in all transcripts: recording, time, speaker and text around them.

    Upper case and accents do not matter, nor does the script: 天气, สวัสดี and weather are found alike, also inside words.
    Exit code 1 means that nothing was found.
    """
    from ossicle.archive.ledger import Ledger
    from ossicle.archive.search import libraries, snippet
    from ossicle.archive.search import search as find

    files = libraries(folders or ())
    if not files:
        raise OptionError("nothing has been transcribed by `ossicle batch` yet; --in names its output folder where it was moved")
    with contextlib.ExitStack() as stack:
        hits = find([stack.enter_context(Ledger(file)) for file in files], words, limit)
    if json:
        typer.echo(to_json([dataclasses.asdict(hit) for hit in hits]), nl=False)
    else:
        console = Console(soft_wrap=True, highlight=False)
        before, after = ("\x1b[1m", "\x1b[0m") if console.is_terminal else ("", "")
        for hit in hits:
            speaker = f" {hit.speaker}:" if hit.speaker else ""
            typer.echo(f"{hit.path} {_clock(hit.time)}{speaker} {snippet(hit, before, after)}")
    if not hits:
        raise typer.Exit(FAILED)


def _clock(seconds: float) -> str:
    """`1:02:05.3`: as --start takes it."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}"
