"""Utterances that wait to be heard together: the one queue of version 1, and the timer that lets none wait for long.

What is heard in the background is kept until a reply may carry it: in this protocol one request has one reply. Knows nothing
of models or messages.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ossicle.results import HeardClip, HeardClips

NEVER = float("inf")


@dataclass(frozen=True, eq=False)
class Utterance:
    """One stretch of sound between two boundaries."""

    stream_id: str
    utterance_id: str
    samples: np.ndarray                 # (n,) float32 at 16 kHz
    source: str                         # where the sound came from: a path, "pcm16" or "buffer"
    mode: str = "sequential"            # how it is decoded, if the timer is the one who asks
    max_tokens: int | None = None
    is_unsolicited: bool = False        # its client takes results that no request asked for
    due: float = NEVER                  # on the clock of time.monotonic: when it has waited long enough


@dataclass(frozen=True, eq=False)
class Batch:
    """Utterances that were heard in one go, or those of them that are told together."""

    utterances: tuple[Utterance, ...]
    clips: tuple[HeardClip, ...]        # one for each
    run: HeardClips                     # the whole of it: what it took belongs to all
    mode: str                           # in which it was heard

    def only(self, takes: Callable[[Utterance], bool]) -> "Batch | None":
        """The part of it that a rule takes; None where it takes none."""
        kept = [place for place, one in enumerate(self.utterances) if takes(one)]
        if not kept:
            return None
        return replace(self, utterances=tuple(self.utterances[place] for place in kept), clips=tuple(self.clips[place] for place in kept))


Hear = Callable[[Sequence[np.ndarray], str, int | None], HeardClips]        # (clips, mode, max_tokens)


class Queue:
    """The utterances of all streams, in the order in which they came. One thread asks; the timer has another."""

    def __init__(self, hear: Hear, tell: Callable[[Batch], None], note: Callable[[str], None]) -> None:
        """hear   hears clips in a mode, each with a limit of tokens
        tell   is given what the timer made of utterances whose clients take it at once
        note   is told what goes wrong in the background"""
        self._hear, self._tell, self._note = hear, tell, note
        self._changed = threading.Condition()
        self._hearing = threading.Lock()            # one batch at a time
        self._waiting: list[Utterance] = []
        self._in_hand: list[Utterance] = []         # of the timer
        self._heard: list[Batch] = []               # and not told yet
        self._timer: threading.Thread | None = None
        self._is_open = True

    def __len__(self) -> int:
        """Utterances that nobody was told of."""
        with self._changed:
            return len(self._waiting) + len(self._in_hand) + sum(len(batch.utterances) for batch in self._heard)

    def put(self, utterance: Utterance) -> None:
        """Let one more wait. Returns at once."""
        with self._changed:
            self._waiting.append(utterance)
            if self._timer is None:
                self._timer = threading.Thread(target=self._watch, name="batch-timer", daemon=True)
                self._timer.start()
            self._changed.notify()

    def take(self, mode: str, max_tokens: int | None, takes: Callable[[Utterance], bool] = lambda utterance: True) -> list[Batch]:
        """All that nobody was told of, in order, or those of it that a rule takes; what was not heard yet is heard now.

        When that fails, its utterances are dropped, so that one of them cannot spoil every later batch; the error names them.
        """
        with self._hearing:
            with self._changed:
                asked = [one for one in self._waiting if takes(one)]
                self._waiting = [one for one in self._waiting if not takes(one)]
            try:
                new = [self._run(asked, mode, max_tokens)] if asked else []
            except Exception as error:
                error.add_note(f"dropped with it: {', '.join(one.utterance_id for one in asked)}")
                raise
            with self._changed:
                told = [batch.only(takes) for batch in self._heard]
                kept = [batch.only(lambda one: not takes(one)) for batch in self._heard]
                self._heard = [batch for batch in kept if batch is not None]
            return [batch for batch in told if batch is not None] + new

    def close(self) -> None:
        """Stop the timer; what waits stays."""
        with self._changed:
            self._is_open = False
            self._changed.notify()
        if self._timer is not None:
            self._timer.join()

    def _run(self, utterances: Sequence[Utterance], mode: str, max_tokens: int | None) -> Batch:
        run = self._hear([one.samples for one in utterances], mode, max_tokens)
        return Batch(tuple(utterances), run.clips, run, mode)

    def _watch(self) -> None:
        while True:
            with self._changed:
                while self._is_open and (left := min((one.due for one in self._waiting), default=NEVER) - time.monotonic()) > 0:
                    self._changed.wait(None if left == NEVER else left)
                if not self._is_open:
                    return
            self._hear_due()

    def _hear_due(self) -> None:
        """Hear all that waits: the oldest of it waited long enough, and the others cost little beside it."""
        with self._hearing:
            with self._changed:
                asked = self._in_hand = self._waiting
                self._waiting = []
            if not asked:                               # a request was faster
                return
            try:
                batch = self._run(asked, asked[-1].mode, asked[-1].max_tokens)
            except Exception as error:                  # whoever asks for them next tries again, and is told
                self._note(f"a batch in the background failed; it is tried again with the next flush: {error}")
                with self._changed:
                    self._waiting = [*(replace(one, due=NEVER) for one in asked), *self._waiting]
                    self._in_hand = []
                return
            told, kept = batch.only(lambda one: one.is_unsolicited), batch.only(lambda one: not one.is_unsolicited)
            with self._changed:
                self._heard += [] if kept is None else [kept]
                self._in_hand = []
            if told is not None:
                self._tell(told)
