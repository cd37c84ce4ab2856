"""Long texts through long sounds, with an aligner that knows the truth but piles up what it does not find in its window."""

from itertools import pairwise

import numpy as np
import pytest

from ossicle.pipeline.follow import follow
from ossicle.pipeline.spans import Heard
from ossicle.text.units import split_units
from ossicle.text.words import split_words

RATE = 16_000
WINDOW = 30.0


class World:
    """A sound in which words are said at known times, and an aligner over any part of it."""

    def __init__(self, gaps, seconds=None, said=None):
        """gaps   of silence before each word, which lasts 0.3 s; said   how many of the words are, the others never come"""
        starts = np.cumsum(np.array(gaps) + 0.3) - 0.3
        self.truth = [(float(start), float(start) + 0.3) for start in starts]
        self.said = len(gaps) if said is None else said
        self.words = [f"{' ' if i else ''}w{i:04d}" for i in range(len(gaps))]
        self.units = split_units("".join(self.words))
        seconds = seconds or self.truth[self.said - 1][1] + 1
        self.samples = np.random.default_rng(0).normal(0, 1e-4, round(seconds * RATE)).astype(np.float32)
        for start, end in self.truth[: self.said]:
            self.samples[round(start * RATE) : round(end * RATE)] *= 1000
        self.windows = []

    def align(self, samples, units):
        offset = (samples.__array_interface__["data"][0] - self.samples.__array_interface__["data"][0]) / 4 / RATE
        seconds = len(samples) / RATE
        self.windows.append((seconds, len(units)))
        heard = []
        for unit in units:
            number = int(unit.text[1:])
            start, end = (time - offset for time in self.truth[number])
            is_there = number < self.said and start >= -0.1 and end <= seconds
            heard.append(Heard(max(0, start), end, True) if is_there else Heard(seconds, seconds, True))
        return heard

    def follow(self):
        stretches = list(follow(self.align, self.samples, self.words, self.units, WINDOW))
        assert [stretch.start for stretch in stretches] == [0, *(stretch.end for stretch in stretches[:-1])]
        assert stretches[-1].end == len(self.samples)
        assert [stretch.first for stretch in stretches] == [0, *(stretch.last for stretch in stretches[:-1])]
        assert stretches[-1].last == len(self.words)
        times = [entry for stretch in stretches for entry in stretch.times]
        assert len(times) == len(self.words)
        assert all(one.start < one.end <= two.start for one, two in pairwise(times))
        for stretch in stretches:
            assert all(stretch.start / RATE <= entry.start and entry.end <= stretch.end / RATE for entry in stretch.times)
        return times

    def errors(self, times):
        return [max(abs(entry.start - start), abs(entry.end - end)) for entry, (start, end) in zip(times, self.truth)]


def even(count, gap=0.2):
    return [gap] * count


@pytest.mark.parametrize("world", [
    World(even(20)),
    World(even(2000)),
    World([*even(300, 0.05), *even(200, 1.5), *even(300, 0.05)]),
    World([*even(100), 95.0, *even(100)]),
    World([80.0, *even(50)]),
    World(even(300), seconds=400),
    World([*np.random.default_rng(1).exponential(0.5, 1500)]),
], ids=["one window", "many", "pace changes", "long silence within", "silence first", "silence last", "as people speak"])
def test_every_word_is_found_where_it_is(world):
    times = world.follow()
    assert max(world.errors(times)) < 0.02
    assert all(entry.is_measured for entry in times)


def test_no_window_is_longer_than_the_aligner_reads():
    world = World(even(2000))
    world.follow()
    assert max(seconds for seconds, _ in world.windows) <= WINDOW
    assert len(world.windows) < 2000 * 0.5 / WINDOW * 2             # nor are there many more than needed


def test_a_window_holds_fewer_words_than_its_sound():
    world = World(even(2000))
    world.follow()
    assert all(count <= 0.85 * seconds / 0.5 for seconds, count in world.windows[:-2])


def test_more_text_than_sound_loses_no_word():
    world = World(even(400), said=200)
    times = world.follow()
    assert max(world.errors(times[:150])) < 0.02
    assert not any(entry.is_measured for entry in times[-100:])


def test_a_word_is_never_parted_between_windows():
    """Korean stems and endings are units of their own, but the word is one."""
    text = " ".join(["날씨가"] * 200)
    words, units = split_words(text), split_units(text, "Korean")
    assert len(units) == 2 * len(words)
    samples = np.random.default_rng(0).normal(0, 0.1, 100 * RATE).astype(np.float32)

    def align(sound, some):
        step = 0.25
        return [Heard(step * i, step * (i + 1), True) for i in range(len(some))]

    stretches = list(follow(align, samples, words, units, WINDOW))
    assert len(stretches) > 3
    assert sum(len(stretch.times) for stretch in stretches) == len(words)
    assert all(abs(entry.end - entry.start - 0.5) < 0.01 for stretch in stretches[:-1] for entry in stretch.times)


def test_sound_without_words_and_words_without_units_are_whole():
    samples = np.zeros(100 * RATE, np.float32)
    stretches = list(follow(lambda *_: [], samples, ["…!?"], [], WINDOW))
    assert [len(stretch.times) for stretch in stretches if stretch.times] == [1]
    assert stretches[-1].end == len(samples)
