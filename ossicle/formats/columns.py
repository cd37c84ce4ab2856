"""A text to the columns it takes on a screen, and a character to its script. Knows nothing of words or cues.

A column is as wide as a Latin letter, as on a terminal: Han, kana, Hangul and emoji take two, marks and joiners none.
"""

import unicodedata
from functools import lru_cache

ZERO_WIDTH_JOINER = "\u200d"
SKIN_TONES = ("\U0001f3fb", "\U0001f3ff")        # of the emoji before them
JAMO = ("\u1160", "\u11ff")                      # vowels and finals of Hangul, which complete the syllable before them
UNSPACED = ("HAN", "KANA", "THAI", "LAO", "KHMER", "MYANMAR")    # scripts whose words stand without spaces between them
SCRIPTS = {                                      # the first word of a character's Unicode name to its script
    "CJK": "HAN", "KANGXI": "HAN", "IDEOGRAPHIC": "HAN", "HIRAGANA": "KANA", "KATAKANA": "KANA",
    "HALFWIDTH": "KANA", "KATAKANA-HIRAGANA": "KANA", "BOPOMOFO": "HAN",
    "THAI": "THAI", "LAO": "LAO", "KHMER": "KHMER", "MYANMAR": "MYANMAR",
}


def columns(text: str) -> int:
    """How many columns a text takes."""
    if text.isascii():
        return len(text)
    total, follows = 0, ""
    for char in text:
        total += 0 if follows == ZERO_WIDTH_JOINER else _width(char)
        follows = char
    return total


@lru_cache(maxsize=4096)
def script_of(char: str) -> str:
    """HAN, KANA, THAI, LAO, KHMER or MYANMAR for a letter of these, and "" for every other character."""
    category = unicodedata.category(char)
    if category[0] not in "LMN" or category == "Nd":
        return ""
    name = unicodedata.name(char, "")
    first = name.partition(" ")[0]
    if first == "HALFWIDTH" and "KATAKANA" not in name:
        return ""                                # halfwidth Hangul, which has spaces
    return SCRIPTS.get(first, "")


def is_hiragana(char: str) -> bool:
    """Whether this is a letter of the script in which Japanese writes endings and particles."""
    return "\u3041" <= char <= "\u3096"


def is_katakana(char: str) -> bool:
    """Whether this is a letter of the script in which Japanese writes foreign words, or its mark for length."""
    return "\u30a1" <= char <= "\u30fc" or "\uff66" <= char <= "\uff9f"


@lru_cache(maxsize=4096)
def _width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf", "Cc") and char != "\u00ad":
        return 0
    if JAMO[0] <= char <= JAMO[1] or SKIN_TONES[0] <= char <= SKIN_TONES[1]:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
