"""Words of a transcript to cues of subtitles, cut anew from their times. Knows nothing of files.

What a cue may be is said in options.CueOptions. Where a limit stands in the way of another, the earlier in this list wins:

1. the text: every word is shown, in order, once; cues never overlap
2. width and number of lines, words, longest duration, one speaker, no long pause inside
3. shortest duration
4. no cue with parts of two sentences
5. reading speed; cuts at clauses and pauses, no crumbs, well broken and balanced lines: weighed against one another

Only a single word that is wider than a line breaks a limit of the second kind: it stays whole.
"""

import math
from collections.abc import Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from ossicle.formats.breaking import Strip
from ossicle.formats.columns import columns
from ossicle.formats.times import milliseconds
from ossicle.formats.units import Unit, make_units
from ossicle.options import CueOptions
from ossicle.results import Transcript

CUE_COST = 1.5                   # of every cue: fewer are calmer
CUT_SHARE = 1.5                  # of what a place costs: the eye leaps from cue to cue, but only walks from line to line
CROSSING_COST = 60.0             # of a sentence's end inside a cue: more than all that good places could save
CRUMB_COST = 5.0                 # of a cue that is part of a sentence and nearly empty
SPEED_COST = 12.0                # of a cue that must be read twice as fast as it should
OPEN_COST = 3.0                  # a place that costs less is tried in any case
FOREVER = 1e9                    # seconds
NEVER = (10 ** 12, 0.0, 0)       # worse than any cue

Lines = tuple[tuple[Unit, ...], ...]


@dataclass(frozen=True, slots=True)
class Cue:
    """One text on the screen, and when."""

    start: float                     # a whole number of milliseconds, as the end is
    end: float
    lines: Lines

    @property
    def units(self) -> tuple[Unit, ...]:
        """All units in order, without the name of the speaker."""
        return tuple(unit for line in self.lines for unit in line if not unit.is_label)

    @property
    def speaker(self) -> str | None:
        """Who speaks: one, in every cue."""
        return self.units[0].speaker

    @property
    def text(self) -> str:
        """The lines, as they stand on the screen."""
        return "\n".join(join_units(line) for line in self.lines)

    @property
    def plain(self) -> str:
        """The text in one line, without the name of the speaker."""
        return join_units(self.units)


def cut_cues(transcript: Transcript, options: CueOptions | None = None, with_labels: bool = False) -> tuple[Cue, ...]:
    """The cues of a transcript.

    with_labels   name the speaker where it changes; for formats that have no other place for that
    """
    options = options or CueOptions()
    units = make_units(transcript, options, with_labels and options.speaker_labels)
    cut: list[Lines] = []
    over = transcript.chunks[-1].end if transcript.chunks else FOREVER
    blocks = list(_blocks(units, options))
    for block, following in zip(blocks, [*blocks[1:], None]):
        cut += _cut_block(block, following[0].start if following else over, options)
    return _timed(cut, options, over)


def join_units(units: Sequence[Unit]) -> str:
    """The text of units that stand on one line."""
    return "".join(unit.text if place == 0 else unit.space + unit.text for place, unit in enumerate(units))


def _blocks(units: Sequence[Unit], options: CueOptions) -> Iterator[list[Unit]]:
    """Stretches between the places where a cue must end: long pauses and changes of the speaker."""
    block: list[Unit] = []
    for unit in units:
        if block and (unit.speaker != block[-1].speaker or unit.start - block[-1].end > options.max_gap):
            yield block
            block = []
        block.append(unit)
    if block:
        yield block


def _cut_block(units: list[Unit], following: float, options: CueOptions) -> list[Lines]:
    """The cheapest way to part a block into cues, found from its end backwards."""
    strip, count = Strip(units, options.max_line_width), len(units)
    places = _open_places(strip, options)
    starts = frozenset(places)
    best: dict[int, tuple[int, float, int]] = {count: (0, 0.0, count)}      # from a place: lack of time, cost, end of its cue
    for start in reversed(places):
        found = NEVER
        for end in possible_ends(strip, start, starts, options):
            lack, cost = cue_cost(strip, start, end, units[end].start if end < count else following, options)
            lack, cost = lack + best[end][0], cost + best[end][1]
            if (lack, cost) < found[:2]:             # lines can only add to it, and are dearest to find
                found = min(found, (lack, cost + strip.break_lines(start, end)[0], end))
        best[start] = found
    cues, start = [], 0
    while start < count:
        end = best[start][2]
        breaks = strip.break_lines(start, end)[1]
        cues.append(tuple(tuple(units[left:right]) for left, right in pairwise((start, *breaks, end))))
        start = end
    return cues


def _open_places(strip: Strip, options: CueOptions) -> list[int]:
    """Where cues may begin: every good place, and every place at all in stretches that fill half a cue without one."""
    units = strip.units
    allowed = [place for place in range(len(units)) if place == 0 or not units[place - 1].is_label]
    good = [place for place in allowed if place == 0 or units[place].cost < OPEN_COST]
    places: set[int] = set(good)
    for left, right in zip(good, [*good[1:], len(units)]):
        is_small = (2 * (strip.sums[right] - strip.sums[left]) <= options.max_line_width * options.max_lines
                    and 2 * (units[right - 1].end - units[left].start) <= options.max_duration
                    and (options.max_words is None or strip.words[right] - strip.words[left] <= options.max_words))
        if not is_small:
            places |= {place for place in allowed if left < place < right}
    return sorted(places)


def possible_ends(strip: Strip, start: int, places: Collection[int], options: CueOptions) -> Iterator[int]:
    """Where a cue that begins at `start` may end, the nearest first; there is always one.

    places   where other cues may begin
    """
    units, count = strip.units, len(strip.units)
    ends = places if isinstance(places, Set) else frozenset(places)
    begin, num_lines, given = start, 1, False
    for end in range(start + 1, count + 1):
        if end - begin > 1 and strip.width(begin, end) > options.max_line_width:
            begin, num_lines = end - 1, num_lines + 1
        if given and (num_lines > options.max_lines or units[end - 1].end - units[start].start > options.max_duration
                      or (options.max_words is not None and strip.words[end] - strip.words[start] > options.max_words)):
            return
        if end == count or end in ends:
            yield end
            given = True


def cue_cost(strip: Strip, start: int, end: int, until: float, options: CueOptions) -> tuple[int, float]:
    """Milliseconds by which a cue would be too short, and what it costs in all other respects but its lines.

    until   when the next cue begins
    """
    units, begins = strip.units, strip.units[start].start
    room = min(until - begins - _gap(until - begins, options), options.max_duration)
    lack = max(0, milliseconds(options.min_duration) - milliseconds(room))
    width, crossings = strip.width(start, end), strip.sentences[end - 1] - strip.sentences[start]
    cost = CUE_COST + CROSSING_COST * crossings + (CUT_SHARE * units[end].cost if end < len(units) else 0.0)
    if not (units[end - 1].ends_sentence and (start == 0 or units[start - 1].ends_sentence)):
        cost += CRUMB_COST * max(0.0, 1 - width / (options.max_line_width * options.max_lines)) ** 2
    shown = max(0.001, min(room, units[end - 1].end + options.max_linger - begins))
    cost += SPEED_COST * min(2.0, max(0.0, width / (shown * options.max_cps) - 1))
    return lack, cost


def _gap(room: float, options: CueOptions) -> float:
    """Seconds of bare picture before the next cue: what was asked for, but not most of the room."""
    return min(options.min_gap, max(0.0, room) / 2)


def _timed(cut: Sequence[Lines], options: CueOptions, over: float) -> tuple[Cue, ...]:
    """Cues with their times: each from its first word, and as long as it needs and the next one lets it.

    over   when the recording is: what is shown longer than its words are said does not outlast it
    """
    starts = [milliseconds(lines[0][0].start) for lines in cut]
    for place in range(1, len(starts)):
        starts[place] = max(starts[place], starts[place - 1] + 1)
    cues = []
    for lines, start, following in zip(cut, starts, [*starts[1:], None]):
        said = max(start, milliseconds(lines[-1][-1].end))
        width = columns(join_units([unit for line in lines for unit in line]))
        to_read = min(start + math.ceil(1000 * width / options.max_cps), said + milliseconds(options.max_linger))
        end, latest = max(said, start + milliseconds(options.min_duration), to_read), start + int(options.max_duration * 1000)
        if following is not None:
            last = following - milliseconds(_gap((following - start) / 1000, options))
            if following - end < milliseconds(options.close_gap):
                end = last
            latest = min(latest, last)
        latest = min(latest, max(said, milliseconds(over)))
        cues.append(Cue(start / 1000, max(start + 1, min(end, latest)) / 1000, lines))
    return tuple(cues)
