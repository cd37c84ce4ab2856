"""Times of units to times of words: every word gets one, in order, inside the chunk, none without length.

Plain numbers; knows nothing of networks. A unit is what was measured (a word of the aligner, a token of the recogniser),
a word is what people read: either may hold several of the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from ossicle.text.units import Unit

LEAST_SECONDS = 0.02                 # of any word; shorter than any sound of speech
STEP_SECONDS = 0.08                  # of what measures: an end may be rounded up beyond the sound by so much
# The longest a word is taken to last where only its place is known: 0.3 s for one character, 0.6 s for five.
MOST_SECONDS, MOST_SECONDS_PER_CHARACTER = 0.2, 0.08


@dataclass(frozen=True, slots=True)
class Heard:
    """When something is said, in seconds from the start of the chunk."""

    start: float
    end: float
    is_measured: bool                # False: filled in between what is


def times_of_words(words: Sequence[str], units: Sequence[Unit], heard: Sequence[Heard], seconds: float) -> list[Heard]:
    """When each word is said.

    words    joined, they give the text that the units were made of
    units    each with the places of its characters in that text
    heard    one for each unit, starts and ends never going back
    seconds  of the chunk

    A unit that reaches over several words is divided by its characters. Words without a unit, and those without length,
    share the room up to the next measured time.
    """
    weights, found = _by_word(words, units, heard, seconds)
    return fill(found, weights, seconds)


def fill(found: Sequence[Heard | None], weights: Sequence[int], seconds: float) -> list[Heard]:
    """A time for every word, where some have none (None) or one without length.

    found    starts and ends never going back, none beyond `seconds`
    weights  how many characters of each word are spoken, at least 1: what room there is, is shared by them
    """
    return lay_out(_spread(_settle(found, weights), weights, seconds), seconds)


def most_seconds(weight: int) -> float:
    """The longest that a word of so many characters is taken to last."""
    return MOST_SECONDS + MOST_SECONDS_PER_CHARACTER * weight


def lay_out(heard: Sequence[Heard], seconds: float) -> list[Heard]:
    """The same with order, place and length made sure: 0 <= start < end <= next start, the last end <= `seconds`."""
    least = min(LEAST_SECONDS, seconds / (2 * len(heard))) if heard else 0.0
    starts, ends, earliest = [], [], 0.0
    for entry in heard:
        starts.append(max(entry.start, earliest))
        ends.append(max(entry.end, starts[-1] + least))
        earliest = ends[-1]
    latest = seconds
    for i in reversed(range(len(starts))):
        ends[i] = min(ends[i], latest)
        starts[i] = min(starts[i], ends[i] - least)
        latest = starts[i]
    return [Heard(max(0.0, start), end, entry.is_measured) for start, end, entry in zip(starts, ends, heard)]


def _by_word(
    words: Sequence[str], units: Sequence[Unit], heard: Sequence[Heard], seconds: float
) -> tuple[list[int], list[Heard | None]]:
    """How many characters of units each word holds (1 where none), and when it is said; None where it holds none."""
    ends = list(accumulate(len(word) for word in words))
    weights, found = [0] * len(words), [None] * len(words)      # type: list[int], list[Heard | None]
    at = 0
    for unit, entry in zip(units, heard, strict=True):
        start, end = min(entry.start, seconds), min(entry.end, seconds)
        is_inside = entry.start < seconds and entry.end <= seconds + STEP_SECONDS
        step = (end - start) / len(unit.places)
        while unit.places[0] >= ends[at]:
            at += 1
        is_whole = unit.places[-1] < ends[at]
        word = at
        for k, place in enumerate(unit.places):
            while place >= ends[word]:
                word += 1
            last = end if k + 1 == len(unit.places) else start + step * (k + 1)
            piece = Heard(start + step * k, last, entry.is_measured and is_inside and is_whole)
            found[word] = _joined(found[word], piece)
            weights[word] += 1
    return [max(1, weight) for weight in weights], found


def _joined(one: Heard | None, two: Heard) -> Heard:
    return two if one is None else Heard(one.start, max(one.end, two.end), one.is_measured and two.is_measured)


def _settle(found: Sequence[Heard | None], weights: Sequence[int]) -> list[Heard]:
    """Words of which nothing is known get a place without length: behind the word before, or at the start close before the next."""
    first = next((i for i, entry in enumerate(found) if entry is not None), len(found))
    known = found[first] if first < len(found) else None
    last_end = max(0.0, known.start - sum(map(most_seconds, weights[:first]))) if known is not None else 0.0
    settled = []
    for entry in found:
        entry = entry or Heard(last_end, last_end, False)
        settled.append(entry)
        last_end = entry.end
    return settled


def _spread(heard: Sequence[Heard], weights: Sequence[int], seconds: float) -> list[Heard]:
    """Words without length share the room from where they stand to the next time after it, by their characters.

    That is the start of the next word, or its end where it begins at the same time: then it is one of those who share.
    """
    spread = list(heard)
    at = 0
    while at < len(spread):
        place = spread[at].start
        if spread[at].end > place:
            at += 1
            continue
        after = next((i for i in range(at, len(spread)) if spread[i].end > place), len(spread))
        is_shared = after < len(spread) and spread[after].start <= place
        if after == len(spread):
            room_end = seconds
        else:
            room_end = spread[after].end if is_shared else spread[after].start
        members = range(at, after + is_shared)
        most = [most_seconds(weights[i]) for i in members]
        room_start = place
        if room_end - place < LEAST_SECONDS * len(members):             # too little: what is free before it, then
            free = spread[at - 1].end if at else 0.0
            room_start = max(free, min(place, room_end - sum(most)))
        room, total = room_end - room_start, sum(weights[i] for i in members)
        start = room_start
        for i, limit in zip(members, most):
            share = room * weights[i] / total
            end = start + (share if is_shared else min(share, limit))
            spread[i] = Heard(start, end, False)
            start = end
        at = members.stop
    return spread

