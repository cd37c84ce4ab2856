"""Finding what was said in everything a ledger holds: words in, hits with file, time and snippet out.

SQLite's FTS5 with trigrams, so that Chinese, Japanese and Thai are found as well as English; one or two characters,
which make no trigram, are looked for in the texts themselves. Upper case and accents do not matter.
"""

import bisect
import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ossicle.archive.folding import fold
from ossicle.archive.ledger import FILE, FOLDER, Ledger
from ossicle.errors import OptionError

SNIPPET_CHARACTERS = 40             # on either side of a hit
TRIGRAM = 3


@dataclass(frozen=True)
class Hit:
    """One segment in which all terms occur."""

    path: str                       # of the recording
    time: float                     # of the first word found, or of its segment where words have no times
    end: float                      # of the segment
    speaker: str | None
    text: str                       # of the segment
    spans: tuple[tuple[int, int], ...]      # of the terms in it, in characters, in order


def search(ledgers: Sequence[Ledger], words: str, limit: int = 20) -> list[Hit]:
    """Segments that hold every term of `words`, by recording and time.

    words   terms separated by spaces; "in quotes" they are one phrase. Any other sign stands for itself

    Raises OptionError for a query without a term.
    """
    terms = [fold(term) for term in _terms(words)]
    if not terms:
        raise OptionError(f"expected words to look for, got {words!r}")
    hits: dict[tuple[str, float], Hit] = {}                 # one where several ledgers hold the same recording
    for ledger in ledgers:
        for hit in _search_one(ledger, terms, limit):
            hits.setdefault((hit.path, hit.time), hit)
    return list(hits.values())[:limit]


def snippet(hit: Hit, before: str = "", after: str = "", width: int = SNIPPET_CHARACTERS) -> str:
    """The hit's text around its first term, each term between the marks `before` and `after`; cut ends show as an ellipsis."""
    first, last = hit.spans[0][0], hit.spans[0][1]
    low = max(0, first - width)
    high = min(len(hit.text), last + width)
    parts, place = [], low
    for start, end in hit.spans:
        if start < place or end > high:
            continue
        parts += [hit.text[place:start], before, hit.text[start:end], after]
        place = end
    parts.append(hit.text[place:high])
    return ("…" if low else "") + "".join(parts).strip() + ("…" if high < len(hit.text) else "")


def register(out: Path) -> None:
    """Have `search` without a folder look into this output folder, too."""
    known = _registered()
    folder = str(out.absolute())
    if folder not in known:
        file = _registry()
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(folder + "\n")


def libraries(folders: Iterable[Path] = ()) -> list[Path]:
    """The ledgers below these output folders, or of all that were registered and still have one.

    Raises OptionError for a folder without a ledger.
    """
    named = [folder / FOLDER / FILE if folder.is_dir() else folder for folder in folders]
    for file in named:
        if not file.is_file():
            raise OptionError(f"expected the output folder of `ossicle batch`, with {FOLDER}/{FILE} in it, got {file.parent.parent}")
    return named or [file for folder in _registered() if (file := Path(folder) / FOLDER / FILE).is_file()]


def _search_one(ledger: Ledger, terms: Sequence[str], limit: int) -> list[Hit]:
    long = [term for term in terms if len(term) >= TRIGRAM]
    sql = 'SELECT text, start, "end", speaker, words, path FROM said JOIN recordings ON recordings.id = recording'
    values: list[object] = []
    if long:
        sql += " WHERE said MATCH ?"
        values.append(" AND ".join('"' + term.replace('"', '""') + '"' for term in long))
    hits = []
    for text, start, end, speaker, words, path in ledger.query(sql + " ORDER BY path, start", *values):
        folded = fold(text)
        spans = sorted(span for term in terms for span in _places(folded, term))
        if len({term for term in terms if term in folded}) == len(set(terms)):
            hits.append(Hit(path, _time(json.loads(words), spans[0][0], start), end, speaker, text.strip(), _stripped(text, spans)))
            if len(hits) == limit:
                break
    return hits


def _places(folded: str, term: str) -> Iterable[tuple[int, int]]:
    at = folded.find(term)
    while at >= 0:
        yield at, at + len(term)
        at = folded.find(term, at + len(term))


def _stripped(text: str, spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    space = len(text) - len(text.lstrip())
    return tuple((start - space, end - space) for start, end in spans)


def _time(words: Sequence[Sequence[float]], place: int, start: float) -> float:
    number = bisect.bisect_right([at for at, _ in words], place) - 1
    return words[number][1] if number >= 0 else start


def _terms(words: str) -> list[str]:
    reader = shlex.shlex(words, posix=True, punctuation_chars="")
    reader.whitespace_split, reader.quotes, reader.escape, reader.commenters = True, '"', "", ""
    try:
        return [term for term in reader if term.strip()]
    except ValueError:                                      # a quote that never closes stands for itself
        return words.split()


def _registry() -> Path:
    return Path(platformdirs.user_data_dir("ossicle")) / "libraries.txt"


def _registered() -> list[str]:
    try:
        return _registry().read_text("utf-8").splitlines()
    except OSError:
        return []
