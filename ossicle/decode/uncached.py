"""One prompt to token ids without keeping anything between two tokens: all of it is read again for each of them.

The slow form of `greedy`: the same ids, for those who want to see what a cache changes. Nothing else uses it.
"""

from collections.abc import Iterator, Sequence

from ossicle.decode.stopping import Writer
from ossicle.model.network import Array, Network


def greedy_uncached(network: Network, prompt_ids: Sequence[int], audio: Array, audio_start: int, writer: Writer) -> Iterator[int]:
    """Write token after token into `writer` until it closes; yields each id, the end token included.

    prompt_ids, audio, audio_start   as for `Network.embed`
    """
    written: list[int] = []
    while writer.is_open:
        embeddings = network.embed([*prompt_ids, *written], audio, audio_start)
        ids, logprobs = network.greedy(network.forward(embeddings, network.new_cache((0,), len(embeddings))).logits)
        written.append(int(network.read(ids)[0]))
        writer.write(written[-1], float(network.read(logprobs)[0]))
        yield written[-1]
