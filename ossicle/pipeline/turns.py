"""Who speaks when to who said which word: turns put in order, and each word given to exactly one speaker.

Knows nothing of sound, nor of how turns are found. Times count from the first sample read.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ossicle.errors import OptionError
from ossicle.results import Turn, Word

SPEAKER = "SPEAKER_{:02}"            # of one whom nobody named, counted from 0
NOBODY = SPEAKER.format(0)           # who says the words of a recording in which no turn was found
MERGE_SECONDS = 0.2                  # a speaker's turns that are this close are one: shorter gaps are breath and closures
TIE = 1e-9                           # seconds; less is the rounding of floats


def tidy_turns(turns: Sequence[Turn], seconds: float) -> tuple[Turn, ...]:
    """Turns in order, inside a sound of `seconds`, none empty, and those of one speaker joined where nothing parts them.

    Raises OptionError for a turn without finite times.
    """
    kept = []
    for place, turn in enumerate(turns):
        if not isinstance(turn, Turn):
            raise OptionError(f"a turn must be a Turn(start, end, speaker), got {type(turn).__name__} at place {place}")
        if not (math.isfinite(turn.start) and math.isfinite(turn.end)):
            raise OptionError(f"a turn must have finite times, got {turn.start} to {turn.end} of {turn.speaker} at place {place}")
        start, end = max(0.0, float(turn.start)), min(float(seconds), float(turn.end))
        if start < end:
            kept.append(Turn(start, end, str(turn.speaker)))
    kept.sort(key=lambda turn: turn.start)
    joined: list[Turn] = []
    latest: dict[str, int] = {}                             # place in `joined` of each speaker's last turn
    for turn in kept:
        last = latest.get(turn.speaker)
        if last is not None and _is_one(joined, last, turn):
            joined[last] = replace(joined[last], end=max(joined[last].end, turn.end))
        else:
            latest[turn.speaker] = len(joined)
            joined.append(turn)
    return tuple(joined)


def number_speakers(turns: Sequence[Turn]) -> list[Turn]:
    """The same turns with labels SPEAKER_00, SPEAKER_01 and so on, in order of the first turn."""
    labels = speakers_of(sorted(turns, key=lambda turn: turn.start))
    numbered = {label: SPEAKER.format(number) for number, label in enumerate(labels)}
    return [replace(turn, speaker=numbered[turn.speaker]) for turn in turns]


def name_speakers(
    turns: Sequence[Turn], names: Mapping[str, str], order: Sequence[str] = ()
) -> tuple[list[Turn], tuple[str, ...]]:
    """Give speakers the names that a caller knows them by.

    names     by label, or by number from 0; two speakers of one name become one
    order     labels as they are counted; otherwise they are counted by their first turn
    returns   the turns, and the keys of `names` that stand for nobody
    """
    labels = tuple(order) or speakers_of(turns)
    named: dict[str, str] = {}
    unused = []
    for key, name in names.items():
        if key in labels:
            named[key] = name                               # a label goes before a number that looks like it
        elif key.isdecimal() and int(key) < len(labels):
            named.setdefault(labels[int(key)], name)
        else:
            unused.append(key)
    return [replace(turn, speaker=named.get(turn.speaker, turn.speaker)) for turn in turns], tuple(unused)


def speakers_of(turns: Sequence[Turn]) -> tuple[str, ...]:
    """Labels in the order of the turns, each once."""
    return tuple(dict.fromkeys(turn.speaker for turn in turns))


@dataclass(frozen=True)
class _Table:
    """Turns as columns."""

    starts: np.ndarray                  # (turns,) seconds, ascending
    ends: np.ndarray
    speakers: np.ndarray                # (turns,) place in `labels`
    labels: tuple[str, ...]

    @classmethod
    def of(cls, turns: Sequence[Turn]) -> "_Table":
        labels = speakers_of(turns)
        places = {label: place for place, label in enumerate(labels)}
        return cls(np.array([turn.start for turn in turns]), np.array([turn.end for turn in turns]),
                   np.array([places[turn.speaker] for turn in turns]), labels)

    def speaker_at(self, start: float, end: float) -> str:
        """Who speaks longest between two times, who began first where several do; else whose turn is nearest."""
        overlaps = np.minimum(self.ends, end) - np.maximum(self.starts, start)      # (turns,)
        if overlaps.max() <= TIE:
            distances = np.maximum(np.maximum(self.starts - end, start - self.ends), 0.0)
            return self.labels[self.speakers[int(np.argmin(distances))]]
        shares = np.bincount(self.speakers, np.maximum(overlaps, 0.0), len(self.labels))    # (labels,)
        leads = shares[self.speakers] >= shares.max() - TIE
        return self.labels[self.speakers[int(np.argmax(leads & (overlaps > TIE)))]]


def attribute(words: Sequence[Word], turns: Sequence[Turn], start: float, end: float) -> tuple[Word, ...]:
    """Give every word to exactly one speaker: the one who speaks most of its time, else the one nearest in time.

    words      of one chunk, in order; one without times counts as said somewhere between its neighbours that have them
    turns      in order of their starts; they may overlap. Without any, all words go to SPEAKER_00
    start, end of the chunk, in seconds
    returns    the same words, in the same order, each with a speaker
    """
    if not turns:
        return tuple(replace(word, speaker=NOBODY) for word in words)
    table = _Table.of(turns)
    spans = _spans(words, start, end)
    return tuple(replace(word, speaker=table.speaker_at(*span)) for word, span in zip(words, spans, strict=True))


def _is_one(turns: Sequence[Turn], last: int, turn: Turn) -> bool:
    """Whether a turn goes on with the `last` one of its speaker: close behind it, and nobody else began in the gap."""
    before = turns[last]
    if turn.start - before.end > MERGE_SECONDS + TIE:
        return False
    return turn.start <= before.end or not any(other.end > before.end for other in turns[last + 1 :])


def _spans(words: Sequence[Word], start: float, end: float) -> list[tuple[float, float]]:
    """When each word is said, as closely as that is known."""
    begins: list[float] = []
    known = start
    for word in words:
        begins.append(known if word.start is None or word.end is None else word.start)
        known = known if word.end is None or word.start is None else word.end
    ends: list[float] = []
    known = end
    for word in reversed(words):
        ends.append(known if word.start is None or word.end is None else word.end)
        known = known if word.end is None or word.start is None else word.start
    return [(min(span), max(span)) for span in zip(begins, reversed(ends), strict=True)]

