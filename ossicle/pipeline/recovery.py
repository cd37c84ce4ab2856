"""A piece that looped or ran out of budget: whether it is decoded again, and where it is cut for that.

The good prefix is kept by being heard again on its own: the piece is cut at the best pause near where the good text ends, and
both parts are decoded anew. So every word belongs to the sound of one part, and none is lost or doubled, as it could be if
text were glued to text: nothing says exactly where in the sound a prefix ends.
"""

from dataclasses import dataclass

from ossicle.audio.recording import Recording
from ossicle.audio.resample import SAMPLE_RATE
from ossicle.audio.silero import FRAME
from ossicle.audio.split import best_cut
from ossicle.audio.vad import Speech
from ossicle.decode.stopping import count_before_loop
from ossicle.options import SplitOptions, TranscribeOptions
from ossicle.pipeline.pieces import Piece
from ossicle.results import Chunk

MIN_RETRY_SECONDS = 2.0             # a shorter piece has no pause to cut at
MIN_PACE_TOKENS = 40                # said to the end, before the pace of a recording is known
EDGE = 0.2                          # no part is shorter than this share of the piece, or it would have little context
NEAR = 0.15                         # a pause is looked for so far from the place, as a share of the piece


@dataclass
class Pace:
    """How fast a recording speaks, by its chunks that were decoded to the end."""

    num_tokens: int = 0
    speech_seconds: float = 0.0

    def add(self, chunk: Chunk) -> None:
        """Take a chunk that has its final text."""
        if chunk.stopped_by == "eos" and chunk.text and chunk.speech_seconds:
            self.num_tokens += chunk.num_tokens
            self.speech_seconds += chunk.speech_seconds

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens for each second of speech; None until enough was said."""
        return self.num_tokens / self.speech_seconds if self.num_tokens >= MIN_PACE_TOKENS else None


def may_retry(piece: Piece, options: TranscribeOptions) -> bool:
    """Whether a piece that failed is worth another try."""
    if options.reference or options.decode.fill_budget:
        return False
    return piece.tries <= options.retries and piece.seconds >= MIN_RETRY_SECONDS


def cut_again(recording: Recording, speech: Speech, piece: Piece, failed: Chunk, pace: Pace, options: SplitOptions) -> list[Piece]:
    """Cut a piece in two at the best pause: near where a loop began, as far as that is known, else in its middle third."""
    length = piece.end - piece.start
    place = _loop_place(speech, piece, failed, pace)
    low, high = (1 / 3, 2 / 3) if place is None else (max(EDGE, min(place, 1 - EDGE) - NEAR), min(1 - EDGE, max(place, EDGE) + NEAR))
    cut = best_cut(recording, speech, piece.start + round(low * length), piece.start + round(high * length), options.quiet_seconds)
    return [Piece(start, end, piece.tries + 1, speech_seconds=speech.seconds(start, end), has_looped=failed.stopped_by == "loop")
            for start, end in ((piece.start, cut), (cut, piece.end))]


def _loop_place(speech: Speech, piece: Piece, failed: Chunk, pace: Pace) -> float | None:
    """Where in a piece its loop began, as a share of its length: where so much speech has gone by as the text before it takes."""
    if failed.stopped_by != "loop" or speech.speech is None or pace.tokens_per_second is None:
        return None
    num_good = count_before_loop([token.id for token in failed.tokens], piece.seconds)
    frames = range(piece.start // FRAME, -(-piece.end // FRAME))
    said = speech.speech[frames.start : frames.stop].cumsum() * (FRAME / SAMPLE_RATE)
    behind = (said >= num_good / pace.tokens_per_second).nonzero()[0]
    return float(behind[0]) / len(frames) if len(behind) else None
