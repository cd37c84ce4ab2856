"""What the network makes of an utterance so far, as ids and as words: what passes between hearing and committing.

Times are seconds on the session's audio clock.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, chain

from ossicle.results import StoppedBy, Timing
from ossicle.text.scripts import is_spoken
from ossicle.text.tokenizer import Tokenizer
from ossicle.text.words import decode_with_owners, split_words

BROKEN = "\ufffd"                    # stands for a character of which not all bytes are there


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One hearing of a window."""

    ids: tuple[int, ...]                    # of the text, header and end token left out; those committed first
    logprobs: tuple[float, ...]             # natural logarithms, one for each id
    num_committed: int                      # of `ids`: forced, as they were published
    num_accepted: int                       # of those behind them: the last hypothesis, chosen again by the network
    language: str | None                    # the name that the reply began with, or that was forced; None: no speech
    stopped_by: StoppedBy
    start: float                            # of the sound that was heard
    end: float
    centres: tuple[float, ...] | None = None    # where attention heard each id; None where that was not asked, or no head is known
    chances: Mapping[str, float] = field(default_factory=dict)      # of each language, likeliest first; empty where it was forced
    num_positions: int = 0                  # fed to the decoder for this hearing
    num_drafted: int = 0                    # ids that were offered as a draft
    attended: tuple[float, ...] | None = None   # where attention was strongest for each id; unlike `centres`, it may go back


@dataclass(frozen=True, slots=True)
class LiveWord:
    """A word that is not committed yet."""

    text: str                               # with the space before it and the punctuation behind it
    num_ids: int | None                     # uncommitted ids up to and with its last one; None where that reaches into the next word
    confidence: float                       # geometric mean over the tokens that spell it, 0 to 1
    least: float                            # probability of the least likely of its tokens, punctuation included: it is committed, too
    centre: float | None = None             # where attention heard it, on the audio clock; may go back against the word before
    start: float | None = None
    end: float | None = None
    timing: Timing | None = None


@dataclass(frozen=True, slots=True)
class Spelled:
    """A word of a hypothesis and the ids that spell it."""

    text: str
    tokens: tuple[int, ...]                 # places among the ids: all that have a part in it, rising
    said: tuple[tuple[int, ...], ...]       # the same of each of its characters that is spoken


def live_words(hypothesis: Hypothesis, tokenizer: Tokenizer) -> list[LiveWord]:
    """The words behind the committed ids, untimed; joined they give the text of those ids."""
    logprobs, done = hypothesis.logprobs, hypothesis.num_committed
    heard_at = hypothesis.attended or hypothesis.centres
    spelled, words = spelled_words(hypothesis, tokenizer), []
    for word, following in zip(spelled, [*spelled[1:], None]):
        is_shared = following is not None and following.tokens[0] <= word.tokens[-1]
        num_ids = None if is_shared else word.tokens[-1] + 1 - done
        confidence = _mean(logprobs, sorted({*chain(*word.said)}) or word.tokens)
        least = math.exp(min(0.0, *(logprobs[token] for token in word.tokens)))
        words.append(LiveWord(word.text, num_ids, confidence, least, _centre(heard_at, word)))
    return words


def spelled_words(hypothesis: Hypothesis, tokenizer: Tokenizer) -> list[Spelled]:
    """The words behind the committed ids, with the places of their ids.

    Where words part is read off the whole text, as a quotation mark closes what stands before. What follows a committed word
    without a space all the same, as the model changed its mind, is a word of its own; bare punctuation goes to the word behind it.
    """
    text, owners = decode_with_owners(hypothesis.ids, tokenizer)
    start = next((place for place, tokens in enumerate(owners) if tokens[-1] >= hypothesis.num_committed), len(text))
    words: list[Spelled] = []
    for end in accumulate(map(len, split_words(text))):
        said = [place for place in range(start, end) if is_spoken(text[place])]
        if end <= start or (not said and not words and end < len(text)):
            continue
        tokens = sorted({token for place in range(start, end) for token in owners[place]})
        words.append(Spelled(text[start:end], tuple(tokens), tuple(tuple(owners[place]) for place in said)))
        start = end
    return words


def whole_characters(words: Sequence[LiveWord]) -> list[LiveWord]:
    """The words without what is left of broken characters: for showing, and for the end of an utterance, when no more bytes come."""
    kept = [replace(word, text=word.text.replace(BROKEN, "")) if BROKEN in word.text else word for word in words]
    return [word for word in kept if word.text]


def _centre(heard_at: Sequence[float] | None, word: Spelled) -> float | None:
    if heard_at is None or not word.said:
        return None
    return sum(heard_at[tokens[-1]] for tokens in word.said) / len(word.said)


def _mean(logprobs: Sequence[float], places: Sequence[int]) -> float:
    return min(1.0, math.exp(sum(logprobs[place] for place in places) / len(places)))
