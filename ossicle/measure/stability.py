"""Utterances as they were told in, how steady their text was out: what was revised, what was taken back, what was split.

A committed word must never change, and a committed piece must never end inside a word. Both are counted here, not believed.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from ossicle.measure.errors import count
from ossicle.measure.told import ToldItem
from ossicle.measure.written import split_written


@dataclass(frozen=True)
class Stability:
    """Counts over any number of utterances, and the rates that follow; None where there is nothing to divide by."""

    items: int = 0
    revised_items: int = 0              # in which a word that had been shown was changed or taken away
    final_words: int = 0
    revised_words: int = 0              # shown words that the next text has otherwise, or no more; summed over all texts
    erased_words: int = 0               # shown words behind the first difference to the next text; summed over all texts
    committed_words: int = 0
    retracted_words: int = 0            # committed words that a later text has otherwise
    deltas: int = 0                     # pieces that were committed
    split_words: int = 0                # words of the final text that two pieces share

    @property
    def upwr(self) -> float | None:
        """Unstable partial word ratio: revised words for each word of the final texts.

        Shangguan et al., "Analyzing the Quality and Stability of a Streaming End-to-End On-Device Speech Recognizer",
        arXiv 2006.01416. A word counts as revised where the cheapest way from one shown text to the next replaces or deletes it.
        """
        return self.revised_words / self.final_words if self.final_words else None

    @property
    def upsr(self) -> float | None:
        """Unstable partial segment ratio, of the same paper: share of utterances with a revision."""
        return self.revised_items / self.items if self.items else None

    @property
    def normalised_erasure(self) -> float | None:
        """Words that must be wiped out, for each word of the final texts.

        Arivazhagan et al., "Re-translation versus Streaming for Simultaneous Translation", IWSLT 2020: from one text to the
        next all behind their common beginning is wiped, so one early change costs all that follows it.
        """
        return self.erased_words / self.final_words if self.final_words else None

    @property
    def retraction_rate(self) -> float | None:
        """Share of committed words that did not stay. Must be 0."""
        return self.retracted_words / self.committed_words if self.committed_words else None

    def __add__(self, other: "Stability") -> "Stability":
        mine, theirs = asdict(self), asdict(other)
        return Stability(**{name: mine[name] + theirs[name] for name in mine})

    def to_dict(self) -> dict[str, Any]:
        """Counts and rates, ready for JSON."""
        rates = {name: getattr(self, name) for name in ("upwr", "upsr", "normalised_erasure", "retraction_rate")}
        return rates | asdict(self)


def stability(items: Sequence[ToldItem]) -> Stability:
    """Count all of it. Words are those between spaces, and characters in scripts without; as shown, case and punctuation included."""
    return sum((_of_item(item) for item in items if item.moments), Stability())


def split_places(pieces: Sequence[str], words: Sequence[str]) -> list[int]:
    """Borders between pieces that lie inside a word: characters of the joined text before each.

    pieces   as they were committed; joined they are the text
    words    of the final text as it was told; joined they give it

    A border counts where letters of one word lie on both sides of it, be that a word as told or one between spaces: punctuation
    may follow its word later. Told words alone would not do: they may have been made of the pieces.
    """
    text = "".join(pieces)
    inside: set[int] = set()
    for spans in (_spans(words), _spaced_spans(text)):
        for begin, end in spans:
            inside.update(place for place in range(begin + 1, end) if _is_spoken(text[begin:place]) and _is_spoken(text[place:end]))
    borders, place = [], 0
    for piece in pieces:
        place += len(piece)
        borders.append(place)
    return [border for border in dict.fromkeys(borders) if border in inside]


def retracted_words(item: ToldItem) -> int:
    """Committed words of an item that an event, a later one or the same, does not have any more.

    Every event says itself what is committed, and the last one the whole text. All deltas up to it must be its beginning.
    """
    taken: set[int] = set()
    for moment in item.moments:
        kept = _common(moment.claimed, moment.committed)
        taken.update(number for number, (_, end) in enumerate(_spaced_spans(moment.committed)) if end > kept)
    return len(taken)


def _of_item(item: ToldItem) -> Stability:
    shown = [split_written(moment.visible) for moment in item.moments]
    changes = [count(before, after) for before, after in pairwise(shown)]
    revised = sum(change.substitutions + change.deletions for change in changes)
    erased = sum(len(before) - _common(before, after) for before, after in pairwise(shown))
    pieces = [moment.delta for moment in item.moments if moment.delta]
    return Stability(
        items=1,
        revised_items=int(revised > 0),
        final_words=len(split_written(item.text)),
        revised_words=revised,
        erased_words=erased,
        committed_words=len(split_written(item.committed)),
        retracted_words=retracted_words(item),
        deltas=len(pieces),
        split_words=len(split_places(pieces, [word.text for word in item.words])),
    )


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many of their first characters, or words, are the same."""
    return next((place for place, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))


def _spans(words: Sequence[str]) -> list[tuple[int, int]]:
    spans, end = [], 0
    for word in words:
        begin, end = end, end + len(word)
        spans.append((begin, end))
    return spans


def _spaced_spans(text: str) -> list[tuple[int, int]]:
    """Where the words between spaces lie, those of unspaced scripts character by character."""
    spans, place = [], 0
    for token in split_written(text):
        begin = text.find(token, place)
        if begin < 0:                                       # another form of the same letters: NFC joins marks to them
            continue
        place = begin + len(token)
        spans.append((begin, place))
    return spans


def _is_spoken(text: str) -> bool:
    return any(map(str.isalnum, text))
