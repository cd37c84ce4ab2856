"""The system turn of a prompt, computed once: prompts of a batch to a cache that holds what they begin with, and the rest to feed.

All chunks and recordings with one context begin with the same positions. Their keys and values are kept for the last few
contexts; one such cache takes the memory of one row of a batch.
"""

from collections import OrderedDict
from collections.abc import Sequence

from ossicle.decode.batched import padding_of
from ossicle.model.network import Array, KVCache, Network
from ossicle.text.prompt import Prompt

# A shorter one saves less over several batches than the pass of its own costs the first (docs/log.md, "The system turn").
MIN_POSITIONS = 32
MAX_HELD = 4                        # contexts; a program that uses more by turns computes them anew, as it would without this


class SystemTurns:
    """Caches of the last few system turns. Only the thread that owns the network touches them."""

    def __init__(self, min_positions: int = MIN_POSITIONS) -> None:
        self.num_computed = 0           # how often one was not there yet
        self._min_positions = min_positions
        self._held: OrderedDict[tuple[int, ...], KVCache] = OrderedDict()

    def begin(self, network: Network, prompts: Sequence[Prompt], audio: Sequence[Array], room: int) -> tuple[KVCache, list[Array]]:
        """A cache for these prompts, and the embeddings (tokens, hidden) of each that are still to be fed.

        audio   rows (audio_tokens, hidden) of each prompt's sound
        room    positions that the cache should have room for
        """
        padding = padding_of([len(prompt.ids) for prompt in prompts])
        turns = {tuple(prompt.ids[: prompt.audio_start]) for prompt in prompts}
        if len(turns) > 1 or len(min(turns)) < self._min_positions:
            cache = network.new_cache(padding, room)
            return cache, [network.embed(prompt.ids, rows, prompt.audio_start) for prompt, rows in zip(prompts, audio, strict=True)]
        held = self._of(network, turns.pop())
        rest = [_rest(network, prompt, rows, held.length - shift) for prompt, rows, shift in zip(prompts, audio, padding, strict=True)]
        return held.spread(padding, room), rest

    def own(self, network: Network, ids: Sequence[int], room: int) -> KVCache:
        """A cache of one row for the caller alone, which begins with the system turn `ids`.

        It is empty where the turn is too short to be kept: feed what it does not hold of the prompt.
        room    positions that the cache should have room for
        """
        if len(ids) < self._min_positions:
            return network.new_cache((0,), room)
        return self._of(network, tuple(ids)).spread((0,), room)

    def _of(self, network: Network, ids: tuple[int, ...]) -> KVCache:
        if ids not in self._held:
            cache = network.new_cache(capacity=len(ids))
            network.forward(network.embed(list(ids)), cache, None)
            self._held[ids] = cache
            self.num_computed += 1
            if len(self._held) > MAX_HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(ids)
        return self._held[ids]


def _rest(network: Network, prompt: Prompt, audio: Array, num_held: int) -> Array:
    """A prompt behind its first `num_held` positions. Below 0, as many empty positions stand before it: any id fills them."""
    ids = [prompt.ids[0]] * -num_held + prompt.ids if num_held < 0 else prompt.ids[num_held:]
    return network.embed(ids, audio, prompt.audio_start - num_held)
