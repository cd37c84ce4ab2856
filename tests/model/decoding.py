"""Greedy decoding in its plainest form, over any network: what the tests compare faster ways with."""

from collections.abc import Sequence

import numpy as np

from ossicle.model.network import Array, Network


def prompt_embeddings(network: Network, ids: Sequence[int] | np.ndarray, audio: Array) -> Array:
    """Embeddings (tokens, hidden) of a prompt, audio in its place."""
    ids = [int(token) for token in ids]
    return network.embed(ids, audio, ids.index(network.config.audio_token_id))


def decode_greedily(network: Network, prompt: np.ndarray, audio: Array, num_tokens: int) -> tuple[list[int], np.ndarray]:
    """The ids of so many greedy steps, and the logits (steps, vocab) that gave them."""
    cache = network.new_cache()
    logits = network.forward(prompt_embeddings(network, prompt, audio), cache).logits
    ids, steps = [], []
    for _ in range(num_tokens):
        best, _ = network.greedy(logits)
        ids.append(int(network.read(best)[0]))
        steps.append(network.read(logits)[0])
        logits = network.forward(network.embed(best[:, None]), cache).logits
    return ids, np.stack(steps)
