"""Every recording of a run gets an output name of its own, the same each time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossicle.surfaces.cli.naming import output_names


@pytest.mark.parametrize(("sources", "names"), [
    (["talk.wav", "b/other.mp3"], ["talk.txt", "other.txt"]),
    (["talk.wav", "talk.mp3"], ["talk.wav.txt", "talk.mp3.txt"]),
    (["/mon/talk.wav", "/tue/talk.wav", "/tue/x.wav"], ["mon_talk.wav.txt", "tue_talk.wav.txt", "x.txt"]),
    (["/a/mon/talk.wav", "/b/mon/talk.wav"], ["mon_talk.wav.txt", "mon_talk.wav-2.txt"]),
    (["Talk.wav", "talk.mp3"], ["Talk.wav.txt", "talk.mp3.txt"]),
    (["-"], ["stdin.txt"]),
    (["https://example.org/a/talk.mp3?key=1"], ["talk.txt"]),
    (["v1.2 talk.final.wav"], ["v1.2 talk.final.txt"]),
])
def test_names_say_what_they_need_to(sources, names):
    assert output_names(sources, "txt") == names


ALIKE = ["a/t.wav", "b/t.wav", "b/T.mp3", "t.wav", "t.wav.mp3", "t-2.wav", "c/b_t.wav", "-"]


@given(st.lists(st.sampled_from(ALIKE), max_size=8))
def test_no_two_names_are_equal_on_any_disk(sources):
    names = [name.casefold() for name in output_names(sources, "json")]
    assert len(set(names)) == len(sources)
    assert output_names(sources, "json") == output_names(sources, "json")
