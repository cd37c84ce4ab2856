import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.pipeline.repair import first_plateau, repair_stamps

STAMPS = st.lists(st.integers(0, 12).map(lambda step: 80.0 * step), max_size=40)


def plain_repair(stamps):
    """The rule as it is written in docs/model.md, in O(n^2): slow, and easy to check by eye."""
    count = len(stamps)
    length, parent = [1] * count, [None] * count
    for i in range(count):
        for j in range(i):
            if stamps[j] <= stamps[i] and length[j] + 1 > length[i]:
                length[i], parent[i] = length[j] + 1, j
    kept, at = set(), length.index(max(length)) if count else None
    while at is not None:
        kept.add(at)
        at = parent[at]
    repaired, i = list(stamps), 0
    while i < count:
        if i in kept:
            i += 1
            continue
        j = i
        while j < count and j not in kept:
            j += 1
        left, right = repaired[i - 1] if i else None, repaired[j] if j < count else None
        for k in range(i, j):
            if left is None or right is None:
                repaired[k] = right if left is None else left
            elif j - i <= 2:
                repaired[k] = left if k - (i - 1) <= j - k else right
            else:
                repaired[k] = left + (right - left) / (j - i + 1) * (k - i + 1)
        i = j
    return [int(value) for value in repaired], [i in kept for i in range(count)]


def test_repair_equals_official(shared):
    cases = json.loads((shared / "oracle/golden/text_cases.json").read_text("utf-8"))["fix_timestamp"]
    assert len(cases) == 42
    for case in cases:
        assert repair_stamps(case["in"])[0] == case["out"]


@given(STAMPS)
def test_the_fast_form_equals_the_plain_one(stamps):
    assert repair_stamps(stamps) == plain_repair(stamps)


@given(STAMPS)
def test_repaired_times_never_go_back_and_measured_ones_stay(stamps):
    times, is_measured = repair_stamps(stamps)
    assert times == sorted(times)
    assert all(time == stamp for time, stamp, is_own in zip(times, stamps, is_measured) if is_own)


@settings(max_examples=3)
@given(st.integers(0, 2**32 - 1))
def test_thousands_of_stamps_are_no_burden(seed):
    stamps = (80.0 * np.random.default_rng(seed).integers(0, 5000, 5000)).tolist()
    times, _ = repair_stamps(stamps)                    # the plain form needs a minute for this
    assert times == sorted(times)


@pytest.mark.parametrize(("starts", "least", "place"), [
    ([], 5, None), ([1, 1, 1, 1], 5, None), ([0, 1, 1, 1, 1, 1, 2], 5, 1), ([1, 1, 2, 2, 2], 3, 2), ([3, 3, 3], 3, 0),
])
def test_a_plateau_is_found_where_it_begins(starts, least, place):
    assert first_plateau(starts, least) == place
