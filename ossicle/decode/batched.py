"""Embeddings to token ids, many sequences side by side: each row stops on its own.

Rows share every pass over the weights, which is what a step costs. A finished row rides along until half of the rows
are finished; then the cache is gathered to those still open.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ossicle.decode.stopping import Writer
from ossicle.model.network import Array, KVCache, Network

# logits (batch, vocab), and which sequence each row is of, to ids and log-probabilities (batch,)
Choose = Callable[[Array, Sequence[int]], tuple[Array, Array]]


def decode_rows(
    network: Network,
    embeddings: Sequence[Array],
    cache: KVCache,
    writers: Sequence[Writer],
    choose: Choose | None = None,
) -> Iterator[int]:
    """Write token after token into each row's writer until all are closed; yields the number of open rows per step.

    embeddings   one (tokens, hidden) per row; `cache` was made with the padding that makes them end together
    choose       how a token is picked; None is the most likely one
    Closing the generator stops the work; writers keep what they have.
    """
    choose = choose or (lambda logits, rows: network.greedy(logits))
    held = list(range(len(writers)))                        # which writer each row of the cache belongs to
    ids, logprobs = choose(network.forward(list(embeddings), cache).logits, held)
    network.start(ids, logprobs)
    while True:
        next_ids, next_logprobs = choose(network.forward(network.embed(ids[:, None]), cache).logits, held)
        network.start(next_ids, next_logprobs)              # one step in flight while the one before is read
        _write(writers, held, network.read(ids), network.read(logprobs))
        open_rows = [row for row, index in enumerate(held) if writers[index].is_open]
        yield len(open_rows)
        if not open_rows:
            return
        ids, logprobs = next_ids, next_logprobs
        if 2 * len(open_rows) <= len(held):
            held = [held[row] for row in open_rows]
            cache.select(open_rows)
            ids, logprobs = network.read(ids)[open_rows], network.read(logprobs)[open_rows]


def padding_of(lengths: Sequence[int]) -> list[int]:
    """How many empty positions stand before each row so that all rows end together."""
    return [max(lengths) - length for length in lengths]


def _write(writers: Sequence[Writer], held: Sequence[int], ids: np.ndarray, logprobs: np.ndarray) -> None:
    for index, token_id, logprob in zip(held, ids.tolist(), logprobs.tolist(), strict=True):
        if writers[index].is_open:
            writers[index].write(token_id, logprob)
