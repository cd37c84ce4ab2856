"""The text of an utterance while it is spoken, where its session cuts it into parts."""

import pytest

from ossicle import Final, Partial
from ossicle.surfaces.bridge.partials import LiveText


class Told:
    """A recogniser whose sessions tell what was written down before."""

    def __init__(self, events):
        self._events = events

    def stream(self, options):
        assert options.endpoint.mode == "manual"
        return self._events


@pytest.mark.parametrize(("first", "second", "whole"), [
    ("Henry saw", "a tree.", "Henry saw a tree."),
    ("Привет,", "как дела?", "Привет, как дела?"),
    ("Il est là", "\u00e0 midi", "Il est là \u00e0 midi"),
    ("안녕하세요", "여러분", "안녕하세요 여러분"),
    ("明天是", "星期五。", "明天是星期五。"),
])
def test_parts_are_joined_as_their_script_asks(first, second, whole):
    begun = Partial(committed_delta=second[:1], pending_text=second[1:], committed_text=second[:1])
    live = LiveText(Told([Final(text=first, committed_delta=first, reason="cut"), begun]), None, print)
    live._listener.join(10)
    assert live.text == whole
