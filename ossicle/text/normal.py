"""Text to one of Unicode's normal forms, with the way back: which character of the text each one came from."""

import unicodedata
from typing import Literal

Form = Literal["NFC", "NFKC"]


def normalized(text: str, form: Form) -> tuple[str, list[int]]:
    """`text` in a normal form, and for each character of that the place in `text` it came from; places never go back."""
    whole = unicodedata.normalize(form, text)
    if whole == text:
        return text, list(range(len(text)))
    parts: list[str] = []
    places: list[int] = []
    starts = [i for i, char in enumerate(text) if i == 0 or not _clings(char)]
    for start, end in zip(starts, [*starts[1:], len(text)]):
        part = unicodedata.normalize(form, text[start:end])
        parts.append(part)
        places += [start + min(i, end - start - 1) for i in range(len(part))]
    if "".join(parts) != whole:                         # some rare pair that joins across what we took for a border
        return whole, [i * len(text) // len(whole) for i in range(len(whole))]
    return whole, places


def _clings(char: str) -> bool:
    """Whether a character may join with the one before it: marks, also half-width ones, and the later parts of a Hangul syllable."""
    first = unicodedata.normalize("NFKD", char)[0]
    return unicodedata.combining(first) > 0 or unicodedata.category(first)[0] == "M" or "\u1160" <= first <= "\u11ff"
