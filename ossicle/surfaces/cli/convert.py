"""`ossicle convert`: a checkpoint in fewer bits."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ossicle.options import SourceOptions
from ossicle.surfaces.cli.flags import CacheDirFlag, ConfigFlag, RevisionFlag, complete_model
from ossicle.surfaces.cli.story import byte_story
from ossicle.surfaces.cli.table import human_bytes
from ossicle.surfaces.settings import read_settings

ModeName = Literal["affine", "mxfp4", "mxfp8", "nvfp4"]
StoredDtype = Literal["bfloat16", "float16", "float32"]


def convert(
    source: Annotated[str, typer.Argument(
        metavar="SRC", help="The model to convert: a short name, a hub id or a folder.", autocompletion=complete_model)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write; it appears whole or not at all.")],
    bits: Annotated[int | None, typer.Option(
        "--bits", help="Of the decoder: 2, 3, 4, 5, 6 or 8; 16 leaves it plain. Default is 4 where nothing else is asked for.")] = None,
    group_size: Annotated[int | None, typer.Option(
        "--group-size", help="Weights that share one scale; default is 64, or what the mode asks for.")] = None,
    encoder_bits: Annotated[int | None, typer.Option("--encoder-bits", help="Of the encoder; default leaves it plain.")] = None,
    mode: Annotated[ModeName, typer.Option("--mode", help="How numbers are quantised.")] = "affine",
    dtype: Annotated[StoredDtype | None, typer.Option("--dtype", help="Of what stays plain; default keeps what is stored.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a checkpoint that is at DIR already.")] = False,
    revision: RevisionFlag = None,
    cache_dir: CacheDirFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Write a checkpoint in fewer bits, in the layout of the mlx-community repositories, and print its folder."""
    from ossicle import catalog

    settings = read_settings({"cache_dir": cache_dir}, config).settings
    if bits is None and mode == "affine" and encoder_bits is None and dtype is None:
        bits = 4
    weights = catalog.Weights(bits, group_size, encoder_bits, mode, dtype)
    where = SourceOptions(revision, settings.offline, settings.cache_dir)
    with byte_story(f"converting {source}") as on_progress:
        done = catalog.convert(source, output, weights, where, overwrite=overwrite, on_progress=on_progress)
    if done.left_plain:
        typer.echo(f"ossicle: warning: left plain, because no group divides their width: {', '.join(done.left_plain)}", err=True)
    typer.echo(f"{human_bytes(done.source_bytes)} of weights became {human_bytes(done.num_bytes)}", err=True)
    typer.echo(done.folder)
