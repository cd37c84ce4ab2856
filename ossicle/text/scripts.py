"""One character to its part in a line of text: where words may begin, what clings to what.

Knows nothing of words or languages; only Unicode categories and the few scripts that write no spaces.
"""

import unicodedata
from enum import Enum


class Kind(Enum):
    """What a character does where words are told apart."""

    SPACE = "space"                  # words part here, and the space goes with the word after
    EXTEND = "extend"                # never parted from what stands before: marks, joiners, variation selectors
    OPEN = "open"                    # punctuation that belongs to the word after
    CLOSE = "close"                  # any other punctuation: belongs to the word before
    UNSPACED = "unspaced"            # a word of its own: Han, kana, Thai, Lao, Khmer, Myanmar
    TRAILER = "trailer"              # of those scripts, but belongs to the character before: small kana, Thai SARA A
    SPACED = "spaced"                # every other letter, digit and symbol, Hangul with them


# Scripts in which each character (East Asia) or cluster (South-East Asia) stands as a word of its own.
EAST_ASIA = (
    (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3031, 0x3035), (0x3038, 0x303C), (0x3041, 0x3096),
    (0x309D, 0x309F), (0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x3105, 0x312F), (0x31A0, 0x31BF), (0x31F0, 0x31FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x16FE0, 0x16FFF), (0x1AFF0, 0x1B16F),
    (0x1F200, 0x1F202), (0x20000, 0x3FFFD),
)
SOUTH_EAST_ASIA = ((0x0E01, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F))

# Written with the character before it: no line may begin with one of these.
TRAILERS = frozenset(
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿｧｨｩｪｫｬｭｮｯｰﾞﾟーゝゞヽヾ々〻"
    "\u0e2f\u0e30\u0e32\u0e33\u0e45\u0e46\u0eaf\u0eb0\u0eb2\u0eb3\u0ec6"
)
# Written before the consonant they belong to (Thai and Lao vowels), or joining one to the next (Khmer, Myanmar, ZWJ).
JOINERS = frozenset("\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4\u17d2\u1039\u200d\u2060")

UNBROKEN_SPACES = frozenset("\u00a0\u2007\u202f\ufeff")   # put there so that a line does not part
ZERO_WIDTH_SPACE = "\u200b"          # parts words in Khmer and Thai, though Unicode calls it no space
SPOKEN_PUNCTUATION = frozenset("&%‰@#§＆％＠＃")           # read aloud, so a word can be nothing else
TURNED_MARKS = frozenset("¿¡")


def kind_of(char: str) -> Kind:
    """The part of one character, without regard to its neighbours."""
    category = unicodedata.category(char)
    if char == ZERO_WIDTH_SPACE or (char.isspace() and char not in UNBROKEN_SPACES):
        return Kind.SPACE
    if category[0] == "M" or category in ("Cf", "Cc") or char in UNBROKEN_SPACES:
        return Kind.EXTEND
    if category in ("Ps", "Pi") or char in TURNED_MARKS:
        return Kind.OPEN
    if category[0] == "P" and char not in SPOKEN_PUNCTUATION:
        return Kind.CLOSE
    if char in TRAILERS:
        return Kind.TRAILER
    # Digits of any script run together; ideographic numerals are letters here.
    if category not in ("Nd", "Sc") and (is_east_asian(char) or _within(char, SOUTH_EAST_ASIA)):
        return Kind.UNSPACED
    return Kind.SPACED


def is_east_asian(char: str) -> bool:
    """True for Han, kana and Bopomofo; Hangul, which is spaced, is not among them."""
    return _within(char, EAST_ASIA)


def is_wide(char: str) -> bool:
    """True where the character fills a whole square: such punctuation carries its own space."""
    return unicodedata.east_asian_width(char) in "WF"


def is_spoken(char: str) -> bool:
    """True for what a voice can say: letters, digits, symbols; false for spaces, marks alone and punctuation."""
    return kind_of(char) in (Kind.UNSPACED, Kind.TRAILER, Kind.SPACED)


def _within(char: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    point = ord(char)
    return any(low <= point <= high for low, high in ranges)
