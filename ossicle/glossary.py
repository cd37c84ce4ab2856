"""A glossary: terms that may occur, what they are misheard as, and what is to be written otherwise; and the file it stands in.

One entry a line, as in docs/languages.md, "Glossary":

    # comment
    Kubernetes
    Anja Müller: Anya Miller, Anja Mueller      # a term, and how it comes out when it is misheard
    gonna, gunna => going to                    # written otherwise wherever it occurs; no term

Imports nothing of ours but the errors.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from ossicle.errors import OptionError

MAX_BYTES = 1_000_000               # a file of names is far smaller; whoever names a recording here gets an answer
MAX_CHARACTERS = 200                # of one entry
SHOWN_PROBLEMS = 5
# Outside of quotes: a comment, what parts the two sides of a line, and what parts the entries of one side.
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\s#(?=\s|$)|^#|=>|:(?=\s|$)|,(?=\s|$)')
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True)
class Term:
    """A name or a technical word as it is to be written."""

    text: str
    sounds_like: tuple[str, ...] = ()           # what the model writes when it mishears it; written as the term instead
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Replacement:
    """What is written otherwise wherever it occurs, though it is no term."""

    wrong: tuple[str, ...]
    right: str
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Glossary:
    """Terms for the model's context, and spellings for what it wrote. Raises OptionError for entries that contradict one another."""

    terms: tuple[Term, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    name: str = field(default="glossary", compare=False)      # of the file, for messages

    def __post_init__(self) -> None:
        if problems := list(_problems(self)):
            _refuse(self.name, problems)

    @property
    def spellings(self) -> dict[str, str]:
        """Everything that is written otherwise: what is found in a text, to what stands there instead."""
        found = {wrong: term.text for term in self.terms for wrong in term.sounds_like}
        return found | {wrong: entry.right for entry in self.replacements for wrong in entry.wrong}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What may not be meant: entries of which one undoes or feeds another, terms that stand twice."""
        found, seen = [], set()
        for term in self.terms:
            if term.text in seen:
                found.append(f"{_place(term.line)}the term {term.text!r} stands here again")
            seen.add(term.text)
        keys = {key_of(wrong): wrong for wrong in self.spellings}
        for wrong, right in self.spellings.items():
            if key_of(right) in keys and key_of(right) != key_of(wrong):
                found.append(f"{wrong!r} becomes {right!r}, which itself is replaced elsewhere; each place in a text is changed once, "
                             f"so {right!r} stays")
        return tuple(found)


def read_glossary(path: str | Path) -> Glossary:
    """The glossary in a text file. Raises OptionError naming file, line, what was expected and what came."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise OptionError(f"the glossary {path} must be a text file of at most {MAX_BYTES:,} bytes, got {size:,}; is it another file?")
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OptionError(f"the glossary {path} must be text in UTF-8, it is not ({error}); save it as UTF-8") from error
    except OSError as error:
        raise OptionError(f"cannot read the glossary {path}: {error.strerror or error}") from error
    return parse_glossary(text, str(path))


def parse_glossary(text: str, name: str = "glossary") -> Glossary:
    """The glossary that a text holds, one entry a line; `name` is what messages call it."""
    terms: list[Term] = []
    replacements: list[Replacement] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            entry = _read_line(line, number)
        except OptionError as error:
            problems.append(f"line {number}: {error}")
            continue
        if isinstance(entry, Term):
            terms.append(entry)
        elif entry is not None:
            replacements.append(entry)
    if problems:
        _refuse(name, problems)
    return Glossary(tuple(terms), tuple(replacements), name)


def key_of(text: str) -> str:
    """The form in which entries are compared: no case, one form for each character, one space between words."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _read_line(line: str, number: int) -> Term | Replacement | None:
    parts: list[list[str]] = [[""]]             # sides of the line, each its entries
    signs: list[str] = []
    place = 0
    for match in TOKEN.finditer(line):
        parts[-1][-1] += line[place : match.start()]
        sign, place = match.group(), match.end()
        if sign.strip() == "#":
            place = len(line)
            break
        if sign.startswith('"'):
            parts[-1][-1] += sign
        elif sign == ",":
            parts[-1].append("")
        else:
            signs.append(sign)
            parts.append([""])
    parts[-1][-1] += line[place:]
    if len(signs) > 1:
        raise OptionError(f"expected one ':' or '=>', got {' and '.join(signs)}; put a name that has one in quotes")
    sides = [[_plain(entry) for entry in side] for side in parts]
    if not signs:
        if sides == [[""]]:
            return None
        if len(sides[0]) > 1:
            raise OptionError(f"expected one term a line, got {len(sides[0])}; give each a line, or put a term that has a comma in quotes")
        return Term(sides[0][0], (), number)
    left, right = sides
    if signs == [":"]:
        if len(left) > 1 or not left[0]:
            raise OptionError("expected 'term: sounds like, sounds like', got no single term before ':'")
        if "" in right:
            raise OptionError("expected 'term: sounds like, sounds like', got an empty place behind ':'")
        return Term(left[0], tuple(right), number)
    if "" in left or len(right) > 1 or not right[0]:
        raise OptionError("expected 'wrong => right' or 'wrong, wrong => right', got an empty or a doubled side")
    return Replacement(tuple(left), right[0], number)


def _plain(entry: str) -> str:
    """One entry without its quotes, its spaces counted once."""
    entry = entry.strip()
    if QUOTED.fullmatch(entry):
        entry = re.sub(r"\\(.)", r"\1", entry[1:-1])
    elif '"' in entry:
        raise OptionError(f"expected quotes around the whole of an entry, got {entry!r}; write \\\" inside quotes for a quote itself")
    return " ".join(entry.split())


def _problems(glossary: Glossary) -> list[str]:
    problems: list[str] = []
    for line, texts in [(term.line, (term.text, *term.sounds_like)) for term in glossary.terms] + [
            (entry.line, (*entry.wrong, entry.right)) for entry in glossary.replacements]:
        problems += [f"{_place(line)}{problem}" for text in texts if (problem := _wrong_with(text))]
    terms = {key_of(term.text): term for term in glossary.terms}
    written: dict[str, tuple[str, int | None]] = {}
    for wrong, right, line in _spellings(glossary):
        key = key_of(wrong)
        if wrong == right:
            problems.append(f"{_place(line)}{wrong!r} would become itself; name another form or take it out")
        elif key in terms and key != key_of(right):
            problems.append(f"{_place(line)}{wrong!r} would become {right!r}, but it is a term itself{_where(terms[key].line)}; "
                            "keep one of the two")
        elif key in written and written[key][0] != right:
            problems.append(f"{_place(line)}{wrong!r} would become {right!r}, and also {written[key][0]!r}{_where(written[key][1])}; "
                            "keep one of the two")
        written.setdefault(key, (right, line))
    return problems


def _spellings(glossary: Glossary) -> list[tuple[str, str, int | None]]:
    return [(wrong, term.text, term.line) for term in glossary.terms for wrong in term.sounds_like] + [
        (wrong, entry.right, entry.line) for entry in glossary.replacements for wrong in entry.wrong]


def _wrong_with(text: str) -> str | None:
    if not any(char.isalnum() for char in text):
        return f"expected a word, got {text!r}, which has no letter"
    if len(text) > MAX_CHARACTERS:
        return f"expected at most {MAX_CHARACTERS} characters, got {len(text)}: {text[:40]!r}…"
    if any(unicodedata.category(char) in ("Cc", "Cs", "Co", "Cn") for char in text):
        return f"expected printable characters, got {text!r}"
    return None


def _refuse(name: str, problems: list[str]) -> None:
    more = f"; and {len(problems) - SHOWN_PROBLEMS} more" if len(problems) > SHOWN_PROBLEMS else ""
    raise OptionError(f"{name}: " + "; ".join(problems[:SHOWN_PROBLEMS]) + more)


def _place(line: int | None) -> str:
    return "" if line is None else f"line {line}: "


def _where(line: int | None) -> str:
    return "" if line is None else f" (line {line})"
