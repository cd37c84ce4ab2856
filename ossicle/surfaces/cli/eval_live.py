"""`ossicle eval --streaming`: a manifest through live sessions, beside the same model's whole recordings; a table and a report."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ossicle.checks import require_choice
from ossicle.errors import Cancelled, OptionError
from ossicle.formats.write import to_json
from ossicle.surfaces.cli.answer import FAILED, INTERRUPTED, tell_error
from ossicle.surfaces.cli.interrupt import Interrupt
from ossicle.surfaces.cli.live_flags import FLAGS
from ossicle.surfaces.cli.outlet import refuse_if_there, write_whole
from ossicle.surfaces.cli.recordings import Run, fetch_aligner, fetch_model
from ossicle.surfaces.cli.story import Story, say_loaded
from ossicle.surfaces.cli.table import print_table

if TYPE_CHECKING:
    from ossicle.measure.manifest import Manifest
    from ossicle.measure.normalise import Normaliser
    from ossicle.measure.streaming import LiveEvaluation, LivePlan
    from ossicle.measure.streams import FeedOptions

TELL_SECONDS = 5.0                  # between two lines of progress
MAX = "max"
PANEL = "Live"
NOT_LIVE = ("live_record", "live_coalesce")        # what makes no sense here: events are kept anyway, and late steps are a figure

Streaming = Annotated[bool, typer.Option(
    "--streaming", help="Hear the recordings live, and say what that costs in errors, in waiting and in work.", rich_help_panel=PANEL)]
Modes = Annotated[list[str] | None, typer.Option(
    "--mode", metavar="MODE", help="single-shot: whole recordings, to compare with; per-utterance: a session for each; chapter-grouped: "
    "one for all recordings of a chapter or folder. May be given several times; default are the first two.", rich_help_panel=PANEL)]
Pace = Annotated[str | None, typer.Option(
    "--pace", metavar="PACE", help="max, the default: as fast as it is heard, with the same events on every machine. 1.0: as fast as it "
    "was spoken, for waits that include the work.", rich_help_panel=PANEL)]
Gap = Annotated[float | None, typer.Option(
    "--gap", metavar="S", help="Seconds of silence between the recordings of a chapter; default is 0.3.", rich_help_panel=PANEL)]
Tail = Annotated[float | None, typer.Option(
    "--tail", metavar="S", help="Seconds of silence behind the last one, so that silence ends it; default is 1.", rich_help_panel=PANEL)]
Align = Annotated[bool, typer.Option(
    "--align", help="Measure waits by the words of the references, timed by the forced aligner; default are the session's own times.",
    rich_help_panel=PANEL)]
Instances = Annotated[Path | None, typer.Option(
    "--instances", metavar="DIR", help="Write SimulEval's instances.log of each mode here, with the segments that omnisteval needs.",
    rich_help_panel=PANEL)]
OWN = {"modes": "--mode", "pace": "--pace", "gap": "--gap", "tail": "--tail", "align": "--align", "instances": "--instances"}


def refuse_without_streaming(given: dict[str, Any]) -> None:
    """Raise OptionError for a flag that means nothing for whole recordings."""
    flags = OWN | {flag.parameter: flag.flag for flag in FLAGS}
    for name, flag in flags.items():
        value = given.get(name)
        if not (value is None or value is False or value == [] or value == ()):
            raise OptionError(f"{flag} is of live sessions: give --streaming with it, or leave it away")


def refuse_with_streaming(given: dict[str, Any]) -> None:
    """Raise OptionError for a flag that the live report has no answer to."""
    if given.get("against") is not None:
        raise OptionError("--against compares whole recordings; with --streaming the mode single-shot is what is compared with")
    for file in given.get("out") or ():
        if file.suffix.lower() != ".json":
            raise OptionError(f"--out must name a .json file with --streaming, got {file}; `ossicle plot` makes a picture of several")


def feed_of(pace: str | None, gap: float | None, tail: float | None) -> "FeedOptions":
    """How sound goes in. Raises OptionError that names the flag."""
    from ossicle.measure.streams import FeedOptions

    values: dict[str, Any] = {name: value for name, value in (("gap_seconds", gap), ("tail_seconds", tail)) if value is not None}
    if pace is not None and pace.strip().lower() != MAX:
        try:
            values["pace"] = float(pace)
        except ValueError as error:
            raise OptionError(f"--pace must be max or a number, got {pace!r}") from error
    try:
        return FeedOptions(**values)
    except OptionError as error:
        name, _, rest = str(error).partition(" ")
        raise OptionError(f"--{name.removesuffix('_seconds')} {rest}") from error


def plan_of(ctx: typer.Context, manifest: "Manifest", method: "Normaliser", run: Run, tell_language: bool) -> "LivePlan":
    """What the flags ask for. Raises OptionError that names the flag."""
    from ossicle.measure.streaming import MODES, LivePlan
    from ossicle.surfaces.cli.live_flags import stream_options

    given = ctx.params
    asked = stream_options(given, run.options.language, run.options.languages, run.options.context, run.options.aligner)
    modes: Any = tuple(dict.fromkeys(given["modes"] or MODES[:2]))
    for mode in modes:
        require_choice("--mode", mode, MODES)
    aligner = (run.options.aligner or "") if given["align"] else None
    return LivePlan(manifest, method, asked, modes, feed_of(given["pace"], given["gap"], given["tail"]), tell_language, aligner,
                    run.engine, run.options)


def evaluate_streams(
    plan: "LivePlan", run: Run, predictions: Path | None, instances: Path | None, out: list[Path] | None, overwrite: bool, as_json: bool,
    story: Story,
) -> None:
    """Do it, and say what came of it."""
    if instances is not None and instances.exists() and not instances.is_dir():
        raise OptionError(f"--instances must name a folder, got {instances}, which is a file")
    found = _run(plan, run, predictions, story)
    report = found.to_dict()
    for file in out or ():
        write_whole(file, to_json(report), overwrite, "--out")
    if instances is not None:
        _write_instances(found, instances, overwrite)
    if as_json:
        typer.echo(to_json(report), nl=False)
    else:
        _print(report)
        for name, message in found.failures.items():
            tell_error(OptionError(message), about=name)
    if found.failures:
        raise typer.Exit(FAILED)


def _run(plan: "LivePlan", run: Run, predictions: Path | None, story: Story) -> "LiveEvaluation":
    from ossicle.measure.predictions import PredictionFile
    from ossicle.measure.streaming import evaluate_live
    from ossicle.measure.streams import LivePredictionFile
    from ossicle.recognizer import load

    whole = PredictionFile(predictions)
    kept = LivePredictionFile(None if predictions is None else predictions.with_suffix(f".live{predictions.suffix}"))
    story.say(f"loading {run.model}")
    fetch_model(run.model, run.where, story)
    if plan.aligner is not None:
        fetch_aligner(run, story)
    began = last = time.monotonic()

    def on_done(mode: str, done: int, count: int, name: str) -> None:
        nonlocal last
        if time.monotonic() - last >= TELL_SECONDS or done == count:
            last = time.monotonic()
            story.say(f"{mode}: {done} of {count} are done")

    with load(run.model, run.engine, run.where) as recognizer, Interrupt() as interrupt:
        story.say(say_loaded(recognizer.facts, time.monotonic() - began))
        interrupt.is_decoding = True
        try:
            return evaluate_live(recognizer, plan, kept=kept, whole=whole, on_done=on_done, cancel=interrupt.token)
        except Cancelled:
            told = f"{len(whole) + len(kept)} results are kept" if kept.is_on_disk else "nothing is kept without --predictions"
            typer.echo(f"ossicle: interrupted; {told}", err=True)
            raise typer.Exit(INTERRUPTED) from None


def _write_instances(found: "LiveEvaluation", folder: Path, overwrite: bool) -> None:
    from ossicle.measure.live import segments_of
    from ossicle.measure.simuleval import emissions, instance_line

    for mode in found.modes:
        place = folder / mode.grouping
        place.mkdir(parents=True, exist_ok=True)
        lines, segments, references = [], [], []
        for index, (name, session) in enumerate(mode.sessions.items()):
            said = " ".join(piece.text for piece in session.said)
            lines.append(instance_line(index, name, emissions(session.items, session.by_character), said, session.audio_seconds,
                                       found.plan.feed.is_paced, session.by_character))
            segments += segments_of(name, session)
            references += [" ".join(piece.text.split()) for piece in session.said]
        texts = {"instances.log": "".join(lines), "segments.json": to_json(segments), "references.txt": "\n".join(references)}
        for file, text in texts.items():
            refuse_if_there(place / file, overwrite, "--instances")
            write_whole(place / file, text, overwrite, "--instances")


def _print(report: dict[str, Any]) -> None:
    for name, said in _facts(report):
        typer.echo(f"{name:12}{said}")
    typer.echo()
    modes = report["modes"]
    print_table(("MODE", "STREAMS", "WER", "CER", "95 %", "NO-REWRITE", "POINTS", "RTF", "COUNTED"),
                [_rates(name, mode) for name, mode in modes.items()])
    live = {name: mode for name, mode in modes.items() if "word_emission" in mode}
    if live:
        typer.echo()
        names = list(live)
        print_table(("FIGURE", *(name.upper() for name in names)), list(_figures(live)))
        times = {mode["times_of"] for mode in live.values()}
        typer.echo(f"\nSeconds. Words are timed by {'the reference' if times == {'reference'} else 'the session itself'}; "
                   "p50 / p90 / p95, and the mean in brackets.")


def _facts(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    model, manifest, conditions = report["model"], report["manifest"], report["conditions"]
    feed, options = conditions["feed"], conditions["options"]
    yield "model", f"{model['name']}, {model['weights']}, on {model['engine']}, {model['device']}"
    yield "manifest", f"{manifest['name']} ({manifest['form']}), {manifest['items']} recordings"
    yield "normaliser", "{name} ({version})".format(**report["method"]["normaliser"])
    pace = "as fast as it is heard" if feed["pace"] is None else f"{feed['pace']:g} times as fast as it was spoken"
    yield "live", f"steps of {options['step_seconds']:g} s, policy {options['policy']['name']}, sound goes in {pace}"


def _rates(name: str, mode: dict[str, Any]) -> tuple[str, ...]:
    total, points = mode["total"], mode.get("points_over_single_shot")
    primary = total["primary"] or "mer"
    interval = total["interval"]
    rewritten = mode["unrewritten"][primary]["rate"] if "unrewritten" in mode else None
    return (name, str(total["files"]), _percent(total["wer"]["rate"]), _percent(total["cer"]["rate"]),
            f"{100 * interval[0]:.2f}-{100 * interval[1]:.2f}" if interval else "-", _percent(rewritten),
            "-" if points is None else f"{points:+.2f}", _plain(mode["rtf"]), primary.upper())


def _figures(live: dict[str, dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    modes = list(live.values())
    for name, key in (("first partial", "first_partial"), ("word emission", "word_emission"), ("speech end to final", "finalisation"),
                      ("endpoint to final", "endpoint_to_final")):
        for clock, said in (("unaware", ""), ("aware", ", with work")):
            if any(mode[key][clock] for mode in modes):
                yield (name + said, *(_spread(mode[key][clock]) for mode in modes))
    for name, key in (("LAAL", "laal"), ("YAAL", "yaal")):
        for clock, said in (("unaware", ""), ("aware", ", with work")):
            if any(mode[key][clock] is not None for mode in modes):
                yield (name + said, *(_plain(mode[key][clock]) for mode in modes))
    for name, key in (("unstable words (UPWR)", "upwr"), ("unstable utterances (UPSR)", "upsr"),
                      ("normalised erasure", "normalised_erasure")):
        yield (name, *(_plain(mode["stability"][key]) for mode in modes))
    for name, key in (("retracted words", "retracted_words"), ("split words", "split_words")):
        yield (name, *(f"{mode['stability'][key]} of {mode['stability']['committed_words']}" for mode in modes))
    yield ("step", *(_spread(mode["effort"]["step_seconds"]) for mode in modes))
    yield ("steps a minute of silence", *(_plain(mode["effort"]["silence_steps_per_minute"]) for mode in modes))


def _spread(found: dict[str, float] | None) -> str:
    return "-" if found is None else "{p50:.2f} / {p90:.2f} / {p95:.2f} ({mean:.2f})".format(**found)


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{100 * rate:.2f}"
