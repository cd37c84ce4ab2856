"""The first id behind what is committed: it may not go on with the word before it. Logits in, ids out.

A published word is never taken back, and as little does it grow: `dis` stays a word of its own only if the next id does not
begin with a letter. Ids are looked at one by one, as they come up; no table of the vocabulary is made.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np

from ossicle.decode.batched import Choose
from ossicle.model.network import Array, Network
from ossicle.text.scripts import Kind, kind_of
from ossicle.text.tokenizer import Tokenizer

LOWEST, HIGHEST = b"\x80\x80\x80", b"\xbf\xbf\xbf"      # what may follow the first byte of a character


def guard(network: Network, tokenizer: Tokenizer, committed: Sequence[int], choose: Choose | None = None) -> Choose:
    """A `choose` for one sequence: the first id is the likeliest that lets the last committed word be; then as `choose` does.

    The log-probability it gives is the model's own.
    """
    choose = choose or (lambda logits, rows: network.greedy(logits))
    waiting = [True] if ends_in_a_word(committed, tokenizer) else []        # for the first id

    def pick(logits: Array, rows: Sequence[int]) -> tuple[Array, Array]:
        found = choose(logits, rows)
        if not waiting:
            return found
        waiting.pop()
        return found if not goes_on(int(network.read(found[0])[0]), tokenizer) else _other(network, logits, tokenizer)

    return pick


def ends_in_a_word(ids: Sequence[int], tokenizer: Tokenizer) -> bool:
    """Whether a letter or digit of a script with spaces stands last, perhaps with marks on it."""
    text = tokenizer.decode(ids[-8:])                       # no character has so many tokens
    base = next((char for char in reversed(text) if kind_of(char) is not Kind.EXTEND), "")
    return bool(base) and kind_of(base) is Kind.SPACED and base.isalnum()


def goes_on(token_id: int, tokenizer: Tokenizer) -> bool:
    """Whether an id begins with what joins a word of a script with spaces: a letter, digit or mark, or the middle of one."""
    spelt = tokenizer.token_bytes(token_id)
    if not spelt or token_id in tokenizer.special_ids:
        return False
    if 0x80 <= spelt[0] < 0xC0:
        return True                                         # the middle of a character
    length = 1 if spelt[0] < 0x80 else 2 if spelt[0] < 0xE0 else 3 if spelt[0] < 0xF0 else 4
    lowest, highest = (_first(spelt[:length] + rest[: length - len(spelt[:length])]) for rest in (LOWEST, HIGHEST))
    return _joins(lowest) and _joins(highest)               # of a character cut short, all it may become


def _first(spelt: bytes) -> str:
    return spelt.decode("utf-8", errors="replace")[:1]


def _joins(char: str) -> bool:
    return unicodedata.category(char)[0] == "M" or (char.isalnum() and kind_of(char) is Kind.SPACED)


def _other(network: Network, logits: Array, tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest id (1,) of logits (1, vocab) that does not go on with a word, and its log-probability (1,)."""
    scores = network.read(logits)[0].astype(np.float64)
    best = next((int(place) for place in np.argsort(-scores, kind="stable") if not goes_on(int(place), tokenizer)), int(scores.argmax()))
    top = scores.max()
    logprob = scores[best] - top - np.log(np.exp(scores - top).sum())
    return np.array([best], np.int32), np.array([logprob], np.float32)
