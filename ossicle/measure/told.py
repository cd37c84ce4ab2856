"""Events of a live session with the times at which they came in, its utterances out: what was told of each, moment by moment.

Everything that is measured of a session is measured on these. Knows nothing of references, of sound, of what a good figure is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ossicle.results import Word
from ossicle.stream_events import Endpoint, Final, Partial, SessionEvent, SpeechStarted

# (seconds since the first sample began to come in, by the clock on the wall; the event). Where sound goes in as fast as it is
# spoken, both clocks have the same zero and can be compared; where it goes in faster, only the audio clock means something.
Arrival = tuple[float, SessionEvent]
Clock = Literal["audio", "wall"]


@dataclass(frozen=True, slots=True)
class Moment:
    """What stood on the screen after one event of an item."""

    audio_seconds: float
    wall_seconds: float
    delta: str                          # committed with this event
    committed: str                      # so far: all deltas joined
    pending: str                        # what followed it for now
    claimed: str                        # what the event itself says is committed, or final: must begin with all deltas before

    @property
    def visible(self) -> str:
        """What a reader saw."""
        return self.committed + self.pending

    def at(self, clock: Clock) -> float:
        """When."""
        return self.audio_seconds if clock == "audio" else self.wall_seconds


@dataclass(frozen=True, slots=True)
class ToldItem:
    """One utterance as it was told."""

    id: str
    start: float | None                 # of its sound; None where no beginning was told
    moments: tuple[Moment, ...]         # of partials and the final, in order
    endpoint: tuple[float, Endpoint] | None     # with the wall's time
    final: Final | None                 # None where the session broke off

    @property
    def committed(self) -> str:
        """The text without any rewriting: all deltas joined."""
        return self.moments[-1].committed if self.moments else ""

    @property
    def text(self) -> str:
        """The final text; where none was told, what was committed."""
        return self.committed if self.final is None else self.final.text

    @property
    def words(self) -> tuple[Word, ...]:
        """Of the final text; joined they give it."""
        return self.final.words if self.final else ()

    def moment_of(self, place: int) -> Moment:
        """The moment at which the character at `place` of the text was committed; the last one for what never was."""
        return next((moment for moment in self.moments if len(moment.committed) > place), self.moments[-1])

    def word_moments(self) -> Iterator[tuple[Word, Moment]]:
        """Each word of the final text with the moment from which on it stood for good: that of its last letter."""
        end = 0
        for word in self.words:
            begin, end = end, end + len(word.text)
            spoken = [place for place, char in enumerate(word.text) if char.isalnum()]
            yield word, self.moment_of(begin + spoken[-1] if spoken else end - 1)


def items_told(arrivals: Sequence[Arrival]) -> list[ToldItem]:
    """The utterances of a session in the order in which they began; events that are about none are passed over."""
    grouped: dict[str, list[Arrival]] = {}
    for wall, event in arrivals:
        if event.item_id is not None:
            grouped.setdefault(event.item_id, []).append((wall, event))
    return [_item(name, members) for name, members in grouped.items()]


def session_text(texts: Sequence[str]) -> str:
    """Utterances one after the other; where a script has no spaces, the one between them counts for nothing."""
    return " ".join(text.strip() for text in texts if text.strip())


def _item(name: str, members: Sequence[Arrival]) -> ToldItem:
    committed, moments = "", []
    start: float | None = None
    endpoint: tuple[float, Endpoint] | None = None
    final: Final | None = None
    for wall, event in members:
        match event:
            case SpeechStarted():
                start = event.start
            case Endpoint():
                endpoint = wall, event
            case Partial():
                committed += event.committed_delta
                moments.append(Moment(event.audio_seconds, wall, event.committed_delta, committed, event.pending_text,
                                      event.committed_text or committed))
            case Final():
                committed += event.committed_delta
                moments.append(Moment(event.audio_seconds, wall, event.committed_delta, committed, "", event.text))
                final = event
                start = event.start if start is None else start
    return ToldItem(name, start, tuple(moments), endpoint, final)
