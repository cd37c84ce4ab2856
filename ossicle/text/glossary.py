"""A glossary at work: its terms to a context, its spellings to places in a text. Words and their times are somebody else's.

A place is found by whole words, in every script: what is compared are units between which a word may begin or end. Scripts
without spaces have such a place at every character or cluster, so a longer entry goes before a shorter one.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ossicle.glossary import Glossary, key_of
from ossicle.text.scripts import JOINERS, Kind, kind_of
from ossicle.text.tokenizer import Tokenizer

CONTRACTED = ("t", "re", "ve", "m", "ll", "d")      # English: they are the same word as what stands before the apostrophe
APOSTROPHES = "'’"
KATAKANA = re.compile("[\u30a1-\u30fa\u30fc-\u30ff\uff66-\uff9d]")      # written together, a word of its own
# What Korean writes onto a noun without a space; of two, the longer is tried first.
PARTICLES = tuple(sorted((
    "은", "는", "이", "가", "을", "를", "의", "에", "에서", "에게", "께서", "한테", "로", "으로", "와", "과", "랑", "이랑", "도", "만",
    "까지", "부터", "처럼", "보다", "라고", "이라고", "이나", "나", "님", "씨", "이다", "입니다", "이에요", "예요",
), key=len, reverse=True))
MIN_STEM = 2                                        # syllables before a particle; a single one is too often part of a word


@dataclass(frozen=True)
class Place:
    """A stretch of a text that is to be written otherwise."""

    start: int                      # in characters
    end: int
    written: str


class Speller:
    """Finds the places of one glossary in texts."""

    def __init__(self, glossary: Glossary) -> None:
        # What is looked for, to what is written instead, and whether a capital at a beginning may be put on it; None stays.
        self._entries: dict[tuple[str, ...], tuple[str, bool] | None] = {_units(term.text): None for term in glossary.terms}
        for term in glossary.terms:
            self._entries |= {_units(wrong): (term.text, False) for wrong in term.sounds_like}
        for entry in glossary.replacements:
            self._entries |= {_units(wrong): (entry.right, wrong[:1].islower() and entry.right[:1].islower()) for wrong in entry.wrong}
        self._longest = max(map(len, self._entries), default=0)

    def places(self, text: str) -> list[Place]:
        """Where `text` is to be written otherwise: from the left, of several entries the longest, and no place twice."""
        units = [(start, end, key_of(text[start:end])) for start, end in _spans(text)]
        found: list[Place] = []
        at = 0
        while at < len(units):
            length, place = self._longest_at(text, units, at)
            if place is not None and text[place.start : place.end] != place.written:
                found.append(place)
            at += max(1, length)
        return found

    def _longest_at(self, text: str, units: Sequence[tuple[int, int, str]], at: int) -> tuple[int, Place | None]:
        """How many units the longest entry takes that begins here, and what it wants changed. A term keeps its place as it is."""
        for length in range(min(self._longest, len(units) - at), 0, -1):
            keys = tuple(key for _, _, key in units[at : at + length])
            start, end = units[at][0], units[at + length - 1][1]
            for particle in ("", *_particles(keys[-1])):
                entry_keys = (*keys[:-1], keys[-1].removesuffix(particle)) if particle else keys
                if entry_keys in self._entries:
                    entry = self._entries[entry_keys]
                    return length, entry and Place(start, end - len(particle), _cased(*entry, like=text[start]))
        return 0, None


def fit_terms(glossary: Glossary, tokenizer: Tokenizer, max_tokens: int) -> tuple[str, tuple[str, ...]]:
    """The terms as a context, as the models were trained to read one: separated by spaces, in the order of the file.

    returns   the context, and the terms that found no room in `max_tokens`
    """
    kept: list[str] = []
    left_out: list[str] = []
    num_tokens = 0
    for term in dict.fromkeys(term.text for term in glossary.terms):
        needed = len(tokenizer.encode_plain(f" {term}"))
        if num_tokens + needed <= max_tokens:
            kept.append(term)
            num_tokens += needed
        else:
            left_out.append(term)
    return " ".join(kept), tuple(left_out)


def _cased(written: str, may_rise: bool, like: str) -> str:
    return written[:1].upper() + written[1:] if may_rise and like.isupper() else written


def _units(text: str) -> tuple[str, ...]:
    return tuple(key_of(text[start:end]) for start, end in _spans(text))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """The stretches of a text, spaces left out, at whose ends a word may begin or end."""
    start = 0
    for place in range(1, len(text) + 1):
        if place == len(text) or not _holds(text, place):
            if not text[start:place].isspace():
                yield start, place
            start = place


def _holds(text: str, place: int) -> bool:
    """Whether what stands before and behind this place belongs to one word."""
    before, after = text[place - 1], text[place]
    if before.isspace() or after.isspace():         # an unbreakable space, too, has a word on either side
        return False
    kinds = kind_of(before), kind_of(after)
    if kinds[1] in (Kind.EXTEND, Kind.TRAILER) or before in JOINERS:
        return True
    if KATAKANA.match(before) and KATAKANA.match(after):
        return True
    if kinds == (Kind.SPACED, Kind.SPACED) or (kinds[0] is Kind.EXTEND and kinds[1] is Kind.SPACED):
        return True
    if after in APOSTROPHES:
        return _contracts(text, place)
    return before in APOSTROPHES and _contracts(text, place - 1)


def _contracts(text: str, place: int) -> bool:
    """Whether the apostrophe at `place` stands inside a word, as in `don't`; not as in `Anna's` or `l'eau`."""
    if place == 0 or kind_of(text[place - 1]) is not Kind.SPACED:
        return False
    behind = re.match(r"[^\W\d_]*", text[place + 1 :])
    return behind is not None and unicodedata.normalize("NFC", behind.group()).lower() in CONTRACTED


def _particles(unit: str) -> Iterator[str]:
    if "\uac00" <= unit[-1:] <= "\ud7a3":
        yield from (particle for particle in PARTICLES if unit.endswith(particle) and len(unit) >= len(particle) + MIN_STEM)
