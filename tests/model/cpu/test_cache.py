"""What the CPU engine's cache does with memory; what it holds is tested over every engine."""

import numpy as np

IDS = np.random.default_rng(7).integers(0, 900, 40).tolist()


def feed(network, ids, cache):
    return network.forward(network.embed(ids), cache, None)


def test_forks_share_memory_until_one_writes(network):
    trunk = network.new_cache()
    feed(network, IDS, trunk)
    branch = trunk.fork()
    assert np.shares_memory(branch._held.keys[0], trunk._held.keys[0])
    feed(network, [1], branch)
    assert not np.shares_memory(branch._held.keys[0], trunk._held.keys[0])


def test_steps_write_in_place(network):
    cache = network.new_cache()
    feed(network, IDS, cache)
    before = cache._held.keys[0]
    feed(network, [1], cache)
    assert cache._held.keys[0] is before


def test_keys_handed_out_outlive_what_is_written_later(network):
    cache = network.new_cache()
    feed(network, IDS, cache)
    keys = cache.keys(1, 2, 0, 40)
    before = keys.copy()
    cache.trim(10)
    feed(network, IDS[:10], cache)
    np.testing.assert_array_equal(keys, before)


def test_a_prompt_in_pieces_equals_the_whole(network, monkeypatch):
    from ossicle.model.cpu import network as module

    def run() -> list[np.ndarray]:
        capture = module.Capture(((0, 1), (2, 3)), (3, 20, -1))
        last, chosen = (network.forward(network.embed(IDS), network.new_cache(), at, capture) for at in ("last", (5, 30)))
        return [last.logits, last.queries, chosen.logits, chosen.queries]

    whole = run()
    monkeypatch.setattr(module, "PIECE", 16)
    for got, expected in zip(run(), whole):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)
