"""Text to the units that a forced aligner times, and for each of their characters its place in the text.

The units are exactly the official ones: letters, numbers and straight apostrophes only, so `e-mail` is `email` and Devanagari
loses its vowel signs. The places lead back: what people get is their own text, whole. Knows nothing of time.
Source: official package, `encode_timestamp`; docs/model.md, "Word splitting".
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ossicle.text.japanese import Place, split_by_script, split_japanese
from ossicle.text.korean import split_stem

__all__ = ["Unit", "split_units"]

IDEOGRAPHS = (                              # each stands alone; not kana, not hangul, not the supplement at 2F800
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
)


@dataclass(frozen=True, slots=True)
class Unit:
    """What the aligner is given for one stretch of the text."""

    text: str                               # never empty
    places: tuple[int, ...]                 # in the text, of each of its characters; they never go back


def split_units(text: str, language: str | None = None, with_dictionary: bool = True) -> list[Unit]:
    """The units of `text`, in order; none where there is no letter and no number.

    language         the model's name for it; matters for Japanese and Korean only. None: kana anywhere mean Japanese,
                     else hangul anywhere Korean
    with_dictionary  False parts Japanese by script, not by nagisa's dictionary: other units than the official ones

    Raises MissingExtra for Japanese where nagisa is not installed.
    """
    name = (language or _guess(text)).lower()
    if name == "japanese":
        pieces: Iterable[list[Place]] = split_japanese(text) if with_dictionary else split_by_script(text)
    elif name == "korean":
        pieces = (part for piece in _at_spaces(text) for part in _stem_and_ending(piece))
    else:
        pieces = (part for piece in _at_spaces(text) for part in _by_ideograph(_kept(piece)))
    units = (_kept(piece) for piece in pieces)
    return [Unit("".join(char for char, _ in unit), tuple(place for _, place in unit)) for unit in units if unit]


def _at_spaces(text: str) -> Iterator[list[Place]]:
    for match in re.finditer(r"\S+", text):
        yield list(zip(match[0], range(match.start(), match.end())))


def _kept(piece: list[Place]) -> list[Place]:
    return [(char, place) for char, place in piece if char == "'" or unicodedata.category(char)[0] in "LN"]


def _by_ideograph(piece: list[Place]) -> Iterator[list[Place]]:
    run: list[Place] = []
    for char, place in piece:
        if any(low <= ord(char) <= high for low, high in IDEOGRAPHS):
            yield from (part for part in (run, [(char, place)]) if part)
            run = []
        else:
            run.append((char, place))
    if run:
        yield run


def _stem_and_ending(piece: list[Place]) -> Iterator[list[Place]]:
    stem, _ = split_stem("".join(char for char, _ in piece))        # punctuation still in place, as officially
    yield piece[: len(stem)]
    yield piece[len(stem) :]


def _guess(text: str) -> str:
    if any("\u3041" <= char <= "\u30ff" and char != "・" for char in text):
        return "japanese"
    return "korean" if any("\uac00" <= char <= "\ud7a3" for char in text) else ""
