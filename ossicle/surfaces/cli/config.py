"""`ossicle config`: what is in force, and whence."""

import os
from typing import Any

import typer

from ossicle.formats.write import to_json
from ossicle.surfaces.cli.flags import ConfigFlag, JsonFlag
from ossicle.surfaces.cli.table import print_table
from ossicle.surfaces.settings import Settings, config_path, read_settings, variable_of

app = typer.Typer(help="Show settings and where they come from.", no_args_is_help=True)


@app.command()
def show(as_json: JsonFlag = False, config: ConfigFlag = None) -> None:
    """Print every setting, its value, and whether environment, file or default decided it. Flags of `transcribe` go before all of them."""
    found = read_settings({}, config)
    values = found.settings.model_dump()
    if as_json:
        typer.echo(to_json({
            "file": str(found.file), "file_exists": found.file_exists, "unknown_variables": found.unknown_variables,
            "settings": {name: {"value": value, "from": found.origins[name].kind, "name": str(found.origins[name]),
                                "variable": variable_of(name), "meaning": Settings.model_fields[name].description}
                         for name, value in values.items()},
        }), nl=False)
        return
    print_table(("SETTING", "VALUE", "FROM"), [(name, _say(value), str(found.origins[name])) for name, value in values.items()])
    typer.echo(f"configuration file: {found.file}{'' if found.file_exists else ' (not there)'}", err=True)
    for name in found.unknown_variables:
        typer.echo(f"ossicle: warning: {name} is in the environment, but no setting is called so", err=True)


@app.command()
def path(config: ConfigFlag = None) -> None:
    """Print the configuration file that counts, whether it exists or not."""
    typer.echo(config_path(config, os.environ))


def _say(value: Any) -> str:
    """As it would stand in the file."""
    if value is None:
        return "-"
    return to_json(value).strip()
