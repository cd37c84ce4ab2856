"""Whether a sentence or a clause ends with a word. Reads characters only: there is no grammar and no dictionary of a language.

Marks of the scripts that the models write are known; Thai, Lao and the like end sentences with pauses, not marks. Where a
full stop may be part of an abbreviation, a number or an initial, the sentence goes on: a segment that is too long is cut
elsewhere, one that breaks in the middle of a name is read.
"""

import re

STOPS = ".．"                        # may also stand in abbreviations, numbers and initials
ENDS = frozenset("!?。｡！？؟۔।॥…‽⁇⁈⁉։።፧፨၊။។៕᠃᠉꓿") | frozenset(STOPS)
CLAUSES = frozenset(",;:，；：、､،؛፣፤፥—–")
CLOSERS = "\"'”’»›」』】〉》）)]}›＂＇〞"
OPENERS = "\"'“‘«„‚‹「『（([{¿¡"
# Written with a full stop before a name, or before a number, in the languages that use them.
TITLES = frozenset((
    "mr", "mrs", "ms", "mx", "dr", "prof", "sr", "jr", "st", "mt", "rev", "hon", "gen", "col", "maj", "capt", "cpt", "lt", "sgt",
    "cmdr", "gov", "sen", "rep", "vs", "cf", "ca", "approx", "hr", "fr", "bzw", "evtl", "ggf", "inkl", "zzgl", "mme", "mlle", "mgr",
    "sra", "srta", "ud", "uds", "dña", "sig", "dott", "avv", "inż",
))
NUMBERED = frozenset((
    "no", "nos", "nr", "nro", "núm", "num", "vol", "pp", "p", "fig", "figs", "eq", "sec", "ch", "art", "abs", "kap", "bd", "op", "tel",
    "str",
))
DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]?\.?")                 # e.g., z.B., U.S.; p.m. is none: it ends many sentences
HOURS = frozenset(("a.m.", "p.m."))
ORDINALS = frozenset((                                              # languages that write 3. for third
    "German", "Danish", "Finnish", "Czech", "Hungarian", "Polish", "Turkish", "Norwegian", "Swedish", "Slovak", "Croatian", "Serbian",
))


def ends_sentence(word: str, following: str | None, language: str | None = None) -> bool:
    """Whether a sentence ends with `word`.

    following   the next word; None where there is none, which ends every sentence
    language    of the word, as the model names it
    """
    bare = word.strip().rstrip(CLOSERS)
    if following is None:
        return True
    if not bare or bare[-1] not in ENDS:
        return False
    first = next((char for char in following if char.isalnum()), "")
    if first.islower():                                             # goes on after "why?" she asked, or after an abbreviation
        return not _is_cased(bare)
    return bare[-1] not in STOPS or bare.endswith(("..", "．．")) or not _is_short_form(bare, first, language)


def ends_clause(word: str) -> bool:
    """Whether a clause ends with `word`: the next best place to part a long sentence."""
    bare = word.strip().rstrip(CLOSERS)
    return bool(bare) and (bare[-1] in CLAUSES or bare[-1] in ENDS)


def _is_cased(text: str) -> bool:
    """Whether a text is in a script that begins sentences with capitals, as far as it tells."""
    return any(char.isupper() or char.islower() for char in text) or not any(char.isalpha() for char in text)


def _is_short_form(bare: str, first: str, language: str | None) -> bool:
    """Whether the full stop of a word belongs to the word itself."""
    core = bare.lstrip(OPENERS).rstrip(STOPS)
    if core.isdigit():
        return language in ORDINALS and len(core) <= 2
    if core.casefold() in (NUMBERED if first.isdigit() else TITLES):
        return True
    if len(core) == 1 and core.isalpha():                           # an initial; but "so do I."
        return core.isupper() and core != "I" and core.isascii()
    return bool(DOTTED.fullmatch(core + ".")) and "." in core and (core + ".").casefold() not in HOURS
