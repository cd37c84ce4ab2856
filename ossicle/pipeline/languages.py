"""Which language a piece is in: how a reply may begin, how likely each language is, and what its neighbours say of it.

Knows nothing of sound. Probabilities are the model's own: of the tokens that may follow `language` in its reply.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ossicle.decode.phrases import Phrases
from ossicle.options import TranscribeOptions
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


def may_smooth(options: TranscribeOptions) -> bool:
    """Whether what neighbours say counts at all."""
    is_chosen = options.language is not None or len(options.languages) == 1
    return options.smooth_languages and not (is_chosen or options.reference or options.decode.fill_budget)


def smooth(chunks: Sequence[Chunk]) -> list[str | None]:
    """Chunks in the order of the recording to the language that each should have been heard in; None where it stays.

    A chunk without a language, silence or noise, says nothing of its neighbours and is passed over.
    """
    heard = [place for place, chunk in enumerate(chunks) if chunk.language]
    found: list[str | None] = [None] * len(chunks)
    for before, here, after in zip(heard, heard[1:], heard[2:]):
        other = _doubt(chunks[before], chunks[here])
        found[here] = other if other and _is_sure(chunks[after], other) else None
    return found


def smooth_as_they_come(chunks: Iterable[Chunk], again: Callable[[Chunk, str], Chunk | None]) -> Iterator[Chunk]:
    """The same chunks in the same order, those that were misheard replaced by what `again` makes of them in the other language.

    Only a chunk in doubt waits, for one chunk, silence not counted: where that one has no language, it stays as it is.
    again   decodes a chunk once more; None keeps what was there
    """
    before: Chunk | None = None             # the last one with a language
    held: list[Chunk] = []                  # one in doubt, and silence behind it
    for chunk in chunks:
        if held and chunk.stopped_by != "silence":
            first, *silence = held
            other = smooth([before, first, chunk])[1] if before is not None else None
            before, held = first, []
            yield (again(first, other) if other else None) or first
            yield from silence
        if held or (before is not None and _doubt(before, chunk)):
            held.append(chunk)
        else:
            before = chunk if chunk.language else before
            yield chunk
    yield from held


def _doubt(before: Chunk, here: Chunk) -> str | None:
    """The language of the chunk before, where that is sure of it and this one is not of its own."""
    other, own = before.language, here.languages.get(here.language or "")
    if not other or other == here.language or own is None or not _is_sure(before, other):
        return None
    seconds = here.end - here.start if here.speech_seconds is None else here.speech_seconds
    limit = UNSURE_SHORT if seconds < SHORT_SECONDS else UNSURE
    return other if own < limit and here.languages.get(other, 0.0) >= POSSIBLE else None


def _is_sure(chunk: Chunk, language: str) -> bool:
    return chunk.language == language and chunk.languages.get(language, 0.0) >= SURE
