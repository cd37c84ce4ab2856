"""`ossicle perftest`: what each stage takes for recordings of one's own, and what batching is worth."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ossicle.errors import AudioError, OptionError
from ossicle.formats.write import to_json
from ossicle.options import DecodeOptions, SpeedOptions, SplitOptions, TranscribeOptions
from ossicle.surfaces.cli import transcribe_flags as flags
from ossicle.surfaces.cli.flags import ConfigFlag, by_flag
from ossicle.surfaces.cli.outlet import refuse_if_there, write_whole
from ossicle.surfaces.cli.recordings import fetch_model
from ossicle.surfaces.cli.story import Story, say_loaded, say_model, say_seconds, tell
from ossicle.surfaces.cli.table import print_table
from ossicle.surfaces.settings import Settings, engine_options, forced_language, read_settings, source_options

if TYPE_CHECKING:
    from ossicle.measure.perftest import FilePerformance, PerformanceReport
    from ossicle.options import EngineOptions

STDOUT = Path("-")


def perftest(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="Recordings; the longer, the more there is to batch.")],
    model: flags.Model = None,
    runs: Annotated[int, typer.Option("--runs", metavar="N", help="Runs that count, each way; default is 3.")] = 3,
    warmup: Annotated[int, typer.Option("--warmup", metavar="N", help="Runs before them, each way; default is 1.")] = 1,
    json_file: Annotated[Path | None, typer.Option(
        "--json", metavar="FILE", help="Also write the report to a file; with '-' print it, and no table.")] = None,
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
    """Time every stage of recordings of your own, one piece at a time and --batch-size at once, with the memory that each takes.

    The two ways take turns in one run, so that their ratio means something on a busy machine too. docs/measuring.md says more.
    """
    in_force = read_settings({name: value for name, value in ctx.params.items() if name in Settings.model_fields}, config)
    settings = in_force.settings
    if json_file and json_file != STDOUT:
        refuse_if_there(json_file, settings.overwrite, "--json")
        if not json_file.absolute().parent.is_dir():
            raise OptionError(f"--json must name a file in a folder that is there, got {json_file}")
    for file in files:
        if not os.path.isfile(file):
            raise AudioError(f"expected a sound file at {file}, but there is none; check name and folder")
    try:
        asked = SpeedOptions(runs, warmup)
        options = TranscribeOptions(forced_language(settings), split=SplitOptions(max_seconds=settings.chunk_seconds),
                                    decode=DecodeOptions(batch_size=settings.batch_size))
        chosen = engine_options(settings)
        if options.decode.batch_size < 2:
            raise OptionError(f"batch_size must be 2 or more to be compared with 1, got {options.decode.batch_size}")
    except OptionError as error:
        raise OptionError(by_flag(str(error), in_force)) from error
    report = _measure(settings, files, options, asked, chosen, tell(settings.quiet))
    if json_file == STDOUT:
        typer.echo(to_json(report.to_dict()), nl=False)
        return
    if json_file:
        write_whole(json_file, to_json(report.to_dict()), settings.overwrite, "--json")
    _print(report)


def _measure(
    settings: Settings, files: list[Path], options: TranscribeOptions, asked: SpeedOptions, engine: "EngineOptions", story: Story
) -> "PerformanceReport":
    from ossicle import catalog
    from ossicle.measure.perftest import measure_performance
    from ossicle.recognizer import load

    where = source_options(settings)
    if options.language:
        catalog.check_language(options.language, settings.model, where)
    story.say(f"loading {settings.model}")
    fetch_model(settings.model, where, story)
    began = time.monotonic()
    with load(settings.model, engine, where) as recognizer:
        story.say(say_loaded(recognizer.facts, time.monotonic() - began))
        return measure_performance(recognizer, files, options, asked, engine,
                                   on_run=lambda file, way, seconds: story.say(f"{file}, {way}: {seconds:.4g} s"))


def _print(report: "PerformanceReport") -> None:
    for name, said in {
        "model": f"{report.model.name}, {say_model(report.model)}",
        "machine": f"{report.machine.processor}, {report.machine.cores} cores, {report.machine.threads} threads",
        "runs": f"{report.runs} each way after {report.warmup} that do not count; median",
        "batched": f"up to {report.batch_size} pieces of at most {report.chunk_seconds:g} s",
    }.items():
        typer.echo(f"{name:9}{said}")
    typer.echo()
    everything = [*report.files, *([report.together] if report.together else [])]
    stages = list(report.files[0].sequential.stages)
    rows = [row for file in everything for row in _rows(file, stages)]
    columns = [f"{stage.upper()}_S" for stage in stages]
    print_table(("FILE", "SOUND", "PIECES", "WAY", "TOTAL_S", "RTF", *columns, "PEAK_MB", "SPEEDUP"), rows)
    if not report.peak_is_per_run:
        typer.echo("peak memory: this system gives only the most since the process began, so later rows contain the earlier ones")
    for file in everything:
        if not file.same_text:
            typer.echo(f"differs: {file.file}: one piece at a time and batched do not write the same text")


def _rows(file: "FilePerformance", stages: list[str]) -> Iterator[tuple[str, ...]]:
    for way, effort, ratio in (("sequential", file.sequential, ""), ("batched", file.batched, f"{file.speedup.median:.2f}")):
        spreads = [effort.stages.get(stage) for stage in stages]
        seconds = ["-" if spread is None else f"{spread.median:.3g}" for spread in spreads]
        yield (file.file, say_seconds(file.audio_seconds), str(file.num_chunks), way, f"{effort.total_s.median:.4g}",
               "-" if effort.rtf is None else f"{effort.rtf:.3g}", *seconds,
               "-" if effort.peak_memory_mb is None else f"{effort.peak_memory_mb:.0f}", ratio)
