"""What sessions cost, of sessions written down by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossicle.measure.effort import effort, slope, step_times
from ossicle.measure.told import items_told
from ossicle.stream_events import LiveTimings, Usage
from tests.measure.told_events import utterance


def item(name, start, end, steps, text="Hi", **usage):
    return utterance(name, [], (end, end, text), start=start, end=end, timings=LiveTimings(total=sum(steps), step_seconds=tuple(steps)),
                     usage=Usage(num_steps=len(steps), **usage))


def test_cost_by_hand():
    told = [*item("a", 0, 2, [0.1, 0.3], num_drafted=10, num_accepted=7), *item("b", 4, 6, [0.2, 0.2])]
    found = effort([(items_told(told), 10.0)])
    assert (found.work_seconds, found.rtf, found.steps) == (pytest.approx(0.8), pytest.approx(0.08), 4)
    assert (found.silence_seconds, found.silence_steps_per_minute) == (6.0, 0.0)
    assert (found.step_seconds.p50, found.step_seconds.max) == (pytest.approx(0.2), 0.3)
    assert (found.drafted, found.accepted) == (10, 7)


def test_hearing_where_nobody_speaks_is_work_in_silence():
    told = [*item("a", 0, 2, [0.1]), *item("noise", 4, 5, [0.1] * 4, text="")]
    assert effort([(items_told(told), 32.0)]).silence_steps_per_minute == 8      # four steps in half a minute


def test_steps_are_spread_over_their_item():
    assert step_times(items_told(item("a", 1, 3, [0.1, 0.2, 0.3, 0.4]))) == [(1.5, 0.1), (2, 0.2), (2.5, 0.3), (3, 0.4)]


def test_sessions_are_pooled_and_have_no_common_slope():
    session = (items_told(item("a", 0, 2, [0.1, 0.2, 0.3])), 4.0)
    assert effort([session]).slope is not None
    found = effort([session, session])
    assert (found.slope, found.audio_seconds, found.steps) == (None, 8.0, 6)
    assert effort([]).rtf is None


def test_slope_by_hand():
    # y = 0, 1, 1 over x = 0, 1, 2: slope 1/2; residuals -1/6, 1/3, -1/6; s^2 = 1/6; error sqrt(1/6 / 2).
    found = slope([0, 1, 2], [0, 1, 1])
    assert (found.per_hour, found.error) == (pytest.approx(3600 / 2), pytest.approx(3600 * (1 / 12) ** 0.5))
    assert slope([0, 1], [0, 1]) is None
    assert slope([1, 1, 1], [0, 1, 2]) is None


def test_growth_is_told_from_chance():
    random = np.random.default_rng(0)
    x = np.linspace(0, 3600, 500)
    noise = random.normal(0, 0.01, 500)
    assert slope(x, 0.1 + noise).is_flat
    assert not slope(x, 0.1 + 0.01 * x / 3600 + noise).is_flat


@given(st.floats(-5, 5), st.floats(-5, 5), st.lists(st.floats(0, 100), min_size=3, max_size=20, unique=True))
def test_a_line_has_its_own_slope_and_no_error(height, rise, x):
    if max(x) - min(x) < 1e-3:
        return
    found = slope(x, [height + rise * value for value in x])
    assert found.per_hour == pytest.approx(3600 * rise, abs=1e-3)
    assert found.error == pytest.approx(0, abs=1e-3)
