"""The core of one session: samples and commands in, what the network is to do and what is to be told out. Start reading here.

    idle -(speech, with room before it)-> speaking -(every step: hear the window, commit what is certain)-> speaking
         -(a short silence: hear it ahead)-> -(a longer one: endpoint, final)-> idle

Deterministic: what happens hangs on the samples and their order alone, never on the wall clock or on how they were chopped, so long
as no step is left out for being late. Not thread-safe: the scheduler owns it. Knows nothing of threads, files or networks.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from ossicle.audio.pcm import Samples
from ossicle.audio.resample import SAMPLE_RATE
from ossicle.audio.silero import FRAME
from ossicle.options import DecodeOptions
from ossicle.pipeline.echo import is_suspicious
from ossicle.results import Word
from ossicle.stream.endpoint import Endpointer, Listened, silence_needed
from ossicle.stream.inbox import MAX_FRAMES, Frame, Inbox
from ossicle.stream.item import Item, Outcome, Told
from ossicle.stream.policies import Policy
from ossicle.stream.window import Window
from ossicle.stream_events import Endpoint, EndReason, Failure, LiveWarning, SessionEvent, SpeechStarted, WarningCode
from ossicle.stream_options import StreamOptions

Command = Literal["commit", "clear", "close"]
TaskKind = Literal["step", "ahead", "final"]

MANUAL_PRE_ROLL_SECONDS = 1.0        # kept before the first sound, where only commit() ends an utterance
MANUAL_FRAMES = 8                    # of something that is not quiet, from which a committed utterance is worth decoding
MAX_ECHOES = 2                       # replies that said the past text back, after which it is given no more


@dataclass(frozen=True)
class Settings:
    """What a session is asked for, and what is made for each utterance by that."""

    options: StreamOptions
    new_window: Callable[[int, str], Window]        # of its first sample's place, and of the text before it
    new_policy: Callable[[], Policy]


@dataclass
class Task:
    """One hearing that is due."""

    kind: TaskKind
    item: Item
    end: int                         # hear the sound up to here
    reason: EndReason = "silence"    # of a final one
    carry: bool = False              # the sound behind `end` begins the next utterance
    options: StreamOptions = field(default_factory=StreamOptions)

    @property
    def max_tokens(self) -> int:
        return DecodeOptions().budget((self.end - self.item.window.origin) / SAMPLE_RATE)


Entry = Samples | Command | Settings


@dataclass(frozen=True)
class Lead:
    """Where an utterance is heard from that begins in mid-speech."""

    origin: int                      # a sample before it, or its first
    words: tuple[Word, ...] = ()     # of the utterance before, said in between


@dataclass
class Speaking:
    """What is known of the utterance that is open."""

    item: Item
    heard_until: int                 # end of the last hearing that was asked for
    ahead: tuple[int, Outcome] | None = None    # up to where it was heard in the silence that may be its end
    has_asked_ahead: bool = False    # in this silence
    speech_end: int = 0              # of the last frame with speech
    num_sounding: int = 0            # frames with speech, or that could be


class Machine:
    """One session. `events` holds what is to be told; whoever reads it empties it."""

    def __init__(self, settings: Settings, endpointer: Endpointer) -> None:
        self.events: list[SessionEvent] = []
        self.is_closed = False
        self.told: Told | None = None                   # of the first utterance, by a session that ended before
        self._inbox: Inbox[Command | Settings] = Inbox(endpointer)
        self._at = 0                                    # samples listened to
        self._recent: deque[Samples] = deque()          # before the next utterance
        self._last_end = 0                              # of the last utterance: the next one begins no earlier
        self._speaking: Speaking | None = None
        self._num_items = 0
        self._past_text, self._past_reason, self._num_echoes = "", "silence", 0
        self._told: set[str] = set()                    # warnings that would come again with each hearing
        self._again: Task | None = None                 # a hearing that has to be done once more
        self._use(settings)

    @property
    def audio_seconds(self) -> float:
        """Of sound that was listened to."""
        return self._at / SAMPLE_RATE

    @property
    def waiting_seconds(self) -> float:
        """Of sound that came in and was not."""
        return self._inbox.num_waiting / SAMPLE_RATE

    @property
    def _is_manual(self) -> bool:
        return self._options.endpoint.mode == "manual"

    def add(self, entry: Entry) -> None:
        """Take samples (n,) at 16 kHz, a command, or other settings for what follows, in the order in which they came."""
        self._inbox.add(entry)

    def warn(self, code: WarningCode, message: str) -> None:
        """Tell something that is about no utterance."""
        self._tell(LiveWarning(message=message, code=code))

    def fail(self, error: BaseException) -> None:
        """The session cannot go on: tell it, and what was committed."""
        if self._speaking:
            self._end(self._speaking.item.drop(self._at / SAMPLE_RATE))
        self._tell(Failure(message=str(error) or type(error).__name__, code=type(error).__name__))
        self.is_closed = True

    def advance(self) -> Task | None:
        """Listen on until a hearing is due, and give it; None where there is nothing more to listen to, or others should have a turn."""
        again, self._again = self._again, None
        if again is not None:
            return again
        for _ in range(MAX_FRAMES):                     # then other sessions have their turn
            if self.is_closed:
                return None
            entry, task = self._inbox.next(), None
            if entry is None:
                return None
            if isinstance(entry, Frame):
                task = self._listen(entry)
            elif isinstance(entry, Settings):
                self._use(entry)
            else:
                task = self._obey(entry)
            if task is not None:
                return task
        return None

    @property
    def has_work(self) -> bool:
        """Whether `advance` would get on."""
        return not self.is_closed and (self._again is not None or self._inbox.has_more)

    def done(self, task: Task, outcome: Outcome) -> None:
        """Take what a hearing gave; events follow. `advance` is not called between a task and this."""
        speaking = self._speaking
        assert speaking is not None and speaking.item is task.item, "a hearing of an utterance that is open"
        if self._is_echo(task.item, outcome):
            self._forget_past(speaking, task)
            return
        for message in outcome.warnings:
            if message not in self._told:
                self._told.add(message)
                self._tell_of(task.item, LiveWarning(message=message))
        if task.kind == "final":
            self._finish(speaking, outcome, task.reason, task.end)
            if task.carry and task.end < self._at:
                self._carry_on(task.item, task.end, Lead(task.end))
            return
        partial = task.item.take(outcome)
        if partial is not None:
            self._tell_of(task.item, partial)
        if task.kind == "ahead":
            speaking.ahead = (task.end, outcome)

    def _use(self, settings: Settings) -> None:
        """An utterance that is open keeps its window, its policy and its language."""
        self._settings, self._options = settings, settings.options
        endpoint = settings.options.endpoint
        pre_roll = MANUAL_PRE_ROLL_SECONDS if self._is_manual else endpoint.pre_roll_seconds
        self._kept = round((pre_roll + endpoint.min_speech_seconds) * SAMPLE_RATE / FRAME) + 2
        self._pre_roll = round(pre_roll * SAMPLE_RATE)
        self._step = round(settings.options.step_seconds * SAMPLE_RATE)

    def _listen(self, frame: Frame) -> Task | None:
        self._at += len(frame.samples)
        listened = frame.listened
        if self._speaking is None:
            self._recent.append(frame.samples)
            while len(self._recent) > self._kept:
                self._recent.popleft()
            if listened.is_speech or (self._is_manual and not listened.is_quiet):
                self._begin(listened)
            return None
        self._speaking.item.window.add(frame.samples)
        return self._decide(self._speaking, listened)

    def _decide(self, speaking: Speaking, listened: Listened) -> Task | None:
        item, endpoint = speaking.item, self._options.endpoint
        speaking.num_sounding += not listened.is_quiet
        if listened.is_speech:
            speaking.speech_end, speaking.has_asked_ahead = self._at, False
        if speaking.ahead is not None and not listened.is_quiet:
            speaking.ahead = None                       # there is more to hear
        silent, seconds = listened.silent_samples / SAMPLE_RATE, (self._at - item.start) / SAMPLE_RATE
        if not self._is_manual and silent >= silence_needed(endpoint, seconds):
            return self._stop(speaking, "silence" if silent >= endpoint.silence_seconds else "cut")
        is_new = self._at > speaking.heard_until and not speaking.has_asked_ahead
        if silent >= endpoint.speculate_seconds and speaking.num_sounding and is_new:
            speaking.has_asked_ahead = True
            if not self._is_late(endpoint.silence_seconds - endpoint.speculate_seconds):
                return self._ask("ahead", speaking)
        if self._at - item.window.origin >= endpoint.max_utterance_seconds * SAMPLE_RATE:
            return self._cut(speaking)
        is_due = self._at - speaking.heard_until >= self._step and silent < endpoint.speculate_seconds
        if is_due and speaking.num_sounding and not self._is_late(self._options.step_seconds):
            return self._ask("step", speaking)
        return None

    def _is_late(self, seconds: float) -> bool:
        """Whether so much sound waits that a hearing of it is due already; then this one is left out."""
        return self._options.coalesce and self.waiting_seconds >= seconds

    def _ask(self, kind: TaskKind, speaking: Speaking) -> Task:
        speaking.heard_until = self._at
        return Task(kind, speaking.item, self._at, options=self._options)

    def _begin(self, listened: Listened) -> None:
        """Begin an utterance, with the room before its onset."""
        sound = np.concatenate(self._recent)
        onset = self._inbox.place(listened.onset) if listened.is_speech else self._at - FRAME
        start = max(onset - self._pre_roll, self._at - len(sound), self._last_end)
        item = self._open(start, sound[len(sound) - (self._at - start):], self._past())
        item.go_on(self.told)
        speaking = Speaking(item, start if self.told is None else max(start, self.told.until), speech_end=self._at)
        speaking.num_sounding = int(listened.is_speech)
        self.told, self._speaking = None, speaking
        self._tell_of(item, SpeechStarted(start=start / SAMPLE_RATE))

    def _carry_on(self, before: Item, start: int, lead: Lead) -> None:
        """Begin an utterance in mid-speech, at `start`; it is heard from earlier on, so that the network has something to go by."""
        item = self._open(lead.origin, before.window.samples(lead.origin, self._at), self._past())
        item.follow(start, lead.words, before.language)
        self._speaking = Speaking(item, heard_until=start, speech_end=self._at, num_sounding=1)
        self._tell_of(item, SpeechStarted(start=start / SAMPLE_RATE))

    def _open(self, origin: int, sound: Samples, past: str) -> Item:
        self._recent.clear()
        self._num_items += 1
        window = self._settings.new_window(origin, past)
        window.add(sound)
        return Item(f"item_{self._num_items:05d}", window, self._settings.new_policy(), self._options, past)

    def _obey(self, command: Command) -> Task | None:
        if command == "clear":
            if self._speaking:
                item = self._speaking.item
                self._tell_of(item, Endpoint(end=self.audio_seconds, reason="clear"))
                self._end(item.drop(self.audio_seconds))
            self._last_end = self._at
            self._recent.clear()
            return None
        if self._speaking:
            if command == "close":
                self._inbox.put_back("close")            # again, once the utterance is told
            return self._stop(self._speaking, command)
        if command == "close":
            self.is_closed = True
        elif self._at > self._last_end:
            self._commit_nothing()
        else:
            self.warn("empty_commit", "commit() with no sound since the last utterance; there is nothing to hear")
        return None

    def _commit_nothing(self) -> None:
        """An utterance without speech: whoever asked for it gets an answer, and the network is not asked."""
        item = self._open(self._last_end, np.zeros(0, np.float32), "")
        self._speaking = Speaking(item, self._last_end, speech_end=self._at)
        self._stop(self._speaking, "commit")

    def _stop(self, speaking: Speaking, reason: EndReason) -> Task | None:
        """The utterance is over: publish what was heard ahead, or have the rest heard."""
        item = speaking.item
        self._tell_of(item, Endpoint(end=min(speaking.speech_end, self._at) / SAMPLE_RATE, reason=reason))
        if speaking.ahead is not None:
            end, outcome = speaking.ahead
            self._finish(speaking, None, reason, end, measured=outcome.words_of_final)
            return None
        if speaking.num_sounding < (MANUAL_FRAMES if self._is_manual else 1) and not item.words:
            self._finish(speaking, None, reason, self._at)
            return None
        return Task("final", item, self._at, reason, options=self._options)

    def _cut(self, speaking: Speaking) -> Task | None:
        """The utterance is too long for one window, and no pause was found."""
        item, endpoint, origin = speaking.item, self._options.endpoint, speaking.item.window.origin
        if self._is_manual:
            item.window.slide()
            if item.window.origin > origin:
                return None
            if speaking.ahead is not None:              # it has been silent for long
                return self._stop(speaking, "cut")
        longest = endpoint.max_utterance_seconds * SAMPLE_RATE
        if item.measured_end is not None and self._at - (done := round(item.measured_end * SAMPLE_RATE)) < longest / 2:
            # Between what is committed and what is not: nothing has to be decoded, and no word is cut.
            following = item.pending[0].start if item.pending else None
            latest = self._at if following is None else round(following * SAMPLE_RATE)
            end, lead = self._inbox.best_cut(done, max(done, min(latest, self._at))), self._lead(item)
            item.pending = ()
            self._tell_of(item, Endpoint(end=end / SAMPLE_RATE, reason="cut"))
            self._finish(speaking, None, "cut", end)
            self._carry_on(item, end, lead or Lead(end))
            return None
        end = self._inbox.best_cut(self._at - round(endpoint.search_seconds * SAMPLE_RATE), self._at)
        self._tell_of(item, Endpoint(end=end / SAMPLE_RATE, reason="cut"))
        return Task("final", item, max(end, item.window.origin + FRAME), "cut", True, self._options)

    def _lead(self, item: Item) -> Lead | None:
        """Where the next utterance is heard from: the longest pause between two committed words of the last seconds."""
        endpoint = self._options.endpoint
        earliest = self.audio_seconds - min(endpoint.search_seconds, endpoint.max_utterance_seconds / 3)
        pauses = [(following.start - word.end, place) for place, (word, following) in enumerate(pairwise(item.words), start=1)
                  if word.end is not None and following.start is not None and following.start >= earliest]
        if not pauses:
            return None
        _, place = max(pauses, key=lambda pause: pause[0])          # of several the first: more to go by
        before, after = (round((time or 0.0) * SAMPLE_RATE) for time in (item.words[place - 1].end, item.words[place].start))
        return Lead(max(item.window.origin, self._inbox.best_cut(before, after)), tuple(item.words[place:]))

    def _finish(
        self, speaking: Speaking, outcome: Outcome | None, reason: EndReason, end: int, measured: tuple[Word, ...] | None = None
    ) -> None:
        item = speaking.item
        if item.is_truncated or (outcome is not None and outcome.hypothesis.stopped_by in ("budget", "loop")):
            self._tell_of(item, LiveWarning(code="truncated", message=(
                "the model was stopped before it was done with this utterance: it repeated itself, or wrote more than can be said")))
        final = item.finish(outcome, reason, end / SAMPLE_RATE, measured)
        self._end(final)
        self._past_text, self._past_reason = final.text, reason

    def _end(self, final: SessionEvent) -> None:
        assert self._speaking is not None
        self._tell_of(self._speaking.item, final)
        self._speaking = None
        self._last_end = self._at

    def _past(self) -> str:
        wanted = self._options.past_text == "yes" or (self._options.past_text == "auto" and self._past_reason == "cut")
        return self._past_text if wanted and self._num_echoes < MAX_ECHOES else ""

    def _is_echo(self, item: Item, outcome: Outcome) -> bool:
        """Whether an utterance seems to say the text before it again: then it is heard anew without that."""
        hypothesis = outcome.hypothesis
        if not item.past_text or item.words:
            return False
        return is_suspicious("".join(word.text for word in outcome.words), item.past_text, hypothesis.end - hypothesis.start)

    def _forget_past(self, speaking: Speaking, task: Task) -> None:
        self._num_echoes += 1
        self._again = task
        old = speaking.item.window
        speaking.item.past_text = ""
        speaking.item.window = self._settings.new_window(old.origin, "")
        speaking.item.window.add(old.samples(old.origin, old.end))
        self._tell_of(speaking.item, LiveWarning(code="past_text", message=(
            "the reply seemed to say the text before it again; this utterance is heard without that text")))

    def _tell_of(self, item: Item, event: SessionEvent) -> None:
        self._tell(item.numbered(event))

    def _tell(self, event: SessionEvent) -> None:
        self.events.append(replace(event, audio_seconds=self.audio_seconds, lag_seconds=self.waiting_seconds))
