"""`ossicle export`: transcripts that are there already, in other formats. Opens no model."""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ossicle.errors import FormatError, OptionError, SpeechError
from ossicle.formats.read import Failure, read_file, read_text
from ossicle.formats.registry import FORMATS
from ossicle.formats.schema import read_schema
from ossicle.options import AudioOptions
from ossicle.results import Transcript
from ossicle.surfaces.cli import transcribe_flags as flags
from ossicle.surfaces.cli.answer import FAILED, is_debug, tell_error
from ossicle.surfaces.cli.flags import ConfigFlag, by_flag, complete_format
from ossicle.surfaces.cli.media import check_embedding, embed_recordings, find_recording, link_recording
from ossicle.surfaces.cli.outlet import FileOutlet, Outlet, Style, open_outlet, style_of
from ossicle.surfaces.cli.story import tell
from ossicle.surfaces.settings import Settings, read_settings

Found = tuple[str, Transcript | Failure]                # under which name, and what


def _show_schema(asked: bool) -> None:
    if asked:
        typer.echo(read_schema(), nl=False)
        raise typer.Exit


def export(
    ctx: typer.Context,
    files: Annotated[list[str], typer.Argument(
        metavar="FILES", help="Transcripts: json or jsonl of ossicle, json of Whisper, srt, vtt, ass; '-' for standard input.")],
    format: Annotated[str | None, typer.Option(
        "--format", "-f", metavar="FORMATS", autocompletion=complete_format,
        help=f"One or several of {', '.join(FORMATS)} with commas, or all; default is what the name given as --output ends with.")] = None,
    output: Annotated[str | None, typer.Option(
        "--output", "-o", metavar="PATH", help=(
            "Write files here, not to stdout: a folder, or for one transcript in one format a file whose name ends as that format's "
            "do, such as talk.srt."))] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there instead of refusing to.")] = False,
    preset: flags.Preset = None,
    max_line_width: flags.MaxLineWidth = None,
    max_lines: flags.MaxLines = None,
    max_words: flags.MaxWords = None,
    max_gap: flags.MaxGap = None,
    min_duration: flags.MinDuration = None,
    max_duration: flags.MaxDuration = None,
    max_cps: flags.MaxCps = None,
    word_times: flags.WordTimes = None,
    speaker_labels: flags.SpeakerLabels = None,
    embed_audio: flags.EmbedAudio = None,
    quiet: flags.Quiet = None,
    schema: Annotated[bool, typer.Option(
        "--schema", callback=_show_schema, is_eager=True, help="Print the JSON schema of transcripts and exit.")] = False,
    config: ConfigFlag = None,
) -> None:
    """Write transcripts in other formats, without computing them again.

    Subtitles are cut anew from the times of the words. docs/formats.md shows every format, preset and limit.
    """
    cue_flags = {name: value for name, value in ctx.params.items() if name in Settings.model_fields and name not in OWN}
    in_force = read_settings(cue_flags, config)
    formats = format or _format_of(output)
    try:
        style = style_of(in_force.settings, formats)
    except OptionError as error:
        raise OptionError(by_flag(str(error), in_force)) from error
    story = tell(in_force.settings.quiet, is_shared=False)
    found, num_failed = _read(files, is_debug(ctx))
    by_name = {entry.source: find_recording(entry.source, Path(name).parent) for name, entry in found if entry.source}
    if in_force.settings.embed_audio:
        check_embedding(style.formats, (), in_force.origins["embed_audio"].kind == "flag")
        style = replace(style, media=embed_recordings(by_name, AudioOptions(), story.say))
    else:
        style = replace(style, media=partial(link_recording, recordings=by_name))
    outlet = _outlet(output, files, found, style, overwrite)
    for number, (name, entry) in enumerate(found):
        try:
            if isinstance(entry, Failure):
                raise FormatError(f"{name} holds no transcript of {entry.source or 'the recording'}: {entry.message}")
            outlet.refuse(number)
            if went_to := outlet.take(number, name, entry):
                story.say(f"wrote {went_to}")
        except SpeechError as error:
            outlet.fail(number, name, error)
            tell_error(error, is_debug(ctx))
            num_failed += 1
    outlet.close()
    if num_failed:
        raise typer.Exit(FAILED)


OWN = ("format", "output", "overwrite")                 # those of transcribe say where its results go, not where these do


def _read(files: list[str], debug: bool) -> tuple[list[Found], int]:
    """Every transcript of the files in order, and how many files could not be read."""
    if files.count("-") > 1:
        raise OptionError("'-' may stand once among the files: standard input can be read once")
    found: list[Found] = []
    num_failed = 0
    for file in files:
        try:
            entries = read_text(sys.stdin.read(), "standard input") if file == "-" else read_file(file)
        except FormatError as error:
            tell_error(error, debug)
            num_failed += 1
            continue
        for number, entry in enumerate(entries, start=1):
            several = entry.source or f"{Path(file).with_suffix('')}-{number}"
            found.append((file if len(entries) == 1 else several, entry))
    return found, num_failed


def _outlet(output: str | None, files: list[str], found: list[Found], style: Style, overwrite: bool) -> Outlet:
    names = [name for name, _ in found]
    if output is None or not _is_file(output, style.formats):
        return open_outlet(output, names, style, overwrite=overwrite, is_live=False, kept=[Path(file) for file in files if file != "-"])
    if len(found) > 1:
        raise OptionError(f"--output {output} is one file, but there are {len(found)} transcripts; name a folder")
    return FileOutlet(Path(output).expanduser(), style, overwrite)


def _is_file(output: str, formats: tuple[str, ...]) -> bool:
    path = Path(output).expanduser()
    return len(formats) == 1 and not path.is_dir() and path.name.lower().endswith(f".{FORMATS[formats[0]].suffix}".lower())


def _format_of(output: str | None) -> str:
    """The format that a file's name asks for."""
    name = Path(output or "").name.lower()
    fitting = [known for known, found in FORMATS.items() if name.endswith(f".{found.suffix}".lower())]
    if output is None or not fitting or Path(output).is_dir():
        raise OptionError(f"say which format: --format with one or several of {', '.join(FORMATS)}, or all")
    return max(fitting, key=lambda known: len(FORMATS[known].suffix))
