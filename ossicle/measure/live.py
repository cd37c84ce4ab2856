"""Live sessions with what was really said in them, to every figure of how late, how steady and how costly they were.

Sessions are pooled: a percentile is of all words of all sessions, not a mean of percentiles. Definitions stand where the figures
are computed: latency.py, lagging.py, stability.py, effort.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ossicle.measure.effort import Effort, effort
from ossicle.measure.lagging import Piece, assign, long_yaal, stream_laal
from ossicle.measure.languages import code_of, primary_metric
from ossicle.measure.latency import (
    TimesOf,
    Waits,
    distribution,
    endpoint_waits,
    finalisation_waits,
    first_partial_waits,
    times_of,
    word_waits,
)
from ossicle.measure.normalise import Normaliser
from ossicle.measure.simuleval import emissions, tokens_of
from ossicle.measure.stability import Stability, stability
from ossicle.measure.told import Clock, ToldItem, session_text
from ossicle.results import Word

CLOCKS: tuple[Clock, Clock] = ("audio", "wall")


@dataclass(frozen=True)
class Said:
    """One utterance of the reference, and where it lies in the stream."""

    text: str
    offset: float
    seconds: float


@dataclass(frozen=True)
class LiveSession:
    """One session with its reference."""

    items: tuple[ToldItem, ...]
    said: tuple[Said, ...]              # () where nothing is known
    reference: tuple[Word, ...]         # its words; timed, where somebody timed them, on the session's clock
    audio_seconds: float
    language: str | None = None

    @property
    def by_character(self) -> bool:
        """Whether lags are counted in characters: where the error rate is."""
        return primary_metric(code_of(self.language), " ".join(said.text for said in self.said)) == "cer"

    @property
    def text(self) -> str:
        """All final texts."""
        return session_text([item.text for item in self.items])

    @property
    def unrewritten(self) -> str:
        """All committed pieces joined, as they came."""
        return session_text([item.committed for item in self.items])


@dataclass(frozen=True)
class Lag:
    """A mean lag in seconds by both clocks."""

    unaware: float | None
    aware: float | None


@dataclass(frozen=True)
class LiveFigures:
    """Any number of sessions, pooled."""

    times_of: TimesOf                   # whose times say when words were spoken
    first_partial: Waits
    word_emission: Waits
    finalisation: Waits                 # from the end of speech
    endpoint_to_final: Waits
    laal: Lag                           # of streams of several utterances: StreamLAAL
    yaal: Lag                           # of these: LongYAAL
    stability: Stability
    effort: Effort

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self) | {"stability": self.stability.to_dict()}


def figures(sessions: Sequence[LiveSession], normaliser: Normaliser, is_paced: bool) -> LiveFigures:
    """Measure sessions.

    is_paced   sound went in as fast as it was spoken, from the first sample on: only then the wall's clock says anything
    """
    def waits(of: Callable[[LiveSession, Clock], list[float]]) -> Waits:
        unaware, aware = ([wait for session in sessions for wait in of(session, clock)] for clock in CLOCKS)
        return Waits(distribution(unaware), distribution(aware) if is_paced else None)

    def lag(of: Callable[[Sequence[Piece]], float | None]) -> Lag:
        unaware, aware = (of([piece for session in sessions for piece in pieces_of(session, clock)]) for clock in CLOCKS)
        return Lag(unaware, aware if is_paced else None)

    return LiveFigures(
        times_of=times_of([word for session in sessions for word in session.reference]),
        first_partial=waits(lambda session, clock: first_partial_waits(session.items, session.reference, clock)),
        word_emission=waits(
            lambda session, clock: word_waits(session.items, session.reference, normaliser, code_of(session.language), clock)),
        finalisation=waits(lambda session, clock: finalisation_waits(session.items, session.reference, clock)),
        endpoint_to_final=waits(lambda session, clock: endpoint_waits(session.items, clock)),
        laal=lag(stream_laal),
        yaal=lag(long_yaal),
        stability=sum((stability(session.items) for session in sessions), Stability()),
        effort=effort([(session.items, session.audio_seconds) for session in sessions]),
    )


def pieces_of(session: LiveSession, clock: Clock) -> list[Piece]:
    """The session cut into the utterances of its reference, for lags."""
    references = [tokens_of(said.text, session.by_character) for said in session.said]
    written = emissions(session.items, session.by_character)
    if not any(references):
        return []
    owners = assign(references, [word.text for word in written], session.by_character)
    end = max(said.offset + said.seconds for said in session.said)
    times: list[list[float]] = [[] for _ in references]
    for word, owner in zip(written, owners):
        times[owner].append(word.at(clock))
    return [Piece(said.offset, said.seconds, len(words), tuple(mine), end) for said, words, mine in zip(session.said, references, times)]


def cut_text(session: LiveSession) -> list[str]:
    """The final text of the session cut into the utterances of its reference."""
    references = [tokens_of(said.text, session.by_character) for said in session.said]
    if len(references) == 1 or not any(references):
        return [session.text, *[""] * (len(references) - 1)]
    written = tokens_of(session.text, session.by_character)
    owners = assign(references, written, session.by_character)
    space = "" if session.by_character else " "
    return [space.join(token for token, owner in zip(written, owners) if owner == place) for place in range(len(references))]


def segments_of(name: str, session: LiveSession) -> list[dict[str, Any]]:
    """Where the utterances of the reference lie, in the form that omnisteval reads beside SimulEval's log."""
    return [{"wav": name, "offset": said.offset, "duration": said.seconds} for said in session.said]
