"""References and what was heard in, error rates out: of the whole, of each language, of each file. Reads no files.

The rate of the whole is that of the corpus: all errors over all tokens, not the mean over files. docs/measuring.md says
what the rates mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from ossicle.measure.errors import Counts, Kind, align, confidence_interval, count, join_compounds, runs
from ossicle.measure.languages import Metric, code_of, primary_metric
from ossicle.measure.normalise import Normaliser
from ossicle.measure.tokens import characters, mixed, words

SCHEMA = "ossicle-score/1"
UNKNOWN = "unknown"                 # the language of texts whose manifest names none
METRICS = ("wer", "cer", "mer")


@dataclass(frozen=True)
class Utterance:
    """What was said in one file, and what was heard."""

    id: str
    reference: str
    hypothesis: str
    language: str | None = None     # in any form that `code_of` takes
    duration: float | None = None


@dataclass(frozen=True)
class FileScore:
    """One file, counted."""

    utterance: Utterance
    language: str | None            # code
    primary: Metric
    wer: Counts
    cer: Counts
    mer: Counts

    @property
    def counts(self) -> Counts:
        """Those of the primary metric."""
        return self.wer if self.primary == "wer" else self.cer

    def to_dict(self) -> dict[str, Any]:
        """Both texts and all counts, ready for JSON."""
        plain = asdict(self.utterance)
        return plain | {"language": self.language, "primary": self.primary} | {name: getattr(self, name).to_dict() for name in METRICS}


@dataclass(frozen=True)
class Total:
    """Several files together."""

    files: int
    duration: float | None          # seconds; None where that of a file is unknown
    wer: Counts
    cer: Counts
    mer: Counts
    primary: Metric | None          # None where the files do not agree
    interval: tuple[float, float] | None    # of the primary rate, 95 %
    perfect: int                    # files without an error
    empty_references: int
    false_alarms: int               # of those, files in which something was heard

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self) | {name: getattr(self, name).to_dict() for name in METRICS}


@dataclass(frozen=True)
class Score:
    """Everything counted in a set of files, by one method."""

    normaliser: Normaliser
    total: Total
    languages: Mapping[str, Total]  # by code; "unknown" where the manifest names none
    files: tuple[FileScore, ...]
    left_out: tuple[str, ...] = ()  # ids that the method does not score

    @property
    def macro(self) -> float | None:
        """The mean over languages of each one's primary rate, as tables of many languages have it."""
        rates = [rate for total in self.languages.values() if (rate := primary_rate(total)) is not None]
        return sum(rates) / len(rates) if rates else None

    def worst(self, number: int) -> list[FileScore]:
        """The files with the highest error rate, the worst first; among equals the one with more errors."""
        bad = [file for file in self.files if file.counts.errors]
        rate = {file.utterance.id: file.counts.errors / max(1, file.counts.reference) for file in bad}
        return sorted(bad, key=lambda file: (-rate[file.utterance.id], -file.counts.errors, file.utterance.id))[:number]

    def method(self) -> dict[str, Any]:
        """How it was counted, in what versions: figures are comparable where this is equal."""
        return {
            "normaliser": self.normaliser.to_dict(),
            "scorer": f"kaldialign {version('kaldialign')}",
            "rate": "errors of the corpus over tokens of the corpus",
            "cer": "code points without spaces",
            "mer": "characters of Han, kana, Thai, Lao, Khmer and Myanmar, words of every other script",
            "interval": "95 %, bootstrap over files, 1000 replications, seed 0",
        }

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; with every text."""
        return {
            "method": self.method(),
            "total": self.total.to_dict(),
            "macro_rate": self.macro,
            "languages": {name: total.to_dict() for name, total in self.languages.items()},
            "left_out": list(self.left_out),
            "files": [file.to_dict() for file in self.files],
        }


def score(utterances: Sequence[Utterance], normaliser: Normaliser) -> Score:
    """Count every file and sum them up. Raises MissingExtra without the extra `eval`."""
    coded = [(utterance, code_of(utterance.language)) for utterance in utterances]
    kept = [(utterance, code) for utterance, code in coded if normaliser.is_scored(utterance.reference, code)]
    files = tuple(_score_file(utterance, code, normaliser) for utterance, code in kept)
    by_language: dict[str, list[FileScore]] = {}
    for file in files:
        by_language.setdefault(file.language or UNKNOWN, []).append(file)
    left_out = {utterance.id for utterance in utterances} - {file.utterance.id for file in files}
    languages = {name: _total(by_language[name]) for name in sorted(by_language)}
    return Score(normaliser, _total(files), languages, files, tuple(sorted(left_out)))


def score_report(scored: Score, title: str, worst: int = 10) -> dict[str, Any]:
    """What `ossicle score` writes, ready for JSON.

    worst   how many of the worst files have their differences spelt out
    """
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return {"schema": SCHEMA, "date": date, "title": title, **scored.to_dict(), "worst": worst_files(scored, worst)}


def worst_files(scored: Score, number: int) -> list[dict[str, Any]]:
    """The worst files with their differences, stretch by stretch, ready for JSON."""
    return [{"id": file.utterance.id, "primary": file.primary, "rate": file.counts.rate, "errors": file.counts.errors,
             "duration": file.utterance.duration,
             "differences": [asdict(difference) for difference in differences(file, scored.normaliser)]} for file in scored.worst(number)]


def primary_rate(total: Total) -> float | None:
    """The rate that counts; that of MER where the files do not agree on one."""
    return (total.mer if total.primary is None else total.wer if total.primary == "wer" else total.cer).rate


@dataclass(frozen=True)
class Difference:
    """A stretch of two texts, equal or not, as it was compared."""

    kind: Kind                      # "sub" also for several tokens in place of several
    reference: str
    hypothesis: str


def differences(file: FileScore, normaliser: Normaliser) -> list[Difference]:
    """Both texts of a file side by side, stretch by stretch, in the tokens of its primary metric."""
    reference, hypothesis = (_tokens(file.primary, normaliser(text, file.language))
                             for text in (file.utterance.reference, file.utterance.hypothesis))
    space = " " if file.primary == "wer" else ""
    found = []
    for is_hit, (first, last), (begin, end) in runs(align(reference, hypothesis, normaliser.merges_compounds and file.primary == "wer")):
        kind: Kind = "hit" if is_hit else "ins" if first == last else "del" if begin == end else "sub"
        found.append(Difference(kind, space.join(reference[first:last]), space.join(hypothesis[begin:end])))
    return found


def _tokens(primary: Metric, text: str) -> list[str]:
    return words(text) if primary == "wer" else characters(text)


def _score_file(utterance: Utterance, code: str | None, normaliser: Normaliser) -> FileScore:
    reference, hypothesis = normaliser(utterance.reference, code), normaliser(utterance.hypothesis, code)
    merges = normaliser.merges_compounds
    pair = words(reference), words(hypothesis)
    if merges and code != "en":                 # as the leaderboard does for all languages but English
        pair = join_compounds(*pair)
    return FileScore(
        utterance,
        code,
        primary_metric(code, reference),
        wer=count(*pair, merges),
        cer=count(characters(reference), characters(hypothesis)),
        mer=count(mixed(reference), mixed(hypothesis)),
    )


def _total(files: Sequence[FileScore]) -> Total:
    durations = [file.utterance.duration for file in files]
    known = [duration for duration in durations if duration is not None]
    kinds = {file.primary for file in files}
    primary = kinds.pop() if len(kinds) == 1 else None
    empty = [file for file in files if not file.cer.reference]
    return Total(
        files=len(files),
        duration=sum(known) if len(known) == len(durations) else None,
        wer=sum((file.wer for file in files), Counts()),
        cer=sum((file.cer for file in files), Counts()),
        mer=sum((file.mer for file in files), Counts()),
        primary=primary,
        interval=confidence_interval([file.mer if primary is None else file.counts for file in files]),
        perfect=sum(not file.counts.errors for file in files),
        empty_references=len(empty),
        false_alarms=sum(bool(file.cer.insertions) for file in empty),
    )
