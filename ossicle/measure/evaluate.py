"""A recogniser and a manifest in, an Evaluation out: what it got wrong, how sure it was, how fast, what is missing.

Computes nothing of its own: every recording goes the way of `Recognizer.transcribe_each`.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ossicle.doctor import Machine, measure_machine
from ossicle.errors import AudioError, Cancelled, SpeechError
from ossicle.measure.calibration import Calibration, calibrate, judge_words
from ossicle.measure.languages import code_of
from ossicle.measure.manifest import Item, Manifest
from ossicle.measure.normalise import Normaliser
from ossicle.measure.predictions import Prediction, PredictionFile, predict, run_of
from ossicle.measure.score import Score, Utterance, score, worst_files
from ossicle.measure.speed import unplaced
from ossicle.measure.yardstick import Yardstick
from ossicle.options import EngineOptions, TranscribeOptions
from ossicle.progress import CancelToken
from ossicle.recognizer import Recognizer
from ossicle.results import ModelFacts, Transcript

SCHEMA = "ossicle-eval/1"

OnDone = Callable[[int, int, str], None]            # (files done, files in all, id of the last one)


@dataclass(frozen=True)
class Speed:
    """How fast the files were done, all of them together."""

    computed_files: int
    reused_files: int                   # predictions of an earlier run; their work is in the seconds
    audio_seconds: float
    work_seconds: float                 # reading the sound included, loading the model not
    rtf: float | None                   # work over audio
    rtfx: float | None                  # audio over work
    yardstick_s: float | None = None    # mean time of a fixed product of matrices in the same minutes; see measure/yardstick.py
    yardstick_probes: int = 0


@dataclass(frozen=True)
class Evaluation:
    """One model on one set of recordings."""

    date: str
    manifest: Manifest
    model: ModelFacts
    options: TranscribeOptions
    engine: EngineOptions | None        # as asked for
    told_language: bool
    machine: Machine | None             # measured after the work; None where all predictions were reused
    score: Score
    predictions: Mapping[str, Prediction]
    failures: Mapping[str, str]         # id -> what went wrong; these are in no figure
    calibration: Calibration | None
    speed: Speed

    @property
    def incomplete(self) -> tuple[str, ...]:
        """Ids of recordings of which something is missing."""
        return tuple(name for name, prediction in self.predictions.items() if prediction.missing_seconds > 0)

    def to_dict(self, worst: int = 10) -> dict[str, Any]:
        """Ready for JSON.

        worst   how many of the worst files have their differences spelt out
        """
        scored = self.score.to_dict()
        files = [file | self._facts_of(file["id"]) for file in scored.pop("files")]
        return {
            "schema": SCHEMA,
            "date": self.date,
            "manifest": {"name": self.manifest.name, "form": self.manifest.form, "items": len(self.manifest.items),
                         "hash": manifest_hash(self.manifest)},
            "model": asdict(unplaced(self.model)),
            "conditions": {"options": asdict(self.options), "engine": asdict(self.engine) if self.engine else None,
                           "told_language": self.told_language},
            "machine": asdict(self.machine) if self.machine else None,
            **scored,
            "language_accuracy": self._language_accuracy(),
            "speed": asdict(self.speed),
            "coverage": {
                "audio_seconds": self.speed.audio_seconds,
                "missing_seconds": sum(prediction.missing_seconds for prediction in self.predictions.values()),
                "incomplete_files": list(self.incomplete),
            },
            "calibration": self.calibration.to_dict() if self.calibration else None,
            "failures": dict(self.failures),
            "worst": worst_files(self.score, worst),
            "files": files,
        }

    def _facts_of(self, name: str) -> dict[str, Any]:
        prediction = self.predictions[name]
        known = [confidence for _, confidence in prediction.words if confidence is not None]
        return {"heard_language": prediction.language, "stopped_by": prediction.stopped_by,
                "missing_seconds": prediction.missing_seconds, "confidence": sum(known) / len(known) if known else None}

    def _language_accuracy(self) -> float | None:
        """Share of files whose language the model named as the manifest does; None where it was told."""
        pairs = [(code_of(item.language), code_of(self.predictions[item.id].language)) for item in self.manifest.items
                 if item.language and item.id in self.predictions]
        if not pairs or self.told_language or self.options.language:
            return None
        return sum(asked == heard for asked, heard in pairs) / len(pairs)


def evaluate(
    recognizer: Recognizer,
    manifest: Manifest,
    options: TranscribeOptions,
    normaliser: Normaliser,
    predictions: PredictionFile,
    *,
    tell_language: bool = False,
    engine: EngineOptions | None = None,
    on_done: OnDone = lambda done, count, name: None,
    cancel: CancelToken | None = None,
) -> Evaluation:
    """Transcribe what has no prediction yet, and count.

    options         as for `Recognizer.transcribe`; the part of an item goes before theirs, its context too where it has one
    predictions     where finished work is looked up and kept
    tell_language   force the language that the manifest names; otherwise the model hears it, as in the technical report
    engine          what was asked of the engine, for the report

    A recording that fails is named in `failures` and stops no other. Raises Cancelled when that was asked for; what was
    finished is then in `predictions`. Raises OptionError for a language that the model does not know.
    """
    date = datetime.now(UTC).isoformat(timespec="seconds")
    cancel = cancel or CancelToken()
    asked = {item.id: _asked(item, options, tell_language) for item in manifest.items}
    runs, found, failures = _look_up(manifest, asked, recognizer.facts, engine, predictions)
    num_reused, yardstick = len(found), Yardstick()
    waiting = [item for item in manifest.items if item.id not in found and item.id not in failures]
    for item, outcome in _transcribe(recognizer, waiting, asked, cancel, yardstick):
        if isinstance(outcome, SpeechError):
            failures[item.id] = str(outcome)
        else:
            transcript, seconds = outcome
            found[item.id] = predict(item, runs[item.id], transcript, seconds)
            predictions.add(found[item.id])
        on_done(len(found) + len(failures), len(manifest.items), item.id)
    kept = {item.id: found[item.id] for item in manifest.items if item.id in found}
    utterances = [_utterance(item, kept[item.id], options) for item in manifest.items if item.id in kept]
    scored = score(utterances, normaliser)
    judged = [pair for file in scored.files
              for pair in judge_words(kept[file.utterance.id].words, file.utterance.reference, normaliser, file.language)]
    return Evaluation(
        date=date,
        manifest=manifest,
        model=recognizer.facts,
        options=options,
        engine=engine,
        told_language=tell_language,
        machine=measure_machine(engine.threads if engine else None) if len(kept) > num_reused else None,
        score=scored,
        predictions=kept,
        failures=failures,
        calibration=calibrate(judged),
        speed=_speed(kept, num_reused, yardstick),
    )


def manifest_hash(manifest: Manifest) -> str:
    """Of ids and texts: the same where two figures are of the same task."""
    said = json.dumps(sorted((item.id, item.text, item.language, item.start, item.end) for item in manifest.items))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _asked(item: Item, options: TranscribeOptions, tell_language: bool) -> TranscribeOptions:
    audio = replace(options.audio, start_seconds=item.start, end_seconds=item.end)
    language = item.language if tell_language and item.language else options.language
    return replace(options, audio=audio, language=language, context=options.context if item.context is None else item.context)


def _look_up(
    manifest: Manifest, asked: Mapping[str, TranscribeOptions], facts: ModelFacts, engine: EngineOptions | None, predictions: PredictionFile
) -> tuple[dict[str, str], dict[str, Prediction], dict[str, str]]:
    """What is known by id: hashes of the runs, predictions of earlier ones, and sound that is not there."""
    runs: dict[str, str] = {}
    found: dict[str, Prediction] = {}
    failures: dict[str, str] = {}
    for item in manifest.items:
        try:
            runs[item.id] = run_of(item, facts, asked[item.id], engine)
        except AudioError as error:
            failures[item.id] = str(error)
            continue
        known = predictions.find(item.id, runs[item.id])
        if known is not None:
            found[item.id] = known
    return runs, found, failures


def _transcribe(
    recognizer: Recognizer, items: Sequence[Item], asked: Mapping[str, TranscribeOptions], cancel: CancelToken, yardstick: Yardstick
) -> Iterator[tuple[Item, tuple[Transcript, float] | SpeechError]]:
    """Each item with its transcript and the seconds that it took, or with its error; in groups that are asked for in the same way."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(repr(asked[item.id]), []).append(item)
    for members in groups.values():
        outcomes = recognizer.transcribe_each([item.audio for item in members], options=asked[members[0].id], cancel=cancel)
        last = time.perf_counter()
        for item, outcome in zip(members, outcomes, strict=True):
            seconds = time.perf_counter() - last
            if cancel.is_cancelled and not (isinstance(outcome, Transcript) and outcome.stopped_by != "cancelled"):
                raise Cancelled("the evaluation was cancelled; what was finished before is kept")
            yield item, (outcome if isinstance(outcome, SpeechError) else (outcome, seconds))
            yardstick.probe()
            last = time.perf_counter()                      # neither writing nor measuring is work of the recogniser


def _utterance(item: Item, prediction: Prediction, options: TranscribeOptions) -> Utterance:
    return Utterance(item.id, item.text, prediction.text, item.language or options.language, prediction.duration)


def _speed(predictions: Mapping[str, Prediction], num_reused: int, yardstick: Yardstick) -> Speed:
    audio = sum(prediction.duration for prediction in predictions.values())
    work = sum(prediction.work_seconds for prediction in predictions.values())
    return Speed(
        computed_files=len(predictions) - num_reused,
        reused_files=num_reused,
        audio_seconds=audio,
        work_seconds=work,
        rtf=work / audio if audio else None,
        rtfx=audio / work if work else None,
        yardstick_s=yardstick.seconds,
        yardstick_probes=len(yardstick),
    )
