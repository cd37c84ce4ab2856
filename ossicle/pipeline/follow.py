"""A long sound and a long text to times, window after window: each is as long as the aligner reads, and cut at a pause.

A window is given fewer words than its sound seems to hold, since an aligner that has too many piles them up at its end. Words
that end well before the window does are taken; from there the next window goes on. What was not taken is tried again, so
no word is lost, and the last window gets all that are left. Knows nothing of networks: it is told how to align.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from ossicle.audio.load import SAMPLE_RATE
from ossicle.audio.loudness import STEP, loud_steps
from ossicle.audio.split import quietest_cut
from ossicle.pipeline.align import PLATEAU
from ossicle.pipeline.estimate import weight_of
from ossicle.pipeline.repair import first_plateau
from ossicle.pipeline.spans import Heard, times_of_words
from ossicle.text.units import Unit

Align = Callable[[np.ndarray, Sequence[Unit]], list[Heard]]

SHARE = 0.8                          # of the words that a window would hold at the pace of the rest
SEARCH = 0.1                         # of a window: how far back from its longest end a pause is looked for
MARGIN = 0.05                        # of a window: a word that ends in this last part of it is not trusted
NUM_LEFT = 2                         # words at the end of those given that the next window aligns again
STEP_ON = 0.5                        # of a window that held none of the words it was given: the next begins so far on


@dataclass(frozen=True)
class Stretch:
    """A part of the sound and the words said in it."""

    start: int                       # in samples
    end: int
    first: int                       # of the words
    last: int                        # one past
    times: tuple[Heard, ...]         # of these words, in seconds from the start of the whole sound


def follow(align: Align, samples: np.ndarray, words: Sequence[str], units: Sequence[Unit], longest_seconds: float) -> Iterator[Stretch]:
    """Follow the words through the sound; gives stretch after stretch, which together are the whole of both.

    samples          (n,) float32 at 16 kHz
    words, units     of one text
    longest_seconds  of what `align` takes at once
    """
    loud = np.concatenate([[0], np.cumsum(loud_steps(samples))])
    weights = np.concatenate([[0.0], np.cumsum([weight_of(unit.text) for unit in units])])
    word_of = _words_of(words, units)
    limit, at, unit, word = round(longest_seconds * SAMPLE_RATE), 0, 0, 0
    while len(samples) - at > limit and unit < len(units):
        end = quietest_cut(samples, at + limit - round(SEARCH * limit), at + limit)
        given = _fitting(loud, weights, at, end, unit)
        heard = align(samples[at:end], units[unit:given])
        num_taken = _num_trusted(heard, (end - at) / SAMPLE_RATE, is_all=given == len(units))
        while num_taken and unit + num_taken < len(units) and word_of[unit + num_taken - 1][1] == word_of[unit + num_taken][0]:
            num_taken -= 1                                      # never through a word
        if not num_taken:
            cut = quietest_cut(samples, at + round(STEP_ON * limit), end)
            yield Stretch(at, cut, word, word, ())
            at = cut
            continue
        cut = _next_start(samples, at, end, heard, num_taken)
        last = word_of[unit + num_taken][0] if unit + num_taken < len(units) else len(words)
        yield _stretch(at, cut, words, word, last, units[unit : unit + num_taken], heard[:num_taken])
        at, unit, word = cut, unit + num_taken, last
    if unit < len(units) or word < len(words):
        end = min(len(samples), at + limit)
        heard = align(samples[at:end], units[unit:]) if unit < len(units) else []
        yield _stretch(at, end, words, word, len(words), units[unit:], heard)
        at = end
    if at < len(samples) or not len(samples):
        yield Stretch(at, len(samples), len(words), len(words), ())


def _words_of(words: Sequence[str], units: Sequence[Unit]) -> list[tuple[int, int]]:
    """The first and the last word that each unit reaches into."""
    ends, word, found = list(accumulate(map(len, words))), 0, []
    for unit in units:
        first = word
        while unit.places[0] >= ends[first]:
            first += 1
        word = first
        while unit.places[-1] >= ends[word]:
            word += 1
        found.append((first, word))
    return found


def _fitting(loud: np.ndarray, weights: np.ndarray, at: int, end: int, unit: int) -> int:
    """One past the last unit to give to a window: those left, in the share of its loud time of what is left, and fewer."""
    first, last = at // STEP, min(len(loud) - 1, end // STEP)
    left = max(1, loud[-1] - loud[first])
    room = (weights[-1] - weights[unit]) * (loud[last] - loud[first]) / left * SHARE
    given = int(np.searchsorted(weights, weights[unit] + room, "right")) - 1
    return min(len(weights) - 1, max(given, unit + 1))


def _num_trusted(heard: Sequence[Heard], seconds: float, is_all: bool) -> int:
    """How many units from the first on are where the aligner says: it measured them, and was not about to run out of sound."""
    stuck = first_plateau([entry.start for entry in heard], PLATEAU)
    count = len(heard) if stuck is None else stuck
    while count and (heard[count - 1].end > seconds * (1 - MARGIN) or not heard[count - 1].is_measured):
        count -= 1
    return count if is_all and count == len(heard) else min(count, max(1, len(heard) - NUM_LEFT))


def _next_start(samples: np.ndarray, at: int, end: int, heard: Sequence[Heard], num_taken: int) -> int:
    """Where the next window begins, in samples: the quietest place between what was taken and what was not."""
    low = at + round(heard[num_taken - 1].end * SAMPLE_RATE)
    following = heard[num_taken].start if num_taken < len(heard) else heard[num_taken - 1].end
    high = at + round(following * SAMPLE_RATE)
    low = min(max(low, at + 1), end)
    return quietest_cut(samples, low, min(max(high, low), end))


def _stretch(start: int, end: int, words: Sequence[str], first: int, last: int, units: Sequence[Unit], heard: Sequence[Heard]) -> Stretch:
    before = sum(map(len, words[:first]))                       # characters: places count from the first of these words
    moved = [Unit(unit.text, tuple(place - before for place in unit.places)) for unit in units]
    times = times_of_words(words[first:last], moved, heard, (end - start) / SAMPLE_RATE)
    offset = start / SAMPLE_RATE
    return Stretch(start, end, first, last, tuple(Heard(offset + t.start, offset + t.end, t.is_measured) for t in times))
