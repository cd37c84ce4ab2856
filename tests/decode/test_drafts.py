"""A draft changes nothing but how often the network is asked."""

import numpy as np
import pytest

from ossicle.audio.mel import log_mel
from ossicle.decode.drafts import go_on, verify
from ossicle.decode.greedy import greedy
from ossicle.decode.stopping import StopRule, Writer
from ossicle.model.checkpoint import open_checkpoint
from ossicle.model.engines import load_network
from ossicle.model.network import Capture
from ossicle.options import EngineOptions
from ossicle.text.prompt import build_prompt
from ossicle.text.tokenizer import Tokenizer
from tests import goldens, sounds
from tests.model.conftest import ENGINES

NEVER = 1_000_000           # no id of these weights


@pytest.fixture(scope="module", params=ENGINES)
def network(request, tmp_path_factory):
    folder = goldens.build_asr(tmp_path_factory.mktemp("asr"))
    network = load_network(open_checkpoint(folder), EngineOptions(request.param, "float32"))
    network.prompts = []
    for seconds, seed in ((1.3, 1), (2.64, 2), (0.4, 3)):
        audio = network.encode(log_mel(sounds.speech(round(seconds * 16_000), seed)))
        prompt = build_prompt(Tokenizer.from_folder(folder), len(audio))
        network.prompts.append(network.embed(prompt.ids, audio, prompt.audio_start))
    return network


def writer(budget=20, eos=NEVER):
    return Writer(StopRule(frozenset([eos]), budget, loop_guard=False))


def plainly(network, prompt, rule):
    for _ in greedy(network, prompt, network.new_cache(), rule):
        pass
    return rule


def begin(network, prompt, draft, rule, choose_first=None):
    """Feed a prompt and a draft; gives the cache and how many ids were accepted."""
    cache = network.new_cache()
    fed = network.concatenate([prompt, network.embed(list(draft))]) if draft else prompt
    logits = network.forward(fed, cache, range(len(fed) - len(draft) - 1, len(fed))).logits
    return cache, verify(network, logits, cache, draft, rule, choose_first)


def with_draft(network, prompt, draft, rule):
    cache, accepted = begin(network, prompt, draft, rule)
    for _ in go_on(network, cache, [rule]):
        pass
    return accepted


@pytest.mark.parametrize("right", [0, 1, 7, 19, 20])
@pytest.mark.parametrize("wrong", [(), (5,), (5, 6, 7)])
def test_ids_are_those_of_greedy_decoding(network, right, wrong):
    for prompt in network.prompts:
        expected, got = plainly(network, prompt, writer()), writer()
        accepted = with_draft(network, prompt, (*expected.ids[:right], *wrong), got)
        assert accepted == right
        assert (got.ids, got.stopped_by) == (expected.ids, expected.stopped_by)
        np.testing.assert_allclose(got.logprobs, expected.logprobs, rtol=0, atol=1e-3)


@pytest.mark.parametrize("place", [0, 1, 6])
def test_an_end_token_ends_it_in_the_midst_of_a_draft(network, place):
    prompt = network.prompts[0]
    ids = plainly(network, prompt, writer()).ids
    eos = ids[place]
    expected = plainly(network, prompt, writer(eos=eos))
    for draft in ((), ids[:place], ids[: place + 1], ids):      # behind it, at its end, in it
        got = writer(eos=eos)
        with_draft(network, prompt, draft, got)
        assert (got.ids, got.stopped_by) == (expected.ids, "eos")


def test_the_budget_ends_it_in_the_midst_of_a_draft(network):
    prompt = network.prompts[0]
    ids = plainly(network, prompt, writer()).ids
    for budget in (1, 4, 5, 6):
        got = writer(budget)
        with_draft(network, prompt, ids[:5], got)
        assert (got.ids, got.stopped_by) == (ids[:budget], "budget")


def test_a_loop_ends_it_in_the_midst_of_a_draft(network):
    rule = Writer(StopRule(frozenset(), 500, 0.0))
    cache = network.new_cache()
    fed = network.embed([7] * 60)
    logits = np.full((1, 61, 100), -9.0, np.float32)
    logits[..., 7] = 0                                          # of a network that says the same for ever
    network.forward(fed, cache, None)
    if network.engine == "mlx":
        logits = pytest.importorskip("mlx.core").array(logits)
    accepted = verify(network, logits, cache, [7] * 60, rule)
    assert (rule.stopped_by, len(rule.ids), accepted) == ("loop", 40, 40)


def test_the_cache_goes_on_behind_what_was_accepted(network):
    prompt = network.prompts[1]
    ids = plainly(network, prompt, writer()).ids
    cache, accepted = begin(network, prompt, (*ids[:4], 5, 6), writer())
    assert (accepted, cache.length) == (4, len(prompt) + 4)


def test_the_first_id_may_be_chosen_otherwise(network):
    prompt = network.prompts[0]
    ids, got = plainly(network, prompt, writer()).ids, writer()
    cache, accepted = begin(network, prompt, (9, *ids[1:4]), got, lambda logits, rows: (np.array([9]), np.array([-2.5], np.float32)))
    assert accepted >= 1
    assert (got.ids[0], got.logprobs[0]) == (9, -2.5)
    got = writer()
    cache, accepted = begin(network, prompt, ids[:4], got, lambda logits, rows: (np.array([9]), np.array([-2.5], np.float32)))
    assert (accepted, got.ids, cache.length) == (0, [9], len(prompt))


def test_rows_that_go_on_side_by_side_write_what_each_writes_alone(network):
    budgets = (3, 18, 9)
    expected = [plainly(network, prompt, writer(budget)) for prompt, budget in zip(network.prompts, budgets)]
    rules, caches = [writer(budget) for budget in budgets], []
    for prompt, rule, known in zip(network.prompts, rules, expected):
        caches.append(begin(network, prompt, known.ids[:2], rule)[0])
    assert not rules[0].is_open
    rules, caches = rules[1:], caches[1:]
    seen = []

    def see(queries, rows):
        seen.append((network.read(queries).shape, list(rows)))

    for _ in go_on(network, network.join(caches), rules, Capture(((1, 0), (2, 3)), "last"), see):
        pass
    assert [rule.ids for rule in rules] == [known.ids for known in expected[1:]]
    assert seen[0] == ((2, 2, 1, 32), [0, 1])
    assert seen[-1] == ((1, 2, 1, 32), [0])
