"""When to stop choosing tokens: the end token, the budget, a loop.

Works on ids alone; what they mean is somebody else's business. A stop is never silent: every `Writer` says why it ended.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ossicle.results import StoppedBy

MAX_PATTERN_TOKENS = 64             # a looping sentence is shorter than this
MIN_COPIES = 8                      # nobody is cut for saying something seven times
MIN_LOOP_TOKENS = 40                # "no no no no no no no no" stays
LOOP_TOKENS_PER_SECOND = 4.0        # repeated tokens for each second of sound: a chorus sung for 30 s has about 60 in all


@dataclass(frozen=True)
class StopRule:
    """What ends one sequence."""

    eos_ids: Collection[int]
    max_tokens: int                 # end token included
    audio_seconds: float = 0.0      # of the sound behind it: repetition is judged by how much could have been said
    loop_guard: bool = True         # stop at a loop; otherwise a loop is only named when the budget ends it


class Writer:
    """Takes the ids of one sequence as they are chosen and knows when it has ended."""

    def __init__(self, rule: StopRule) -> None:
        self.ids: list[int] = []                # the end token left out
        self.logprobs: list[float] = []
        self.stopped_by: StoppedBy | None = None
        self._rule = rule
        self._is_looping = False
        self._loop = LoopDetector(max(MIN_LOOP_TOKENS, round(rule.audio_seconds * LOOP_TOKENS_PER_SECOND)))

    @property
    def is_open(self) -> bool:
        return self.stopped_by is None

    @property
    def readable_ids(self) -> list[int]:
        """The ids worth reading: of a loop that ended the sequence, what came before it and one copy."""
        if self.stopped_by != "loop":
            return self.ids
        return self.ids[: len(self.ids) - self._loop.num_repeated + self._loop.pattern_length]

    def write(self, token_id: int, logprob: float) -> None:
        """Take the next id; closes the sequence when a rule says so."""
        if token_id in self._rule.eos_ids:
            self.stopped_by = "eos"
            return
        self.ids.append(token_id)
        self.logprobs.append(logprob)
        self._is_looping = self._loop.sees(token_id)
        if self._is_looping and (self._rule.loop_guard or len(self.ids) >= self._rule.max_tokens):
            self.stopped_by = "loop"
        elif len(self.ids) >= self._rule.max_tokens:
            self.stopped_by = "budget"

    @property
    def num_repeated(self) -> int:
        """How many of the ids are the loop that they end in; 0 where they end in none."""
        return self._loop.num_repeated if self._is_looping else 0

    def cancel(self) -> None:
        """Close the sequence from outside, keeping what was written."""
        if self.is_open:
            self.stopped_by = "cancelled"


def count_before_loop(ids: Sequence[int], audio_seconds: float) -> int:
    """How many of the ids come before the loop that they end in; all of them where they end in none."""
    writer = Writer(StopRule((), len(ids) + 1, audio_seconds, loop_guard=False))
    for token_id in ids:
        writer.write(token_id, 0.0)
    return len(ids) - writer.num_repeated


class LoopDetector:
    """Sees when the newest ids are one pattern over and over, beyond what people say.

    For every pattern length p it counts how many of the newest ids equal the one p places before: a run of m such ids
    is m / p + 1 copies. Counting, lyrics and prayers repeat too, but not `min_tokens` of the same few words.
    """

    def __init__(self, min_tokens: int = MIN_LOOP_TOKENS) -> None:
        self.pattern_length = 0             # of the loop seen last, the shortest that explains it
        self.num_repeated = 0               # tokens in all its copies
        self._min_tokens = min_tokens
        self._lengths = np.arange(1, MAX_PATTERN_TOKENS + 1)
        self._recent = np.full(MAX_PATTERN_TOKENS, -1, np.int64)     # newest first
        self._runs = np.zeros(MAX_PATTERN_TOKENS, np.int64)

    def expected(self, min_copies: int, min_tokens: int) -> tuple[int, int] | None:
        """The id that would go on with what has come `min_copies` times, the shortest such pattern, and how often it has come."""
        copies = self._runs // self._lengths + 1
        patterns = np.flatnonzero((copies >= min_copies) & (self._runs + self._lengths >= min_tokens))
        return (int(self._recent[patterns[0]]), int(copies[patterns[0]])) if len(patterns) else None

    def sees(self, token_id: int) -> bool:
        """Take one id; True while the newest ids are a loop."""
        self._runs = np.where(self._recent == token_id, self._runs + 1, 0)
        self._recent = np.concatenate(([token_id], self._recent[:-1]))
        repeated = self._runs + self._lengths
        loops = np.flatnonzero((repeated >= MIN_COPIES * self._lengths) & (repeated >= self._min_tokens))
        if not len(loops):
            return False
        self.pattern_length, self.num_repeated = int(self._lengths[loops[0]]), int(repeated[loops[0]])
        return True
