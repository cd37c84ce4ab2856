"""Logits to a drawn token: the way of choosing when a temperature is asked for.

Reads the logits into NumPy, so that one seed gives the same tokens on every engine as far as their logits agree. Every
sequence has a seed of its own, so that its tokens do not depend on its company in a batch.
"""

from collections.abc import Sequence

import numpy as np

from ossicle.decode.batched import Choose
from ossicle.errors import OptionError
from ossicle.model.network import Array, Network


def sampler(network: Network, temperature: float, seeds: Sequence[Sequence[int]]) -> Choose:
    """A `choose` for `decode_rows`: draws from softmax(logits / temperature).

    seeds   one per sequence, each a few whole numbers
    The log-probabilities it gives are the model's own, at temperature 1.
    """
    if temperature <= 0:
        raise OptionError(f"temperature must be above 0 to sample, got {temperature:g}; 0 means greedy decoding")
    randoms = [np.random.default_rng(list(seed)) for seed in seeds]

    def choose(logits: Array, rows: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        scores = network.read(logits).astype(np.float64)                # (batch, vocab)
        noise = np.stack([randoms[row].gumbel(size=scores.shape[-1]) for row in rows])
        ids = np.argmax(scores / temperature + noise, axis=-1)          # argmax with Gumbel noise is a fair draw
        top = scores.max(axis=-1, keepdims=True)
        normaliser = top[:, 0] + np.log(np.exp(scores - top).sum(axis=-1))
        logprobs = np.take_along_axis(scores, ids[:, None], axis=-1)[:, 0] - normaliser
        return ids.astype(np.int32), logprobs.astype(np.float32)

    return choose
