"""`ossicle glossary`: is a file of terms what it is meant to be?"""

from pathlib import Path
from typing import Annotated

import typer

from ossicle.errors import ModelError
from ossicle.formats.write import to_json
from ossicle.glossary import Glossary, read_glossary
from ossicle.options import TranscribeOptions
from ossicle.surfaces.cli import transcribe_flags as flags
from ossicle.surfaces.cli.flags import ConfigFlag, JsonFlag
from ossicle.surfaces.cli.table import print_table
from ossicle.surfaces.settings import Settings, read_settings, source_options

app = typer.Typer(help="Look into a glossary.", no_args_is_help=True)


@app.command()
def check(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A glossary, as --glossary of `ossicle transcribe` takes it.")],
    model: flags.Model = None,
    as_json: JsonFlag = False,
    cache_dir: flags.CacheDir = None,
    offline: flags.Offline = None,
    config: ConfigFlag = None,
) -> None:
    """Read a glossary, say what is in it, and which terms find no room in the context of a model on this machine.

    A file that cannot be meant so is refused with the numbers of its lines.
    """
    settings = read_settings({name: value for name, value in ctx.params.items() if name in Settings.model_fields}, config).settings
    found = read_glossary(file)
    left_out, remarks = _left_out(found, settings), list(found.remarks)
    if left_out is None:
        remarks.append(f"whether all terms find room was not looked at: {settings.model} is not on this machine")
    elif left_out:
        remarks.append(f"{len(left_out)} terms find no room in the context of {settings.model}: {', '.join(left_out)}")
    if as_json:
        typer.echo(to_json({
            "file": str(file),
            "terms": [{"text": term.text, "sounds_like": term.sounds_like, "line": term.line} for term in found.terms],
            "replacements": [{"wrong": entry.wrong, "right": entry.right, "line": entry.line} for entry in found.replacements],
            "left_out": left_out, "remarks": remarks}), nl=False)
        return
    rows = [(str(term.line), term.text, ", ".join(term.sounds_like)) for term in found.terms]
    rows += [(str(entry.line), entry.right, ", ".join(entry.wrong)) for entry in found.replacements]
    print_table(("LINE", "WRITTEN", "WHERE THE MODEL WROTE"), sorted(rows, key=lambda row: int(row[0])))
    typer.echo(f"{file}: {len(found.terms)} terms for the context, {len(found.spellings)} forms written otherwise", err=True)
    for remark in remarks:
        typer.echo(f"ossicle: warning: {remark}", err=True)


def _left_out(found: Glossary, settings: Settings) -> tuple[str, ...] | None:
    from ossicle import catalog

    try:
        return catalog.left_out_terms(found, settings.model, TranscribeOptions.glossary_tokens, source_options(settings))
    except ModelError:
        return None
