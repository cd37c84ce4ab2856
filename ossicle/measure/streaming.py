"""A recogniser and a manifest in, what live recognition costs in words and in time out, beside the same model's whole recordings.

Single-shot is the measure of the others: `evaluate`, each recording whole. Computes nothing of its own: live.py does.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from ossicle.doctor import Machine, measure_machine
from ossicle.errors import Cancelled, OptionError, SpeechError
from ossicle.measure.evaluate import evaluate, manifest_hash
from ossicle.measure.live import LiveFigures, LiveSession, cut_text, figures
from ossicle.measure.manifest import Manifest
from ossicle.measure.normalise import Normaliser
from ossicle.measure.predictions import PredictionFile
from ossicle.measure.score import Score, Utterance, primary_rate, score
from ossicle.measure.speed import unplaced
from ossicle.measure.streams import (
    FeedOptions,
    Grouping,
    LivePrediction,
    LivePredictionFile,
    hear_stream,
    live_run_of,
    session_of,
    streams_of,
)
from ossicle.options import EngineOptions, TranscribeOptions
from ossicle.progress import CancelToken
from ossicle.recognizer import Recognizer
from ossicle.results import ModelFacts
from ossicle.stream_options import StreamOptions

SCHEMA = "ossicle-eval-live/1"
MODES: tuple[str, ...] = ("single-shot", "per-utterance", "chapter-grouped")

Mode = Literal["single-shot", "per-utterance", "chapter-grouped"]
OnDone = Callable[[str, int, int, str], None]           # (mode, done, in all, id of the last one)


@dataclass(frozen=True)
class LivePlan:
    """What is to be measured."""

    manifest: Manifest
    normaliser: Normaliser
    options: StreamOptions = field(default_factory=StreamOptions)
    modes: tuple[Mode, ...] = ("single-shot", "per-utterance")
    feed: FeedOptions = field(default_factory=FeedOptions)
    tell_language: bool = False         # force the language that the manifest names
    aligner: str | None = None          # times the words of the references: a name or folder, "" for the model's own; None: the session's
    engine: EngineOptions | None = None     # as asked for
    whole: TranscribeOptions | None = None  # of single-shot; None: language, languages and context of the sessions, all else as it is

    @property
    def heard_with(self) -> StreamOptions:
        """Of the sessions. Where sound goes in faster than it is spoken no step is left out: events then hang on no machine's speed."""
        return replace(self.options, coalesce=self.options.coalesce and self.feed.is_paced)


@dataclass(frozen=True)
class SingleShot:
    """Whole recordings, as `ossicle transcribe` has them."""

    score: Score
    rtf: float | None
    failures: Mapping[str, str]


@dataclass(frozen=True)
class LiveMode:
    """Streams of one kind."""

    grouping: Grouping
    streams: Score                      # each stream scored whole: no cutting can add an error
    utterances: Score                   # the same text cut at the utterances of the references, for a look at each
    unrewritten: Score                  # of committed pieces joined as they came: the same, if nothing is ever taken back
    figures: LiveFigures
    rtf: float | None                   # work for each second of sound
    sessions: Mapping[str, LiveSession]
    failures: Mapping[str, str]         # id of the stream -> what went wrong; these are in no figure

    def to_dict(self, each: Mapping[str, LiveFigures]) -> dict[str, Any]:
        """Ready for JSON; with every utterance, and the figures of each stream."""
        scored = self.utterances.to_dict()
        return {
            **{name: value for name, value in self.streams.to_dict().items() if name not in ("files", "method")},
            "unrewritten": self.unrewritten.total.to_dict(), "cut": scored["total"], "rtf": self.rtf, **self.figures.to_dict(),
            "failures": dict(self.failures), "files": scored["files"],
            "streams": [{"id": file["id"], **{metric: file[metric] for metric in ("wer", "cer", "mer", "duration")},
                         **each[file["id"]].to_dict()} for file in self.streams.to_dict()["files"]],
        }


@dataclass(frozen=True)
class LiveEvaluation:
    """One model on one set of recordings, live."""

    date: str
    model: ModelFacts
    machine: Machine
    plan: LivePlan
    single_shot: SingleShot | None
    modes: tuple[LiveMode, ...]

    @property
    def failures(self) -> dict[str, str]:
        """Of all modes."""
        found = dict(self.single_shot.failures) if self.single_shot else {}
        return found | {name: message for mode in self.modes for name, message in mode.failures.items()}

    def points_over_single_shot(self, mode: LiveMode) -> float | None:
        """How many points of the error rate live recognition costs; None without the comparison."""
        if self.single_shot is None:
            return None
        live, whole = primary_rate(mode.streams.total), primary_rate(self.single_shot.score.total)
        return None if live is None or whole is None else 100 * (live - whole)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        plan, modes = self.plan, dict[str, Any]()
        if self.single_shot:
            plain = self.single_shot.score.to_dict()
            modes["single-shot"] = {**{name: value for name, value in plain.items() if name != "method"}, "rtf": self.single_shot.rtf,
                                    "failures": dict(self.single_shot.failures)}
        for mode in self.modes:
            each = {name: figures([session], plan.normaliser, plan.feed.is_paced) for name, session in mode.sessions.items()}
            modes[mode.grouping] = {"points_over_single_shot": self.points_over_single_shot(mode), **mode.to_dict(each)}
        return {
            "schema": SCHEMA,
            "date": self.date,
            "manifest": {"name": plan.manifest.name, "form": plan.manifest.form, "items": len(plan.manifest.items),
                         "hash": manifest_hash(plan.manifest)},
            "model": asdict(unplaced(self.model)),
            "conditions": {"options": asdict(plan.heard_with), "engine": asdict(plan.engine) if plan.engine else None,
                           "feed": asdict(plan.feed), "told_language": plan.tell_language, "aligner": plan.aligner},
            "machine": asdict(self.machine),
            "method": score((), plan.normaliser).method(),
            "modes": modes,
        }


def evaluate_live(
    recognizer: Recognizer,
    plan: LivePlan,
    *,
    kept: LivePredictionFile,
    whole: PredictionFile,
    on_done: OnDone = lambda mode, done, count, name: None,
    cancel: CancelToken | None = None,
) -> LiveEvaluation:
    """Hear a manifest live, and measure.

    kept    where what was told is looked up and kept; `whole` the same for single-shot

    A stream that fails is named and stops no other. Raises Cancelled when that was asked for; what was finished is kept.
    Raises OptionError for a language that the model does not know.
    """
    date, cancel = datetime.now(UTC).isoformat(timespec="seconds"), cancel or CancelToken()
    single = None
    if "single-shot" in plan.modes:
        asked = plan.whole or TranscribeOptions(plan.options.language, plan.options.languages, context=plan.options.context)
        found = evaluate(recognizer, plan.manifest, asked, plan.normaliser, whole, tell_language=plan.tell_language, engine=plan.engine,
                         cancel=cancel, on_done=lambda done, count, name: on_done("single-shot", done, count, name))
        single = SingleShot(found.score, found.speed.rtf, found.failures)
    heard = tuple(_hear_all(recognizer, plan, mode, kept, on_done, cancel) for mode in plan.modes if mode != "single-shot")
    return LiveEvaluation(date, recognizer.facts, measure_machine(plan.engine.threads if plan.engine else None), plan, single, heard)


def _hear_all(
    recognizer: Recognizer, plan: LivePlan, grouping: Grouping, kept: LivePredictionFile, on_done: OnDone, cancel: CancelToken
) -> LiveMode:
    streams, options = streams_of(plan.manifest, grouping), plan.heard_with
    predictions: dict[str, LivePrediction] = {}
    failures: dict[str, str] = {}
    for stream in streams:
        said = stream.items[0]
        asked = replace(options, language=said.language if plan.tell_language and said.language else options.language,
                        context=options.context if said.context is None else said.context)
        try:
            run = live_run_of(stream, recognizer.facts, asked, plan.engine, plan.feed, plan.aligner)
            known = kept.find(stream.id, run)
            predictions[stream.id] = known or hear_stream(recognizer, stream, run, asked, plan.feed, plan.aligner, cancel)
            if known is None:
                kept.add(predictions[stream.id])
        except (Cancelled, OptionError):
            raise
        except SpeechError as error:
            failures[stream.id] = str(error)
        on_done(grouping, len(predictions) + len(failures), len(streams), stream.id)
    return _measured(plan, grouping, predictions, failures)


def _measured(plan: LivePlan, grouping: Grouping, predictions: Mapping[str, LivePrediction], failures: Mapping[str, str]) -> LiveMode:
    sessions: dict[str, LiveSession] = {}
    whole, cut, unrewritten = [], [], []
    for stream in streams_of(plan.manifest, grouping):
        if stream.id not in predictions:
            continue
        session = sessions[stream.id] = session_of(stream, predictions[stream.id], plan.options.language)
        said, seconds = " ".join(item.text for item in stream.items), sum(piece.seconds for piece in session.said)
        whole.append(Utterance(stream.id, said, session.text, session.language, seconds))
        unrewritten.append(Utterance(stream.id, said, session.unrewritten, session.language, seconds))
        cut += [Utterance(item.id, item.text, text, item.language or plan.options.language, piece.seconds)
                for item, text, piece in zip(stream.items, cut_text(session), session.said)]
    measured = figures(list(sessions.values()), plan.normaliser, plan.feed.is_paced)
    audio, work = (sum(getattr(prediction, name) for prediction in predictions.values()) for name in ("audio_seconds", "work_seconds"))
    # Sound that is paced takes its own time, whatever the work; what sessions told of their steps is then all there is.
    rtf = measured.effort.rtf if plan.feed.pace is not None or not audio else work / audio
    normaliser = plan.normaliser
    return LiveMode(grouping, score(whole, normaliser), score(cut, normaliser), score(unrewritten, normaliser), measured, rtf, sessions,
                    failures)
