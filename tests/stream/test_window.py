"""The fast form of a window hears what the slow one hears, id by id, and what the network says when it is asked in one piece."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ossicle.audio.mel import log_mel
from ossicle.decode.greedy import greedy
from ossicle.decode.stopping import StopRule, Writer
from ossicle.model.heads import AlignmentHeads
from ossicle.pipeline.recognize import StageClock
from ossicle.stream.window import Ask, Window, WindowOptions, hear
from ossicle.text.prompt import build_prompt
from ossicle.text.words import split_words
from tests import goldens, sounds
from tests.model.conftest import ENGINES
from tests.stream.conftest import sample
from tests.stream.hearings import PLAIN, RATE, assert_same, commit_all_but, hear_one, hear_steps, parts_on, window_over

LONG, SHORT = "english_long.wav", "english.wav"
HENRY = "Henry saw a small tree near Berlin."


def steps_of(samples, seconds):
    return [*range(round(seconds * RATE), len(samples), round(seconds * RATE)), len(samples)]


def offline(parts, samples, language=None, max_tokens=200):
    """What the network writes when it is asked in one piece: ids of the reply."""
    network, audio = parts.network, parts.network.encode(log_mel(samples))
    prompt = build_prompt(parts.tokenizer, len(audio), language=language)
    writer = Writer(StopRule(parts.eos_ids, max_tokens, len(samples) / RATE))
    for _ in greedy(network, network.embed(prompt.ids, audio, prompt.audio_start), network.new_cache(), writer):
        pass
    return tuple(writer.ids)


@pytest.mark.parametrize(("name", "seconds"), [(LONG, 0.5), (LONG, 1.73), ("german.flac", 0.31), ("chinese.flac", 0.4), ("noise.wav", 1.0)])
def test_caches_and_drafts_change_nothing(tiny, name, seconds):
    samples = sample(name)[: round((9.5 if seconds == 0.5 else 18.5) * RATE)]
    ends = steps_of(samples, seconds)
    slow = hear_steps(tiny, samples, ends, **PLAIN)
    for options in ({}, {"drafts": False}, {"caches": False}):
        assert_same(hear_steps(tiny, samples, ends, **options), slow)


@pytest.mark.parametrize(("options", "ends"), [
    ({}, (2.5, 8.0, 8.7)),
    ({"language": "English", "context": "Oliver Anne Emma " * 8}, (2, 2.6)),
    ({"languages": ("German", "English")}, (1.3, 1.9)),
])
def test_each_engine_hears_the_same_fast_and_slow(tiny_on_each, options, ends):
    samples, ends = sample(LONG), [round(end * RATE) for end in ends]
    assert_same(hear_steps(tiny_on_each, samples, ends, **options), hear_steps(tiny_on_each, samples, ends, **PLAIN, **options))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_random_network_hears_the_same_fast_and_slow(engine, tmp_path):
    parts = parts_on(engine, goldens.build_asr(tmp_path))      # its text changes all over at each hearing, and has no header
    samples = sounds.speech(10 * RATE, 8)
    for options in ({}, {"language": "English"}):
        fast, slow = (hear_steps(parts, samples, [3 * RATE, 4 * RATE, 9 * RATE], max_tokens=24, **options, **form) for form in ({}, PLAIN))
        assert_same(fast, slow)
        assert {one.stopped_by for one in fast} == {"budget"}


@pytest.mark.parametrize("wrong", [0, 3, -1])
def test_a_draft_that_is_wrong_is_left_where_it_is_wrong(tiny, wrong):
    window = window_over(tiny, sample(SHORT), language="English")
    right = hear_one(window)
    ids = list(right.ids)
    ids[wrong] = ids[wrong - 1]
    window.last = replace(right, ids=tuple(ids))
    found = hear_one(window)
    assert (found.ids, found.num_accepted) == (right.ids, wrong % len(ids))
    np.testing.assert_allclose(found.logprobs, right.logprobs, rtol=0, atol=2e-3)
    np.testing.assert_allclose(found.centres, right.centres, rtol=0, atol=5e-3)
    window.last = replace(right, ids=(*right.ids, ids[-1], ids[-1]))        # and it may go on too long
    assert hear_one(window).ids == right.ids


def test_what_is_heard_is_what_the_network_says_offline(tiny):
    samples = sample(LONG)
    for end in (2 * RATE + 11, 8 * RATE, 8 * RATE + 45):
        window = window_over(tiny, samples)
        hear_one(window, RATE)
        found = hear_one(window, end)
        reply = offline(tiny, samples[:end])
        assert reply[-len(found.ids) :] == found.ids
        assert tiny.tokenizer.decode(reply[: -len(found.ids)]) == "language English<asr_text>"


def test_a_loud_burst_after_quiet_speech_is_heard_as_offline(tiny):
    samples = sample(LONG)[: 11 * RATE].copy()
    samples[: 10 * RATE] *= 0.02
    samples[round(9.2 * RATE) : round(9.4 * RATE)] = 0.9 * np.sign(np.sin(np.arange(round(0.2 * RATE)) * 0.3))
    for found in hear_steps(tiny, samples, [8 * RATE, 9 * RATE, 10 * RATE, 11 * RATE], language="English"):
        assert found.ids == offline(tiny, samples[: round(found.end * RATE)], "English")


def test_it_may_be_heard_up_to_an_earlier_place(tiny):
    samples = sample(LONG)
    ends = [5 * RATE, 9 * RATE, round(7.9 * RATE), 17 * RATE, 4 * RATE, 12 * RATE]
    assert_same(hear_steps(tiny, samples, ends), hear_steps(tiny, samples, ends, **PLAIN))
    window = window_over(tiny, samples)                         # all the sound is there, and counts only up to there
    assert hear_one(window, 5 * RATE).ids == hear_steps(tiny, samples, ends[:1], **PLAIN)[0].ids


def test_committed_ids_are_what_every_hearing_begins_with(tiny):
    samples = sample(LONG)[: 12 * RATE]
    ends, published = steps_of(samples, 1.0), []

    def commit(window, found):
        assert list(found.ids[: len(published)]) == published
        commit_all_but(3)(window, found)
        published[:] = window.committed

    fast = hear_steps(tiny, samples, ends, commit)
    assert fast[-1].num_committed > 40
    assert_same(fast, hear_steps(tiny, samples, ends, commit_all_but(3), **PLAIN))
    one = hear_steps(tiny, samples, [5 * RATE], lambda window, found: window.commit(4))[0]
    assert all(logprob < 0 for logprob in one.logprobs)


def test_committed_ids_keep_the_log_probabilities_they_were_chosen_with(tiny):
    window = window_over(tiny, sample(SHORT))
    first = hear_one(window, round(1.5 * RATE))
    window.commit(3)
    assert hear_one(window).logprobs[:3] == first.logprobs[:3]


def test_a_commit_goes_on_in_the_language_it_is_in(tiny):
    window = window_over(tiny, sample("german.flac"))
    assert hear_one(window).chances
    window.commit(2)
    assert (window.language, hear_one(window).chances) == ("German", {})


def test_a_forced_language_is_not_written_again(tiny):
    window = window_over(tiny, sample(SHORT))
    before = hear_one(window)
    window.force_language("English")
    after = hear_one(window)
    assert (after.ids, after.language, after.chances) == (before.ids, "English", {})
    assert (after.num_accepted, after.num_drafted) == (len(after.ids), len(after.ids))


def test_the_choice_of_languages_binds(tiny):
    samples = sample("german.flac")
    assert hear_one(window_over(tiny, samples)).language == "German"
    held = hear_one(window_over(tiny, samples, languages=("English", "Chinese")))
    assert held.language in ("English", "Chinese")
    assert next(iter(held.chances)) == "German"


def test_what_is_not_speech_has_neither_text_nor_language(tiny):
    for form in ({}, PLAIN):
        found = hear_one(window_over(tiny, sample("noise.wav"), **form))
        assert (found.ids, found.language, found.centres) == ((), None, ())
        assert next(iter(found.chances)) == "None"


@pytest.mark.parametrize("form", [{}, PLAIN], ids=["fast", "slow"])
def test_too_little_sound_says_nothing(tiny, form):
    window = window_over(tiny, np.zeros(0, np.float32), origin=3 * RATE, **form)
    for length in (0, 1, 100, 1498):
        window.add(np.zeros(length, np.float32))
        found = hear_one(window)
        assert (found.ids, found.language, found.stopped_by, found.start) == ((), None, "eos", 3.0)
    assert window.work.positions == 0


@pytest.mark.parametrize("budget", [1, 2, 4, 6, 9])
def test_the_budget_is_of_new_ids(tiny, budget):
    samples = sample(LONG)[: 6 * RATE]
    fast, slow = (hear_steps(tiny, samples, [3 * RATE, 6 * RATE, 6 * RATE], commit_all_but(2), budget, centres=False, **form)
                  for form in ({}, PLAIN))
    assert_same(fast, slow)
    assert fast[-1].stopped_by == "budget"
    assert len(fast[-1].ids) - fast[-1].num_committed <= budget


def test_a_header_that_is_cut_off_is_no_text(tiny):
    for budget in (1, 2):
        assert hear_one(window_over(tiny, sample(SHORT)), max_tokens=budget).ids == ()


def test_a_hearing_after_a_whole_one_feeds_one_pass_only(tiny):
    window = window_over(tiny, sample(SHORT), language="English")
    hear_one(window)
    steps = window.work.steps
    found = hear_one(window)
    assert (window.work.steps, found.num_accepted, found.stopped_by) == (steps, len(found.ids), "eos")
    assert tiny.tokenizer.decode(found.ids) == HENRY


@pytest.mark.parametrize("origin", [0, 7 * RATE + 123])
def test_ids_are_heard_where_they_are_said(tiny, origin):
    known = {"Henry": (0.0, 0.347), " small": (0.637, 0.998), " tree": (0.998, 1.266), " Berlin.": (1.484, 1.959)}
    window = window_over(tiny, sample(SHORT), origin)
    found = hear_one(window)
    assert len(found.centres) == len(found.ids)
    assert all(one <= other for one, other in pairwise(found.centres))
    place = 0
    for word in split_words(tiny.tokenizer.decode(found.ids)):
        count = len(tiny.tokenizer.encode_plain(word))
        if word in known:
            start, end = known[word]
            middle = np.mean(found.centres[place : place + count]) - origin / RATE
            assert start - 0.08 <= middle <= end + 0.08, word
        place += count


@pytest.mark.parametrize("is_predicting", [True, False])
def test_heads_may_be_asked_where_an_id_is_fed(tiny, is_predicting):
    parts = replace(tiny, heads=AlignmentHeads(((1, 0), (2, 3), (0, 1)), is_predicting))
    samples = sample("german.flac")
    for options in ({}, {"language": "German"}):
        fast, slow = (hear_steps(parts, samples, steps_of(samples, 0.7), commit_all_but(2), **form, **options) for form in ({}, PLAIN))
        assert_same(fast, slow)
        assert len(fast[-1].centres) == len(fast[-1].ids)


def test_centres_are_found_only_where_they_are_asked_for(tiny):
    assert hear_one(window_over(tiny, sample(SHORT), centres=False)).centres is None


def together(parts, windows, clock=None):
    return hear(parts, [Ask(window, window.end, 60) for window in windows], clock or StageClock())


def windows_of(parts):
    return [window_over(parts, sample(SHORT)), window_over(parts, sample(LONG)[: 9 * RATE], RATE, language="English"),
            window_over(parts, sample("chinese.flac"), centres=False), window_over(parts, sample("noise.wav")),
            window_over(parts, np.zeros(700, np.float32)), window_over(parts, sample("german.flac"), **PLAIN)]


def test_windows_heard_together_equal_each_alone(tiny_on_each):
    clock, windows = StageClock(), windows_of(tiny_on_each)
    alone = [together(tiny_on_each, [window])[0] for window in windows_of(tiny_on_each)]
    side_by_side = together(tiny_on_each, windows, clock)
    assert_same(side_by_side, alone)
    assert [window.last for window in windows] == side_by_side
    assert min(clock.mel, clock.encode, clock.prefill, clock.decode) > 0
    for window, found in zip(windows, side_by_side):            # and once more, with drafts, behind what was kept
        window.add(np.zeros(RATE // 2, np.float32))
        if found.language:
            window.force_language(found.language)
    fresh = [window_over(tiny_on_each, window.samples(window.origin, window.end), window.origin, **PLAIN, language=window.language,
                         centres=window.options.centres) for window in windows]
    assert_same(together(tiny_on_each, windows), together(tiny_on_each, fresh))


class Broken(Window):
    """A window whose sound is gone."""

    def samples(self, start, end):
        raise RuntimeError("the sound is gone")


def test_what_goes_wrong_with_one_window_is_given_in_its_place(tiny):
    windows = windows_of(tiny)
    alone = [together(tiny, [window])[0] for window in windows_of(tiny)]
    broken = Broken(tiny, 0, WindowOptions())
    found = together(tiny, [windows[0], broken, *windows[1:]])
    assert str(found.pop(1)) == "the sound is gone"
    assert_same(found, alone)


class Fragile:
    """A network that breaks when `is_broken` says so of the rows it is fed."""

    def __init__(self, network, is_broken):
        self._network, self._is_broken = network, is_broken

    def __getattr__(self, name):
        return getattr(self._network, name)

    def forward(self, embeddings, cache, logits_at="last", capture=None):
        if self._is_broken(len(cache.padding), len(embeddings[0])):
            raise MemoryError("too much at once")
        return self._network.forward(embeddings, cache, logits_at, capture)


def fragile(parts, is_broken):
    return type(parts)(Fragile(parts.network, is_broken), parts.tokenizer, parts.config, parts.eos_ids, parts.heads)


def test_a_batch_that_fails_is_written_one_by_one(tiny):
    passes = []

    def is_broken(rows, tokens):
        passes.append(rows)
        return rows > 1 and passes.count(rows) > 3              # in the midst of it

    alone = [together(tiny, [window])[0] for window in windows_of(tiny)]
    assert_same(together(tiny, windows_of(fragile(tiny, is_broken))), alone)
    assert max(passes) == 1
    parts = fragile(tiny, is_broken)
    assert_same(hear(parts, [Ask(window, window.end, 60) for window in windows_of(parts)], StageClock()), alone)
    assert max(passes) > 1


def test_a_window_is_whole_again_after_a_hearing_that_failed(tiny):
    is_bad = []
    parts = fragile(tiny, lambda rows, tokens: bool(is_bad) and tokens == 1)
    window = window_over(parts, sample(LONG)[: 9 * RATE])
    hear_one(window, 4 * RATE)
    is_bad.append(True)
    assert isinstance(hear(parts, [Ask(window, window.end, 60)], StageClock())[0], MemoryError)
    is_bad.clear()
    assert_same([hear_one(window)], [hear_one(window_over(tiny, sample(LONG)[: 9 * RATE], **PLAIN))])


def test_a_window_is_heard_once_at_a_time(tiny):
    window = window_over(tiny, sample(SHORT))
    with pytest.raises(AssertionError, match="once"):
        together(tiny, [window, window])
