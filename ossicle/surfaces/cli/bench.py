"""`ossicle bench`: how fast a model is on this machine, as a table and as JSON."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ossicle.errors import AudioError, OptionError
from ossicle.formats.write import to_json
from ossicle.options import DecodeOptions, EngineOptions, SpeedOptions, SplitOptions, TranscribeOptions
from ossicle.surfaces.cli import transcribe_flags as flags
from ossicle.surfaces.cli.flags import ConfigFlag, by_flag
from ossicle.surfaces.cli.outlet import refuse_if_there, write_whole
from ossicle.surfaces.cli.recordings import fetch_model
from ossicle.surfaces.cli.story import Story, say_loaded, say_model, say_seconds, tell
from ossicle.surfaces.cli.table import print_table
from ossicle.surfaces.settings import Settings, engine_options, forced_language, read_settings, source_options

if TYPE_CHECKING:
    from ossicle.measure.compare import Comparison
    from ossicle.measure.speed import SpeedReport

STDOUT = Path("-")


def bench(
    ctx: typer.Context,
    model: flags.Model = None,
    audio: Annotated[Path | None, typer.Option(
        "--audio", metavar="FILE", help="The recording; default is the longest that comes with the bundled model.")] = None,
    new_tokens: Annotated[int | None, typer.Option(
        "--new-tokens", metavar="N", help="Force exactly N tokens out of every piece, in English where no language is given: "
        "weights that never learned to end can be timed so.")] = None,
    runs: Annotated[int, typer.Option("--runs", metavar="N", help="Runs that count; default is 5.")] = SpeedOptions.runs,
    warmup: Annotated[int, typer.Option("--warmup", metavar="N", help="Runs before them; default is 1.")] = SpeedOptions.warmup,
    json_file: Annotated[Path | None, typer.Option(
        "--json", metavar="FILE", help="Also write the report to a file; with '-' print it, and no table.")] = None,
    compare: Annotated[Path | None, typer.Option(
        "--compare", metavar="FILE", help="Divide every figure by that of an earlier report, and name the conditions that differ.")] = None,
    overwrite: flags.Overwrite = None,
    quiet: flags.Quiet = None,
    language: flags.Language = None,
    chunk_seconds: flags.ChunkSeconds = None,
    batch_size: flags.BatchSize = None,
    engine: flags.Engine = None,
    dtype: flags.Dtype = None,
    bits: flags.Bits = None,
    group_size: flags.GroupSize = None,
    encoder_bits: flags.EncoderBits = None,
    threads: flags.Threads = None,
    kv_dtype: flags.KVDtype = None,
    revision: flags.Revision = None,
    cache_dir: flags.CacheDir = None,
    offline: flags.Offline = None,
    config: ConfigFlag = None,
) -> None:
    """Time every stage of a model on one recording, several times, and measure what this machine could do at best.

    docs/speed.md says what each figure means. The table goes to stdout, progress to stderr.
    """
    from ossicle.measure.compare import compare as compare_reports
    from ossicle.measure.compare import read_report

    in_force = read_settings({name: value for name, value in ctx.params.items() if name in Settings.model_fields}, config)
    settings = in_force.settings
    earlier = read_report(compare) if compare else None         # what cannot be done is said before minutes of work
    if json_file and json_file != STDOUT:
        _refuse(json_file, settings.overwrite)
    recording = _recording(audio)
    try:
        asked = SpeedOptions(runs, warmup, new_tokens)
        options = TranscribeOptions(forced_language(settings), split=SplitOptions(max_seconds=settings.chunk_seconds),
                                    decode=DecodeOptions(batch_size=settings.batch_size))
        chosen = engine_options(settings)
    except OptionError as error:
        raise OptionError(by_flag(str(error), in_force)) from error
    report = _measure(settings, chosen, recording, options, asked, tell(settings.quiet))
    plain, comparison = report.to_dict(), None
    if earlier is not None and compare is not None:
        comparison = compare_reports(plain, earlier)
        plain["comparison"] = {"earlier": compare.name, "ratios": comparison.ratios, "differences": comparison.differences}
    if json_file == STDOUT:
        typer.echo(to_json(plain), nl=False)
        return
    if json_file:
        write_whole(json_file, to_json(plain), settings.overwrite, "--json")
    _print(report, comparison)


def _recording(audio: Path | None) -> Path:
    """The file to transcribe again and again, which rules out standard input."""
    if audio is not None:
        if not os.path.isfile(audio):                           # says no to a name that no system takes
            raise AudioError(f"expected a sound file at {audio}, but there is none; check name and folder")
        return audio
    from ossicle import catalog

    samples = catalog.bundled_samples()
    if not samples:
        raise OptionError("--audio must name a recording: the bundled ones are not part of this installation")
    return max(samples, key=lambda sample: sample.stat().st_size)


def _refuse(file: Path, overwrite: bool) -> None:
    refuse_if_there(file, overwrite, "--json")
    if not file.absolute().parent.is_dir():
        raise OptionError(f"--json must name a file in a folder that is there, got {file}")


def _measure(
    settings: Settings, engine: EngineOptions, recording: Path, options: TranscribeOptions, asked: SpeedOptions, story: Story
) -> "SpeedReport":
    from ossicle import catalog
    from ossicle.measure.speed import measure_speed

    where = source_options(settings)
    if options.language:
        catalog.check_language(options.language, settings.model, where)
    story.say(f"loading {settings.model}")
    fetch_model(settings.model, where, story)
    return measure_speed(
        settings.model, recording, options, asked, engine, where,
        on_loaded=lambda facts, seconds: story.say(say_loaded(facts, seconds)),
        on_run=lambda number, seconds: story.say(f"{_say_run(number, asked)}: {seconds:.4g} s"),
    )


def _say_run(number: int, asked: SpeedOptions) -> str:
    if number < asked.warmup:
        return f"warm-up {number + 1} of {asked.warmup}"
    return f"run {number + 1 - asked.warmup} of {asked.runs}"


def _print(report: "SpeedReport", comparison: "Comparison | None") -> None:
    from ossicle.measure.compare import figures

    conditions, machine = report.conditions, report.machine
    ending = "forced from every piece" if conditions.new_tokens else "until the model ended"
    runs = f"{conditions.runs} after {conditions.warmup} that do not count" if conditions.warmup else f"{conditions.runs}"
    memory = f", {machine.memory_mb / 1024:.1f} GB of memory" if machine.memory_mb else ""
    for name, said in {
        "model": f"{report.model.name}, {say_model(report.model)}",
        "sound": f"{conditions.audio}, {say_seconds(conditions.audio_seconds)}, {report.tokens} tokens, {ending}",
        "machine": f"{machine.processor}, {machine.cores} cores, {machine.threads} threads{memory}",
        "runs": runs,
    }.items():
        typer.echo(f"{name:9}{said}")
    typer.echo()
    shown = [(name, *_cells(figure)) for name, figure in figures(report.to_dict()).items()]
    header = ("FIGURE", "MEDIAN", "MIN", "MAX")
    if comparison is None:
        print_table(header, shown)
    else:
        ratios = comparison.ratios
        print_table((*header, "THIS/EARLIER"), [(*row, f"{ratios[row[0]]:.3g}" if row[0] in ratios else "-") for row in shown])
    for note in _notes(report, comparison):
        typer.echo(note)


def _cells(figure: Any) -> tuple[str, str, str]:
    if isinstance(figure, dict):
        return f"{figure['median']:.4g}", f"{figure['min']:.4g}", f"{figure['max']:.4g}"
    return ("-" if figure is None else f"{figure:.4g}"), "", ""


def _notes(report: "SpeedReport", comparison: "Comparison | None") -> Iterator[str]:
    if report.floor.reason:
        yield f"floor: {report.floor.reason}"
    for difference in comparison.differences if comparison else ():
        yield f"differs: {difference}"
