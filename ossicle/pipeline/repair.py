"""Stamps of a forced aligner to times that never go back: what does not fit the longest rising row is filled in.

Plain numbers in and out; knows nothing of words. Equal to the official `fix_timestamp` on every stored case, but in
O(n log n); tests/pipeline/test_repair.py holds it to the plain form. Source: docs/model.md, "Timestamp repair".
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

FEW = 2                              # so many stamps out of order take a neighbour's time; more are laid evenly between both


def repair_stamps(stamps: Sequence[float]) -> tuple[list[int], list[bool]]:
    """Milliseconds as the model gave them to whole milliseconds that never go back, and which of them are its own."""
    is_measured = _longest_rising(stamps)
    repaired = [float(stamp) for stamp in stamps]
    for start, end in _runs(is_measured):
        left = repaired[start - 1] if start else None
        right = repaired[end] if end < len(repaired) else None
        repaired[start:end] = _filled(left, right, end - start)
    return [int(stamp) for stamp in repaired], is_measured


def _longest_rising(stamps: Sequence[float]) -> list[bool]:
    """Which stamps make up the longest non-decreasing row.

    Of equally long rows the official one: it ends as early as possible, and each step back goes to the earliest stamp
    that a row of that length ends in.
    """
    ranks = {value: rank for rank, value in enumerate(sorted(set(stamps)), start=1)}
    best = [(0, 0)] * (len(ranks) + 1)                  # a Fenwick tree over ranks of (length, minus the place it ends at)
    previous: list[int | None] = []
    lengths: list[int] = []
    for place, stamp in enumerate(stamps):
        length, minus_place = _best_up_to(best, ranks[stamp])
        previous.append(-minus_place if length else None)
        lengths.append(length + 1)
        _add(best, ranks[stamp], (length + 1, -place))
    is_measured = [False] * len(stamps)
    at = lengths.index(max(lengths)) if lengths else None
    while at is not None:
        is_measured[at] = True
        at = previous[at]
    return is_measured


def _best_up_to(tree: list[tuple[int, int]], rank: int) -> tuple[int, int]:
    found = (0, 0)
    while rank:
        found = max(found, tree[rank])
        rank &= rank - 1
    return found


def _add(tree: list[tuple[int, int]], rank: int, entry: tuple[int, int]) -> None:
    while rank < len(tree):
        tree[rank] = max(tree[rank], entry)
        rank += rank & -rank


def _runs(is_measured: list[bool]) -> Iterator[tuple[int, int]]:
    """Stretches of stamps that are not measured: (first, one past the last)."""
    measured = [-1, *(place for place, is_own in enumerate(is_measured) if is_own), len(is_measured)]
    yield from ((left + 1, right) for left, right in pairwise(measured) if right - left > 1)


def _filled(left: float | None, right: float | None, count: int) -> list[float]:
    if left is None or right is None:
        value = left if right is None else right
        assert value is not None, "one stamp at least is its own"
        return [value] * count
    if count <= FEW:                                    # each takes the nearer neighbour's, the left where both are as near
        return [left if k + 1 <= count - k else right for k in range(count)]
    step = (right - left) / (count + 1)
    return [left + step * (k + 1) for k in range(count)]


def first_plateau(starts: Sequence[float], least: int) -> int | None:
    """Where the first run of at least `least` equal starts begins; None where there is none."""
    at = 0
    for _, run in groupby(starts):
        length = len(list(run))
        if length >= least:
            return at
        at += length
    return None
