"""Options and model to one hash of what shapes a transcript: the same hash, the same transcript."""

import dataclasses
import hashlib
import json
from typing import Any

from ossicle.options import EngineOptions, TranscribeOptions

VERSION = 1                         # goes up when the same options begin to mean something else
# What changes speed, permission or exit codes, not the text. Rows of a batch do not hear each other.
NO_MATTER = {"strict", "allow_url", "batch_size", "threads"}


def identity(options: TranscribeOptions, engine: EngineOptions, *models: str) -> str:
    """Forty hexadecimal digits.

    models   fingerprints of every checkpoint that has a say
    """
    plain = {"version": VERSION, "options": _plain(options), "engine": _plain(engine), "models": list(models)}
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # Where a glossary was read from, and on which lines, is not compared, and shapes no text either.
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.compare}
        return {name: _plain(entry) for name, entry in fields.items() if name not in NO_MATTER}
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(entry) for entry in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
