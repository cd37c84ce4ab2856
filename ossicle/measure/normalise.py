"""A written text to the form in which two texts are compared: case, punctuation, numbers, spellings.

An error rate means nothing without its normaliser, so each has a version, and every report names it. The rules of
`whisper` are those of the package whisper-normalizer, and `leaderboard` stands on it; both need the extra `eval`.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Literal, get_args

from ossicle.errors import MissingExtra, OptionError

NormaliserName = Literal["none", "basic", "whisper", "leaderboard"]
NORMALISERS: tuple[str, ...] = get_args(NormaliserName)
INSTALL_EVAL = 'pip install "ossicle[eval]"'

APOSTROPHES = str.maketrans("’‘ʼ＇", "''''")
INNER = re.compile(r"(?<=\w)'(?=\w)|(?<=\d)[.,](?=\d)")     # marks that belong to a word: don't, 3.5, 10,000
GROUPED = re.compile(r"(?<=\d)\s+(?=\d{3}\b)")              # thousands set apart: 10 000
DIGITS = re.compile(r"\d+")
JOINERS = "\u200c\u200d"                                   # are part of how Persian and Hindi are spelt; no other invisible mark is
UNSCORED = "ignore time segment in scoring"                 # a reference of TED-LIUM that stands for none

BASIC_ABOUT = "NFKC, lower case; punctuation and symbols are removed but inside don't and 3.5; marks on letters stay"
WHISPER_ABOUT = (
    "English: Whisper's English normaliser. Other languages: its basic one, which drops the marks on letters too, "
    "and with them vowels of Thai, Hindi and Arabic"
)
LEADERBOARD_ABOUT = (
    "the method of the Open ASR Leaderboard as it was in August 2026, approximated: English is whisper's normaliser with letters that "
    "stand alone joined (b b c = bbc); other languages are parted from punctuation with their marks kept, digits written as words; "
    "joined and split compounds are equal, empty references are left out. Not in it: the leaderboard's tables of names, compounds and "
    "fillers, its clock times, its rule for possessives"
)


@dataclass(frozen=True)
class Normaliser:
    """A way to compare texts, and what to call it beside a figure."""

    name: NormaliserName
    version: str                        # two figures of different versions are not comparable
    about: str
    rules: Callable[[str, str | None], str]
    merges_compounds: bool = False      # `white paper` and `whitepaper` are equal
    drops_unscored: bool = False        # references without a word are left out

    def __call__(self, text: str, language: str | None) -> str:
        """The text as it is compared; single spaces, none at the ends.

        language   its code; None where it is not known
        """
        return " ".join(self.rules(text, language).split())

    def is_scored(self, reference: str, language: str | None) -> bool:
        """Whether a reference counts."""
        if not self.drops_unscored:
            return True
        text = self(reference, language)
        return text != UNSCORED and any(map(str.isalnum, text))

    def to_dict(self) -> dict[str, object]:
        """Name, version and meaning, ready for JSON."""
        return {"name": self.name, "version": self.version, "about": self.about, "merges_compounds": self.merges_compounds}


@cache
def find_normaliser(name: str) -> Normaliser:
    """The normaliser of this name. Raises OptionError for another name, MissingExtra where its package is not installed."""
    match name:
        case "none":
            return Normaliser("none", "1", "the text as it is: case and punctuation count", lambda text, language: text)
        case "basic":
            return Normaliser("basic", "1", BASIC_ABOUT, lambda text, language: _bare(text))
        case "whisper":
            return _whisper()
        case "leaderboard":
            return _leaderboard()
    raise OptionError(f"normaliser must be one of {', '.join(NORMALISERS)}; got {name!r}")


def missing(package: str) -> MissingExtra:
    """The error for a package of the extra `eval` that is not there."""
    return MissingExtra(f"{package} is not installed, which this measurement needs; {INSTALL_EVAL} installs it")


def _whisper() -> Normaliser:
    english, basic, package = _package()
    other = basic()
    return Normaliser("whisper", package, WHISPER_ABOUT, lambda text, language: (english if language == "en" else other)(text))


def _leaderboard() -> Normaliser:
    english, basic, package = _package()
    other = basic(preserve_marks=True)

    def rules(text: str, language: str | None) -> str:
        return _join_letters(english(text)) if language == "en" else _spell_out(other(text), language)

    version = f"leaderboard-2026-08-approximation-1 ({package})"
    return Normaliser("leaderboard", version, LEADERBOARD_ABOUT, rules, merges_compounds=True, drops_unscored=True)


def _package() -> tuple[Callable[[str], str], Any, str]:
    """Whisper's English normaliser, the class of its basic one, and whose they are."""
    try:
        from whisper_normalizer.basic import BasicTextNormalizer
        from whisper_normalizer.english import EnglishTextNormalizer
    except ImportError as error:
        raise MissingExtra(f"this normaliser needs whisper-normalizer, which is not installed: {INSTALL_EVAL}; "
                           "the normaliser basic needs nothing") from error
    return EnglishTextNormalizer(), BasicTextNormalizer, f"whisper-normalizer {version('whisper-normalizer')}"


def _bare(text: str) -> str:
    text = unicodedata.normalize("NFKC", text.translate(APOSTROPHES)).lower()
    text = "".join(char for char in text if unicodedata.category(char) != "Cf" or char in JOINERS)
    kept = {match.start() for match in INNER.finditer(text)}
    return "".join(char if place in kept or unicodedata.category(char)[0] not in "PS" else " " for place, char in enumerate(text))


def _join_letters(text: str) -> str:
    """Letters and digits that stand alone in a row become one word: two of them, or three where one may be the word `a` or `i`."""
    found: list[str] = []
    run: list[str] = []
    for word in [*text.split(), ""]:
        if len(word) == 1 and word.isalnum():
            run.append(word)
            continue
        is_word = len(run) >= (3 if {"a", "i"} & set(run) else 2)
        found += ["".join(run)] if is_word else run
        run = []
        found.append(word)
    return " ".join(found)


def _spell_out(text: str, language: str | None) -> str:
    """Digits as words of the language, where num2words knows it."""
    if language is None or not DIGITS.search(text):
        return text
    try:
        from num2words import num2words
    except ImportError as error:
        raise missing("num2words") from error

    def spell(match: re.Match[str]) -> str:
        try:
            return str(num2words(int(match.group()), lang=language))
        except (NotImplementedError, OverflowError):        # another language; a number longer than its words go
            return match.group()

    return DIGITS.sub(spell, GROUPED.sub("", text))
