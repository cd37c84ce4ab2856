"""`ossicle detect`: which language a recording is in, with probabilities."""

import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol

import typer

from ossicle.errors import OptionError
from ossicle.formats.write import to_json
from ossicle.options import AudioOptions, DetectOptions, EngineOptions, SourceOptions, SplitOptions
from ossicle.results import Detection, LanguageGuess, ModelFacts, source_name
from ossicle.surfaces.cli import transcribe_flags as flags
from ossicle.surfaces.cli.answer import FAILED, is_debug, tell_error
from ossicle.surfaces.cli.flags import ConfigFlag, by_flag
from ossicle.surfaces.cli.recordings import check_languages, fetch_model
from ossicle.surfaces.cli.story import Story, say_loaded, say_seconds, tell
from ossicle.surfaces.cli.table import print_table
from ossicle.surfaces.settings import Settings, engine_options, read_settings, source_options, spoken

LEAST_SHOWN = 0.0005                            # of a table; JSON has them all

Form = Literal["text", "json"]


class Listener(Protocol):
    """What the command needs of a Recognizer."""

    @property
    def facts(self) -> ModelFacts: ...

    def detect(self, source: Any, *, options: DetectOptions) -> Detection: ...

    def close(self) -> None: ...


def detect(
    ctx: typer.Context,
    files: flags.Files,
    model: flags.Model = None,
    languages: flags.Languages = None,
    all_chunks: Annotated[bool, typer.Option(
        "--all-chunks", rich_help_panel=flags.SPEECH,
        help="Listen to the whole recording and show each piece; default is a few pieces from its beginning to its end.")] = False,
    form: Annotated[Form, typer.Option(
        "--format", "-f", rich_help_panel=flags.RESULT,
        help="text: a table. json: an object, or an array for several files, with all probabilities.")] = "text",
    quiet: flags.Quiet = None,
    start: flags.Start = None,
    end: flags.End = None,
    track: flags.Track = None,
    allow_url: flags.AllowUrl = None,
    chunk_seconds: flags.ChunkSeconds = None,
    batch_size: flags.BatchSize = None,
    engine: flags.Engine = None,
    dtype: flags.Dtype = None,
    bits: flags.Bits = None,
    encoder_bits: flags.EncoderBits = None,
    group_size: flags.GroupSize = None,
    kv_dtype: flags.KVDtype = None,
    threads: flags.Threads = None,
    revision: flags.Revision = None,
    cache_dir: flags.CacheDir = None,
    offline: flags.Offline = None,
    config: ConfigFlag = None,
) -> None:
    """Say which language is spoken in recordings, with the model's own probabilities, without their text.

    With --languages the choice is among those. `ossicle languages` lists what the published models know.
    """
    in_force = read_settings({name: value for name, value in ctx.params.items() if name in Settings.model_fields}, config)
    settings = in_force.settings
    _check_standard_input(files)
    try:
        chosen = spoken(in_force)[1]
        options = DetectOptions(chosen, None if all_chunks else DetectOptions.max_chunks, settings.batch_size,
                                AudioOptions(start_seconds=start or 0.0, end_seconds=end, track=track, allow_url=settings.allow_url),
                                SplitOptions(max_seconds=settings.chunk_seconds))
        numbers = engine_options(settings)
    except OptionError as error:
        raise OptionError(by_flag(str(error), in_force)) from error
    check_languages(chosen, settings.model, source_options(settings))
    story = tell(settings.quiet)
    recognizer = open_recognizer(settings.model, numbers, source_options(settings), story)
    found: list[Detection | Exception] = []
    try:
        for file in files:
            found.append(_detect(recognizer, file, options, is_debug(ctx)))
            if form == "text":
                _print(file, found[-1], all_chunks, is_first=len(found) == 1, is_only=len(files) == 1)
    finally:
        recognizer.close()
    if form == "json":
        entries = [_entry(file, one) for file, one in zip(files, found, strict=True)]
        typer.echo(to_json(entries if len(entries) > 1 else entries[0]), nl=False)
    if any(isinstance(one, Exception) for one in found):
        raise typer.Exit(FAILED)


def open_recognizer(model: str, engine: EngineOptions, where: SourceOptions, story: Story) -> Listener:
    """Find and load the model, downloaded if need be."""
    from ossicle.recognizer import load

    fetch_model(model, where, story)
    story.say(f"loading {model}")
    began = time.monotonic()
    recognizer = load(model, engine, where)
    story.say(say_loaded(recognizer.facts, time.monotonic() - began))
    return recognizer


def _check_standard_input(files: Sequence[str]) -> None:
    if files.count("-") > 1:
        raise OptionError("'-' may stand once among the files: standard input can be read once")
    if "-" in files and (sys.stdin is None or sys.stdin.isatty()):
        raise OptionError("'-' reads sound from standard input, which is a terminal or closed; pipe a file into it")


def _detect(recognizer: Listener, file: str, options: DetectOptions, debug: bool) -> Detection | Exception:
    try:
        found = recognizer.detect(file, options=options)
    except Exception as error:                          # one bad file does not stop the others, as in `ossicle transcribe`
        tell_error(error, debug, about=source_name(file) or file)
        return error
    for warning in found.warnings:
        typer.echo(f"ossicle: warning: {source_name(file) or file}: {warning}", err=True)
    return found


def _entry(file: str, found: Detection | Exception) -> dict[str, Any]:
    if isinstance(found, Detection):
        return found.to_dict()
    return {"source": source_name(file) or file, "error": {"kind": type(found).__name__, "message": str(found)}}


def _print(file: str, found: Detection | Exception, all_chunks: bool, is_first: bool, is_only: bool) -> None:
    if isinstance(found, Exception):
        return
    if not is_only:
        typer.echo(f"{'' if is_first else chr(10)}==> {source_name(file) or file} <==")
    rows = [(name, _per_cent(chance)) for name, chance in _ranked(found.overall) if chance >= LEAST_SHOWN]
    print_table(("LANGUAGE", "PROBABILITY"), rows)
    if all_chunks and found.chunks:
        typer.echo()
        print_table(("START", "END", "LANGUAGE", "PROBABILITY", "NEXT"), [
            (say_seconds(guess.start), say_seconds(guess.end), guess.language or "no speech", _per_cent(guess.probability),
             " ".join(f"{name} {_per_cent(chance)}" for name, chance in _ranked(guess)[1:3] if chance >= LEAST_SHOWN))
            for guess in found.chunks])


def _ranked(guess: LanguageGuess) -> list[tuple[str, float]]:
    return sorted([*guess.probabilities.items(), ("no speech", guess.no_speech)], key=lambda entry: -entry[1])


def _per_cent(chance: float) -> str:
    return f"{chance:.1%}"
