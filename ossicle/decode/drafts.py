"""A guess of what comes next, checked in one pass: the ids that greedy decoding would choose, for the price of a prompt.

The network reads the whole guess at once and says at each place what it would have written there. As far as that is the guess,
it is accepted; there the network's own choice takes over. So the ids are those of greedy decoding, whatever was guessed.
Source: Stern et al. 2018, "Blockwise Parallel Decoding"; the guess here is what was written a moment ago.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ossicle.decode.batched import Choose
from ossicle.decode.stopping import Writer
from ossicle.model.network import Array, Capture, KVCache, Network

OnQueries = Callable[[Array, Sequence[int]], None]          # (batch, heads, 1, head_dim), and which sequence each row is of


def verify(
    network: Network, logits: Array, cache: KVCache, draft: Sequence[int], writer: Writer, choose_first: Choose | None = None
) -> int:
    """Write what the network chooses, as far as that is the draft, and the first id behind it; gives how many were accepted.

    logits        (1, len(draft) + 1, vocab): at the position before the draft, and at each of its ids, which `cache` ends with
    choose_first  how the first id is picked; None is the most likely one

    The cache is trimmed to what was accepted. Where the writer is still open, its last id is not fed yet: `go_on` feeds it. It may
    close in the midst of the draft, or with the id behind it: its rules are those of greedy decoding.
    """
    found_ids, found_logprobs = network.greedy(logits)
    ids, logprobs = (np.array(network.read(array)[0]) for array in (found_ids, found_logprobs))     # (draft + 1,)
    if choose_first is not None:
        first = choose_first(logits[:, 0], [0])
        ids[0], logprobs[0] = network.read(first[0])[0], network.read(first[1])[0]
    accepted = 0
    while writer.is_open:
        is_drafted = accepted < len(draft) and ids[accepted] == draft[accepted]
        writer.write(int(ids[accepted]), float(logprobs[accepted]))
        if not is_drafted:
            break
        accepted += 1
    cache.trim(len(draft) - accepted)
    return accepted


def go_on(
    network: Network, cache: KVCache, writers: Sequence[Writer], capture: Capture | None = None, on_queries: OnQueries | None = None
) -> Iterator[int]:
    """Feed the last id of each open writer, write the most likely next one, and so on; yields the number of open rows per step.

    cache     one row for each writer, behind which its last id is to be fed
    capture   queries to keep at each step, "last" of its positions; `on_queries` is told of them
    No step is in flight while the one before is read: live text has few new ids, and one step too many at its end costs more.
    """
    held = list(range(len(writers)))
    while any(writers[index].is_open for index in held):
        last = np.array([[writers[index].ids[-1]] for index in held], np.int32)
        output = network.forward(network.embed(last), cache, "last", capture)
        ids, logprobs = (network.read(array).tolist() for array in network.greedy(output.logits))
        if capture is not None and on_queries is not None:
            on_queries(output.queries, held)
        for index, token_id, logprob in zip(held, ids, logprobs, strict=True):
            if writers[index].is_open:
                writers[index].write(token_id, logprob)
        open_rows = [row for row, index in enumerate(held) if writers[index].is_open]
        yield len(open_rows)
        if open_rows and 2 * len(open_rows) <= len(held):   # as in decode_rows: gathering copies all that is held
            held = [held[row] for row in open_rows]
            cache.select(open_rows)
