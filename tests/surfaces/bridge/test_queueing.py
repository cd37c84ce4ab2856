"""Utterances that wait: none is lost, told twice or out of order, whoever hears them, and a failure costs its own batch."""

import threading
import time

import numpy as np
import pytest

from ossicle.results import HeardClip, HeardClips
from ossicle.surfaces.bridge.queueing import NEVER, Queue, Utterance


def heard(samples):
    return HeardClip(f"{len(samples)}", (1,), len(samples), (1,), (1,), 2, (3,), (0,), "eos", 0.1)


class Ear:
    """Hears lengths; waits or fails where a test says so."""

    def __init__(self):
        self.batches, self.told, self.notes = [], [], []
        self.gate, self.is_broken = threading.Event(), False
        self.gate.set()
        self.has_told = threading.Event()

    def hear(self, clips, mode, max_tokens):
        assert self.gate.wait(30)
        if self.is_broken:
            raise RuntimeError("broken ear")
        self.batches.append((len(clips), mode, max_tokens))
        return HeardClips(tuple(map(heard, clips)), *[0.1] * 7)

    def tell(self, batch):
        self.told.append(batch)
        self.has_told.set()


@pytest.fixture
def ear():
    return Ear()


@pytest.fixture
def line(ear):
    line = Queue(ear.hear, ear.tell, ear.notes.append)
    yield line
    ear.gate.set()
    line.close()


def utterance(number, stream="a", delay=NEVER, **kwargs):
    return Utterance(stream, f"{stream}-{number}", np.zeros(number, np.float32), "buffer", due=time.monotonic() + delay, **kwargs)


def names(batches):
    return [one.utterance_id for batch in batches for one in batch.utterances]


def until(condition):
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def test_results_come_in_the_order_of_utterances(line, ear):
    for number in (1, 2, 3):
        line.put(utterance(number))
    batches = line.take("batched", 9)
    assert names(batches) == ["a-1", "a-2", "a-3"]
    assert [clip.text for batch in batches for clip in batch.clips] == ["1", "2", "3"]
    assert ear.batches == [(3, "batched", 9)]
    assert (len(line), line.take("batched", 9)) == (0, [])


def test_the_timer_hears_with_the_oldest_all_that_waits(line, ear):
    line.put(utterance(1, mode="sequential"))
    line.put(utterance(2, delay=0.01, mode="batched", max_tokens=7))
    until(lambda: ear.batches)
    assert ear.batches == [(2, "batched", 7)]
    assert len(line) == 2                               # nobody was told
    line.put(utterance(3))
    assert names(line.take("sequential", None)) == ["a-1", "a-2", "a-3"]
    assert ear.batches[1:] == [(1, "sequential", None)]


def test_whoever_asks_waits_for_the_batch_in_hand(line, ear):
    ear.gate.clear()
    line.put(utterance(1, delay=0))
    until(lambda: line._in_hand)
    assert len(line) == 1
    threading.Timer(0.1, ear.gate.set).start()
    assert names(line.take("sequential", None)) == ["a-1"]
    assert len(ear.batches) == 1


def test_a_batch_may_be_told_in_parts(line, ear):
    line.put(utterance(1, "a", is_unsolicited=True))
    line.put(utterance(2, "b"))
    line.put(utterance(3, "a", delay=0.01, is_unsolicited=True))
    assert ear.has_told.wait(30)
    assert names(ear.told) == ["a-1", "a-3"]
    assert [clip.text for clip in ear.told[0].clips] == ["1", "3"]
    assert len(ear.told[0].run.clips) == 3              # what it took, it took for all of them
    assert names(line.take("sequential", None)) == ["b-2"]


def test_one_stream_can_be_taken_alone(line):
    for number, stream in ((1, "a"), (2, "b"), (3, "a")):
        line.put(utterance(number, stream))
    assert names(line.take("sequential", None, lambda one: one.stream_id == "a")) == ["a-1", "a-3"]
    assert names(line.take("sequential", None)) == ["b-2"]


def test_what_failed_in_the_background_is_tried_again(line, ear):
    ear.is_broken = True
    line.put(utterance(1, delay=0))
    until(lambda: ear.notes)
    assert len(line) == 1
    ear.is_broken = False
    assert names(line.take("sequential", None)) == ["a-1"]


def test_what_failed_when_asked_for_is_dropped_and_named(line, ear):
    ear.is_broken = True
    line.put(utterance(1))
    with pytest.raises(RuntimeError) as failed:
        line.take("sequential", None)
    assert failed.value.__notes__ == ["dropped with it: a-1"]
    ear.is_broken = False
    line.put(utterance(2))
    assert names(line.take("sequential", None)) == ["a-2"]
