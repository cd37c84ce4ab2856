"""Logits to a drawn token: the way of choosing when a temperature is asked for.

Reads the logits into NumPy, so that one seed gives the same tokens on every engine as far as their logits agree.
"""

from collections.abc import Callable

import numpy as np

from ossicle.errors import OptionError
from ossicle.model.network import Array, Network


def sampler(network: Network, temperature: float, seed: int) -> Callable[[Array], tuple[np.ndarray, np.ndarray]]:
    """A `choose` for `decode_rows`: draws from softmax(logits / temperature).

    The log-probabilities it gives are the model's own, at temperature 1.
    """
    if temperature <= 0:
        raise OptionError(f"temperature must be above 0 to sample, got {temperature:g}; 0 means greedy decoding")
    random = np.random.default_rng(seed)

    def choose(logits: Array) -> tuple[np.ndarray, np.ndarray]:
        scores = network.read(logits).astype(np.float64)                # (batch, vocab)
        noise = random.gumbel(size=scores.shape)                        # argmax of logits + Gumbel noise is a fair draw
        ids = np.argmax(scores / temperature + noise, axis=-1)
        top = scores.max(axis=-1, keepdims=True)
        normaliser = top[:, 0] + np.log(np.exp(scores - top).sum(axis=-1))
        logprobs = np.take_along_axis(scores, ids[:, None], axis=-1)[:, 0] - normaliser
        return ids.astype(np.int32), logprobs.astype(np.float32)

    return choose
