"""Every engine: the fast ways through the decoder equal the slow ones."""

import numpy as np
import pytest

from ossicle.model.network import Capture, Network
from tests.model.plain import PlainDecoder

SUMS = 2e-4        # float32 summed in another order; where attention nearly ties, it grew to 6e-5 of logits between 1 and 10
IDS = np.random.default_rng(7).integers(0, 900, 400)


@pytest.fixture(scope="module")
def plain(asr_folder) -> tuple[np.ndarray, np.ndarray]:
    """Logits and attention over the first 120 ids, in NumPy."""
    decoder = PlainDecoder(asr_folder)
    return decoder(decoder.weights["model.embed_tokens.weight"][IDS[:120]])


def feed(network: Network, ids, cache, logits_at="all") -> np.ndarray:
    return network.read(network.forward(network.embed([int(token) for token in ids]), cache, logits_at).logits)


def close(got: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(got, expected, rtol=0, atol=SUMS)


@pytest.mark.parametrize("tokens", [1, 2, 7, 8, 9, 31, 32, 33, 64, 65, 120])
def test_whole_prompt_equals_the_plain_form(network, plain, tokens):
    cache = network.new_cache()
    close(feed(network, IDS[:tokens], cache)[0], plain[0][:tokens])
    assert cache.length == tokens


def test_steps_equal_the_plain_form(network, plain):
    cache = network.new_cache()
    close(np.concatenate([feed(network, [token], cache)[0] for token in IDS[:40]]), plain[0][:40])


@pytest.mark.parametrize("cut", [1, 5, 32, 50, 99])
def test_prefill_in_two_halves_equals_the_whole(network, plain, cut):
    cache = network.new_cache()
    close(feed(network, IDS[:cut], cache)[0], plain[0][:cut])
    close(feed(network, IDS[cut:100], cache)[0], plain[0][cut:100])


@pytest.mark.parametrize("drafted", [2, 6, 20])
def test_verifying_a_draft_equals_stepping_through_it(network, plain, drafted):
    cache = network.new_cache()
    network.forward(network.embed(IDS[:60].tolist()), cache, None)
    close(feed(network, IDS[60 : 60 + drafted], cache)[0], plain[0][60 : 60 + drafted])


@pytest.mark.parametrize("forgotten", [1, 13, 40, 60])
def test_trimmed_cache_continues_as_if_never_fed(network, plain, forgotten):
    cache = network.new_cache()
    feed(network, [*IDS[: 60 - forgotten], *IDS[300 : 300 + forgotten]], cache)
    cache.trim(forgotten)
    assert cache.length == 60 - forgotten
    close(feed(network, IDS[60 - forgotten : 80], cache)[0], plain[0][60 - forgotten : 80])


def test_forks_never_see_what_others_add(network, plain):
    trunk = network.new_cache()
    feed(network, IDS[:50], trunk)
    branch, other = trunk.fork(), trunk.fork()
    feed(network, IDS[200:230], branch)
    got = feed(network, IDS[50:70], trunk)[0]
    other.trim(10)
    feed(network, IDS[200:205], other)
    close(got, plain[0][50:70])
    close(feed(network, IDS[70:75], trunk)[0], plain[0][70:75])
    branch.trim(30)
    close(feed(network, IDS[50:60], branch)[0], plain[0][50:60])


def test_fork_of_a_prompt_not_yet_computed_is_independent(network, plain):
    trunk = network.new_cache()
    network.forward(network.embed(IDS[:50].tolist()), trunk, None)
    branch = trunk.fork()
    first = network.forward(network.embed(IDS[50:60].tolist()), branch, "all").logits
    second = network.forward(network.embed(IDS[100:110].tolist()), trunk, "all").logits
    close(network.read(first)[0], plain[0][50:60])
    assert np.abs(network.read(second)[0] - plain[0][50:60]).max() > 0.1


def test_cache_grows_beyond_its_capacity(network):
    ample, tight = network.new_cache(capacity=400), network.new_cache()
    expected, got = feed(network, IDS, ample), feed(network, IDS[:250], tight)
    size = tight.num_bytes
    got = np.concatenate([got, *(feed(network, [token], tight) for token in IDS[250:262]), feed(network, IDS[262:], tight)], axis=1)
    close(got, expected)
    assert tight.num_bytes > size
    assert tight.num_bytes >= ample.num_bytes > 0


LENGTHS = (3, 40, 17, 41)


def batch(network: Network):
    """Rows of unequal length, fed; the ids of each row and the cache."""
    starts = np.cumsum((0, *LENGTHS))
    rows = [IDS[start : start + length].tolist() for start, length in zip(starts, LENGTHS)]
    cache = network.new_cache([max(LENGTHS) - length for length in LENGTHS])
    output = network.forward([network.embed(row) for row in rows], cache)
    return rows, cache, network.read(output.logits)


def test_padded_rows_equal_one_by_one(network):
    rows, cache, logits = batch(network)
    assert cache.padding == (38, 1, 24, 0)
    assert cache.length == 41
    for row, got in zip(rows, logits):
        close(got, feed(network, row, network.new_cache(), "last")[0])


@pytest.mark.parametrize("fed", [1, 2, 12])
def test_padded_rows_continue_as_one_by_one(network, fed):
    rows, cache, _ = batch(network)
    for turn in range(3):
        more = IDS[350 + turn : 350 + turn + 4 * fed].reshape(4, fed)
        rows = [row + new.tolist() for row, new in zip(rows, more)]
        embeddings = network.embed(more.reshape(-1).tolist()).reshape(4, fed, -1)
        logits = network.read(network.forward(embeddings, cache, "all").logits)
        for row, got in zip(rows, logits):
            close(got, feed(network, row, network.new_cache())[0][-fed:])


def test_rows_of_equal_length_equal_one_by_one(network):
    cache = network.new_cache((0, 0, 0))
    rows = IDS[:90].reshape(3, 30).tolist()
    feed_all = network.forward([network.embed(row) for row in rows], cache, None)
    assert feed_all.logits is None
    steps = network.embed([5, 6, 7]).reshape(3, 1, -1)
    logits = network.read(network.forward(steps, cache).logits)
    for row, token, got in zip(rows, (5, 6, 7), logits):
        close(got, feed(network, [*row, token], network.new_cache(), "last")[0])


def test_selected_rows_continue_alone(network):
    rows, cache, _ = batch(network)
    cache.select([2, 0, 2])
    assert cache.padding == (24, 38, 24)
    logits = network.read(network.forward(network.embed([1, 2, 3]).reshape(3, 1, -1), cache).logits)
    for row, token, got in zip((rows[2], rows[0], rows[2]), (1, 2, 3), logits):
        close(got, feed(network, [*row, token], network.new_cache(), "last")[0])
    cache.select([1])
    close(feed(network, [9], cache, "last")[0], feed(network, [*rows[0], 2, 9], network.new_cache(), "last")[0])


@pytest.mark.parametrize("shared", [2, 30, 39], ids=["shorter_than_the_padding", "longer", "almost_all"])
def test_rows_that_begin_alike_share_what_is_computed_once(network, shared):
    lengths = (3, 41, 17, 40)                           # behind the shared ones
    rows = [[*IDS[:shared], *IDS[100 + 50 * turn : 100 + 50 * turn + length]] for turn, length in enumerate(lengths)]
    padding = [max(lengths) - length for length in lengths]
    trunk = network.new_cache()
    network.forward(network.embed(IDS[:shared].tolist()), trunk, None)
    cache = trunk.spread(padding, 90)
    assert (cache.length, cache.padding) == (shared, tuple(padding))
    for _ in range(2):                                  # what one batch writes, the next one does not see
        rest = [[0] * max(0, shift - shared) + [int(token) for token in row[max(0, shared - shift) :]]
                for row, shift in zip(rows, padding)]
        logits = network.read(network.forward([network.embed(row) for row in rest], cache).logits)
        for row, got in zip(rows, logits):
            close(got, feed(network, row, network.new_cache(), "last")[0])
        steps = network.read(network.forward(network.embed([1, 2, 3, 4]).reshape(4, 1, -1), cache).logits)
        for row, token, got in zip(rows, (1, 2, 3, 4), steps):
            close(got, feed(network, [*row, token], network.new_cache(), "last")[0])
        cache = trunk.spread(padding)
    assert trunk.length == shared
    close(feed(network, IDS[200:205], trunk)[0], feed(network, [*IDS[:shared], *IDS[200:205]], network.new_cache())[0][shared:])


@pytest.mark.parametrize("lengths", [(3, 40, 17, 41), (20, 20), (9,)], ids=["unequal", "equal", "one"])
def test_rows_fed_one_by_one_go_on_side_by_side(network, lengths):
    rows = [IDS[100 + 50 * turn : 100 + 50 * turn + length].tolist() for turn, length in enumerate(lengths)]
    caches = [network.new_cache() for _ in rows]
    for row, cache in zip(rows, caches):
        feed(network, row, cache)
    caches[0].trim(2)                                   # what was forgotten is not taken along
    rows[0] = rows[0][:-2]
    joined = network.join(caches, 60)
    length = max(map(len, rows))
    assert (joined.length, joined.padding) == (length, tuple(length - len(row) for row in rows))
    for turn in range(3):
        steps = network.embed(IDS[turn : turn + len(rows)].tolist()).reshape(len(rows), 1, -1)
        logits = network.read(network.forward(steps, joined).logits)
        rows = [[*row, int(token)] for row, token in zip(rows, IDS[turn:])]
        for row, got in zip(rows, logits):
            close(got, feed(network, row, network.new_cache(), "last")[0])
    for row, cache in zip(rows, caches):                # the sources are as they were
        assert cache.length == len(row) - 3
        close(feed(network, row[-3:], cache, "last")[0], feed(network, row, network.new_cache(), "last")[0])


def test_rows_that_are_joined_stand_one_behind_another(network):
    parts = [network.embed([5, 6]), network.embed([7])]
    np.testing.assert_array_equal(network.read(network.concatenate(parts)), network.read(network.embed([5, 6, 7])))


def test_logits_come_where_they_are_asked_for(network, plain):
    embeddings = network.embed(IDS[:50].tolist())
    at = {place: network.read(network.forward(embeddings, network.new_cache(), place).logits) for place in ("last", "all", (0, 7, -2))}
    assert at["last"].shape == (1, 1088)
    close(at["last"][0], plain[0][49])
    close(at["all"][0], plain[0][:50])
    close(at[0, 7, -2][0], plain[0][[0, 7, 48]])
    assert network.forward(embeddings, network.new_cache(), None) == (None, None)


def test_captured_queries_give_the_plain_attention(network, plain):
    heads = ((2, 3), (0, 1), (2, 0))
    cache = network.new_cache()
    feed(network, IDS[:30], cache)
    output = network.forward(network.embed(IDS[30:70].tolist()), cache, "last", Capture(heads, (0, 11, -1)))
    queries = network.read(output.queries)[0]                                       # (heads, positions, head_dim)
    assert queries.shape == (3, 3, 32)
    for query, (layer, head) in zip(queries, heads):
        keys = network.read(cache.keys(layer, head, 0, 70))[0]                      # (length, head_dim)
        for position, scores in zip((30, 41, 69), query @ keys.T / np.sqrt(32)):
            weights = np.exp(scores[: position + 1] - scores.max())
            np.testing.assert_allclose(weights / weights.sum(), plain[1][layer, head, position, : position + 1], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("positions", "expected"), [("all", 12), ("last", 1), ((3, -1), 2)])
def test_captured_queries_of_padded_rows_equal_one_by_one(network, positions, expected):
    heads = ((1, 2), (2, 2))
    rows, cache, _ = batch(network)
    more = network.embed(IDS[300:348].tolist()).reshape(4, 12, -1)
    queries = network.read(network.forward(more, cache, None, Capture(heads, positions)).queries)
    assert queries.shape == (4, 2, expected, 32)
    for index, row in enumerate(rows):
        alone = network.new_cache()
        feed(network, row, alone)
        output = network.forward(more[index], alone, None, Capture(heads, positions))
        np.testing.assert_allclose(queries[index], network.read(output.queries)[0], rtol=0, atol=SUMS)


def test_greedy_gives_ids_and_natural_log_probabilities(network, plain):
    logits = network.forward(network.embed(IDS[:20].tolist()), network.new_cache(), "all").logits
    ids, log_probabilities = (network.read(array) for array in network.greedy(logits))
    assert ids.dtype == np.int32
    assert log_probabilities.dtype == np.float32
    np.testing.assert_array_equal(ids[0], plain[0][:20].argmax(-1))
    wide = plain[0][:20].astype(np.float64)
    np.testing.assert_allclose(log_probabilities[0], wide.max(-1) - np.log(np.exp(wide).sum(-1)), rtol=0, atol=SUMS)


def test_audio_takes_the_place_of_its_tokens(network):
    audio = network.embed([5, 6, 7])
    rows = network.read(network.embed([1, 2, 2, 2, 3], audio, 1))
    np.testing.assert_array_equal(rows, network.read(network.embed([1, 5, 6, 7, 3])))


def test_started_work_and_released_memory_change_nothing(network, plain):
    logits = network.forward(network.embed(IDS[:20].tolist()), network.new_cache()).logits
    network.start(logits)
    network.release()
    close(network.read(logits)[0], plain[0][19])


def test_ids_may_come_as_a_list_or_from_numpy(network):
    ids = IDS[:6].reshape(2, 3)
    rows = network.read(network.embed(ids))
    assert rows.shape == (2, 3, 64)
    np.testing.assert_array_equal(rows.reshape(6, 64), network.read(network.embed(IDS[:6].tolist())))
    network.start(ids)
    np.testing.assert_array_equal(network.read(ids), ids)


def test_network_says_what_it_is(network, engine):
    assert (network.engine, network.dtype, network.weights) == (engine.replace("numpy", "cpu"), "float32", "float32")
    assert network.device
    assert network.num_bytes > 1_000_000


# Sizes of the tiny checkpoint (tests/checkpoints.py): hidden 64, 4 heads over 2 of 32 numbers, feed-forward 128.
LAYER = {"norms": 64 + 64 + 32 + 32, "products": 128 * 64 + 64 * 64 + 64 * 64 + 64 * 128 + 3 * 128 * 64}
LAYERS_AND_NORM = 3 * sum(LAYER.values()) + 64


def test_a_step_reads_layers_norms_and_a_tied_table(network):
    assert network.step_bytes == 4 * (LAYERS_AND_NORM + 1088 * 64)


def test_a_step_reads_a_head_of_its_own_but_not_the_table_beside_it(networks):
    aligner = networks("committed", "aligner")
    assert aligner.step_bytes == 4 * (LAYERS_AND_NORM + 600 * 64)
    assert aligner.num_bytes > aligner.step_bytes + 4 * 1088 * 64
