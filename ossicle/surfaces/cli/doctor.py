"""`ossicle doctor`: does everything here work, and what to do when not."""

from dataclasses import asdict
from typing import Annotated

import typer

from ossicle.formats.write import to_json
from ossicle.options import SourceOptions
from ossicle.surfaces.cli.answer import FAILED
from ossicle.surfaces.cli.flags import CacheDirFlag, ConfigFlag, JsonFlag
from ossicle.surfaces.settings import read_settings

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    as_json: JsonFlag = False,
    network: Annotated[bool, typer.Option("--network", help="Also ask whether the model hub answers.")] = False,
    cache_dir: CacheDirFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Run every engine and decoder once, look at memory and disk, and name one fix for each problem. Exit code 1 when something failed."""
    from ossicle.doctor import examine

    settings = read_settings({"cache_dir": cache_dir}, config).settings
    report = examine(SourceOptions(offline=settings.offline, cache_dir=settings.cache_dir), ask_network=network)
    if as_json:
        typer.echo(to_json({"is_well": report.is_well, **asdict(report)}), nl=False)
    else:
        for check in report.checks:
            typer.echo(f"{typer.style(f'{check.status:4}', fg=COLOURS[check.status])}  {check.name}: {check.detail}")
            if check.fix:
                typer.echo(f"      {check.fix}")
    if not report.is_well:
        raise typer.Exit(FAILED)
