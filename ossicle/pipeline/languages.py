"""Which language a piece is in: how a reply may begin, how likely each language is, and what its neighbours say of it.

Knows nothing of sound. Probabilities are the model's own: of the tokens that may follow `language` in its reply.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ossicle.decode.phrases import Phrases
from ossicle.results import Chunk
from ossicle.text.languages import all_languages, find_language
from ossicle.text.reply import NO_SPEECH
from ossicle.text.tokenizer import ASR_TEXT, Tokenizer

Chances = Mapping[str, float]           # name of a language, or NO_SPEECH, to its probability; they add up to 1

# One chunk between two others is taken for misheard when they are sure and agree, it is unsure, and theirs is a real
# possibility for it. A switch that the model is sure of stays, however short.
SURE = 0.9
UNSURE = 0.7
UNSURE_SHORT = 0.9                      # for a chunk with little to go by
SHORT_SECONDS = 2.0
POSSIBLE = 0.1
LEAST_TOLD = 0.01                       # a chunk names no language that is less probable


@dataclass(frozen=True)
class Headers:
    """How a reply begins in each language that a checkpoint knows, and where there is no speech."""

    names: tuple[str, ...]
    phrases: Phrases

    def chances(self, logprobs: np.ndarray, allowed: Sequence[str] = ()) -> dict[str, float]:
        """Log-probabilities (headers,) as probabilities, the most probable first.

        allowed   languages to choose among: what the model gives to others is shared out among these, so that speech in
                  another language is not taken for silence. None are all.
        """
        found = dict(zip(self.names, np.exp(np.asarray(logprobs, np.float64)).tolist(), strict=True))
        if allowed:
            silence = found.pop(NO_SPEECH)
            found = {name: found[name] for name in allowed}
            total = sum(found.values())
            found = {name: (1 - silence) * (chance / total if total else 1 / len(found)) for name, chance in found.items()}
            found[NO_SPEECH] = silence
        return dict(sorted(found.items(), key=lambda entry: -entry[1]))


def read_headers(tokenizer: Tokenizer, supported: Sequence[str]) -> Headers:
    """The headers of a checkpoint; without a list of its own it is taken to know all thirty languages."""
    names = (*(supported or [language.name for language in all_languages()]), NO_SPEECH)
    return Headers(names, Phrases(tuple(tuple(tokenizer.encode(f"language {name}{ASR_TEXT}")) for name in names)))


def find_languages(asked: Iterable[str], supported: Sequence[str]) -> tuple[str, ...]:
    """The names that a checkpoint has for the languages asked for, each once. Raises OptionError as `find_language` does."""
    return tuple(dict.fromkeys(find_language(text, supported or None).name for text in asked))


def outside(chances: Chances, picked: str) -> tuple[str, ...]:
    """What to say where the model is sure of a language that was not to choose from."""
    name, chance = next(iter(chances.items()))
    if name in (picked, NO_SPEECH) or chance < SURE:
        return ()
    return (f"this sounds like {name} ({chance:.2f}), which is not among the languages asked for; it was decoded as {picked}",)


def told(chances: Chances) -> dict[str, float]:
    """What a chunk tells of them: the languages of some probability, rounded, likeliest first."""
    return {name: round(chance, 4) for name, chance in chances.items() if name != NO_SPEECH and chance >= LEAST_TOLD}


def smooth(chunks: Sequence[Chunk]) -> list[str | None]:
    """Chunks in the order of the recording to the language that each should have been heard in; None where it stays.

    A chunk without a language, silence or noise, says nothing of its neighbours and is passed over.
    """
    heard = [place for place, chunk in enumerate(chunks) if chunk.language]
    found: list[str | None] = [None] * len(chunks)
    for before, here, after in zip(heard, heard[1:], heard[2:]):
        found[here] = _misheard(chunks[before], chunks[here], chunks[after])
    return found


def smooth_as_they_come(chunks: Iterable[Chunk], again: Callable[[Chunk, str], Chunk | None]) -> Iterator[Chunk]:
    """The same chunks in the same order, those that were misheard replaced by what `again` makes of them in the other language.

    Looks one chunk ahead, silence not counted: where that one has no language, a chunk stays as it is.
    again   decodes a chunk once more; None keeps what was there
    """
    before: Chunk | None = None             # the last one with a language
    held: list[Chunk] = []                  # one with a language whose neighbour is awaited, and silence behind it
    for chunk in chunks:
        if held and chunk.stopped_by != "silence":
            first, *silence = held
            other = smooth([before, first, chunk])[1] if before is not None else None
            before, held = first, []
            yield (again(first, other) if other else None) or first
            yield from silence
        if held or chunk.language:
            held.append(chunk)
        else:
            yield chunk
    yield from held


def _misheard(before: Chunk, here: Chunk, after: Chunk) -> str | None:
    """The language that a chunk is probably in after all."""
    other, own = before.language or "", here.languages.get(here.language or "")
    if other != after.language or other == here.language or own is None:
        return None
    if min(before.languages.get(other, 0.0), after.languages.get(other, 0.0)) < SURE:
        return None
    seconds = here.end - here.start if here.speech_seconds is None else here.speech_seconds
    limit = UNSURE_SHORT if seconds < SHORT_SECONDS else UNSURE
    return other if own < limit and here.languages.get(other, 0.0) >= POSSIBLE else None
