"""Words of chunks to segments, as they come: each is final when it is handed out. Knows nothing of sound or models."""

from collections.abc import Sequence
from typing import Protocol

from ossicle.results import Chunk, Segment, Word


class Segmenter(Protocol):
    """Takes chunk after chunk; joined, the texts of all segments it gives are the text of the recording."""

    def add(self, chunk: Chunk, words: tuple[Word, ...]) -> list[Segment]:
        """Take the next chunk that has text; gives the segments that are final by now.

        words   of the chunk, with the space before the first that the text so far asks for
        """
        ...

    def finish(self) -> list[Segment]:
        """No more chunks come: the segments that were still open."""
        ...


class ByChunk:
    """One segment for each chunk: all that can be said where words have no times."""

    def add(self, chunk: Chunk, words: tuple[Word, ...]) -> list[Segment]:
        """The chunk as one segment."""
        return [make_segment(words, chunk.start, chunk.end, chunk.language)]

    def finish(self) -> list[Segment]:
        """Nothing: no segment stays open."""
        return []


def make_segment(words: Sequence[Word], start: float, end: float, language: str | None) -> Segment:
    """A segment of these words; its confidence is the mean of theirs, its speaker the one they share."""
    known = [word.confidence for word in words if word.confidence is not None]
    speakers = {word.speaker for word in words}
    return Segment(
        text="".join(word.text for word in words),
        start=start,
        end=end,
        language=language,
        confidence=sum(known) / len(known) if known else None,
        words=tuple(words),
        speaker=speakers.pop() if len(speakers) == 1 else None,
    )
