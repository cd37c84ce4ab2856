"""Words with the times at which they were committed, to the log that SimulEval writes and omnisteval reads: `instances.log`.

One line of JSON for each stream, times in milliseconds: `delays` by the audio clock, `elapsed` by the wall's, one for each word
of `prediction` between spaces (or each character of it).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ossicle.measure.told import Clock, ToldItem


@dataclass(frozen=True, slots=True)
class Emission:
    """A word between spaces, or a character, and when it was committed."""

    text: str
    audio_seconds: float
    wall_seconds: float

    def at(self, clock: Clock) -> float:
        """When, by one of the clocks."""
        return self.audio_seconds if clock == "audio" else self.wall_seconds


def emissions(items: Sequence[ToldItem], by_character: bool = False) -> list[Emission]:
    """What the session committed, token by token, each at the moment that completed it."""
    found = []
    for item in items:
        place = 0
        for token in _tokens(item.committed, by_character):
            place = item.committed.index(token, place) + len(token)
            moment = item.moment_of(place - 1)
            found.append(Emission(token, moment.audio_seconds, moment.wall_seconds))
    return found


def instance_line(
    index: int, source: str, words: Sequence[Emission], reference: str, source_seconds: float, is_paced: bool, by_character: bool = False
) -> str:
    """One line of the log.

    source          what the stream is called; omnisteval finds it by this
    source_seconds  of its sound
    is_paced        the wall's clock means something; else `elapsed` is left out
    """
    joined = ("" if by_character else " ").join(word.text for word in words)
    entry: dict[str, object] = {
        "index": index, "prediction": joined, "delays": [1000 * word.audio_seconds for word in words], "prediction_length": len(words),
        "reference": reference, "source": [source], "source_length": 1000 * source_seconds,
    }
    if is_paced:
        entry["elapsed"] = [1000 * word.wall_seconds for word in words]
    return json.dumps(entry, ensure_ascii=False) + "\n"


def tokens_of(text: str, by_character: bool) -> list[str]:
    """What latency is counted in: words between spaces, or characters."""
    return list(_tokens(text, by_character))


def _tokens(text: str, by_character: bool) -> Iterable[str]:
    return (char for char in text if not char.isspace()) if by_character else text.split()
