"""`ossicle models`: what is on this machine, getting more, checking it, taking it away."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ossicle.errors import OptionError
from ossicle.formats.write import to_json
from ossicle.options import SourceOptions
from ossicle.surfaces.cli.answer import FAILED
from ossicle.surfaces.cli.flags import CacheDirFlag, ConfigFlag, JsonFlag, NameArgument, RevisionFlag
from ossicle.surfaces.cli.story import byte_story
from ossicle.surfaces.cli.table import human_bytes, print_table
from ossicle.surfaces.settings import read_settings

app = typer.Typer(help="List, download, verify and remove models.", no_args_is_help=True)


@app.command("list")
def list_(as_json: JsonFlag = False, cache_dir: CacheDirFlag = None, config: ConfigFlag = None) -> None:
    """List the Qwen3-ASR checkpoints on this machine, complete or not."""
    from ossicle import catalog

    found = catalog.list_models(_source(config, cache_dir))
    if as_json:
        typer.echo(to_json([{**asdict(model), "path": str(model.path)} for model in found]), nl=False)
        return
    rows = [(model.name, model.refs[0] if model.refs else (model.revision or "bundled")[:8], human_bytes(model.num_bytes),
             f"incomplete: {model.problem}" if model.problem else str(model.path)) for model in found]
    print_table(("MODEL", "REVISION", "SIZE", "WHERE"), rows)
    missing = {short: name for short, name in catalog.SHORT_NAMES.items() if name not in {model.name for model in found}}
    if missing:
        listed = ", ".join(f"{short} ({name})" for short, name in missing.items())
        typer.echo(f"not on this machine: {listed}; `ossicle models download NAME` fetches one", err=True)


@app.command()
def download(name: NameArgument, revision: RevisionFlag = None, cache_dir: CacheDirFlag = None, config: ConfigFlag = None) -> None:
    """Download a model, or bring it up to date, and print its folder. An interrupted download goes on where it can."""
    from ossicle import catalog

    with byte_story(f"downloading {name}") as on_progress:
        folder = catalog.download(name, _source(config, cache_dir, revision), on_progress)
    typer.echo(folder)


@app.command()
def verify(
    name: NameArgument, as_json: JsonFlag = False, revision: RevisionFlag = None, cache_dir: CacheDirFlag = None, config: ConfigFlag = None
) -> None:
    """Check that every file and tensor of a model is there and, where the hub recorded hashes, unchanged. Exit code 1 when not."""
    from ossicle import catalog

    with byte_story(f"verifying {name}") as on_progress:
        found = catalog.verify(name, _source(config, cache_dir, revision), on_progress)
    if as_json:
        typer.echo(to_json({"folder": str(found.folder), "is_intact": found.is_intact, "problems": found.problems,
                            "files": [asdict(file) for file in found.files]}), nl=False)
    else:
        words = {True: "as published", False: "CHANGED", None: "no hash known"}
        print_table(("FILE", "SIZE", "CONTENT"), [(file.name, human_bytes(file.num_bytes), words[file.is_intact]) for file in found.files])
        typer.echo(f"{found.folder}: {'all is well' if found.is_intact else 'not usable as it is'}")
    for problem in found.problems:
        typer.echo(f"ossicle: error: {problem}", err=True)
    if not found.is_intact:
        raise typer.Exit(FAILED)


@app.command()
def remove(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    revision: RevisionFlag = None,
    cache_dir: CacheDirFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Delete a downloaded model from the cache: one revision when it is named, else all of them."""
    from ossicle import catalog

    if not yes:
        if not sys.stdin.isatty():
            raise OptionError(f"removing {name} needs --yes where nobody can be asked")
        if not typer.confirm(f"Remove {name} from this machine?", err=True):
            raise typer.Exit(FAILED)
    removal = catalog.remove(name, _source(config, cache_dir, revision))
    typer.echo(f"removed {removal.name} ({len(removal.revisions)} revision{'s' * (len(removal.revisions) != 1)}), "
               f"freed {human_bytes(removal.freed_bytes)}", err=True)


@app.command()
def path(name: NameArgument, revision: RevisionFlag = None, cache_dir: CacheDirFlag = None, config: ConfigFlag = None) -> None:
    """Print the folder of a model that is on this machine. Never downloads."""
    from ossicle import catalog

    typer.echo(catalog.path_of(name, _source(config, cache_dir, revision)))


def _source(config: Path | None, cache_dir: str | None, revision: str | None = None) -> SourceOptions:
    settings = read_settings({"cache_dir": cache_dir}, config).settings
    # The revision of the settings belongs to their model, which need not be the one named here.
    return SourceOptions(revision, settings.offline, settings.cache_dir)
