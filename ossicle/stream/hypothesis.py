"""What the network makes of an utterance so far, as ids and as words: what passes between hearing and committing.

Times are seconds on the session's audio clock.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ossicle.results import StoppedBy, Timing
from ossicle.text.scripts import is_spoken
from ossicle.text.tokenizer import Tokenizer
from ossicle.text.words import decode_with_owners, split_words


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
    centres: tuple[float, ...] | None = None    # when each id was heard; None where that was not asked, or no head is known
    chances: Mapping[str, float] = field(default_factory=dict)      # of each language, likeliest first; empty where it was forced
    num_positions: int = 0                  # fed to the decoder for this hearing
    num_drafted: int = 0                    # ids that were offered as a draft


@dataclass(frozen=True, slots=True)
class LiveWord:
    """A word that is not committed yet."""

    text: str                               # with the space before it and the punctuation behind it
    num_ids: int | None                     # uncommitted ids up to and with its last one; None where that reaches into the next word
    confidence: float                       # geometric mean over the tokens that spell it, 0 to 1
    least: float                            # probability of the least likely of them
    start: float | None = None
    end: float | None = None
    timing: Timing | None = None


def live_words(hypothesis: Hypothesis, tokenizer: Tokenizer) -> list[LiveWord]:
    """The words behind the committed ids, untimed; joined they give the text of those ids."""
    ids = hypothesis.ids[hypothesis.num_committed :]
    logprobs = hypothesis.logprobs[hypothesis.num_committed :]
    text, owners = decode_with_owners(ids, tokenizer)
    words, start = [], 0
    for word in split_words(text):
        end = start + len(word)
        said = [place for place in range(start, end) if is_spoken(text[place])] or range(start, end)
        spelled = sorted({token for place in said for token in owners[place]})
        least = math.exp(min(0.0, *(logprobs[token] for token in spelled)))
        words.append(LiveWord(word, _num_ids(owners, end), _mean(logprobs, spelled), least))
        start = end
    return words


def _num_ids(owners: Sequence[Sequence[int]], end: int) -> int | None:
    """How many ids spell the characters before `end`, where none of them spells one behind it, too."""
    last = owners[end - 1][-1]
    return None if end < len(owners) and owners[end][0] <= last else last + 1


def _mean(logprobs: Sequence[float], places: Sequence[int]) -> float:
    return min(1.0, math.exp(sum(logprobs[place] for place in places) / len(places)))
