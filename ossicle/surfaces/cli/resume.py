"""`ossicle resume`: recorded live sessions to transcripts, those first that ended before their time heard to their end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ossicle.errors import OptionError, SpeechError
from ossicle.formats.registry import FORMATS
from ossicle.options import EngineOptions, SourceOptions
from ossicle.results import Transcript
from ossicle.surfaces.cli import transcribe_flags as flags
from ossicle.surfaces.cli.answer import FAILED, is_debug, tell_error
from ossicle.surfaces.cli.flags import ConfigFlag, by_flag
from ossicle.surfaces.cli.outlet import FileOutlet, open_outlet, style_of
from ossicle.surfaces.cli.recordings import fetch_model
from ossicle.surfaces.cli.story import Story, tell
from ossicle.surfaces.settings import Settings, engine_options, read_settings, source_options

if TYPE_CHECKING:
    from ossicle.recognizer import Recognizer
    from ossicle.stream.resume import Recorded


def resume(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(
        metavar="DIR", help="What a live session was recorded to: the folder of one session, or one that holds several.")],
    format: flags.Format = None,
    output: Annotated[str | None, typer.Option(
        "--output", "-o", metavar="PATH", help=(
            "Write here, not to stdout: a folder, or for one session in one format a file whose name ends as that format's do."))] = None,
    overwrite: flags.Overwrite = None,
    model: Annotated[str | None, typer.Option(
        "--model", "-m", metavar="MODEL", help="Hear what is missing with this one; default is the model of the session.")] = None,
    engine: flags.Engine = None,
    dtype: flags.Dtype = None,
    bits: flags.Bits = None,
    threads: flags.Threads = None,
    cache_dir: flags.CacheDir = None,
    offline: flags.Offline = None,
    quiet: flags.Quiet = None,
    config: ConfigFlag = None,
) -> None:
    """Finish recorded live sessions that crashed, and write their transcripts.

    What was final stays as it is; only the sound behind it is heard again. A session that ended well is written without opening a
    model. docs/live-endpointing.md says what a session's folder holds.
    """
    from ossicle.stream.resume import find_sessions, read_session, recorded_transcript

    asked = {name: value for name, value in ctx.params.items() if name in Settings.model_fields and name not in ("output", "model")}
    in_force = read_settings(asked, config)
    try:
        style, numbers = style_of(in_force.settings), engine_options(in_force.settings)
    except OptionError as error:
        raise OptionError(by_flag(str(error), in_force)) from error
    folders = find_sessions(folder.expanduser())
    names = [str(found) for found in folders]
    is_file = output is not None and len(style.formats) == 1 and output.lower().endswith(f".{FORMATS[style.formats[0]].suffix}".lower())
    if is_file and len(folders) > 1:
        raise OptionError(f"--output {output} is one file, but {folder} holds {len(folders)} sessions; name a folder")
    outlet = (FileOutlet(Path(str(output)).expanduser(), style, in_force.settings.overwrite) if is_file
              else open_outlet(output, names, style, overwrite=in_force.settings.overwrite, is_live=False))
    story = tell(in_force.settings.quiet)
    models = Models(model or in_force.settings.model, model is not None, numbers, source_options(in_force.settings))
    num_failed = 0
    try:
        for number, found in enumerate(folders):
            try:
                outlet.refuse(number)
                recorded = read_session(found)
                transcript = recorded_transcript(recorded) if recorded.is_finished else _finish(recorded, models, story)
                if went_to := outlet.take(number, names[number], transcript):
                    story.say(f"wrote {went_to}")
            except SpeechError as error:
                outlet.fail(number, names[number], error)
                tell_error(error, is_debug(ctx), about=names[number])
                num_failed += 1
    finally:
        models.close()
    outlet.close()
    if num_failed:
        raise typer.Exit(FAILED)


class Models:
    """Those that sessions ask for, each loaded once and only when it is needed."""

    def __init__(self, model: str, is_forced: bool, engine: EngineOptions, where: SourceOptions) -> None:
        """model   for sessions that name none, or with `is_forced` for all"""
        self._model, self._is_forced, self._engine, self._where = model, is_forced, engine, where
        self._loaded: dict[str, Recognizer] = {}

    def of(self, recorded: "Recorded", story: Story) -> "Recognizer":
        """The one for this session. Raises ModelError where it cannot be had."""
        from ossicle.recognizer import load

        name = recorded.model.name if recorded.model and not self._is_forced else self._model
        if name not in self._loaded:
            fetch_model(name, self._where, story)
            story.say(f"loading {name}")
            self._loaded[name] = load(name, self._engine, self._where)
        return self._loaded[name]

    def close(self) -> None:
        """Give them back."""
        for recognizer in self._loaded.values():
            recognizer.close()


def _finish(recorded: "Recorded", models: Models, story: Story) -> Transcript:
    recognizer = models.of(recorded, story)
    story.say(f"{recorded.folder}: {recorded.num_samples / 16_000:.1f} s of sound, not told to its end; hearing the rest")
    return recognizer.resume(recorded.folder)
