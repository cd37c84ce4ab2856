"""`ossicle plot`: stored reports of `ossicle eval`, from several machines if you like, to one picture."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ossicle.errors import OptionError
from ossicle.surfaces.cli.outlet import refuse_if_there


def plot(
    reports: Annotated[list[Path], typer.Argument(
        metavar="REPORT...", help="Reports of ossicle eval as JSON, with --streaming or without.")],
    figure: Annotated[Path, typer.Option("--figure", metavar="FILE", help="Write the picture here: .png, .svg or .pdf.")],
    label: Annotated[list[str] | None, typer.Option(
        "--label", metavar="NAME", help="What to call the machine of each report, in their order; default is its processor.")] = None,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="Over the picture; default are the recordings.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the picture.")] = False,
) -> None:
    """Draw error rate over speed: whole recordings and live, for each model and machine.

    Needs matplotlib, which the extra `plot` of this package brings. The reports must be of the same recordings and the same normaliser.
    """
    from ossicle.measure.figure import SUFFIXES, draw, points_of, task_of

    if figure.suffix.lower() not in SUFFIXES:
        raise OptionError(f"--figure must name a file that ends in {', '.join(SUFFIXES)}; got {figure}")
    refuse_if_there(figure, overwrite, "--figure")
    if not figure.absolute().parent.is_dir():
        raise OptionError(f"--figure must name a file in a folder that is there, got {figure}")
    if label and len(label) != len(reports):
        raise OptionError(f"--label must be given once for each report: {len(reports)} reports, {len(label)} names")
    found = [_read(file) for file in reports]
    points = [point for place, report in enumerate(found) for point in points_of(report, label[place] if label else None)]
    if not points:
        raise OptionError("no report has an error rate and a speed; there is nothing to draw")
    for file, report in zip(reports, found):
        if task_of(report) != task_of(found[0]):
            raise OptionError(f"{file} is of other recordings, another normaliser or another metric than {reports[0]}: the two cannot "
                              f"stand in one picture; got {', '.join(task_of(report))} and {', '.join(task_of(found[0]))}")
    _, normaliser, metric = task_of(found[0])
    manifest = found[0]["manifest"]
    draw(points, figure, title or f"{manifest['name']}: {manifest['items']} recordings ({normaliser.partition(' ')[0]} normaliser)", metric)


def _read(file: Path) -> dict[str, Any]:
    from ossicle.measure.evaluate import SCHEMA as WHOLE
    from ossicle.measure.stored import read_stored_report
    from ossicle.measure.streaming import SCHEMA as LIVE

    try:
        schema = json.loads(file.read_text("utf-8")).get("schema")
    except (OSError, ValueError, AttributeError):
        schema = None                                       # which the next line says better
    return read_stored_report(file, WHOLE if schema == WHOLE else LIVE, "ossicle eval", "report")
