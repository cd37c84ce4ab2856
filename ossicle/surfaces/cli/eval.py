"""`ossicle eval`: a manifest through a model, what came out counted; a table, reports, and a gate for quality."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ossicle.errors import Cancelled, OptionError
from ossicle.formats.write import to_json
from ossicle.options import AudioOptions
from ossicle.surfaces.cli import eval_live, measure_flags
from ossicle.surfaces.cli import transcribe_flags as flags
from ossicle.surfaces.cli.answer import FAILED, INTERRUPTED, tell_error
from ossicle.surfaces.cli.borrowed import with_flags_of
from ossicle.surfaces.cli.flags import ConfigFlag, by_flag
from ossicle.surfaces.cli.interrupt import Interrupt
from ossicle.surfaces.cli.live_flags import live
from ossicle.surfaces.cli.measure_flags import check_outs, print_differences, print_scores, write_outs
from ossicle.surfaces.cli.recordings import Run, fetch_model
from ossicle.surfaces.cli.story import Story, say_loaded, tell
from ossicle.surfaces.cli.table import print_table
from ossicle.surfaces.cli.transcribe import run_of
from ossicle.surfaces.settings import Settings, read_settings

if TYPE_CHECKING:
    from ossicle.measure.evaluate import Evaluation
    from ossicle.measure.gate import Judgement
    from ossicle.measure.manifest import Manifest
    from ossicle.measure.normalise import Normaliser
    from ossicle.measure.predictions import PredictionFile

TELL_SECONDS = 5.0                  # between two lines of progress


@with_flags_of(live, without=("context_file", *eval_live.NOT_LIVE))
def evaluate(
    ctx: typer.Context,
    manifest: Annotated[Path, typer.Argument(
        metavar="MANIFEST", help="JSON lines with audio and text, a LibriSpeech folder, a folder with a .txt beside each recording, a "
        "Common Voice table, or CSV with a header.")],
    model: flags.Model = None,
    normaliser: measure_flags.Normaliser = "whisper",
    out: measure_flags.Out = None,
    worst: measure_flags.Worst = 10,
    as_json: measure_flags.AsJson = False,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="No more than so many recordings.")] = None,
    shuffle: Annotated[int | None, typer.Option(
        "--shuffle", metavar="SEED", help="In an order that this number decides, before --limit; default is the manifest's.")] = None,
    predictions: Annotated[Path | None, typer.Option(
        "--predictions", metavar="FILE", help="Keep here what is heard, as JSON lines; what stands there is not computed again.")] = None,
    tell_language: Annotated[bool, typer.Option(
        "--tell-language", help="Tell the model the language that the manifest names; default lets it hear.")] = False,
    against: Annotated[Path | None, typer.Option(
        "--against", metavar="FILE", help="A stored report: exit code 1 when accuracy or speed fell against it.")] = None,
    max_increase: Annotated[float, typer.Option(
        "--max-increase", metavar="POINTS", min=0, max=100,
        help="With --against: how many points an error rate may rise; default is 0.2.")] = 0.2,
    min_speed_ratio: Annotated[float, typer.Option(
        "--min-speed-ratio", metavar="R", help="With --against: how much of the stored speed is enough, each over a yardstick "
        "timed in the same run; default is 0.6.")] = 0.6,
    streaming: eval_live.Streaming = False,
    modes: eval_live.Modes = None,
    pace: eval_live.Pace = None,
    gap: eval_live.Gap = None,
    tail: eval_live.Tail = None,
    align: eval_live.Align = False,
    instances: eval_live.Instances = None,
    overwrite: flags.Overwrite = None,
    quiet: flags.Quiet = None,
    language: flags.Language = None,
    context: flags.Context = None,
    reference: flags.Reference = None,
    chunk_seconds: flags.ChunkSeconds = None,
    batch_size: flags.BatchSize = None,
    max_tokens: flags.MaxTokens = None,
    temperature: flags.Temperature = None,
    seed: flags.Seed = None,
    retries: flags.Retries = None,
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
    **flags_of_live: Any,
) -> None:
    """Transcribe recordings whose text is known, and count the errors: WER, CER, MER, speed, what is missing, how sure the model was.

    docs/measuring.md says what each figure means. Exit code 1 when a recording failed or --against is not held. Ctrl-C keeps
    what is in --predictions; the same command goes on there.
    """
    from ossicle.measure.gate import GateOptions, judge, read_stored
    from ossicle.measure.manifest import read_manifest
    from ossicle.measure.normalise import find_normaliser
    from ossicle.measure.predictions import PredictionFile

    in_force = read_settings({name: value for name, value in ctx.params.items() if name in Settings.model_fields}, config)
    settings = in_force.settings
    method = find_normaliser(normaliser)            # what cannot be done is said before minutes of work
    check_outs(out, settings.overwrite)
    (eval_live.refuse_with_streaming if streaming else eval_live.refuse_without_streaming)(ctx.params)
    stored = read_stored(against) if against else None
    try:
        gate = GateOptions(max_increase / 100, min_speed_ratio)
        asked_for = run_of(ctx, (), in_force, AudioOptions())       # every setting means here what it means to transcribe
    except OptionError as error:
        raise OptionError(by_flag(str(error), in_force)) from error
    asked = read_manifest(manifest, limit, shuffle)
    _check_languages(asked, asked_for, tell_language)
    if streaming:
        plan = eval_live.plan_of(ctx, asked, method, asked_for, tell_language)
        eval_live.evaluate_streams(plan, asked_for, predictions, instances, out, settings.overwrite, as_json, tell(settings.quiet))
        return
    found = _run(asked, asked_for, method, PredictionFile(predictions), tell_language, tell(settings.quiet))
    report = found.to_dict(worst)
    judgement = judge(report, stored, gate) if stored is not None else None
    if judgement is not None:
        report["gate"] = judgement.to_dict()
    write_outs(out, report, settings.overwrite)
    if as_json:
        typer.echo(to_json(report), nl=False)
    else:
        _print(found, report, worst, judgement)
    if found.failures or (judgement is not None and not judgement.is_passed):
        raise typer.Exit(FAILED)


def _check_languages(manifest: "Manifest", run: Run, tell_language: bool) -> None:
    """Every language that the model will be told; one that it does not know is said before any work."""
    from ossicle import catalog

    told = {item.language for item in manifest.items if item.language} if tell_language else set()
    for language in sorted({*told, *([run.options.language] if run.options.language else [])}):
        catalog.check_language(language, run.model, run.where)


def _run(
    manifest: "Manifest", run: Run, method: "Normaliser", predictions: "PredictionFile", tell_language: bool, story: Story
) -> "Evaluation":
    from ossicle.measure.evaluate import evaluate as measure
    from ossicle.recognizer import load

    story.say(f"loading {run.model}")
    fetch_model(run.model, run.where, story)
    began = last = time.monotonic()

    def on_done(done: int, count: int, name: str) -> None:
        nonlocal last
        if time.monotonic() - last >= TELL_SECONDS or done == count:
            last = time.monotonic()
            story.say(f"{done} of {count} recordings are done")

    with load(run.model, run.engine, run.where) as recognizer, Interrupt() as interrupt:
        story.say(say_loaded(recognizer.facts, time.monotonic() - began))
        interrupt.is_decoding = True
        try:
            return measure(recognizer, manifest, run.options, method, predictions, tell_language=tell_language, engine=run.engine,
                           on_done=on_done, cancel=interrupt.token)
        except Cancelled:
            kept = f"{len(predictions)} predictions are kept" if predictions.is_on_disk else "nothing is kept without --predictions"
            typer.echo(f"ossicle: interrupted; {kept}", err=True)
            raise typer.Exit(INTERRUPTED) from None


def _print(found: "Evaluation", report: dict[str, Any], worst: int, judgement: "Judgement | None") -> None:
    for name, said in _facts(found, report):
        typer.echo(f"{name:12}{said}")
    typer.echo()
    print_scores(report)
    if found.calibration:
        typer.echo()
        print_table(("CONFIDENCE", "WORDS", "MEAN", "RIGHT"), [
            (f"{row.low:.1f} - {row.high:.1f}", str(row.words), f"{row.confidence:.3f}", f"{row.accuracy:.3f}")
            for row in found.calibration.bins if row.confidence is not None and row.accuracy is not None])
    print_differences(report, worst)
    for name, message in found.failures.items():
        tell_error(OptionError(message), about=name)
    if judgement is not None:
        typer.echo()
        for verdict in judgement.verdicts:
            typer.echo(f"{'held' if verdict.is_passed else 'FELL'}  {verdict.reason}")
        for difference in judgement.differences:
            typer.echo(f"differs: {difference}")


def _facts(found: "Evaluation", report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    model, speed = report["model"], found.speed
    yield "model", f"{model['name']}, {model['weights']}, on {model['engine']}, {model['device']}"
    yield "manifest", f"{found.manifest.name} ({found.manifest.form}), {len(found.manifest.items)} recordings"
    yield "normaliser", f"{found.score.normaliser.name} ({found.score.normaliser.version})"
    if speed.rtf and speed.rtfx:
        yield "speed", (f"RTF {speed.rtf:.4g}, RTFx {speed.rtfx:.4g}: {speed.audio_seconds:.0f} s of sound in {speed.work_seconds:.1f} s"
                        + (f", {speed.reused_files} of them predictions of an earlier run" if speed.reused_files else ""))
    yield "complete", f"{len(found.predictions) - len(found.incomplete)} of {len(found.predictions)} transcripts"
    if report["language_accuracy"] is not None:
        yield "language", f"{100 * report['language_accuracy']:.1f} % heard right"
    if found.calibration:
        yield "confidence", f"expected calibration error {100 * found.calibration.ece:.1f} % over {found.calibration.words} words"
