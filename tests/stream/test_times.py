"""Live words get times that are in order, on the session's clock, behind what was committed, and near the true ones."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ossicle
from ossicle import EngineOptions
from ossicle.audio.load import read_samples
from ossicle.pipeline.attention import attend, attended, token_centres
from ossicle.pipeline.recognize import StageClock
from ossicle.results import Word
from ossicle.stream.hypothesis import live_words
from ossicle.stream.policies import Look, policy_of
from ossicle.stream.times import time_final, time_words
from ossicle.stream.window import Ask, Window, WindowOptions, hear
from ossicle.stream_options import PolicyOptions
from tests.growing import heard, texts, tokenizers

HELDOUT = Path(__file__).parents[1] / "data" / "tiny_heldout"
CLIPS = [clip for clip in json.loads((HELDOUT / "transcripts.json").read_text("utf-8")) if clip.get("words")]
START = 100.0                       # of the utterance, on the session's clock
RATE = 16_000


@pytest.fixture(scope="module")
def engine():
    with ossicle.load("tiny", EngineOptions("cpu", "float32")) as recognizer:
        recognizer._engine.aligner()
        yield recognizer._engine


@pytest.fixture(scope="module")
def aligner(engine):
    return engine.aligner().parts


def heard_at(parts, samples, ids, language, num_committed=0):
    """A hypothesis of these ids with what attention has to say about it."""
    text = parts.tokenizer.decode(ids)
    assert parts.tokenizer.encode_plain(text) == list(ids)
    attention, _ = attend(parts, samples, text, language)
    return replace(
        heard(ids, num_committed, start=START, end=START + len(samples) / RATE, language=language),
        centres=tuple((START + token_centres(attention)).tolist()), attended=tuple((START + attended(attention)).tolist()))


def clip_of(number):
    clip = CLIPS[number]
    return clip, read_samples(str(HELDOUT / clip["file"]))


def is_in_order(words, after, end):
    assert all(one.start < one.end <= two.start for one, two in pairwise(words))
    assert all(word.start < word.end for word in words)
    assert words[0].start >= after
    assert words[-1].end <= end
    return True


@pytest.mark.parametrize(("how", "timing", "median"), [("attention", "attention", 0.05), ("aligner", "aligned", 0.06),
                                                       ("estimated", "estimated", 0.2), ("auto", "attention", 0.05)])
def test_words_are_timed_by_the_way_that_was_asked_for(engine, aligner, how, timing, median):
    parts, errors, timings = engine.parts, [], []
    for number in range(0, 12, 2):
        clip, samples = clip_of(number)
        hypothesis = engine.run(heard_at, parts, samples, parts.tokenizer.encode_plain(clip["text"]), clip["language"])
        words = live_words(hypothesis, parts.tokenizer)
        timed = engine.run(time_words, parts, aligner, words, hypothesis, samples, START, START, how)
        assert [replace(word, start=None, end=None, timing=None) for word in timed] == words
        assert is_in_order(timed, START, START + len(samples) / RATE)
        timings += [word.timing for word in timed]
        if len(words) == len(clip["words"]):
            errors += [abs(got.end - START - true["end"]) for got, true in zip(timed, clip["words"])]
    assert len(errors) > 20
    assert np.median(errors) < median
    assert timings.count(timing) > 0.8 * len(timings)


def test_words_behind_committed_ones_are_where_they_were(engine, aligner):
    parts, (clip, samples) = engine.parts, clip_of(0)
    ids = parts.tokenizer.encode_plain(clip["text"])
    hypothesis = engine.run(heard_at, parts, samples, ids, clip["language"])
    for how in ("attention", "aligner"):
        whole = time_words(parts, aligner, live_words(hypothesis, parts.tokenizer), hypothesis, samples, START, START, how)
        rest = replace(hypothesis, num_committed=whole[1].num_ids)
        behind = time_words(parts, aligner, live_words(rest, parts.tokenizer), rest, samples, START, whole[1].end, how)
        assert [word.end for word in behind] == pytest.approx([word.end for word in whole[2:]])
        late = time_words(parts, aligner, live_words(rest, parts.tokenizer), rest, samples, START, whole[3].end, how)
        assert is_in_order(late, whole[3].end, START + len(samples) / RATE)


@settings(deadline=None)
@given(st.sampled_from(texts()), st.integers(0, 10_000), st.sampled_from(["auto", "estimated"]))
def test_times_are_in_order_whatever_attention_says(text, seed, how):
    dice, tokenizer = np.random.default_rng(seed), tokenizers()["tiny"]
    samples = dice.normal(size=dice.integers(1, 40_000)).astype(np.float32) * dice.choice([0, 0.1])
    end = START + len(samples) / RATE
    ids = tokenizer.encode_plain(text)
    centres = np.sort(dice.uniform(START, end, len(ids)))
    hypothesis = heard(ids, int(dice.integers(0, len(ids))), start=START, end=end, centres=centres)
    words, after = live_words(hypothesis, tokenizer), float(dice.uniform(START - 1, end))
    timed = time_words(Parts(tokenizer), None, words, hypothesis, samples, START, after, how)
    room = max(end, max(after, START) + 0.001 * len(words))
    assert [word.text for word in timed] == [word.text for word in words]
    if words:
        assert is_in_order(timed, max(after, START), room + 1e-9)


class Parts:
    """All that attention that was read already needs of a loaded model."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer


def test_no_room_is_left_and_words_still_have_a_length():
    tokenizer = tokenizers()["tiny"]
    hypothesis = heard(tokenizer.encode_plain("so many words here"), start=START, end=START + 1)
    words = live_words(hypothesis, tokenizer)
    timed = time_words(Parts(tokenizer), None, words, hypothesis, np.zeros(RATE, np.float32), START, START + 1, "auto")
    assert is_in_order(timed, START + 1, START + 1 + 0.001 * len(words) + 1e-9)


def test_an_aligner_that_fails_gives_way_and_says_so(engine):
    parts, (clip, samples) = engine.parts, clip_of(0)
    hypothesis = engine.run(heard_at, parts, samples, parts.tokenizer.encode_plain(clip["text"]), clip["language"])
    words, warnings = live_words(hypothesis, parts.tokenizer), []
    timed = engine.run(time_words, parts, parts, words, hypothesis, samples, START, START, "aligner", warnings.append)
    assert {word.timing for word in timed} == {"attention"}
    assert len(warnings) == 1
    assert "expected a forced aligner, got a recogniser" in warnings[0]


def test_a_session_commits_words_at_their_times(engine):
    """Steps of half a second over real clips: what is committed keeps its order, and stands where it is said."""
    parts, errors = engine.parts, []
    for number in (0, 4, 8):
        clip, samples = clip_of(number)
        committed, after = [], START
        window = Window(parts, round(START * RATE), WindowOptions(clip["language"]))
        policy = policy_of(PolicyOptions(border_seconds=0.3), has_times=True)
        for step, end in enumerate([*range(RATE // 2, len(samples), RATE // 2), len(samples)]):
            window.add(samples[max(0, window.end - window.origin): end])
            found, = engine.run(hear, parts, [Ask(window, window.origin + end, 100)], StageClock())
            text = parts.tokenizer.decode(found.ids)
            if not text or parts.tokenizer.encode_plain(text) != list(found.ids):
                continue
            hypothesis = engine.run(heard_at, parts, samples[:end], found.ids, clip["language"], found.num_committed)
            hypothesis = replace(hypothesis, logprobs=found.logprobs)
            words = live_words(hypothesis, parts.tokenizer)
            words = engine.run(time_words, parts, None, words, hypothesis, samples[:end], START, after, "auto")
            count = policy.commit(Look(words, hypothesis.end, step)) if end < len(samples) else len(words)
            if count:
                assert words[count - 1].end <= hypothesis.end
                window.commit(words[count - 1].num_ids)
                committed, after = [*committed, *words[:count]], words[count - 1].end
        assert is_in_order(committed, START, START + len(samples) / RATE)
        assert "".join(word.text for word in committed) == parts.tokenizer.decode(window.committed)
        if [word.text.strip() for word in committed] == [word["text"] for word in clip["words"]]:
            errors += [abs(got.end - START - true["end"]) for got, true in zip(committed, clip["words"])]
    assert len(errors) > 10
    assert np.median(errors) < 0.08


def test_final_words_are_aligned_anew_and_keep_their_texts(engine, aligner):
    clip, samples = clip_of(0)
    words = [Word(" " * bool(i) + word["text"], START + 0.1 * i, START + 0.1 * (i + 1), 0.5, "estimated")
             for i, word in enumerate(clip["words"])]
    timed = engine.run(time_final, aligner, words, clip["language"], samples, START)
    assert [(word.text, word.confidence) for word in timed] == [(word.text, word.confidence) for word in words]
    assert np.median([abs(got.end - START - true["end"]) for got, true in zip(timed, clip["words"])]) < 0.06
    assert is_in_order(timed, START, START + len(samples) / RATE)


def test_final_words_of_sound_that_is_gone_keep_their_times(engine, aligner):
    clip, samples = clip_of(0)
    gone = [Word("Gone", START - 2.0, START - 1.5, 0.5, "attention"), Word(" by", START - 1.0, START + 0.05, 0.5, "attention")]
    words = [*gone, *(Word(" " + word["text"], START + 1, START + 1.1) for word in clip["words"])]
    timed = engine.run(time_final, aligner, words, clip["language"], samples, START)
    assert timed[:2] == gone
    assert is_in_order(timed, START - 2.0, START + len(samples) / RATE)
    assert engine.run(time_final, aligner, gone, clip["language"], samples, START) == gone


def test_final_words_stay_as_they_are_where_the_aligner_fails(engine):
    clip, samples = clip_of(0)
    words, warnings = [Word(word["text"], START, START + 1) for word in clip["words"]], []
    assert engine.run(time_final, engine.parts, words, clip["language"], samples, START, warnings.append) == words
    assert len(warnings) == 1
