"""When decoding stops: the end token, the budget, a loop; and what is honest repetition."""

import pytest

from ossicle.decode.stopping import LoopDetector, StopRule, Writer

EOS = 7


def write(ids, **rule) -> Writer:
    """A writer after these ids, or after the one that closed it."""
    writer = Writer(StopRule(eos_ids={EOS}, **{"max_tokens": 1000, "audio_seconds": 30.0, **rule}))
    for token_id in ids:
        if not writer.is_open:
            break
        writer.write(token_id, -0.5)
    return writer


def test_the_end_token_ends_and_is_left_out():
    writer = write([1, 2, EOS, 3])
    assert (writer.ids, writer.stopped_by) == ([1, 2], "eos")
    assert writer.logprobs == [-0.5, -0.5]


def test_the_budget_ends_after_its_last_token():
    writer = write(range(100, 200), max_tokens=10)
    assert (writer.ids, writer.stopped_by) == (list(range(100, 110)), "budget")


def test_a_cancelled_writer_keeps_what_it_has():
    writer = write([1, 2])
    writer.cancel()
    assert (writer.ids, writer.stopped_by) == ([1, 2], "cancelled")


def test_cancelling_a_finished_writer_changes_nothing():
    writer = write([1, EOS])
    writer.cancel()
    assert writer.stopped_by == "eos"


@pytest.mark.parametrize("length", [1, 2, 3, 7, 10, 23, 50])
def test_a_pattern_without_end_is_a_loop(length):
    pattern = list(range(100, 100 + length))
    writer = write([*range(500, 540), *pattern * 200], max_tokens=2000)
    assert writer.stopped_by == "loop"
    assert len(writer.ids) <= 40 + max(8 * length, 120) + length


HONEST = {
    "a phrase said twice": [*range(100, 140)] * 2,
    "a phrase said three times": [*range(100, 110)] * 3,
    "ten tokens said seven times": [*range(100, 110)] * 7,
    "counting with a comma between": [token for number in range(200, 300) for token in (number, 11)],
    "digits that come back": [number % 10 + 100 for number in range(60)],
    "a prayer of 45 tokens, three times": [*range(100, 145)] * 3,
    "a chorus line 16 times among verses": ([*range(100, 104)] * 4 + [*range(300, 330)]) * 4,
    "a refrain sung 20 times in half a minute": [*range(100, 104)] * 20,
    "no, no, no": [100, 11] * 30,
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_repetition_is_no_loop(name):
    assert write([*HONEST[name], EOS]).stopped_by == "eos"


def test_without_the_guard_a_loop_runs_to_its_budget_and_is_named():
    writer = write([5] * 300, max_tokens=200, loop_guard=False)
    assert (len(writer.ids), writer.stopped_by) == (200, "loop")


def test_without_the_guard_what_follows_a_loop_is_kept():
    writer = write([5] * 150 + [1, 2, 3, EOS], loop_guard=False)
    assert (writer.stopped_by, writer.readable_ids[-3:]) == ("eos", [1, 2, 3])


def test_a_loop_that_ended_before_the_budget_is_not_what_ended_the_sequence():
    writer = write([5] * 150 + list(range(100, 200)), max_tokens=200, loop_guard=False)
    assert writer.stopped_by == "budget"


@pytest.mark.parametrize("length", [1, 5, 12])
def test_of_a_loop_one_copy_is_worth_reading(length):
    pattern = list(range(100, 100 + length))
    writer = write([*range(500, 540), *pattern * 200], max_tokens=2000)
    assert writer.readable_ids == [*range(500, 540), *pattern]


def test_a_short_clip_is_judged_by_its_own_length():
    assert write([5] * 100, audio_seconds=2.0).stopped_by == "loop"
    assert write([5] * 100, audio_seconds=60.0).is_open


def test_the_detector_forgets_a_run_that_ended():
    detector = LoopDetector(min_tokens=10)
    assert not any(detector.sees(token) for token in [1] * 9 + [2] + [1] * 9)
    assert detector.sees(1)
