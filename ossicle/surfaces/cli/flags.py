"""Flags that several commands share, written once; and their shell completion."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from ossicle.options import SPEAKER_SOURCES, AudioOptions
from ossicle.surfaces.settings import InForce, flag_of

FLAG_OF_FIELD = {                               # where an option's field and the flag differ
    "max_seconds": "chunk_seconds", "raw_format": "raw", "raw_channels": "channels", "start_seconds": "start", "end_seconds": "end",
    "max_duration": "max_duration",             # stands in the middle of a message too
}
AUDIO_FIELDS = tuple(field.name for field in fields(AudioOptions))
VAD_FIELDS = ("threshold", "pad_seconds", "min_silence_seconds", "silence_dbfs", "keep_dbfs")       # begin a message, and stand in none


def complete_model(incomplete: str) -> Iterator[str]:
    """Short names, and what is on this machine."""
    from ossicle import catalog

    names = dict.fromkeys([*catalog.SHORT_NAMES, *(model.name for model in catalog.list_models())])
    return (name for name in names if name.startswith(incomplete))


def complete_language(incomplete: str) -> Iterator[tuple[str, str]]:
    """Names of languages, with their own names as the explanation."""
    from ossicle import catalog

    return ((found.name, found.native_name) for found in catalog.languages() if found.name.lower().startswith(incomplete.lower()))


def complete_format(incomplete: str) -> Iterator[tuple[str, str]]:
    """Names of formats, also behind a comma."""
    from ossicle.formats.registry import ALL, FORMATS

    before, comma, begun = incomplete.rpartition(",")
    known = {name: found.meaning for name, found in FORMATS.items()} | ({} if comma else {ALL: "every one of them"})
    return ((f"{before}{comma}{name}", meaning) for name, meaning in known.items() if name.startswith(begun))


def complete_speakers(incomplete: str) -> Iterator[str]:
    """Ways of telling speakers apart; a file's name is completed by hand."""
    return (name for name in SPEAKER_SOURCES if name.startswith(incomplete))


def by_flag(message: str, in_force: InForce) -> str:
    """The message of an OptionError with each option's field under the name by which the user gave it."""
    first = message.partition(" ")[0]
    setting = "vad_" + first.removesuffix("_seconds") if first in VAD_FIELDS else FLAG_OF_FIELD.get(first, first)
    is_field = setting in in_force.origins or first in (*FLAG_OF_FIELD, *AUDIO_FIELDS) or message.startswith(f"{first} must be ")
    if not is_field:
        return message
    origin = in_force.origins.get(setting)
    name = str(origin) if origin is not None and origin.kind != "default" else flag_of(setting)
    message = name + message.removeprefix(first)
    for field, flag in FLAG_OF_FIELD.items():
        message = message.replace(field, flag_of(flag))
    return message.replace("needs rate:", "needs --rate:").replace("give rate=16000, say", "give --rate 16000, say")


JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
ConfigFlag = Annotated[Path | None, typer.Option(
    "--config", metavar="FILE", help="Configuration file, instead of OSSICLE_CONFIG and the one in your configuration folder.")]
NameArgument = Annotated[str, typer.Argument(
    metavar="MODEL", help="A short name (0.6b, 1.7b, aligner, tiny, tiny-aligner), a hub id (org/name, org/name@revision) or a folder.",
    autocompletion=complete_model)]
RevisionFlag = Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit of a hub model; default is main.")]
CacheDirFlag = Annotated[str | None, typer.Option(
    "--cache-dir", metavar="DIR", help="Where downloaded models lie; default is the hub client's own folder.")]
