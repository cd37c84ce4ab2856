"""Choosing tokens on a real small network: rows side by side equal rows alone, whatever ends them."""

import numpy as np
import pytest

from ossicle.audio.mel import log_mel
from ossicle.decode.batched import decode_rows, padding_of
from ossicle.decode.greedy import greedy
from ossicle.decode.penalty import loop_penalty
from ossicle.decode.sampling import sampler
from ossicle.decode.stopping import StopRule, Writer
from ossicle.decode.uncached import greedy_uncached
from ossicle.errors import OptionError
from ossicle.model.checkpoint import open_checkpoint
from ossicle.model.engines import load_network
from ossicle.options import EngineOptions
from ossicle.text.prompt import build_prompt
from ossicle.text.tokenizer import Tokenizer
from tests import goldens, sounds
from tests.model.conftest import ENGINES

EOS = 1_000_000         # no id of these weights: rows end by their budgets unless a test says otherwise


@pytest.fixture(scope="module", params=ENGINES)
def network(request, tmp_path_factory):
    folder = goldens.build_asr(tmp_path_factory.mktemp("asr"))
    network = load_network(open_checkpoint(folder), EngineOptions(request.param, "float32"))
    network.prompts = _prompts(network, Tokenizer.from_folder(folder))
    return network


@pytest.fixture(scope="module")
def tokenizer_of_goldens(tmp_path_factory):
    return Tokenizer.from_folder(goldens.build_asr(tmp_path_factory.mktemp("tokenizer")))


def _prompts(network, tokenizer):
    """Four clips of unequal length as prompts, each (tokens, hidden)."""
    made = []
    for seconds, seed in ((1.3, 1), (3.64, 2), (0.4, 3), (9.2, 4)):
        audio = network.encode(log_mel(sounds.speech(round(seconds * 16_000), seed)))
        prompt = build_prompt(tokenizer, len(audio))
        made.append(network.embed(prompt.ids, audio, prompt.audio_start))
    return made


def writers(budgets, eos=(EOS,)):
    return [Writer(StopRule(frozenset(eos), budget, loop_guard=False)) for budget in budgets]


def alone(network, prompt, writer):
    for _ in greedy(network, prompt, network.new_cache(), writer):
        pass
    return writer


def side_by_side(network, prompts, rows, choose=None):
    cache = network.new_cache(padding_of([len(prompt) for prompt in prompts]))
    return list(decode_rows(network, prompts, cache, rows, choose))


def without_cache(network, prompt, num_tokens):
    """The slowest form: the whole sequence again for every token."""
    ids = []
    for _ in range(num_tokens):
        rows = network.read(prompt)
        if ids:
            rows = np.concatenate([rows, network.read(network.embed(ids))])
        logits = network.forward([network.embed([0])[:0], _array(network, rows)][1], network.new_cache()).logits
        ids.append(int(network.read(network.greedy(logits)[0])[0]))
    return ids


def _array(network, rows):
    """NumPy rows (tokens, hidden) as an array of the engine."""
    return network.embed([0] * len(rows)) * 0 + rows


def test_greedy_equals_decoding_the_whole_again_for_every_token(network):
    prompt = network.prompts[0]
    assert alone(network, prompt, *writers([12])).ids == without_cache(network, prompt, 12)


def test_rows_side_by_side_equal_rows_alone(network):
    rows = writers([24] * 4)
    side_by_side(network, network.prompts, rows)
    for prompt, row in zip(network.prompts, rows, strict=True):
        single = alone(network, prompt, *writers([24]))
        assert row.ids == single.ids
        np.testing.assert_allclose(row.logprobs, single.logprobs, atol=1e-4)      # float32 sums in another order


def test_rows_that_end_early_leave_the_others_as_they_were(network):
    rows = writers([3, 24, 7, 12])
    num_open = side_by_side(network, network.prompts, rows)
    assert num_open == sorted(num_open, reverse=True)
    assert num_open[-1] == 0
    for prompt, row, budget in zip(network.prompts, rows, [3, 24, 7, 12], strict=True):
        single = alone(network, prompt, *writers([budget]))
        assert row.ids == single.ids
        np.testing.assert_allclose(row.logprobs, single.logprobs, atol=1e-4)


def test_each_row_stops_at_its_own_end_token(network):
    free = [alone(network, prompt, *writers([16])).ids for prompt in network.prompts]
    eos = {free[0][4], free[3][9]}
    rows = writers([16] * 4, eos)
    side_by_side(network, network.prompts, rows)
    for row, ids in zip(rows, free, strict=True):
        end = next((place for place, token in enumerate(ids) if token in eos), None)
        assert row.ids == ids[:end]
        assert row.stopped_by == ("budget" if end is None else "eos")


def test_logprobs_are_of_the_ids_chosen(network):
    writer = alone(network, network.prompts[1], *writers([8]))
    assert all(logprob <= 0 for logprob in writer.logprobs)
    logits = network.read(network.forward(network.prompts[1], network.new_cache()).logits)[0].astype(np.float64)
    expected = logits[writer.ids[0]] - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
    assert writer.logprobs[0] == pytest.approx(expected, abs=1e-5)


def test_closing_the_generator_keeps_what_was_written(network):
    rows = writers([24] * 2)
    prompts = network.prompts[:2]
    steps = decode_rows(network, prompts, network.new_cache(padding_of([len(prompt) for prompt in prompts])), rows)
    for _ in range(5):
        next(steps)
    steps.close()
    assert [len(row.ids) for row in rows] == [5, 5]
    assert all(row.is_open for row in rows)


def drawn(network, temperature, seed, prompts, budgets):
    rows = writers(budgets)
    side_by_side(network, prompts, rows, sampler(network, temperature, [(seed, row) for row in range(len(rows))]))
    return [row.ids for row in rows]


def test_one_seed_gives_the_same_tokens_and_another_gives_others(network):
    prompts = network.prompts[:2]
    assert drawn(network, 1.0, 5, prompts, [12, 12]) == drawn(network, 1.0, 5, prompts, [12, 12])
    assert drawn(network, 1.0, 5, prompts, [12, 12]) != drawn(network, 1.0, 6, prompts, [12, 12])


def test_draws_do_not_depend_on_company(network):
    together = drawn(network, 1.0, 5, network.prompts, [12, 3, 5, 4])
    assert drawn(network, 1.0, 5, network.prompts[:1], [12])[0] == together[0]


def test_a_temperature_near_zero_is_greedy(network):
    prompts = network.prompts[:2]
    assert drawn(network, 1e-4, 1, prompts, [12, 12]) == [alone(network, prompt, *writers([12])).ids for prompt in prompts]


def test_draws_follow_the_distribution(network):
    class Logits:
        def read(self, array):
            return array

    logits = np.log(np.tile([0.7, 0.2, 0.1], (20_000, 1)))
    ids, logprobs = sampler(Logits(), 1.0, [(3, row) for row in range(20_000)])(logits, range(20_000))
    shares = np.bincount(ids, minlength=3) / len(ids)
    np.testing.assert_allclose(shares, [0.7, 0.2, 0.1], atol=0.015)        # four standard deviations of 20 000 draws
    np.testing.assert_allclose(np.exp(logprobs[ids == 1]), 0.2)


def test_sampling_needs_a_temperature():
    with pytest.raises(OptionError, match="temperature must be above 0"):
        sampler(None, 0.0, [])


def test_the_loop_penalty_leaves_rows_alone_that_do_not_loop(network):
    prompts, budgets = network.prompts, [30, 12, 40, 25]
    plain, penalised = writers(budgets), writers(budgets)
    side_by_side(network, prompts, plain)
    changed = []
    side_by_side(network, prompts, penalised, loop_penalty(network, [True, False, True, False], changed.append))
    for row in {0, 1, 2, 3} - set(changed):
        assert penalised[row].ids == plain[row].ids
        assert penalised[row].logprobs == pytest.approx(plain[row].logprobs, abs=1e-5)
    assert not {1, 3} & set(changed)


def test_the_loop_penalty_ends_a_loop_of_real_weights(network):
    """A prompt whose reply is held to one id by its logits: the penalty lets another one win, by the model's own numbers."""
    prompt, favourite = network.prompts[0], 5
    real = network.forward

    def torn(embeddings, cache, logits_at="last", capture=None):
        found = real(embeddings, cache, logits_at, capture)
        logits = np.array(network.read(found.logits))
        logits[:, favourite] = logits.max(axis=-1) + 2.0
        return found._replace(logits=_logits(network, logits))

    network.forward = torn
    try:
        looping, freed, changed = *writers([60]), *writers([60]), []
        side_by_side(network, [prompt], [looping])
        side_by_side(network, [prompt], [freed], loop_penalty(network, [True], changed.append))
    finally:
        network.forward = real
    assert looping.ids == [favourite] * 60
    assert changed
    assert freed.ids[:12] == [favourite] * 12
    assert set(freed.ids) != {favourite}
    assert all(logprob <= 0 for logprob in freed.logprobs)


def _logits(network, values):
    """NumPy logits (batch, vocab) as the engine's."""
    return network.embed([0])[:1, :1] * 0 + values if network.engine == "mlx" else values


def test_without_a_cache_the_same_ids_are_written(network, tokenizer_of_goldens):
    audio = network.encode(log_mel(sounds.speech(20_000, 1)))
    prompt = build_prompt(tokenizer_of_goldens, len(audio))
    cached, uncached = (Writer(StopRule({EOS}, 12)) for _ in range(2))
    embeddings = network.embed(prompt.ids, audio, prompt.audio_start)
    list(greedy(network, embeddings, network.new_cache((0,), 64), cached))
    assert list(greedy_uncached(network, prompt.ids, audio, prompt.audio_start, uncached)) == cached.ids
    assert uncached.stopped_by == "budget"
