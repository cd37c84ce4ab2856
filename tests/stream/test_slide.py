"""A window that lets its oldest 8 s go hears what a fresh one over the rest of the sound hears."""

from dataclasses import replace

import numpy as np
import pytest

from ossicle.stream.hypothesis import live_words
from tests.stream.conftest import sample
from tests.stream.hearings import PLAIN, RATE, assert_same, commit_all_but, hear_one, window_over

LONG = "english_long.wav"
EDGE = 8 * RATE


def long_window(parts, samples=None, num_words=2, origin=0, **options):
    """A window that was heard twice, all but the last words committed."""
    samples = sample(LONG) if samples is None else samples
    window = window_over(parts, samples[: 12 * RATE], origin, language="English", **options)
    commit_all_but(num_words)(window, hear_one(window))
    window.add(samples[12 * RATE : 13 * RATE])
    hear_one(window)
    return window


def fresh_like(window, samples):
    """A slow window over what is left."""
    fresh = window_over(window.parts, samples, window.origin, language="English", **PLAIN)
    fresh.committed = list(window.committed)
    return fresh


@pytest.mark.parametrize("form", [{}, PLAIN, {"drafts": False}], ids=["fast", "slow", "without drafts"])
def test_what_remains_is_heard_as_a_window_of_its_own(tiny, form):
    samples = sample(LONG).copy()
    samples[:EDGE] *= 3                                                 # the loudest goes
    origin = 5 * RATE + 17
    window = long_window(tiny, samples, origin=origin, **form)
    before = list(window.committed)
    count = window.slide()
    assert count > 20
    assert (window.origin, window.committed) == (origin + EDGE, before[count:])
    np.testing.assert_array_equal(window.samples(window.origin, window.end), samples[EDGE : 13 * RATE])
    fresh = fresh_like(window, samples[EDGE : 13 * RATE])
    for end in (13, 14.5, 17.2):
        more = samples[window.end - origin : round(end * RATE)]
        window.add(more)
        fresh.add(more)
        one, other = hear_one(window), hear_one(fresh)
        assert_same([replace(one, logprobs=one.logprobs[len(window.committed) :])],
                    [replace(other, logprobs=other.logprobs[len(window.committed) :])])


def test_words_leave_whole_with_the_sound_they_were_heard_in(tiny):
    window = long_window(tiny)
    centres, ids = window.last.centres, window.last.ids
    count = window.slide()
    gone, kept = tiny.tokenizer.decode(ids[:count]), tiny.tokenizer.decode(ids[count:])
    assert kept.startswith(" ")                                         # a word begins
    assert gone.startswith("It is eleven forty five.")
    assert gone.endswith("Where is Eric?")                              # said until 7.9 s
    assert max(centres[: count - 1]) < 8.1
    assert min(centres[count:]) >= 8
    assert (window.last.ids, window.last.centres, window.last.start) == (ids[count:], centres[count:], 8.0)
    assert len(window.last.attended) == len(window.last.ids) == len(window.last.logprobs)
    assert "".join(word.text for word in live_words(window.last, tiny.tokenizer)) in kept


def test_a_draft_still_counts_behind_what_went(tiny):
    window = long_window(tiny)
    window.slide()
    found = hear_one(window)
    assert found.num_drafted > 0
    assert found.num_accepted > 0


def test_nothing_goes_while_a_word_of_it_may_still_change(tiny):
    window = window_over(tiny, sample(LONG)[: 12 * RATE], language="English")
    found = hear_one(window)
    assert window.slide() == 0
    window.commit(3)
    assert window.slide() == 0
    assert (window.origin, window.end, window.last.ids) == (0, 12 * RATE, found.ids)


def test_nothing_goes_before_more_was_heard(tiny):
    window = window_over(tiny, sample(LONG)[: 12 * RATE], language="English")
    assert window.slide() == 0                                          # never heard
    commit_all_but(0)(window, hear_one(window, EDGE))
    assert window.slide() == 0                                          # not beyond the edge
    assert window.origin == 0


def test_nothing_goes_where_nobody_knows_when_it_was_heard(tiny):
    window = long_window(tiny, num_words=0, centres=False)
    assert (window.slide(), window.origin) == (0, 0)


def test_silence_goes_though_no_id_does(tiny):
    window = window_over(tiny, np.concatenate([np.zeros(9 * RATE, np.float32), sample("english.wav")]), language="English")
    window.last = replace(hear_one(window), ids=(), logprobs=(), centres=())
    assert (window.slide(), window.origin) == (0, EDGE)
    assert tiny.tokenizer.decode(hear_one(window).ids).endswith("near Berlin.")


def test_window_after_window_goes(tiny):
    samples = np.concatenate([sample(LONG), sample(LONG)])[: 26 * RATE]
    window = window_over(tiny, samples[:RATE], language="English")
    memory, slid = [], 0
    for end in range(2 * RATE, len(samples), RATE):
        window.add(samples[window.end : end])
        commit_all_but(1)(window, hear_one(window))
        before = window.origin
        if window.end - window.origin >= 12 * RATE:
            window.slide()
        slid += window.origin > before
        memory.append(window._kept._cache.length)
    assert slid == 2
    assert max(memory) < 300
