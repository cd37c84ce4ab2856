"""How good a place is to end a line or a cue: what stands before and behind it, to a cost. Knows nothing of time or width.

Sentence ends are best, then clause marks, then places between phrases; a word that leans on its neighbour, an article on
its noun, a particle on its word, is not left alone. Words that lean are listed for the languages in which we could check
them; elsewhere the characters alone decide.
"""

import re
import unicodedata
from functools import lru_cache

from ossicle.formats.columns import UNSPACED, is_hiragana, is_katakana, script_of
from ossicle.formats.leaning import ABBREVIATIONS, BEGINNERS, LEAN_BACK, LEAN_ON
from ossicle.formats.pieces import is_said

SENTENCE, CLAUSE, OPENING, PHRASE, WORD, TIGHT, LEANING, INSIDE = 0.0, 1.0, 1.5, 2.5, 4.0, 7.0, 11.0, 14.0
ENDS = frozenset(".!?…。！？｡．‼⁇⁈⁉।॥؟۔።։။៕")     # the last four: Ethiopic, Armenian, Burmese, Khmer
UNSURE_ENDS = frozenset(".…")                    # of abbreviations, numbers and pauses too
CLAUSE_MARKS = frozenset(",;:،؛、，；：､—–―·")
CLOSERS = "\"'”’»›)]}」』）】〕》〉】］｝"
OPENERS = "([{\"'«„“‚‘¿¡「『（【"
SHORTENED = frozenset(ABBREVIATIONS.split())


def ends_sentence(left: str, right: str) -> bool:
    """Whether a sentence ends between two texts that stand side by side; `right` may be empty."""
    core = left.rstrip(CLOSERS + " \u00a0\u202f")
    if not core or core[-1] not in ENDS:
        return False
    if core[-1] not in UNSURE_ENDS or not right:
        return True
    begins = next((char for char in right if is_said(char)), "")
    if begins.islower():
        return False
    if core[-1] == "…" or core.endswith("..."):
        return True
    return not _is_abbreviation(core)


def place_cost(left: str, right: str, has_space: bool, language: str | None = None) -> float:
    """What it costs to part two neighbouring texts: from 0 at the end of a sentence to 14 inside a word."""
    if ends_sentence(left, right):
        return SENTENCE
    last = left.rstrip(CLOSERS)[-1:] or left[-1]
    if last in CLAUSE_MARKS or (last in ENDS and not (last == "." and _is_abbreviation(left))):
        return CLAUSE
    if _is_opener(right[0]):
        return OPENING
    leans_on, leans_back, begins = _words_of(language)
    left_word, right_word = _plain(left), _plain(right)
    if right_word in leans_back:
        return INSIDE
    if left_word in leans_on or last == ".":
        return LEANING
    if has_space and last.isdigit():
        return TIGHT                             # a number and its unit
    if has_space:
        return PHRASE if right_word in begins or script_of(left[-1]) in UNSPACED else WORD
    if left_word in leans_back:
        return WORD
    return _unspaced_cost(left[-1], right[0])


def _unspaced_cost(last: str, first: str) -> float:
    """Between two letters of which one stands in a script without spaces. There is no dictionary: writing itself has to tell."""
    if is_katakana(last) and is_katakana(first):
        return INSIDE                            # a foreign word
    if last == "を":
        return PHRASE                            # the one letter that is always a particle
    if first in "おご" and is_hiragana(last):
        return PHRASE
    if is_hiragana(first):
        return INSIDE if script_of(last) == "HAN" else LEANING      # an ending or a particle
    if last in "おご":
        return INSIDE                            # of courtesy, before a noun
    if is_hiragana(last):
        return PHRASE                            # a phrase has ended with its particle, and the next begins
    if "THAI" in (script_of(last), script_of(first)):
        return TIGHT if first in "เแโใไ" or last in "ะๆฯ" else INSIDE    # where a syllable surely begins or ends
    if last.isdigit():
        return LEANING                           # a number stays with what it counts
    return WORD if script_of(last) != script_of(first) else TIGHT


@lru_cache(maxsize=64)
def _words_of(language: str | None) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    on, back, begin = (frozenset(table.get(language or "", "").split()) for table in (LEAN_ON, LEAN_BACK, BEGINNERS))
    return on, back, begin


def _plain(text: str) -> str:
    return text.strip(CLOSERS + OPENERS + " \u00a0").lower().replace("’", "'")


def _is_abbreviation(text: str) -> bool:
    """Dr. | U.S. | J. | 3., as German counts days; the text ends with a full stop."""
    word = _plain(text).rstrip(".").rpartition(" ")[2]
    return word in SHORTENED or bool(re.fullmatch(r"\d{1,2}|[^\W\d_]|(?:[^\W\d_]\.)+[^\W\d_]", word))


def _is_opener(char: str) -> bool:
    return unicodedata.category(char) in ("Ps", "Pi", "Pd") or char in "¿¡"
