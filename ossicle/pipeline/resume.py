"""Chunks of an earlier, interrupted run to the pieces they stand for: what is known is not decoded again.

A piece with the same bounds, to the sample, is known. So is one that was cut again, when all its parts are; with fewer of them it
is decoded from its beginning, as how it failed decides how the rest is tried. A chunk that was cancelled is not known.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ossicle.audio.resample import SAMPLE_RATE
from ossicle.errors import OptionError
from ossicle.pipeline.pieces import Piece
from ossicle.results import Chunk, Word
from ossicle.text.words import split_words

Known = tuple[Piece, Chunk]


def settle(pieces: Iterable[Piece], known_chunks: Sequence[Chunk], offset: float) -> tuple[list[Known], list[Piece]]:
    """Pieces in order to those that are known, with their chunks, and those that wait.

    offset   seconds of the recording before the first sample: times of chunks count from the beginning of the recording
    Raises OptionError for what is no chunk.
    """
    known: list[Known] = []
    waiting, by_start = [], _by_start(known_chunks, offset)
    for piece in pieces:
        parts, at = [], piece.start
        while at < piece.end and at in by_start and by_start[at][0] <= piece.end:
            end, chunk = by_start[at]
            parts.append((Piece(at, end, chunk.tries), chunk))
            at = end
        if at == piece.end:
            known += parts
        else:
            waiting.append(piece)
    return known, waiting


def _by_start(chunks: Sequence[Chunk], offset: float) -> dict[int, tuple[int, Chunk]]:
    found = {}
    for chunk in chunks:
        if not isinstance(chunk, Chunk):
            raise OptionError(f"known_chunks must be chunks of an earlier transcript, got {type(chunk).__name__}")
        start, end = (round((time - offset) * SAMPLE_RATE) for time in (chunk.start, chunk.end))
        if chunk.stopped_by != "cancelled" and start < end:
            found[start] = (end, _with_words(chunk))
    return found


def _with_words(chunk: Chunk) -> Chunk:
    """As JSON keeps words in the segments only, a chunk from there may have none."""
    return chunk if chunk.words or not chunk.text else replace(chunk, words=tuple(Word(word) for word in split_words(chunk.text)))
