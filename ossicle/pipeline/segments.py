"""Words of chunks to segments, as they come: each is final when it is handed out. Knows nothing of sound or models."""

from collections.abc import Sequence
from typing import Protocol

from ossicle.options import SegmentOptions
from ossicle.pipeline.sentences import ends_clause, ends_sentence
from ossicle.results import Chunk, Segment, Word

SHARE = 3                            # a sentence that is too long is cut behind its first third at the earliest
ROUNDING = 1e-6                      # seconds: what an offset added to times may cost


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


class BySentence:
    """Segments that end with a sentence, before a pause, and where speaker or language change; a chunk's end is none of these.

    A chunk with a word that has no times is a segment of its own. The last sentence of a chunk waits for the next word,
    as nothing before it tells whether a full stop ends a sentence.
    """

    def __init__(self, options: SegmentOptions = SegmentOptions()) -> None:  # noqa: B008  (frozen)
        self._options = options
        self._open: list[Word] = []
        self._language: str | None = None               # of the open words

    def add(self, chunk: Chunk, words: tuple[Word, ...]) -> list[Segment]:
        """The segments that ended before the last word of this chunk."""
        if any(word.start is None or word.end is None for word in words):
            return [*self.finish(), make_segment(words, chunk.start, chunk.end, chunk.language)]
        done: list[Segment] = []
        for word in words:
            if self._open and self._is_parted(word, chunk.language):
                done += self.finish()
            # A chunk whose language nobody told goes on in the one before.
            self._language = chunk.language if not self._open else self._language or chunk.language
            self._open.append(word)
            while self._seconds > self._options.max_seconds + ROUNDING and len(self._open) > 1:
                done.append(self._take(self._best_cut()))
        return done

    def finish(self) -> list[Segment]:
        """The open words as one segment."""
        return [self._take(len(self._open))] if self._open else []

    def _is_parted(self, word: Word, language: str | None) -> bool:
        """Whether a segment ends between the last open word and this one."""
        last = self._open[-1]
        return (
            word.speaker != last.speaker
            or (language != self._language and None not in (language, self._language))
            or _gap(last, word) >= self._options.pause_seconds - ROUNDING
            or ends_sentence(last.text, word.text, language)
        )

    @property
    def _seconds(self) -> float:
        return _end(self._open) - (self._open[0].start or 0.0)

    def _best_cut(self) -> int:
        """How many open words to part off: up to a clause mark, else to the longest pause, not too near the beginning."""
        places = range(max(1, len(self._open) // SHARE), len(self._open))
        clauses = [place for place in places if ends_clause(self._open[place - 1].text)]
        return max(clauses or places, key=lambda place: (_gap(self._open[place - 1], self._open[place]), place))

    def _take(self, count: int) -> Segment:
        words, self._open = self._open[:count], self._open[count:]
        return make_segment(words, words[0].start or 0.0, _end(words), self._language)


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


def _gap(before: Word, after: Word) -> float:
    return (after.start or 0.0) - (before.end or 0.0)


def _end(words: Sequence[Word]) -> float:
    return max(word.end or 0.0 for word in words)
