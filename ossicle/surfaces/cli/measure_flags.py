"""What the commands that count errors share: their flags, their tables, and where their reports go."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ossicle.errors import OptionError
from ossicle.formats.write import to_json
from ossicle.measure.normalise import NormaliserName
from ossicle.surfaces.cli.outlet import refuse_if_there, write_whole
from ossicle.surfaces.cli.table import print_table

OUT_SUFFIXES = (".json", ".html")

Normaliser = Annotated[NormaliserName, typer.Option(
    "--normaliser", help="How texts are made comparable; default is whisper. basic needs no package beyond kaldialign.")]
Out = Annotated[list[Path] | None, typer.Option(
    "--out", metavar="FILE", help="Write the report here, as its name says: .json or .html. May be given several times.")]
Worst = Annotated[int, typer.Option("--worst", metavar="N", min=0, help="Show so many of the worst files; default is 10.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of tables.")]


def check_outs(files: Sequence[Path] | None, overwrite: bool) -> None:
    """Raise OptionError for a report that could not be written, before any work."""
    for file in files or ():
        if file.suffix.lower() not in OUT_SUFFIXES:
            raise OptionError(f"--out must name a file that ends in {' or '.join(OUT_SUFFIXES)}, got {file}")
        refuse_if_there(file, overwrite, "--out")
        if not file.absolute().parent.is_dir():
            raise OptionError(f"--out must name a file in a folder that is there, got {file}")


def write_outs(files: Sequence[Path] | None, report: dict[str, Any], overwrite: bool) -> None:
    """Write a report in the form that each name asks for."""
    from ossicle.measure.report_html import write_report

    for file in files or ():
        text = write_report(report) if file.suffix.lower() == ".html" else to_json(report)
        write_whole(file, text, overwrite, "--out")


def print_scores(report: dict[str, Any]) -> None:
    """Error rates of each language and of all, in per cent."""
    languages = report["languages"]
    rows = [_row(name, total) for name, total in (languages if len(languages) > 1 else {}).items()]
    print_table(("LANGUAGE", "FILES", "WER", "CER", "MER", "95 %", "TOKENS", "SUB", "DEL", "INS", "COUNTED"),
                [*rows, _row("all" if len(languages) != 1 else next(iter(languages)), report["total"])])
    if report["macro_rate"] is not None and len(languages) > 1:
        typer.echo(f"mean over languages: {100 * report['macro_rate']:.2f} %")
    if report["left_out"]:
        typer.echo(f"left out by the method: {', '.join(report['left_out'])}")


def print_differences(report: dict[str, Any], number: int) -> None:
    """The worst files, with what should have been there: `[-the-]{+a+}` for `a` in place of `the`."""
    for file in report["worst"][:number]:
        space = " " if file["primary"] == "wer" else ""
        rate = "no words were said" if file["rate"] is None else f"{file['primary'].upper()} {100 * file['rate']:.1f} %"
        typer.echo(f"\n{file['id']}: {rate}, {file['errors']} error{'s' * (file['errors'] != 1)}")
        typer.echo(f"  {space.join(''.join(_marked(difference)) for difference in file['differences'])}")


def _marked(difference: dict[str, str]) -> Iterator[str]:
    if difference["kind"] == "hit":
        yield difference["hypothesis"]
        return
    if difference["reference"]:
        yield typer.style(f"[-{difference['reference']}-]", fg="red")
    if difference["hypothesis"]:
        yield typer.style(f"{{+{difference['hypothesis']}+}}", fg="green")


def _row(name: str, total: dict[str, Any]) -> tuple[str, ...]:
    main = total["primary"] or "mer"
    interval, counts = total["interval"], total[main]
    return (name, str(total["files"]), *(_percent(total[metric]["rate"]) for metric in ("wer", "cer", "mer")),
            f"{100 * interval[0]:.2f}-{100 * interval[1]:.2f}" if interval else "-",
            *(str(counts[kind]) for kind in ("reference", "substitutions", "deletions", "insertions")), main.upper())


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{100 * rate:.2f}"
