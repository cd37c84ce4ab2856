"""The published JSON schema of transcripts, as text. `python tools/transcript_schema.py` writes the file."""

from importlib.resources import files

NAME = "transcript.schema.json"


def read_schema() -> str:
    """JSON Schema, draft 2020-12, of what `--format json` writes; `#/$defs/Line` is a line of `--format jsonl`."""
    return files("ossicle.formats").joinpath(NAME).read_text("utf-8")
