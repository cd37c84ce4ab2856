"""One recording, whole: read, split at quiet, recognise in batches, try again what failed, join.

The contract: every stretch of sound ends up decoded, silent, or named in `coverage.gaps` with the reason. A chunk that
ran out of budget or looped is cut at a pause and its halves are decoded again; only what still fails is flagged.
"""

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ossicle.audio.load import SAMPLE_RATE, read_samples
from ossicle.audio.split import quietest_cut, split_at_quiet, split_official
from ossicle.audio.vad import is_silent
from ossicle.errors import ModelError, SpeechError
from ossicle.options import SplitOptions, TranscribeOptions
from ossicle.pipeline.engine import Engine
from ossicle.pipeline.languages import find_languages, told
from ossicle.pipeline.recognize import Ask, Recognition, Sound, StageClock, recognize
from ossicle.pipeline.report import Report
from ossicle.pipeline.spelling import spell_words
from ossicle.progress import CancelToken, OnEvent
from ossicle.results import Chunk, StoppedBy, Token, Transcript, source_name
from ossicle.text.languages import find_language

logger = logging.getLogger(__name__)

REFERENCE_SECONDS = 1200            # the official code's longest chunk
REFERENCE_TOKENS = 512              # and its smallest budget
MIN_RETRY_SECONDS = 2.0             # a shorter piece has no pause to cut at
PAD_SECONDS = 0.5                   # pieces of a split recording shorter than this are filled up with zeros


@dataclass(frozen=True)
class Piece:
    """A stretch of the recording that waits to be decoded, in samples."""

    start: int
    end: int
    tries: int = 1

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / SAMPLE_RATE


def transcribe(
    engine: Engine,
    source: Any,
    options: TranscribeOptions,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
) -> Transcript:
    """Say what is spoken in one source of sound.

    source    whatever audio/load.py reads
    returns   a Transcript; when cancelled, one that holds what was done until then

    Raises AudioError when the sound cannot be read, OptionError for a language the model does not know, Cancelled when
    that was asked for before the sound was read.
    """
    with engine.in_use():
        return _transcribe(engine, source, options, on_event, cancel or CancelToken())


def _transcribe(
    engine: Engine, source: Any, options: TranscribeOptions, on_event: OnEvent | None, cancel: CancelToken
) -> Transcript:
    if engine.config.is_aligner:
        raise ModelError("this checkpoint is a forced aligner: it times words it is given and cannot recognise any; "
                         "load a recogniser such as 0.6b")
    clock = time.perf_counter()
    cancel.check()
    ask = _ask(engine, options)
    report = Report(engine.facts, source_name(source), on_event, started=clock)
    samples = read_samples(source, options.audio, on_progress=lambda done, total: cancel.check(), on_warning=report.warn)
    report.timings["audio"] = time.perf_counter() - clock
    pieces = split(samples, options)
    report.begin(len(samples) / SAMPLE_RATE, len(pieces), options.audio.start_seconds)
    stages = StageClock()
    for chunk in decode_pieces(engine, samples, pieces, ask, options, stages, report, cancel):
        report.add(chunk)
    return report.finish(stages)


def split(samples: np.ndarray, options: TranscribeOptions) -> list[Piece]:
    """Cut samples into pieces, in order; joined, they give the samples back."""
    if not len(samples):
        return []
    if options.reference:
        spans = split_official(samples, REFERENCE_SECONDS)
    else:
        spans = split_at_quiet(samples, options.split)
    return [Piece(span.start, span.end) for span in spans]


def decode_pieces(
    engine: Engine,
    samples: np.ndarray,
    pieces: Sequence[Piece],
    ask: Ask,
    options: TranscribeOptions,
    stages: StageClock,
    report: Report,
    cancel: CancelToken,
) -> Iterator[Chunk]:
    """Decode pieces in batches and give finished chunks in the order of the recording.

    When cancelled, what was not reached comes as empty chunks that say so.
    """
    waiting = deque(pieces)
    done: dict[int, tuple[Piece, Chunk]] = {}               # by the sample they begin at
    next_start, index = 0, 0
    while waiting or done:
        # The odd ones come first: as many batches in all, and the first text sooner.
        size = len(waiting) % options.decode.batch_size or min(options.decode.batch_size, len(waiting))
        batch = [waiting.popleft() for _ in range(size)]
        again: list[Piece] = []
        for piece, chunk in _decode_batch(engine, samples, batch, ask, options, stages, cancel):
            if chunk.stopped_by in ("budget", "loop") and _may_retry(piece, options) and not cancel.is_cancelled:
                report.warn(f"decoding did not end ({chunk.stopped_by}); cut at a pause and decoded again", chunk.start, chunk.end)
                again += _halves(samples, piece, options.split)
            else:
                done[piece.start] = (piece, chunk)
        waiting.extendleft(reversed(again))
        while next_start in done:
            piece, chunk = done.pop(next_start)
            yield replace(chunk, index=index)
            next_start, index = piece.end, index + 1


def _decode_batch(
    engine: Engine,
    samples: np.ndarray,
    batch: Sequence[Piece],
    ask: Ask,
    options: TranscribeOptions,
    stages: StageClock,
    cancel: CancelToken,
) -> Iterator[tuple[Piece, Chunk]]:
    """Decode one batch on the engine's thread; silent pieces never get there, nor any once cancelled."""
    heard: list[Piece] = []
    for piece in batch:
        if cancel.is_cancelled:
            yield piece, _empty(piece, "cancelled")
        elif not options.reference and is_silent(samples[piece.start : piece.end]):
            yield piece, _empty(piece, "silence")
        else:
            heard.append(piece)
    if not heard:
        return
    sounds = [_sound(samples, piece, options) for piece in heard]
    try:
        found = engine.run(recognize, engine.parts, sounds, ask, stages, cancel)
    except KeyboardInterrupt:
        cancel.cancel()                                     # while we waited: the engine stops, too
        raise
    except (RuntimeError, MemoryError) as error:
        if len(heard) == 1:
            raise SpeechError(f"the engine failed on one chunk of {heard[0].seconds:.0f} s ({type(error).__name__}: {error}); "
                              "if memory ran out, choose a smaller max_seconds, fewer bits or a smaller model") from error
        logger.warning("the engine failed on %d chunks at once (%s); trying half as many", len(heard), error)
        engine.run(engine.parts.network.release)
        for half in (heard[: len(heard) // 2], heard[len(heard) // 2 :]):
            yield from _decode_batch(engine, samples, half, ask, options, stages, cancel)
        return
    for piece, recognition in zip(heard, found, strict=True):
        yield piece, _chunk(engine, piece, recognition)


def _sound(samples: np.ndarray, piece: Piece, options: TranscribeOptions) -> Sound:
    # The last of several tries runs to its budget: what repeats honestly is then written out whole.
    is_last = piece.tries > max(1, options.retries)
    guard = options.decode.loop_guard and not options.decode.fill_budget and not options.reference and not is_last
    sound = _filled(samples[piece.start : piece.end], len(samples))
    return Sound(sound, _budget(piece, options), guard, seed=(options.decode.seed, piece.start, piece.tries))


def _empty(piece: Piece, stopped_by: StoppedBy) -> Chunk:
    return Chunk(0, piece.start / SAMPLE_RATE, piece.end / SAMPLE_RATE, "", None, stopped_by, piece.tries)


def _chunk(engine: Engine, piece: Piece, found: Recognition) -> Chunk:
    decode = engine.tokenizer.decode
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
        words=spell_words(tokens, found.reply.text, engine.tokenizer) if found.reply.text else (),
        languages=told(found.chances),
    )


def _may_retry(piece: Piece, options: TranscribeOptions) -> bool:
    if options.reference or options.decode.fill_budget:
        return False
    return piece.tries <= options.retries and piece.seconds >= MIN_RETRY_SECONDS


def _halves(samples: np.ndarray, piece: Piece, options: SplitOptions) -> list[Piece]:
    """Cut a piece at the quietest place in its middle third."""
    third = (piece.end - piece.start) // 3
    cut = quietest_cut(samples, piece.start + third, piece.end - third, options.quiet_seconds)
    return [Piece(piece.start, cut, piece.tries + 1), Piece(cut, piece.end, piece.tries + 1)]


def _filled(sound: np.ndarray, num_samples: int) -> np.ndarray:
    """A short piece of a split recording, filled up with zeros at its end; a short recording stays as it is."""
    missing = round(PAD_SECONDS * SAMPLE_RATE) - len(sound)
    return np.pad(sound, (0, missing)) if missing > 0 and len(sound) < num_samples else sound


def _budget(piece: Piece, options: TranscribeOptions) -> int:
    """Tokens for one piece; each further try gets twice the rate, so that dense speech is not cut again."""
    decode = options.decode
    budget = replace(decode, tokens_per_second=min(1000.0, decode.tokens_per_second * 2 ** (piece.tries - 1))).budget(piece.seconds)
    return max(budget, REFERENCE_TOKENS) if options.reference and decode.max_tokens is None else budget


def _ask(engine: Engine, options: TranscribeOptions) -> Ask:
    supported = engine.config.support_languages or None
    language = find_language(options.language, supported).name if options.language else None
    languages = find_languages(options.languages, engine.config.support_languages)
    return Ask(language, options.context, options.decode, official=options.reference, languages=languages)
