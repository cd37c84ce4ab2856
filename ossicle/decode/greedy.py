"""Embeddings to token ids, one sequence: always the most likely token, with the next step in flight.

The plain form: `batched.py` must give the same ids row by row, and a test says so. The cache belongs to the caller.
"""

from collections.abc import Iterator

from ossicle.decode.stopping import Writer
from ossicle.model.network import Array, KVCache, Network


def greedy(network: Network, embeddings: Array, cache: KVCache, writer: Writer) -> Iterator[int]:
    """Write token after token into `writer` until it closes; yields each id, the end token included.

    embeddings   (tokens, hidden) of the prompt, behind whatever `cache` holds already
    Closing the generator stops the work. The cache may end one position past the last id written.
    """
    ids, logprobs = network.greedy(network.forward(embeddings, cache).logits)
    network.start(ids, logprobs)
    while True:
        step = network.forward(network.embed(ids[:, None]), cache)      # built while the ids before it are computed
        next_ids, next_logprobs = network.greedy(step.logits)
        network.start(next_ids, next_logprobs)
        token_id = int(network.read(ids)[0])
        writer.write(token_id, float(network.read(logprobs)[0]))
        yield token_id
        if not writer.is_open:
            return
        ids, logprobs = next_ids, next_logprobs
