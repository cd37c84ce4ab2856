"""Chunks of an earlier, interrupted run to the pieces they stand for: what is known is not decoded again.

A piece with the same bounds, to the sample, is known. So are the parts that it was cut into; only what they leave of it is
decoded. A chunk that was cancelled is not known: it was never finished.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ossicle.audio.resample import SAMPLE_RATE
from ossicle.audio.vad import Speech
from ossicle.errors import OptionError
from ossicle.pipeline.pieces import Piece
from ossicle.results import Chunk, Word
from ossicle.text.words import split_words

Known = tuple[Piece, Chunk]


def settle(pieces: Iterable[Piece], known_chunks: Sequence[Chunk], offset: float, speech: Speech | None) -> tuple[list[Known], list[Piece]]:
    """Pieces in order to those that are known, with their chunks, and those that wait.

    offset   seconds of the recording before the first sample: times of chunks count from the beginning of the recording
    Raises OptionError for what is no chunk.
    """
    known, waiting, by_start = [], [], _by_start(known_chunks, offset)
    for piece in pieces:
        at, tries = piece.start, piece.tries
        while at < piece.end and at in by_start and by_start[at][0] <= piece.end:
            end, chunk = by_start[at]
            known.append((Piece(at, end, chunk.tries), chunk))
            at, tries = end, chunk.tries
        if at == piece.start:
            waiting.append(piece)
        elif at < piece.end:
            waiting.append(Piece(at, piece.end, tries, speech_seconds=speech.seconds(at, piece.end) if speech else None))
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
