"""How sure the model was of each word beside whether it was right: a table, and one number for the distance of the two.

A confidence means something where of all words with 0.9 nine in ten are right. Knows nothing of models.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ossicle.measure.normalise import Normaliser
from ossicle.measure.written import group_words, split_written

NUM_BINS = 10                       # of equal width

Judged = tuple[float, bool]         # (confidence of a word, whether it is right)


@dataclass(frozen=True)
class Bin:
    """Words of like confidence."""

    low: float
    high: float
    words: int
    confidence: float | None        # mean; None without words
    accuracy: float | None          # share that is right


@dataclass(frozen=True)
class Calibration:
    """The reliability of word confidence."""

    words: int
    accuracy: float
    confidence: float               # mean
    ece: float                      # expected calibration error: |confidence - accuracy| of the bins, weighed by their words
    bins: tuple[Bin, ...]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def judge_words(
    words: Sequence[tuple[str, float | None]], reference: str, normaliser: Normaliser, language: str | None
) -> list[Judged]:
    """Which words of a transcript are in its reference, in their place.

    words      (as written, confidence); those without a confidence and those that normalise to nothing are left out
    reference  as written
    """
    right: dict[int, bool] = {}
    for group in group_words(split_written(reference), [text for text, _ in words], normaliser, language):
        right |= dict.fromkeys(range(*group.hypothesis), group.is_same)
    return [(confidence, right[place]) for place, (text, confidence) in enumerate(words)
            if confidence is not None and normaliser(text, language)]


def calibrate(judged: Sequence[Judged]) -> Calibration | None:
    """The table of all words of a run; None where none has a confidence."""
    if not judged:
        return None
    rows: list[list[Judged]] = [[] for _ in range(NUM_BINS)]
    for confidence, is_right in judged:
        rows[min(NUM_BINS - 1, int(confidence * NUM_BINS))].append((confidence, is_right))
    bins = tuple(_bin(place, row) for place, row in enumerate(rows))
    ece = sum(bin_.words * abs((bin_.confidence or 0) - (bin_.accuracy or 0)) for bin_ in bins) / len(judged)
    accuracy, confidence = _means(judged)
    return Calibration(len(judged), accuracy, confidence, ece, bins)


def _bin(place: int, row: Sequence[Judged]) -> Bin:
    accuracy, confidence = _means(row) if row else (None, None)
    return Bin(place / NUM_BINS, (place + 1) / NUM_BINS, len(row), confidence, accuracy)


def _means(judged: Sequence[Judged]) -> tuple[float, float]:
    return sum(is_right for _, is_right in judged) / len(judged), sum(confidence for confidence, _ in judged) / len(judged)
