"""Logits to a choice among a few fixed phrases: how likely each is, and a reply that is held to begin with one of them.

Knows nothing of what they say. All begin with the same ids (`start`); where they part, a softmax over the ids that lead on to
a phrase says which is meant. A phrase that parts from others later on is looked for down the tree, one pass for each fork.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from ossicle.decode.batched import Choose
from ossicle.model.network import Array, KVCache, Network

Begin = Literal["free", "held", "seen"]     # leave the reply alone; hold it to a phrase; leave it, and tell how likely each phrase was
Pick = Callable[[int, np.ndarray], int]     # which sequence, natural log-probabilities of the phrases -> the phrase it begins with


@dataclass(frozen=True)
class Phrases:
    """What a reply may begin with: two or more, none of them the beginning of another."""

    ids: tuple[tuple[int, ...], ...]

    @cached_property
    def start(self) -> tuple[int, ...]:
        """What all begin with."""
        first, last = min(self.ids), max(self.ids)
        same = next((place for place, (one, other) in enumerate(zip(first, last)) if one != other), len(first))
        return first[:same]


def score_phrases(network: Network, logits: Array, cache: KVCache, phrases: Phrases) -> np.ndarray:
    """Natural log-probabilities (batch, phrases), which add up to 1 for each row.

    logits   (batch, vocab) after `phrases.start`, which `cache` ends with; the cache is left as it was
    """
    members = list(range(len(phrases.ids)))
    found = np.zeros((len(network.read(logits)), len(members)), np.float32)
    _score(network, logits, cache, phrases.ids, members, len(phrases.start), found)
    return found


def begin_with(
    network: Network, cache: KVCache, phrases: Phrases, begins: Sequence[Begin], pick: Pick, choose: Choose | None = None
) -> Choose:
    """A `choose` for `decode_rows` that sees to how each reply begins.

    begins   for each sequence
    pick     is called once for each sequence that is held, and for each that is seen and wrote `phrases.start` by itself;
             what it answers counts for the former
    choose   how all other ids are chosen
    The log-probabilities it gives are the model's own, also of an id that it was held to.
    """
    return _Beginning(network, cache, phrases, begins, pick, choose or (lambda logits, rows: network.greedy(logits)))


class _Beginning:
    def __init__(self, network: Network, cache: KVCache, phrases: Phrases, begins: Sequence[Begin], pick: Pick, choose: Choose):
        self._network, self._cache, self._phrases, self._pick, self._choose = network, cache, phrases, pick, choose
        self._begins = list(begins)
        self._forced = {index: phrases.start for index, begin in enumerate(begins) if begin == "held"}    # sequence: its first ids
        self._chosen: list[tuple[Array, list[int]]] = []        # ids and their sequences, as long as they are the start
        self._steps = 0

    def __call__(self, logits: Array, rows: Sequence[int]) -> tuple[Array, Array]:
        step, self._steps = self._steps, self._steps + 1
        if step == len(self._phrases.start):
            self._look(logits, rows)
        found = self._choose(logits, rows)
        forced = {row: self._forced[index][step] for row, index in enumerate(rows) if step < len(self._forced.get(index, ()))}
        if forced:
            found = _hold(self._network, logits, found, forced)
        if step < len(self._phrases.start):
            self._chosen.append((found[0], list(rows)))
        return found

    def _look(self, logits: Array, rows: Sequence[int]) -> None:
        """The place where phrases part: score them for each sequence that has come here by way of their start."""
        wrote: dict[int, list[int]] = {index: [] for index in rows}
        for ids, indices in self._chosen:
            for index, token_id in zip(indices, self._network.read(ids).tolist(), strict=True):
                wrote.setdefault(index, []).append(token_id)
        here = [row for row, index in enumerate(rows) if self._begins[index] != "free" and wrote[index] == list(self._phrases.start)]
        self._chosen.clear()
        if not here:
            return
        scores = score_phrases(self._network, logits, self._cache, self._phrases)
        for row in here:
            picked = self._pick(rows[row], scores[row])
            if self._begins[rows[row]] == "held":
                self._forced[rows[row]] = self._phrases.ids[picked]


def _score(network: Network, logits: Array, cache: KVCache, ids: Sequence[Sequence[int]], members: list[int], depth: int,
           found: np.ndarray) -> None:
    """Add to `found` what the phrases in `members`, which share their first `depth` ids, have to part by from there on."""
    branches: dict[int, list[int]] = {}
    for member in members:
        branches.setdefault(ids[member][depth], []).append(member)
    tokens = list(branches)
    chances = _log_softmax(network.read(logits)[:, tokens])                    # (batch, branches)
    for token, chance in zip(tokens, chances.T):
        inside = branches[token]
        found[:, inside] += chance[:, None]
        if len(inside) > 1:
            shared = len(Phrases(tuple(tuple(ids[member]) for member in inside)).start)
            fed = np.tile(np.array(ids[inside[0]][depth:shared], np.int32), (len(found), 1))       # (batch, tokens)
            _score(network, network.forward(network.embed(fed), cache).logits, cache, ids, inside, shared, found)
            cache.trim(shared - depth)


def _hold(network: Network, logits: Array, found: tuple[Array, Array], forced: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Ids and log-probabilities (batch,) with those of some rows replaced."""
    ids, logprobs = (np.array(network.read(array)) for array in found)
    scores = network.read(logits)                                              # (batch, vocab)
    for row, token_id in forced.items():
        ids[row], logprobs[row] = token_id, _log_softmax(scores[row : row + 1])[0, token_id]
    return ids, logprobs


def _log_softmax(scores: np.ndarray) -> np.ndarray:
    wide = scores.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    return (wide - np.log(np.exp(wide).sum(axis=-1, keepdims=True))).astype(np.float32)
