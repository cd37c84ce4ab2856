"""One utterance while it is heard: hypotheses in, what of them is committed and what is pending out.

Holds what is true of every policy: committed text only grows, ends where a word does and between two tokens, and the last word
waits until the utterance is over. Knows nothing of sound or of when it is heard.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ossicle.audio.resample import SAMPLE_RATE
from ossicle.pipeline.languages import told as told_chances
from ossicle.pipeline.recognize import StageClock
from ossicle.results import Word
from ossicle.stream.hypothesis import Hypothesis, LiveWord, whole_characters
from ossicle.stream.policies import MEASURED, Look, Policy
from ossicle.stream.window import Window
from ossicle.stream_events import EndReason, Final, LiveTimings, Partial, SessionEvent, Usage
from ossicle.stream_options import StreamOptions
from ossicle.text.scripts import is_spoken
from ossicle.text.words import CLOSERS

LANGUAGE_SECONDS = 1.0               # of sound before a language can be settled
LANGUAGE_SURE = 0.9                  # probability from which one hearing settles it; else two in a row must agree
ROUNDED = 3                          # digits of times, as in transcripts


@dataclass(frozen=True)
class Outcome:
    """What one hearing gave."""

    hypothesis: Hypothesis
    words: tuple[LiveWord, ...]      # not committed before it, timed
    clock: StageClock
    align_seconds: float = 0.0
    seconds: float = 0.0             # of the whole step, those it shared with others included
    words_of_final: tuple[Word, ...] | None = None     # of the whole item, where its end was measured once more
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Told:
    """What was committed of an utterance before its session ended: the first utterance of another session begins with it."""

    words: tuple[Word, ...]          # their times on the clock of the session that goes on
    language: str | None
    until: int                       # the sample up to which that was heard: nothing is heard again before it


class Item:
    """One utterance; its events carry its id and are counted."""

    def __init__(self, item_id: str, window: Window, policy: Policy, options: StreamOptions, past_text: str = "") -> None:
        self.item_id, self.window, self.start = item_id, window, window.origin
        self.past_text = past_text                      # that its context ends with
        self.words: list[Word] = []                     # committed
        self.pending: tuple[LiveWord, ...] = ()
        self.language = window.options.language
        self.is_settled = self.language is not None
        self._policy, self._options = policy, options
        self._after = self.start / SAMPLE_RATE
        self._revision, self._num_steps = 0, 0
        self._last: Hypothesis | None = None
        self._chances: dict[str, float] = {}            # of languages, as they were last asked for
        self._last_language: str | None = None
        self._shown = ("", "")                          # committed and pending text, as they were told
        self._timings, self._usage, self._steps = LiveTimings(), Usage(), list[float]()

    @property
    def text(self) -> str:
        """What is committed."""
        return "".join(word.text for word in self.words)

    @property
    def after(self) -> float:
        """Seconds before which nothing that is not committed was said."""
        return (self.words[-1].end if self.words else None) or self._after

    @property
    def measured_end(self) -> float | None:
        """Seconds at which the last committed word ends, where that was measured."""
        return self.words[-1].end if self.words and self.words[-1].timing in MEASURED else None

    @property
    def is_truncated(self) -> bool:
        """Whether the last hearing was stopped before the model was done."""
        return self._last is not None and self._last.stopped_by in ("budget", "loop")

    def go_on(self, told: Told | None) -> None:
        """Begin with what was told before, before anything is heard: it is forced, and never taken back."""
        if told is not None and told.words:
            self.words = list(told.words)
            self._force(told.words, told.language)

    def follow(self, start: int, words: Sequence[Word], language: str | None) -> None:
        """Begin behind words of the utterance before, whose sound the window begins with: they are forced, and not told again.

        start   the sample at which this utterance begins
        """
        self.start, self._after = start, start / SAMPLE_RATE
        self._force(words, language)

    def _force(self, words: Sequence[Word], language: str | None) -> None:
        text = "".join(word.text for word in words).lstrip()
        self.window.committed = self.window.parts.tokenizer.encode_plain(text)
        if language is not None:
            self.language, self.is_settled = language, True
            self.window.force_language(language)

    def numbered(self, event: SessionEvent) -> SessionEvent:
        """The event with this item's id and the next revision."""
        self._revision += 1
        return replace(event, item_id=self.item_id, revision=self._revision)

    def take(self, outcome: Outcome) -> Partial | None:
        """What a hearing changes, as an event; None where it changes nothing that is told."""
        hypothesis = outcome.hypothesis
        self._count(outcome)
        self._settle(hypothesis)
        count = 0
        if self.is_settled and not self.is_truncated:
            count = self._policy.commit(Look(outcome.words, hypothesis.end, self._num_steps - 1))
        if count:
            self.window.commit(outcome.words[count - 1].num_ids or 0)
        return self._told(outcome.words, count)

    def finish(self, outcome: Outcome | None, reason: EndReason, end: float, measured: tuple[Word, ...] | None = None) -> Final:
        """The last event: everything that is pending is committed; with an outcome, what that has to say instead.

        measured   words of the whole item, timed anew
        """
        if outcome is not None:
            self._count(outcome)
            self.pending, measured = outcome.words, outcome.words_of_final
        delta = self._commit(whole_characters(self.pending))
        self.pending = ()
        if delta and delta[-1].text != (stripped := delta[-1].text.rstrip()):
            self.words[-1] = delta[-1] = replace(delta[-1], text=stripped)
        last = self._last
        words = list(measured) if measured else joined(self.words)
        known = [word.confidence for word in words if word.confidence is not None]
        return Final(
            text=self.text, committed_delta="".join(word.text for word in delta), words=tuple(words),
            language=self.language or (last.language if last else None), languages=told_chances(self._chances),
            start=self.start / SAMPLE_RATE, end=end, reason=reason,
            stopped_by="silence" if last is None else last.stopped_by, confidence=sum(known) / len(known) if known else None,
            usage=replace(self._usage, audio_seconds=end - self.start / SAMPLE_RATE),
            timings=replace(self._timings, step_seconds=tuple(self._steps), last_step=self._steps[-1] if self._steps else 0.0))

    def drop(self, end: float) -> Final:
        """The last event of an item that was cleared: what was committed stays, the rest goes."""
        self.pending = ()
        return self.finish(None, "clear", end)

    def _settle(self, hypothesis: Hypothesis) -> None:
        """Choose the language for the rest of the utterance, once two hearings agree or one is sure."""
        name, before = hypothesis.language, self._last_language
        self._last_language = name
        if self.is_settled or name is None or not hypothesis.ids or hypothesis.end - hypothesis.start < LANGUAGE_SECONDS:
            return
        if hypothesis.chances.get(name, 0.0) >= LANGUAGE_SURE or name == before:
            self.language, self.is_settled = name, True
            self.window.force_language(name)

    def _told(self, words: tuple[LiveWord, ...], count: int) -> Partial | None:
        delta = self._commit(words[:count])
        self.pending = words[count:]
        pending = [_word(word) for word in whole_characters(self.pending)] if self._options.output == "revisable" else []
        if pending and not self.words:
            pending[0] = replace(pending[0], text=pending[0].text.lstrip())
        shown = (self.text, "".join(word.text for word in pending))
        if shown == self._shown:
            return None
        self._shown = shown
        return Partial(committed_delta="".join(word.text for word in delta), pending_text=shown[1], words=tuple(delta),
                       pending_words=tuple(pending), committed_text=shown[0], language=self.language or self._last_language)

    def all_words(self, words: Sequence[LiveWord]) -> list[Word]:
        """What is committed and what would be if these were."""
        rest = [_word(word) for word in whole_characters(words)]
        if rest and not self.words:
            rest[0] = replace(rest[0], text=rest[0].text.lstrip())
        if rest:
            rest[-1] = replace(rest[-1], text=rest[-1].text.rstrip())
        return joined([*self.words, *rest])

    def _commit(self, words: Sequence[LiveWord]) -> list[Word]:
        delta = [_word(word) for word in words]
        if delta and not self.words:
            delta[0] = replace(delta[0], text=delta[0].text.lstrip())
        self.words += delta
        return delta

    def _count(self, outcome: Outcome) -> None:
        hypothesis, clock, before = outcome.hypothesis, outcome.clock, self._timings
        self._last = hypothesis
        self._chances = dict(hypothesis.chances) or self._chances
        self._num_steps += 1
        self._steps.append(outcome.seconds)
        self._timings = LiveTimings(
            before.mel + clock.mel, before.encode + clock.encode, before.prefill + clock.prefill, before.decode + clock.decode,
            before.align + outcome.align_seconds, before.total + outcome.seconds)
        self._usage = Usage(
            0.0, self._usage.num_tokens + len(hypothesis.ids) - hypothesis.num_committed, self._num_steps,
            self._usage.num_positions + hypothesis.num_positions, self._usage.num_drafted + hypothesis.num_drafted,
            self._usage.num_accepted + hypothesis.num_accepted)


def _word(word: LiveWord) -> Word:
    start, end = (None if time is None else round(time, ROUNDED) for time in (word.start, word.end))
    return Word(word.text, start, end, word.confidence, word.timing)


def joined(words: Sequence[Word]) -> list[Word]:
    """The same text in words; punctuation that came after its word was committed goes back to that word."""
    found: list[Word] = []
    for word in words:
        rest = word.text.lstrip(CLOSERS)
        late = word.text[: len(word.text) - len(rest)]
        if found and late and not any(map(is_spoken, late)):
            found[-1] = replace(found[-1], text=found[-1].text + late)
            word = replace(word, text=rest)
        if found and not any(map(is_spoken, word.text)):
            found[-1] = replace(found[-1], text=found[-1].text + word.text)
        elif word.text:
            found.append(word)
    return found
