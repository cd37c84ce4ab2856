"""Phrases that a reply may begin with, on a real small network: scored as if each had been fed alone, and held to."""

import numpy as np
import pytest

from ossicle.audio.mel import log_mel
from ossicle.decode.batched import decode_rows, padding_of
from ossicle.decode.phrases import Phrases, begin_with, score_phrases
from ossicle.decode.sampling import sampler
from ossicle.decode.stopping import StopRule, Writer
from ossicle.model.checkpoint import open_checkpoint
from ossicle.model.engines import load_network
from ossicle.options import EngineOptions
from ossicle.text.prompt import build_prompt
from ossicle.text.tokenizer import Tokenizer
from tests import goldens, sounds
from tests.model.conftest import ENGINES

PARTED = Phrases(((5, 9, 1), (5, 7, 1), (5, 11, 1)))                            # part at their second id
TREE = Phrases(((5, 9, 20, 1), (5, 9, 20, 30, 1), (5, 9, 21, 1), (5, 7, 1)))    # and again later, at two places


@pytest.fixture(scope="module", params=ENGINES)
def network(request, tmp_path_factory):
    folder = goldens.build_asr(tmp_path_factory.mktemp("asr"))
    network = load_network(open_checkpoint(folder), EngineOptions(request.param, "float32"))
    tokenizer = Tokenizer.from_folder(folder)
    network.prompts = []
    for seconds, seed in ((1.3, 1), (3.64, 2), (0.4, 3)):
        audio = network.encode(log_mel(sounds.speech(round(seconds * 16_000), seed)))
        prompt = build_prompt(tokenizer, len(audio))
        network.prompts.append(network.embed(prompt.ids, audio, prompt.audio_start))
    return network


def log_softmax(scores):
    return scores - scores.max() - np.log(np.exp(scores - scores.max()).sum())


def slowly(network, prompt, phrases):
    """Each phrase by itself: at every place where it parts from another, a softmax over the ids that lead on to a phrase."""
    found = []
    for phrase in phrases.ids:
        total = 0.0
        for depth in range(len(phrase)):
            onward = sorted({other[depth] for other in phrases.ids if len(other) > depth and other[:depth] == phrase[:depth]})
            cache = network.new_cache()
            logits = network.forward(prompt, cache).logits
            for token in phrase[:depth]:
                logits = network.forward(network.embed([token]), cache).logits
            total += log_softmax(network.read(logits)[0, onward].astype(np.float64))[onward.index(phrase[depth])]
        found.append(total)
    return np.array(found)


def fed(network, phrases):
    """A cache that ends with what all phrases begin with, and the logits there."""
    cache = network.new_cache(padding_of([len(prompt) for prompt in network.prompts]))
    network.forward(network.prompts, cache, None)
    start = np.tile(np.array(phrases.start, np.int32), (len(network.prompts), 1))
    return cache, network.forward(network.embed(start), cache).logits


def held(network, phrases, picks, begins=("held",) * 3, num_tokens=9, choose=None):
    seen = {}

    def pick(index, logprobs):
        seen[index] = logprobs
        return picks[index]

    cache = network.new_cache(padding_of([len(prompt) for prompt in network.prompts]))
    writers = [Writer(StopRule((), num_tokens, loop_guard=False)) for _ in network.prompts]
    for _ in decode_rows(network, network.prompts, cache, writers, begin_with(network, cache, phrases, begins, pick, choose)):
        pass
    return writers, seen


def test_the_start_is_what_all_phrases_share():
    assert PARTED.start == (5,)
    assert TREE.start == (5,)
    assert Phrases(((5, 9, 1), (5, 9, 2))).start == (5, 9)


@pytest.mark.parametrize("phrases", [PARTED, TREE], ids=["parted", "tree"])
def test_scores_equal_each_phrase_fed_by_itself(network, phrases):
    cache, logits = fed(network, phrases)
    length = cache.length
    scores = score_phrases(network, logits, cache, phrases)
    for prompt, got in zip(network.prompts, scores):
        np.testing.assert_allclose(got, slowly(network, prompt, phrases), rtol=0, atol=5e-4)     # float32, summed in another order
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1, rtol=1e-5)
    assert cache.length == length


def test_looking_down_a_tree_leaves_what_comes_after_alone(network):
    cache, logits = fed(network, TREE)
    untouched, _ = fed(network, TREE)
    score_phrases(network, logits, cache, TREE)
    steps = network.embed(np.array([[3], [4], [6]]))
    np.testing.assert_allclose(network.read(network.forward(steps, cache).logits), network.read(network.forward(steps, untouched).logits),
                               rtol=0, atol=2e-4)               # float32, summed in another order


def test_a_reply_held_to_a_phrase_goes_on_as_if_the_prompt_had_ended_with_it(network):
    writers, _ = held(network, TREE, [0, 3, 2])
    for prompt, writer, phrase in zip(network.prompts, writers, (TREE.ids[0], TREE.ids[3], TREE.ids[2])):
        assert tuple(writer.ids[: len(phrase)]) == phrase
        cache = network.new_cache()
        network.forward(prompt, cache, None)
        ids, logprobs = network.greedy(network.forward(network.embed(list(phrase)), cache).logits)
        assert writer.ids[len(phrase)] == int(network.read(ids)[0])
        assert writer.logprobs[len(phrase)] == pytest.approx(float(network.read(logprobs)[0]), abs=2e-4)


def test_log_probabilities_of_ids_it_was_held_to_are_the_models_own(network):
    writers, _ = held(network, PARTED, [1, 1, 1])
    for prompt, writer in zip(network.prompts, writers):
        cache = network.new_cache()
        logits = network.forward(prompt, cache).logits
        for token, logprob in zip(PARTED.ids[1], writer.logprobs):
            assert logprob == pytest.approx(log_softmax(network.read(logits)[0].astype(np.float64))[token], abs=5e-4)
            logits = network.forward(network.embed([token]), cache).logits


def test_a_reply_that_is_only_seen_is_left_as_it_is(network):
    free, _ = held(network, PARTED, [0, 0, 0], ("free",) * 3)
    start = free[0].ids[0]                                      # what this network writes by itself
    phrases = Phrases(((start, 9, 1), (start, 7, 1)))
    seen, scores = held(network, phrases, [0, 0, 0], ("seen",) * 3)
    assert [writer.ids for writer in seen] == [writer.ids for writer in free]
    assert set(scores) == {index for index, writer in enumerate(free) if writer.ids[0] == start}
    np.testing.assert_allclose(scores[0], slowly(network, network.prompts[0], phrases), rtol=0, atol=5e-4)


def test_a_reply_that_begins_otherwise_is_not_scored(network):
    free, _ = held(network, PARTED, [0, 0, 0], ("free",) * 3)
    others = Phrases(tuple((token, 9, 1) for token in range(40) if all(writer.ids[0] != token for writer in free))[:1] * 2)
    assert others.start[0] not in {writer.ids[0] for writer in free}
    _, scores = held(network, Phrases(((others.start[0], 9, 1), (others.start[0], 7, 1))), [0, 0, 0], ("seen",) * 3)
    assert scores == {}


def test_rows_that_are_free_keep_their_way_beside_rows_that_are_held(network):
    free, _ = held(network, PARTED, [0, 0, 0], ("free",) * 3)
    mixed, scores = held(network, PARTED, [0, 0, 0], ("held", "free", "held"))
    assert mixed[1].ids == free[1].ids
    assert tuple(mixed[0].ids[:3]) == tuple(mixed[2].ids[:3]) == PARTED.ids[0]
    assert set(scores) == {0, 2}


def test_tokens_behind_the_phrase_are_drawn_as_asked(network):
    choose = sampler(network, 50.0, [(1, place) for place in range(3)])
    drawn, _ = held(network, PARTED, [2, 2, 2], num_tokens=12, choose=choose)
    plain, _ = held(network, PARTED, [2, 2, 2], num_tokens=12)
    assert all(tuple(writer.ids[:3]) == PARTED.ids[2] for writer in drawn)
    assert [writer.ids[3:] for writer in drawn] != [writer.ids[3:] for writer in plain]
