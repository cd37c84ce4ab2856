"""When a word is committed, never to be taken back: hypotheses in, how many of their words stay for good out.

Each utterance has a policy of its own, which may remember what it saw. The session sees to what holds for all of them: what is
committed ends where a word does and between two tokens, and the last word of a hypothesis waits, unless the utterance is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ossicle.stream.hypothesis import LiveWord
from ossicle.stream_options import PolicyOptions


@dataclass(frozen=True)
class Look:
    """One hearing of an utterance, as a policy sees it."""

    words: Sequence[LiveWord]        # not committed yet
    end: float                       # of the sound that was heard, on the audio clock
    num_steps: int                   # hearings of this utterance before this one


class Policy(Protocol):
    """Says how many of the words that are not committed yet stay for good."""

    def commit(self, look: Look) -> int:
        """From 0 to all of `look.words`, counted from the first. Called once for each hearing, in order; not for the last one."""
        ...


def policy_of(options: PolicyOptions, has_times: bool) -> Policy:
    """A fresh policy for one utterance.

    has_times   whether words come with measured times; a policy that needs them falls back on agreement without
    """
    return Nothing() if options.name == "none" else Agreement(options.agreements, options.hold_words)


class Nothing:
    """All text waits for the end of the utterance: the official behaviour."""

    def commit(self, look: Look) -> int:
        return 0


class Agreement:
    """A word stays when so many hypotheses in a row begin with it: LocalAgreement, Macháček et al. 2023."""

    def __init__(self, agreements: int, hold_words: int = 0) -> None:
        self._agreements, self._hold_words = agreements, hold_words
        self._seen: list[list[str]] = []                # the words of the last hypotheses, behind what was committed

    def commit(self, look: Look) -> int:
        words = [word.text for word in look.words]
        self._seen = [*self._seen, words][-self._agreements :]
        if len(self._seen) < self._agreements:
            return 0
        same = next((place for place, at in enumerate(zip(*self._seen)) if len(set(at)) > 1), min(map(len, self._seen)))
        count = max(0, min(same, len(words) - self._hold_words))
        self._seen = [seen[count:] for seen in self._seen]
        return count
