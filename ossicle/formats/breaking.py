"""Where the lines of one cue break, and what that costs. Knows nothing of time.

A `Strip` is a run of units with their widths added up once, so that any stretch of it can be measured at once.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate

from ossicle.formats.columns import columns
from ossicle.formats.units import Unit

LINE_COST = 0.5                  # of every line but the first: one line covers less of the picture
BALANCE_COST = 8.0               # of one line that is full above one that is empty
TOP_HEAVY_COST = 0.6             # a shorter line above a longer one hides less
WIDEST_SPACE = 2                 # the ideographic one

Breaks = tuple[int, ...]         # places of the units that begin the second line, the third, …


class Strip:
    """Units that follow one another, measured."""

    def __init__(self, units: Sequence[Unit], line_width: int) -> None:
        self.units, self.line_width = units, line_width
        self.spaces = [columns(unit.space) for unit in units]
        self.sums = [0, *accumulate(unit.width + space for unit, space in zip(units, self.spaces))]
        self.costs = [unit.cost for unit in units]
        self.words = [0.0, *accumulate(unit.num_words for unit in units)]
        self.sentences = [0, *accumulate(unit.ends_sentence for unit in units)]

    def width(self, start: int, end: int) -> int:
        """Columns of a stretch on one line."""
        return self.sums[end] - self.sums[start] - self.spaces[start]

    def num_lines(self, start: int, end: int) -> int:
        """How many lines a stretch needs."""
        return 1 + len(self._greedy(start, end))

    def break_lines(self, start: int, end: int) -> tuple[float, Breaks]:
        """The best way to set a stretch in as few lines as it needs: its cost, and where the lines begin."""
        if self.width(start, end) <= self.line_width or end == start + 1:
            return 0.0, ()           # also one unit that is wider than a line
        if found := self._in_two(start, end):
            return found
        greedy = self._greedy(start, end)
        return self._in_more(start, end, len(greedy) + 1) or (BALANCE_COST * len(greedy), greedy)

    def _greedy(self, start: int, end: int) -> Breaks:
        """Lines that each take all they can: one unit at least."""
        breaks, begin = [], start
        for place in range(start + 1, end):
            if self.width(begin, place + 1) > self.line_width:
                breaks.append(place)
                begin = place
        return tuple(breaks)

    def _in_two(self, start: int, end: int) -> tuple[float, Breaks] | None:
        best: tuple[float, Breaks] | None = None
        limit, sums, spaces, costs = self.line_width, self.sums, self.spaces, self.costs
        head, tail = sums[start] + spaces[start], sums[end]
        earliest = bisect_left(sums, tail - limit - WIDEST_SPACE, start + 1, end)
        latest = bisect_right(sums, head + limit, earliest, end)
        for place in range(earliest, latest):
            reached = sums[place]
            upper, lower = reached - head, tail - reached - spaces[place]
            if lower <= limit:
                cost = LINE_COST + costs[place] + BALANCE_COST * ((upper - lower) / limit) ** 2
                if upper > lower:
                    cost += TOP_HEAVY_COST
                if best is None or cost < best[0]:
                    best = cost, (place,)
        return best

    def _in_more(self, start: int, end: int, count: int) -> tuple[float, Breaks] | None:
        fair = self.width(start, end) / count

        @cache
        def best(begin: int, lines: int) -> tuple[float, Breaks] | None:
            if lines == 1:
                width = self.width(begin, end)
                return (BALANCE_COST * ((width - fair) / self.line_width) ** 2, ()) if width <= self.line_width else None
            found: tuple[float, Breaks] | None = None
            for place in range(begin + 1, end):
                width = self.width(begin, place)
                if width > self.line_width:
                    break
                if rest := best(place, lines - 1):
                    cost = (LINE_COST + self.costs[place] + BALANCE_COST * ((width - fair) / self.line_width) ** 2
                            + rest[0])
                    if found is None or cost < found[0]:
                        found = cost, (place, *rest[1])
            return found

        return best(start, count)
