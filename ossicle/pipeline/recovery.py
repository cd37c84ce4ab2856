"""A piece that looped or ran out of budget: whether it is decoded again, and where it is cut for that."""

from ossicle.audio.recording import Recording
from ossicle.audio.split import best_cut
from ossicle.audio.vad import Speech
from ossicle.options import SplitOptions, TranscribeOptions
from ossicle.pipeline.pieces import Piece

MIN_RETRY_SECONDS = 2.0             # a shorter piece has no pause to cut at


def may_retry(piece: Piece, options: TranscribeOptions) -> bool:
    """Whether a piece that failed is worth another try."""
    if options.reference or options.decode.fill_budget:
        return False
    return piece.tries <= options.retries and piece.seconds >= MIN_RETRY_SECONDS


def cut_again(recording: Recording, speech: Speech, piece: Piece, options: SplitOptions) -> list[Piece]:
    """Cut a piece at the best pause in its middle third."""
    third = (piece.end - piece.start) // 3
    cut = best_cut(recording, speech, piece.start + third, piece.end - third, options.quiet_seconds)
    return [Piece(start, end, piece.tries + 1, speech_seconds=speech.seconds(start, end))
            for start, end in ((piece.start, cut), (cut, piece.end))]
