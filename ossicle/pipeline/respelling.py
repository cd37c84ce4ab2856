"""A glossary applied to a chunk: its text, and its words with their times and confidence. The tokens stay what the model wrote."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from ossicle.glossary import Glossary
from ossicle.results import Chunk, Respelling, Timing, Word
from ossicle.text.glossary import Place, Speller
from ossicle.text.words import split_words

# From the best to the worst: what several words become is as sure as the worst of them.
TIMINGS: tuple[Timing, ...] = ("aligned", "attention", "interpolated", "estimated")


def respeller(glossary: Glossary | None) -> Callable[[Chunk], Chunk]:
    """What writes every chunk as a glossary has it; without one chunks stay as they are."""
    if glossary is None or not glossary.spellings:
        return lambda chunk: chunk
    return partial(respell, speller=Speller(glossary))


def respell(chunk: Chunk, speller: Speller) -> Chunk:
    """The chunk as the glossary writes it; joined words still give the text.

    A word keeps its times and confidence. What several words become begins with the first and ends with the last of them;
    where that is several words again, they share its time by their letters.
    """
    places = speller.places(chunk.text)
    if not places:
        return chunk
    counts = Counter((chunk.text[place.start : place.end], place.written) for place in places)
    words = tuple(_respelled(chunk.words, places)) if chunk.words else ()
    return replace(chunk, text=_written(chunk.text, 0, places), words=words,
                   respellings=tuple(Respelling(heard, written, count) for (heard, written), count in counts.items()))


def _respelled(words: Sequence[Word], places: Sequence[Place]) -> Iterator[Word]:
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word.text))
    at = 0
    while at < len(words):
        end, inside = at + 1, [place for place in places if starts[at] <= place.start < starts[at + 1]]
        while inside and starts[end] < inside[-1].end:              # as far as the last place reaches, and what begins there
            end += 1
            inside = [place for place in places if starts[at] <= place.start < starts[end]]
        group = words[at:end]
        if inside:
            text = "".join(word.text for word in group)
            yield from _timed(split_words(_written(text, starts[at], inside)), group)
        else:
            yield from group
        at = end


def _written(text: str, offset: int, places: Sequence[Place]) -> str:
    """A stretch that begins at `offset`, with these places written otherwise."""
    parts, at = [], 0
    for place in places:
        parts += [text[at : place.start - offset], place.written]
        at = place.end - offset
    return "".join([*parts, text[at:]])


def _timed(texts: Sequence[str], group: Sequence[Word]) -> Iterator[Word]:
    """Words of these texts in place of a group of words."""
    if len(texts) == len(group):
        yield from (replace(word, text=text) for word, text in zip(group, texts, strict=True))
        return
    start, end, known = group[0].start, group[-1].end, [word.confidence for word in group if word.confidence is not None]
    confidence = math.exp(sum(math.log(max(value, 1e-9)) for value in known) / len(known)) if known else None
    timing = max((word.timing for word in group if word.timing is not None), key=TIMINGS.index, default=None)
    if start is None or end is None:
        yield from (Word(text, confidence=confidence, speaker=group[0].speaker) for text in texts)
        return
    if len(texts) > 1:
        timing = max(timing or "interpolated", "interpolated", key=TIMINGS.index)
    per_letter, place = (end - start) / sum(map(len, texts)), 0
    for number, text in enumerate(texts, start=1):
        begins, place = start + per_letter * place, place + len(text)
        ends = end if number == len(texts) else start + per_letter * place     # to the bit: sums of parts may miss it
        yield Word(text, begins, ends, confidence, timing, group[0].speaker)
