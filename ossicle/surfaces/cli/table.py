"""Rows to aligned columns on stdout: no frames and no colours, so that grep and cut work on it too."""

from collections.abc import Sequence

import typer
from rich.cells import cell_len


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header, two spaces between columns; wide characters count as two cells."""
    lines = [header, *rows]
    widths = [max(cell_len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        padded = (text + " " * (width - cell_len(text)) for text, width in zip(line, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())


def human_bytes(num_bytes: float) -> str:
    """Bytes as people say them: 412 B, 6.1 MB, 1.88 GB."""
    for unit, digits in (("B", 0), ("kB", 0), ("MB", 1)):
        if num_bytes < 1000:
            return f"{num_bytes:.{digits}f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.2f} GB"
