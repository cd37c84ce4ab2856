"""Japanese text to words, with the places of their characters: by nagisa, as the official aligner does, or by script.

nagisa is optional (22 MB). Without it a stretch of one script is a word: kanji, hiragana, katakana, letters and digits.
"""

import unicodedata
from itertools import groupby

from ossicle.errors import MissingExtra
from ossicle.text.normal import normalized

Place = tuple[str, int]                     # a character, and where in the text it came from

INSTALL = 'pip install "ossicle[ja]"'


def split_japanese(text: str) -> list[list[Place]]:
    """Words as nagisa parts them, in its spelling: NFKC, so that `！` is `!` and half-width kana are whole.

    Raises MissingExtra where nagisa is not installed, or does not load.
    """
    try:
        import nagisa
    except (ImportError, OSError) as error:
        raise MissingExtra(f"Japanese is parted into words by nagisa, which does not load ({error}); {INSTALL}") from error
    spelled, places = normalized(text.rstrip(), "NFKC")
    words, at = [], 0
    for word in nagisa.tagging(text).words:
        end = at + len(word)
        if word != spelled[at:end].replace("İ", "I").replace(" ", "\u3000"):    # what else it does to its input
            return split_by_script(text)                                        # not met yet; a guess would be worse
        words.append(list(zip(word, places[at:end])))
        at = end
    return words


def split_by_script(text: str) -> list[list[Place]]:
    """Stretches of one script; what is neither letter nor digit is left out."""
    placed = list(zip(text, range(len(text))))
    runs = [(script, list(run)) for script, run in groupby(placed, key=lambda place: _script(place[0]))]
    return [run for script, run in runs if script]


def _script(char: str) -> str:
    """A name for the script of a character; empty for what nobody says."""
    if unicodedata.category(char)[0] not in "LNM":
        return ""
    if "\u3041" <= char <= "\u309f":
        return "hiragana"
    if "\u30a1" <= char <= "\u30ff" or "\uff66" <= char <= "\uff9f":
        return "katakana"
    return "kanji" if unicodedata.name(char, "").startswith("CJK") or char == "々" else "other"
