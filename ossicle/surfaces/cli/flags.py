"""Flags that several commands share, written once; and their shell completion."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer


def complete_model(incomplete: str) -> Iterator[str]:
    """Short names, and what is on this machine."""
    from ossicle import catalog

    names = dict.fromkeys([*catalog.SHORT_NAMES, *(model.name for model in catalog.list_models())])
    return (name for name in names if name.startswith(incomplete))


def complete_language(incomplete: str) -> Iterator[tuple[str, str]]:
    """Names of languages, with their own names as the explanation."""
    from ossicle import catalog

    return ((found.name, found.native_name) for found in catalog.languages() if found.name.lower().startswith(incomplete.lower()))


JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
ConfigFlag = Annotated[Path | None, typer.Option(
    "--config", metavar="FILE", help="Configuration file, instead of OSSICLE_CONFIG and the one in your configuration folder.")]
NameArgument = Annotated[str, typer.Argument(
    metavar="MODEL", help="A short name (0.6b, 1.7b, aligner, tiny), a hub id (org/name, org/name@revision) or a folder.",
    autocompletion=complete_model)]
RevisionFlag = Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit of a hub model; default is main.")]
CacheDirFlag = Annotated[str | None, typer.Option(
    "--cache-dir", metavar="DIR", help="Where downloaded models lie; default is the hub client's own folder.")]
