"""Hours of sound in the memory of minutes."""

import sys

import pytest

import ossicle
from benchmarks.long_memory import measure, write_talk
from ossicle import EngineOptions

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a process can ask for its memory cheaply on Linux only")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hours_take_flat_memory(tmp_path):
    with ossicle.load("tiny", EngineOptions("cpu")) as recognizer:
        measure(recognizer, write_talk(tmp_path / "warm.wav", 300))
        found = measure(recognizer, write_talk(tmp_path / "talk.wav", 7200))
    assert found["coverage"] == 1.0
    assert found["highest_mb"] - found["loaded_mb"] < 0.3 * found["samples_mb"]         # measured: 45 MB over, of 440
    assert found["slope_mb_per_hour"] < 20                                              # chunks, tokens and words of an hour


def test_a_quarter_of_an_hour_is_not_held(tmp_path, engine_of, ids):
    """The same in short, with a network that costs nothing: 55 MB of samples are not in memory."""
    from ossicle.recognizer import Recognizer

    recognizer = Recognizer(engine_of(lambda tokens, _: ids("One two three.")))
    measure(recognizer, write_talk(tmp_path / "warm.wav", 400))
    found = measure(recognizer, write_talk(tmp_path / "talk.wav", 900))
    assert found["highest_mb"] - found["loaded_mb"] < 0.5 * found["samples_mb"]
