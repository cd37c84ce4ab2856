"""Charts are well-formed, hold every figure, and say it when one points at a mark."""

from xml.etree import ElementTree

import pytest

from ossicle.measure.charts import MAX_DOTS, bars, dots, reliability, round_ticks


def marks(chart, kind):
    figure = ElementTree.fromstring(chart)
    return [(element, (element.findtext("title") or "")) for element in figure.iter() if element.get("class") == kind]


def test_a_bar_for_each_value_as_high_as_it_is():
    found = marks(bars([0, 5, 10], ["a", "b<", "c"], "Title & more", "x", "y"), "bar")
    heights = [float(element.get("height")) for element, _ in found]
    assert heights[2] == pytest.approx(2 * heights[1], abs=0.2)
    assert heights[0] == 0
    assert found[1][1] == "b<: 5"


def test_a_dot_for_each_point_or_an_even_choice_of_them():
    assert len(marks(dots([(1.0, 2.0, "a"), (3.0, 4.0, "<b>")], "t", "x", "y"), "dot")) == 2
    assert len(marks(dots([(place, 1.0, "a") for place in range(2 * MAX_DOTS)], "t", "x", "y"), "dot")) == MAX_DOTS
    assert marks(dots([], "t", "x", "y"), "dot") == []
    assert len(marks(dots([(0.0, 0.0, "a")], "t", "x", "y"), "dot")) == 1


def test_reliability_shows_only_what_has_words():
    found = marks(reliability([(0.0, 0.1, None, 0), (0.9, 1.0, 0.5, 8)], "t"), "bar")
    assert [said for _, said in found] == ["8 words of 90 to 100 %: 50.0 % are right"]


@pytest.mark.parametrize("top", [0.02, 0.3, 1, 3, 7, 12, 48, 99, 100, 1234])
def test_ticks_are_few_round_and_within(top):
    ticks = [value for value, _ in round_ticks(top)]
    assert 3 <= len(ticks) <= 11
    assert ticks[0] == 0
    assert ticks[-1] <= top
