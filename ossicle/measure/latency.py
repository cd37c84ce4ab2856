"""Utterances as they were told and the times at which words were said in, seconds of waiting out.

A wait on the audio clock is what the method costs on any machine: how much sound had to come in. A wait on the wall's clock is
what a listener sees, work included; it means something only where sound went in as fast as it was spoken. Figures of both are
called `unaware` and `aware` of computation, as in the literature.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from ossicle.measure.normalise import Normaliser
from ossicle.measure.told import Clock, Moment, ToldItem
from ossicle.measure.written import group_words
from ossicle.results import Word
from ossicle.stream_events import Final

# Whose times say when a word was spoken: of the reference, or as the session told them, which then judge themselves.
TimesOf = Literal["reference", "session"]


@dataclass(frozen=True)
class Distribution:
    """One figure over all its cases, in seconds unless the name says otherwise."""

    count: int
    mean: float
    p50: float
    p90: float
    p95: float
    max: float


@dataclass(frozen=True)
class Waits:
    """One kind of wait by both clocks; None where it never happened, or where the clock means nothing."""

    unaware: Distribution | None
    aware: Distribution | None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def distribution(values: Sequence[float]) -> Distribution | None:
    """Mean and percentiles, those between two values in proportion; None without values."""
    if not values:
        return None
    p50, p90, p95 = (float(value) for value in np.percentile(values, [50, 90, 95]))
    return Distribution(len(values), float(np.mean(values)), p50, p90, p95, max(values))


def first_partial_waits(items: Sequence[ToldItem], reference: Sequence[Word], clock: Clock) -> list[float]:
    """From the onset of speech to the first text on the screen that is not empty, for each utterance with text.

    The onset is the beginning of the first word of `reference` in the utterance; where that has no times, of its own first word.
    The beginning of the stream is not taken: silence before speech is no wait.
    """
    waits = []
    for item in items:
        onset = _onset(item, reference)
        shown = next((moment for moment in item.moments if moment.visible.strip()), None)
        if onset is not None and shown is not None:
            waits.append(shown.at(clock) - onset)
    return waits


def word_waits(
    items: Sequence[ToldItem], reference: Sequence[Word], normaliser: Normaliser, language: str | None, clock: Clock
) -> list[float]:
    """From the end of each word, as it is spoken, to the moment from which on it stands for good: word emission latency.

    reference   of the whole session, timed; without times those of the session itself are taken, without words every word counts

    Only words that are right count: what was never said has no end. Words that are written as more or fewer words (twenty one, 21)
    count as one, at the end of their last.
    Source: "word emission latency" of Picovoice's open benchmark of streaming recognisers.
    """
    told = [pair for item in items for pair in item.word_moments()]
    waits = []
    for place, said in _right_words([word for word, _ in told], reference, normaliser, language):
        word, moment = told[place]
        end = word.end if said is None or said.end is None else said.end
        if end is not None:
            waits.append(moment.at(clock) - end)
    return waits


def times_of(reference: Sequence[Word]) -> TimesOf:
    """Whose times the waits are measured by."""
    return "reference" if any(word.end is not None for word in reference) else "session"


def finalisation_waits(items: Sequence[ToldItem], reference: Sequence[Word], clock: Clock) -> list[float]:
    """From the end of speech to the final text, for utterances that silence ended: the time that pipecat calls TTFS.

    The end of speech is that of the last word of `reference` in the utterance; where that has no times, of its own last word;
    where that has none either, of its sound as the endpoint told it. What was cut for its length has no such end.
    """
    waits = []
    for item in items:
        ended = _ended_by_silence(item)
        if ended is not None:
            waits.append(ended[1].at(clock) - _speech_end(item, ended[0], reference))
    return waits


def endpoint_waits(items: Sequence[ToldItem], clock: Clock) -> list[float]:
    """From the endpoint to the final text: what is left to do once it is known that the utterance is over."""
    waits = []
    for item in items:
        ended = _ended_by_silence(item)
        if ended is not None and item.endpoint is not None:
            wall, event = item.endpoint
            waits.append(ended[1].at(clock) - (event.audio_seconds if clock == "audio" else wall))
    return waits


def _right_words(
    words: Sequence[Word], reference: Sequence[Word], normaliser: Normaliser, language: str | None
) -> list[tuple[int, Word | None]]:
    """(place of a word that is right, its partner in the reference); all of them, without partners, where there is no reference."""
    if not reference:
        return [(place, None) for place in range(len(words))]
    pairs: list[tuple[int, Word | None]] = []
    for group in group_words([word.text for word in reference], [word.text for word in words], normaliser, language):
        said, written = range(*group.reference), range(*group.hypothesis)
        if not group.is_same or not said or not written:
            continue
        together = zip(said, written) if len(said) == len(written) else [(said[-1], written[-1])]
        pairs += [(there, reference[here]) for here, there in together]
    return pairs


def _onset(item: ToldItem, reference: Sequence[Word]) -> float | None:
    inside = _inside(item, reference)
    first = inside[0] if inside else next((word for word in item.words if word.start is not None), None)
    return None if first is None else first.start


def _speech_end(item: ToldItem, final: Final, reference: Sequence[Word]) -> float:
    inside = _inside(item, reference)
    ends = [word.end for word in (inside or item.words) if word.end is not None]
    if ends:
        return max(ends)
    return item.endpoint[1].end if item.endpoint else final.end


def _inside(item: ToldItem, reference: Sequence[Word]) -> list[Word]:
    """Words of the reference whose middle lies in the sound of an item."""
    if item.start is None or item.final is None:
        return []
    return [word for word in reference if word.start is not None and word.end is not None
            and item.start <= (word.start + word.end) / 2 <= item.final.end]


def _ended_by_silence(item: ToldItem) -> tuple[Final, Moment] | None:
    """The final and its moment, where silence ended an utterance with text."""
    if item.final is None or not item.final.text.strip() or item.final.reason != "silence":
        return None
    return item.final, item.moments[-1]
