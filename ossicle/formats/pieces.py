"""Text to pieces that no line break may part; joined, they give the text. Knows nothing of time or width.

This is what typesetters call line breaking (Unicode's annex 14 in small): at spaces, and in scripts without spaces
between letters, but no closing mark begins a line and no opening mark ends one. Words of a transcript are kept where
it has them; this cuts what has none.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

from ossicle.formats.columns import UNSPACED, columns, script_of

# Where a line may end, and zero-width spaces that say so. Those that hold together (U+00A0, U+2007, U+202F) are letters here.
SPACE = "\t-\r\x1c-\x20\x85\u1680\u2000-\u2006\u2008-\u200b\u2028\u2029\u205f\u3000"
SPACES = re.compile(f"[{SPACE}]+")
KEPT_SPACES = ("\u3000", "\u200b")               # their width means something; every other run of spaces becomes one
PIECE = re.compile(f"[{SPACE}]*[^{SPACE}]+|[{SPACE}]+$")
# Of the scripts without spaces: written before the consonant they belong to, or joining one to the next.
JOINING = frozenset("\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4\u17d2\u1039\u200d\u2060")
TRAILING = frozenset(                            # written behind the letter they belong to: no line begins with one
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿｧｨｩｪｫｬｭｮｯｰﾞﾟーゝゞヽヾ々〻"
    "\u0e2f\u0e30\u0e32\u0e33\u0e45\u0e46\u0eaf\u0eb0\u0eb2\u0eb3\u0ec6")
LEADING_SIGNS = frozenset("#&@*§†¿¡")            # punctuation by category, but read with what follows
PARTING_DASHES = frozenset("—―⸺…")               # a line may end behind them although no space follows
BEHIND_HYPHEN = re.compile(r"(?<=[^\W\d_][-‐/])(?=[^\W\d_])")


def split_pieces(text: str) -> list[str]:
    """The pieces of a text, each with the space before it; joined, they give the text."""
    pieces: list[str] = []
    for match in PIECE.finditer(text):
        piece = match.group()
        space, core = split_space(piece)
        parts = _split_core(core)
        first = space + parts[0] if parts else piece
        if pieces and not (parts and may_part(pieces[-1], parts[0], bool(space))):
            pieces[-1] += first
        else:
            pieces.append(first)
        pieces += parts[1:]
    return pieces


def split_space(piece: str) -> tuple[str, str]:
    """The spaces before a piece, and the rest."""
    found = SPACES.match(piece)
    return (piece[:found.end()], piece[found.end():]) if found else ("", piece)


def plain_space(spaces: str) -> str:
    """A run of spaces as subtitles write it: one, of the kind that was meant."""
    return spaces if spaces in KEPT_SPACES else " " if spaces else ""


def plain_spaces(text: str) -> str:
    """A text with every run of spaces plain, and none at its ends."""
    return SPACES.sub(lambda found: plain_space(found.group()), text).strip(" \u3000\u200b")


def may_part(left: str, right: str, has_space: bool) -> bool:
    """Whether a line may end between two texts. `has_space`: there is one between them."""
    if not left or not right:
        return False
    last, first = left[-1], right[0]
    if has_space:                                # French sets a space before !, which must not be left behind
        return not closes(first) or any(map(is_said, right))
    if first in TRAILING or _clings(first) or last in JOINING or closes(first) or opens(last):
        return False
    if script_of(last) in UNSPACED or script_of(first) in UNSPACED:
        return True
    return last in PARTING_DASHES or (columns(last) == 2 and not is_said(last))


def cut_piece(piece: str, width: int) -> list[str]:
    """A piece too wide for a line in parts that are not, as far as its script allows; joined, they give it back.

    A word of a spaced script parts behind hyphens only, and stays whole without one: half a word reads as another word.
    """
    parts: list[str] = []
    for atom in (part for whole in split_pieces(piece) for part in BEHIND_HYPHEN.split(whole)):
        if parts and columns(parts[-1] + atom) <= width:
            parts[-1] += atom
        else:
            parts.append(atom)
    return parts


@lru_cache(maxsize=4096)
def closes(char: str) -> bool:
    """Whether this mark belongs to what stands before it."""
    category = unicodedata.category(char)
    return category in ("Pe", "Pf", "Pd") or (category == "Po" and char not in LEADING_SIGNS) or char in "％%℃°"


@lru_cache(maxsize=4096)
def opens(char: str) -> bool:
    """Whether this mark belongs to what stands behind it."""
    return unicodedata.category(char) in ("Ps", "Pi", "Sc") or char in LEADING_SIGNS


@lru_cache(maxsize=4096)
def is_said(char: str) -> bool:
    """Whether a voice says it: letters, digits, symbols."""
    return unicodedata.category(char)[0] in "LNS"


def _clings(char: str) -> bool:
    return unicodedata.category(char)[0] in "MC" and char != "\u200b"


def _split_core(core: str) -> list[str]:
    starts = [0, *(place for place in range(1, len(core)) if may_part(core[place - 1], core[place], False)), len(core)]
    return [core[start:end] for start, end in pairwise(starts)] if core else []
