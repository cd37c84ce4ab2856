"""A piece that looped or ran out of budget: whether it is decoded again, and where it is cut for that."""

from ossicle.audio.recording import Recording
from ossicle.audio.split import quietest_cut
from ossicle.options import SplitOptions, TranscribeOptions
from ossicle.pipeline.pieces import Piece

MIN_RETRY_SECONDS = 2.0             # a shorter piece has no pause to cut at


def may_retry(piece: Piece, options: TranscribeOptions) -> bool:
    """Whether a piece that failed is worth another try."""
    if options.reference or options.decode.fill_budget:
        return False
    return piece.tries <= options.retries and piece.seconds >= MIN_RETRY_SECONDS


def cut_again(recording: Recording, piece: Piece, options: SplitOptions) -> list[Piece]:
    """Cut a piece at the quietest place in its middle third."""
    samples = recording.samples(piece.start, piece.end)
    third = len(samples) // 3
    cut = piece.start + quietest_cut(samples, third, len(samples) - third, options.quiet_seconds)
    return [Piece(piece.start, cut, piece.tries + 1), Piece(cut, piece.end, piece.tries + 1)]
