"""When a word is committed, never to be taken back: hypotheses in, how many of their words stay for good out.

A rule looks at what was heard and says how many words it would let go; `_Utterance` holds for all rules that whole words only
are committed, no broken character, never the last word, and remembers what rules compare. Knows nothing of networks or ids.
docs/live-policies.md says when to choose which.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from typing import Protocol, TypeVar

from ossicle.results import Timing
from ossicle.stream.hypothesis import BROKEN, LiveWord
from ossicle.stream_options import PolicyOptions
from ossicle.text.scripts import is_spoken

T = TypeVar("T")

MEASURED: tuple[Timing, ...] = ("aligned", "attention")     # times that a border can be held to; the others are laid where there is room
FALLBACK_AGREEMENTS = 2              # hypotheses in a row, where a word has no measured time


@dataclass(frozen=True)
class Look:
    """One hearing of an utterance, as a policy sees it."""

    words: Sequence[LiveWord]        # not committed yet
    end: float                       # of the sound that was heard, on the audio clock
    num_steps: int                   # hearings of this utterance before this one


@dataclass(frozen=True)
class Seen:
    """What a rule knows besides the look before it. Words committed since are gone from the looks, so places compare."""

    looks: Sequence[Look] = ()       # earlier ones, the latest last
    last: LiveWord | None = None     # the last word that was committed, as it was then


class Policy(Protocol):
    """Says how many of the words that are not committed yet stay for good."""

    def commit(self, look: Look) -> int:
        """From 0 to all of `look.words`, counted from the first. Called once for each hearing, in order; not for the last one.

        Whoever asks commits exactly so many: the policy remembers what it said.
        """
        ...


Rule = Callable[[Look, Seen], int]   # how many words may go, as far as the rule is concerned


def policy_of(options: PolicyOptions, has_times: bool) -> Policy:
    """A fresh policy for one utterance.

    has_times   whether words come with measured times; a policy that needs them falls back on agreement without
    """
    rules: dict[str, Rule] = {
        "none": _nothing,
        "prefix": partial(_prefix, hold_tokens=options.hold_tokens, cold_steps=options.cold_steps),
        "agreement": partial(_agreement, agreements=options.agreements, hold_words=options.hold_words),
        "alignatt": partial(_alignatt, border_seconds=options.border_seconds, rewind_seconds=options.rewind_seconds),
        "aligner": partial(_aligner, gate_seconds=options.gate_seconds),
        "auto": partial(_agree_or_aligned, border_seconds=options.border_seconds, sure=options.sure),
    }
    needs_times = options.name in ("alignatt", "aligner", "auto")
    rule = partial(_agreement, agreements=FALLBACK_AGREEMENTS) if needs_times and not has_times else rules[options.name]
    return _Utterance(rule, max(options.agreements, FALLBACK_AGREEMENTS) - 1)


class _Utterance:
    """A rule over one utterance, with what holds for all rules."""

    def __init__(self, rule: Rule, num_looks: int) -> None:
        """num_looks   earlier ones that the rule may compare with"""
        self._rule, self._num_looks = rule, num_looks
        self._seen = Seen()

    def commit(self, look: Look) -> int:
        count = _whole(look.words, self._rule(look, self._seen))
        earlier = [*self._seen.looks, look][-self._num_looks :]
        self._seen = Seen([replace(old, words=old.words[count:]) for old in earlier], look.words[count - 1] if count else self._seen.last)
        return count


def _whole(words: Sequence[LiveWord], count: int) -> int:
    """So many words or fewer: the last one may still grow, a broken character may become a whole one, ids may not be parted."""
    whole = _num_while(lambda word: BROKEN not in word.text, words)
    if whole < len(words) and not any(map(is_spoken, words[whole].text.partition(BROKEN)[0])):
        whole -= 1                                      # it may become a mark, or a dash, that belongs to the word before
    count = min(count, len(words) - 1, whole)
    while count > 0 and words[count - 1].num_ids is None:
        count -= 1
    return max(0, count)


def _nothing(look: Look, seen: Seen) -> int:
    """All text waits for the end of the utterance: the official behaviour."""
    return 0


def _prefix(look: Look, seen: Seen, hold_tokens: int, cold_steps: int) -> int:
    """All but the last tokens, once a few hearings are over.

    Source: the official streaming state, which forces that text upon its next hearing: docs/model.md, "Streaming".
    """
    if look.num_steps + 1 < cold_steps or not look.words:
        return 0
    free = (look.words[-1].num_ids or 0) - hold_tokens
    return max((place for place, word in enumerate(look.words, start=1) if word.num_ids is not None and word.num_ids <= free), default=0)


def _agreement(look: Look, seen: Seen, agreements: int, hold_words: int = 0) -> int:
    """A word stays when so many hypotheses in a row have it: LocalAgreement, Macháček et al. 2023."""
    if len(seen.looks) + 1 < agreements:
        return 0
    others = seen.looks[len(seen.looks) + 1 - agreements :]
    agreed = _num_while(lambda place: all(_has(other, place, look.words[place]) for other in others), range(len(look.words)))
    return min(agreed, len(look.words) - hold_words)


def _alignatt(look: Look, seen: Seen, border_seconds: float, rewind_seconds: float) -> int:
    """A word stays when attention heard it far enough from the end of the sound: AlignAtt, Papi et al. 2023.

    Attention that jumps back reads a word that was said before once more, or nothing: what follows waits.
    """
    before = seen.last.centre if seen.last is not None else None
    for place, word in enumerate(look.words):
        if word.centre is None:                         # bare punctuation, or no attention: what stood there before decides
            if not _is_agreed(look, seen, place):
                return place
            continue
        if word.centre > look.end - border_seconds or (before is not None and before - word.centre > rewind_seconds):
            return place
        before = word.centre
    return len(look.words)


def _aligner(look: Look, seen: Seen, gate_seconds: float) -> int:
    """A word stays when the forced aligner has it end far enough from the end of the sound."""
    return _num_while(lambda place: _is_clear(look, seen, place, gate_seconds), range(len(look.words)))


def _agree_or_aligned(look: Look, seen: Seen, border_seconds: float, sure: float) -> int:
    """A word stays when its end is far enough from the end of the sound, and it was heard twice or the model is sure of it."""
    return _num_while(
        lambda place: _is_clear(look, seen, place, border_seconds) and (look.words[place].least >= sure or _is_agreed(look, seen, place)),
        range(len(look.words)))


def _is_clear(look: Look, seen: Seen, place: int, seconds: float) -> bool:
    """Whether a word ends so long before the end of the sound; without a measured time, whether it was heard twice."""
    word = look.words[place]
    if word.end is None or word.timing not in MEASURED:
        return _is_agreed(look, seen, place)
    return word.end <= look.end - seconds


def _is_agreed(look: Look, seen: Seen, place: int) -> bool:
    return bool(seen.looks) and _has(seen.looks[-1], place, look.words[place])


def _has(other: Look, place: int, word: LiveWord) -> bool:
    """Whether the word stands in another look at the same place, to the character, and something follows: the last may still grow."""
    return place + 1 < len(other.words) and other.words[place].text == word.text


def _num_while(holds: Callable[[T], bool], items: Iterable[T]) -> int:
    return sum(1 for _ in takewhile(holds, items))
