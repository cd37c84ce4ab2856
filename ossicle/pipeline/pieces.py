"""A stretch of a recording to its chunk: what is asked of the engine, and what is known of its answer.

Knows nothing of batches, files or retries.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from ossicle.audio.recording import Recording
from ossicle.audio.resample import SAMPLE_RATE
from ossicle.options import TranscribeOptions
from ossicle.pipeline.languages import told
from ossicle.pipeline.recognize import Recognition, Sound
from ossicle.pipeline.spelling import spell_words
from ossicle.results import Chunk, StoppedBy, Token
from ossicle.text.tokenizer import Tokenizer

SETTLED_SECONDS = 3.0               # of a shorter piece the voice detector may have missed the speech
MIN_SPEECH_SHARE = 0.05             # of a chunk; with less, what the model is not sure of is not believed
SURE_LOGPROB = -0.25                # mean over the words; the bundled model makes text of music at -0.27 to -0.86, of speech above -0.01
REFERENCE_TOKENS = 512              # the official code's smallest budget
PAD_SECONDS = 0.5                   # pieces of a split recording shorter than this are filled up with zeros


@dataclass(frozen=True)
class Piece:
    """A stretch of the recording that waits to be decoded, in samples."""

    start: int
    end: int
    tries: int = 1
    is_silent: bool = False             # nothing in it is to be decoded
    speech_seconds: float | None = None     # of it, as the voice detector heard them
    has_looped: bool = False            # the longer piece around it did

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / SAMPLE_RATE


def make_sound(recording: Recording, piece: Piece, options: TranscribeOptions) -> Sound:
    """What the engine gets of a piece."""
    # The last of several tries runs to its budget: what repeats honestly is then written out whole.
    is_last = piece.tries > max(1, options.retries)
    guard = options.decode.loop_guard and not options.decode.fill_budget and not options.reference and not is_last
    samples = _filled(recording.samples(piece.start, piece.end), len(recording))
    return Sound(
        samples,
        _budget(piece, options),
        guard,
        seed=(options.decode.seed, piece.start, piece.tries),
        loop_penalty=piece.has_looped and guard,
        is_speech=piece.speech_seconds != 0 or piece.seconds < SETTLED_SECONDS,
        speech_seconds=piece.speech_seconds,
    )


def make_chunk(piece: Piece, found: Recognition, tokenizer: Tokenizer) -> Chunk:
    """What the engine said of a piece, with its words; the index is given when chunks are put in order."""
    decode = tokenizer.decode
    tokens = tuple(Token(id_, decode([id_]), logprob) for id_, logprob in zip(found.ids, found.logprobs, strict=True))
    return Chunk(
        index=0,
        start=piece.start / SAMPLE_RATE,
        end=piece.end / SAMPLE_RATE,
        text=found.reply.text,
        language=found.reply.language or None,
        stopped_by=found.stopped_by,
        tries=piece.tries,
        num_tokens=len(tokens),
        mean_logprob=sum(found.logprobs) / len(tokens) if tokens else None,
        tokens=tokens,
        speech_seconds=piece.speech_seconds,
        words=spell_words(tokens, found.reply.text, tokenizer) if found.reply.text else (),
        languages=told(found.chances),
    )


def doubted(chunk: Chunk) -> tuple[Chunk, str | None]:
    """The chunk without its text, and what to say of that, where hardly anybody speaks and the model was not sure either."""
    seconds = chunk.end - chunk.start
    is_heard = chunk.speech_seconds is None or chunk.speech_seconds >= MIN_SPEECH_SHARE * seconds or seconds < SETTLED_SECONDS
    logprobs = [math.log(max(word.confidence, 1e-9)) for word in chunk.words if word.confidence is not None]
    if is_heard or not logprobs or sum(logprobs) / len(logprobs) >= SURE_LOGPROB:
        return chunk, None
    left_out = replace(chunk, text="", words=(), language=None)
    return left_out, f"no voice was heard here, and the model was not sure of what it wrote, which is left out: {chunk.text}"


def empty_chunk(piece: Piece, stopped_by: StoppedBy) -> Chunk:
    """A piece of which nothing was asked."""
    return Chunk(0, piece.start / SAMPLE_RATE, piece.end / SAMPLE_RATE, "", None, stopped_by, piece.tries,
                 speech_seconds=piece.speech_seconds)


def _filled(samples: np.ndarray, num_samples: int) -> np.ndarray:
    """A short piece of a split recording, filled up with zeros at its end; a short recording stays as it is."""
    missing = round(PAD_SECONDS * SAMPLE_RATE) - len(samples)
    return np.pad(samples, (0, missing)) if missing > 0 and len(samples) < num_samples else samples


def _budget(piece: Piece, options: TranscribeOptions) -> int:
    """Tokens for one piece; each further try gets twice the rate, so that dense speech is not cut again."""
    decode = options.decode
    budget = replace(decode, tokens_per_second=min(1000.0, decode.tokens_per_second * 2 ** (piece.tries - 1))).budget(piece.seconds)
    return max(budget, REFERENCE_TOKENS) if options.reference and decode.max_tokens is None else budget
