"""Two rows of tokens in, what was inserted, deleted and replaced between them out; the counting is kaldialign's.

Knows nothing of texts or languages. Needs the extra `eval`.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

from ossicle.measure.normalise import missing

Kind = Literal["hit", "sub", "del", "ins"]
Tokens = Sequence[str]

NOTHING = ""                            # stands for no token in an alignment; no token is empty
MAX_CELLS = 40_000_000                  # of the table of one alignment, 4 bytes each; 10 000 words against 4 000
MAX_COUNT_CELLS = 500_000_000           # of a count without alignment, which keeps two rows of it: some seconds of work
ANCHOR_TOKENS = (12, 6, 3)              # a row of so many that stands once in each text surely belongs together; the longest first
REPLICATIONS = 1000                     # of the bootstrap: its bounds are then good to about a tenth of their distance
CHUNK_REPLICATIONS = 50                 # drawn at once: memory stays small for a hundred thousand files


@dataclass(frozen=True)
class Counts:
    """What became of the tokens of a reference."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def reference(self) -> int:
        """Tokens of the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def errors(self) -> int:
        """All that is not as it should be."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float | None:
        """Errors for each token of the reference, which may be above 1; None where there is no such token."""
        return self.errors / self.reference if self.reference else None

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.hits + other.hits, self.substitutions + other.substitutions, self.deletions + other.deletions,
                      self.insertions + other.insertions)

    def to_dict(self) -> dict[str, Any]:
        """Counts with their sums and the rate, ready for JSON."""
        return {"rate": self.rate, "errors": self.errors, "reference": self.reference, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Step:
    """One step through both texts: which tokens of each it takes, as [begin, end)."""

    kind: Kind
    reference: tuple[int, int]
    hypothesis: tuple[int, int]


def count(reference: Tokens, hypothesis: Tokens, merge_compounds: bool = False) -> Counts:
    """The fewest errors that turn one into the other; of hours of characters those of their alignment, which may be a few more.

    merge_compounds   tokens that are one when joined count as that one: `white paper` is `whitepaper`
    """
    if len(reference) * len(hypothesis) > MAX_COUNT_CELLS:
        return _counted(align(reference, hypothesis, merge_compounds))
    found = _kaldialign().edit_distance(reference, hypothesis, merge_compounds=merge_compounds)
    return Counts(len(reference) - found["sub"] - found["del"], found["sub"], found["del"], found["ins"])


def align(reference: Tokens, hypothesis: Tokens, merge_compounds: bool = False) -> list[Step]:
    """Which token became which, in order; the steps take every token of both once.

    Texts too long for one table (hours of speech) are cut at rows of tokens that both have once; between these the
    alignment is the best one, so that it may be a little longer than the best of the whole.
    """
    steps: list[Step] = []
    begin = (0, 0)
    for end in [*_cuts(reference, hypothesis), (len(reference), len(hypothesis))]:
        steps += _align(reference, hypothesis, begin, end, merge_compounds)
        begin = end
    return steps


def confidence_interval(counts: Sequence[Counts], replications: int = REPLICATIONS, seed: int = 0) -> tuple[float, float] | None:
    """Bounds that hold the error rate of 95 of 100 sets of files like these; None where one file is all there is.

    The bootstrap of Bisani and Ney (ICASSP 2004): files are drawn again and again with replacement.
    """
    import numpy as np  # here: the program starts without it

    errors = np.array([count.errors for count in counts])
    tokens = np.array([count.reference for count in counts])
    if len(counts) < 2 or not tokens.any():
        return None
    random = np.random.default_rng(seed)
    rates = []
    for begin in range(0, replications, CHUNK_REPLICATIONS):
        drawn = random.integers(0, len(counts), (min(CHUNK_REPLICATIONS, replications - begin), len(counts)))
        sums = tokens[drawn].sum(1)
        rates.append(errors[drawn].sum(1)[sums > 0] / sums[sums > 0])
    low, high = np.percentile(np.concatenate(rates), [2.5, 97.5])
    return float(low), float(high)


def join_compounds(reference: Tokens, hypothesis: Tokens) -> tuple[list[str], list[str]]:
    """Both texts with the words joined that differ in nothing but where their spaces stand: `auf bau` and `aufbau`."""
    joined: tuple[list[str], list[str]] = ([], [])
    for is_hit, (first, last), (begin, end) in runs(align(reference, hypothesis)):
        one, other = list(reference[first:last]), list(hypothesis[begin:end])
        if not is_hit and "".join(one) == "".join(other):
            one, other = ["".join(one)], ["".join(other)]
        joined[0].extend(one)
        joined[1].extend(other)
    return joined


def runs(steps: Sequence[Step]) -> Iterator[tuple[bool, tuple[int, int], tuple[int, int]]]:
    """Steps side by side as one, hits apart from all else: (whether they are hits, of the reference, of the hypothesis)."""
    place = 0
    while place < len(steps):
        is_hit, first = steps[place].kind == "hit", steps[place]
        while place < len(steps) and (steps[place].kind == "hit") == is_hit:
            place += 1
        last = steps[place - 1]
        yield is_hit, (first.reference[0], last.reference[1]), (first.hypothesis[0], last.hypothesis[1])


def _counted(steps: Sequence[Step]) -> Counts:
    kinds = Counter(kind for step in steps for kind in [step.kind] * max(1, step.reference[1] - step.reference[0]))
    return Counts(kinds["hit"], kinds["sub"], kinds["del"], kinds["ins"])


def _kaldialign() -> Any:
    try:
        import kaldialign
    except ImportError as error:
        raise missing("kaldialign") from error
    return kaldialign


def _align(reference: Tokens, hypothesis: Tokens, begin: tuple[int, int], end: tuple[int, int], merge_compounds: bool) -> list[Step]:
    pairs = _kaldialign().align(reference[begin[0] : end[0]], hypothesis[begin[1] : end[1]], NOTHING, merge_compounds=merge_compounds)
    steps: list[Step] = []
    row, column = begin
    for one, other in pairs:
        rows, columns = len(one.split()), len(other.split())        # 0 for NOTHING, more than 1 for a merged compound
        kind: Kind = "ins" if not rows else "del" if not columns else "hit" if one == other or rows + columns > 2 else "sub"
        steps.append(Step(kind, (row, row + rows), (column, column + columns)))
        row, column = row + rows, column + columns
    assert (row, column) == end, "an alignment takes every token once"
    return steps


def _cuts(reference: Tokens, hypothesis: Tokens) -> list[tuple[int, int]]:
    """Where to cut both, so that no piece is too large for a table where that can be had."""
    cuts, pieces = [], [((0, 0), (len(reference), len(hypothesis)), 0)]
    while pieces:
        begin, end, tried = pieces.pop()
        if (end[0] - begin[0]) * (end[1] - begin[1]) <= MAX_CELLS:
            continue
        if tried < len(ANCHOR_TOKENS):
            found = _anchors(reference, hypothesis, begin, end, ANCHOR_TOKENS[tried])
        else:                                               # nothing in common: any cut is as good
            found = [((begin[0] + end[0]) // 2, (begin[1] + end[1]) // 2)]
        cuts += found
        bounds = [begin, *found, end]
        pieces += [(one, other, tried + (len(bounds) == 2)) for one, other in pairwise(bounds)]
    return sorted(cuts)


def _anchors(reference: Tokens, hypothesis: Tokens, begin: tuple[int, int], end: tuple[int, int], length: int) -> list[tuple[int, int]]:
    """Places inside rows of `length` tokens that stand once in each, in order in both, and not all on top of each other."""
    places: list[dict[tuple[str, ...], int]] = []
    for tokens, first, last in ((reference, begin[0], end[0]), (hypothesis, begin[1], end[1])):
        rows = [tuple(tokens[place : place + length]) for place in range(first, last - length + 1)]
        times = Counter(rows)
        places.append({row: first + place for place, row in enumerate(rows) if times[row] == 1})
    shared = sorted((place, places[1][row]) for row, place in places[0].items() if row in places[1])
    cuts: list[tuple[int, int]] = []
    side = int(MAX_CELLS**0.5) // 4
    for place in _longest_rising([column for _, column in shared]):
        cut = (shared[place][0] + length // 2, shared[place][1] + length // 2)
        if not cuts or (cut[0] - cuts[-1][0] > side and cut[1] > cuts[-1][1]):
            cuts.append(cut)
    return cuts


def _longest_rising(values: Sequence[int]) -> list[int]:
    """Places of the longest rising row among values, by patience sorting."""
    tops: list[int] = []
    tails: list[int] = []
    before: list[int | None] = []
    for place, value in enumerate(values):
        pile = bisect_left(tops, value)
        before.append(tails[pile - 1] if pile else None)
        tops[pile : pile + 1], tails[pile : pile + 1] = [value], [place]
    found: list[int] = []
    at = tails[-1] if tails else None
    while at is not None:
        found.append(at)
        at = before[at]
    return found[::-1]
