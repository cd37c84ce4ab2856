"""What a live session tells: frozen, typed, JSON-ready. Imports nothing of ours but the results.

Every event carries the audio clock: seconds of sound that came in before it holds, from the session's first sample. Two
runs over the same sound give the same events, however it was chopped, but for `lag_seconds` and `timings`, which tell of the
machine. Texts add up: all `committed_delta` of one item, its final event's included, are its final text.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from ossicle.results import StoppedBy, Word

# What ended an utterance: silence, commit(), clear() or close(), or its length, in which case the next one follows at once.
EndReason = Literal["silence", "commit", "clear", "close", "cut"]
WarningCode = Literal["bad_samples", "loud_samples", "empty_commit", "truncated", "late", "past_text", "record", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvent:
    """What all events have."""

    item_id: str | None = None      # of the utterance, unique in its session; None where it is about none
    revision: int = 0               # counts the events of an item
    audio_seconds: float = 0.0      # on the audio clock
    lag_seconds: float = 0.0        # sound that had come in and was not heard yet

    def to_dict(self) -> dict[str, Any]:
        """The event as plain dicts, lists, strings and numbers, ready for JSON; `type` first."""
        plain = dataclasses.asdict(self)
        return {"type": plain.pop("kind"), **plain}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStarted(LiveEvent):
    """Somebody begins to speak: an item begins."""

    start: float                    # where its sound begins, room before the first word included
    kind: Literal["speech_started"] = "speech_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial(LiveEvent):
    """One step of an item."""

    committed_delta: str            # new text that stays for good: append it
    pending_text: str               # what follows for now; the next event replaces it
    words: tuple[Word, ...] = ()    # of `committed_delta`, timed; joined they give it
    pending_words: tuple[Word, ...] = ()
    committed_text: str = ""        # of the item so far, the delta included
    language: str | None = None
    kind: Literal["partial"] = "partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(LiveEvent):
    """The utterance is over; its final event follows."""

    end: float                      # where its sound ends
    reason: EndReason
    kind: Literal["endpoint"] = "endpoint"


@dataclass(frozen=True, slots=True)
class Usage:
    """What an item took."""

    audio_seconds: float = 0.0      # of its sound
    num_tokens: int = 0             # that were written, over all steps, drafts that stood included
    num_steps: int = 0              # hearings of its sound
    num_positions: int = 0          # fed to the decoder
    num_drafted: int = 0            # tokens that were offered as a draft
    num_accepted: int = 0           # of those, chosen again


@dataclass(frozen=True, slots=True)
class LiveTimings:
    """Seconds of work on an item by stage; steps of several sessions in one batch share theirs."""

    mel: float = 0.0
    encode: float = 0.0
    prefill: float = 0.0
    decode: float = 0.0
    align: float = 0.0
    total: float = 0.0
    last_step: float = 0.0          # the one whose text is final
    step_seconds: tuple[float, ...] = ()    # each step


@dataclass(frozen=True, slots=True, kw_only=True)
class Final(LiveEvent):
    """The text of an item, complete."""

    text: str
    committed_delta: str            # what was still to be committed
    words: tuple[Word, ...] = ()    # of the whole text; joined they give it
    language: str | None = None
    languages: dict[str, float] = field(default_factory=dict)       # what it may be in, likeliest first; empty: not asked
    start: float = 0.0
    end: float = 0.0
    reason: EndReason = "silence"
    stopped_by: StoppedBy = "eos"
    confidence: float | None = None
    usage: Usage = Usage()
    timings: LiveTimings = LiveTimings()
    kind: Literal["final"] = "final"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWarning(LiveEvent):
    """Something a user should know; the session goes on."""

    message: str
    code: WarningCode = "other"
    kind: Literal["warning"] = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(LiveEvent):
    """The session cannot go on; what was committed stays, other sessions do not notice."""

    message: str
    code: str                       # the name of the error: ModelError, StreamError …
    kind: Literal["error"] = "error"


SessionEvent = SpeechStarted | Partial | Endpoint | Final | LiveWarning | Failure
KINDS: dict[str, type] = {
    "speech_started": SpeechStarted, "partial": Partial, "endpoint": Endpoint, "final": Final, "warning": LiveWarning, "error": Failure,
}


def event_from_dict(plain: dict[str, Any]) -> SessionEvent:
    """An event back from what `to_dict` gave. Raises KeyError or TypeError for something else."""
    values = dict(plain)
    kind = KINDS[values.pop("type")]
    for name, inner in (("words", Word), ("pending_words", Word)):
        if name in values:
            values[name] = tuple(inner(**entry) for entry in values[name])
    if "usage" in values:
        values["usage"] = Usage(**values["usage"])
    if "timings" in values:
        timings = dict(values["timings"])
        values["timings"] = LiveTimings(**timings | {"step_seconds": tuple(timings.get("step_seconds", ()))})
    event: SessionEvent = kind(**values)
    return event
