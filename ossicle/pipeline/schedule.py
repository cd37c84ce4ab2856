"""Pieces of one recording and of those behind it in one queue: which are decoded side by side, and what becomes of them.

Chunks of a recording come out in its order. A piece that failed is cut again and goes to the front of its recording.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from ossicle.audio.recording import Recording
from ossicle.audio.resample import SAMPLE_RATE
from ossicle.audio.vad import Speech, is_silent
from ossicle.errors import SpeechError
from ossicle.options import TranscribeOptions
from ossicle.pipeline.diarizer import Diarizers
from ossicle.pipeline.engine import Engine
from ossicle.pipeline.languages import may_smooth, smooth_as_they_come
from ossicle.pipeline.pieces import Piece, doubted, empty_chunk, make_chunk, make_sound
from ossicle.pipeline.recognize import Ask, StageClock, recognize
from ossicle.pipeline.recovery import Pace, cut_again, may_retry
from ossicle.pipeline.report import Report
from ossicle.pipeline.resume import settle
from ossicle.pipeline.speakers import Speakers
from ossicle.pipeline.timing import Timer, untimed
from ossicle.progress import CancelToken
from ossicle.results import Chunk

logger = logging.getLogger(__name__)

LONG_BATCHES = 8                    # from so many batches on, a small one at the beginning costs next to nothing
WINDOW_BATCHES = 2                  # pieces of a recording to choose from, in batches: more, and its text would come in fits and starts
Entry = tuple["Job", Piece]
# Whether a batch would not be full, to the recordings in hand, of which there may then be more, and whether further ones are to be had.
LookAhead = Callable[[bool], tuple[Sequence["Job"], bool]]


class Job:
    """One recording in hand: what of it waits, what is done, and how long its share of the work took."""

    def __init__(
        self, recording: Recording, speech: Speech, pieces: Iterable[Piece], report: Report, time_words: Timer = untimed,
        speakers: Speakers | None = None, respell: Callable[[Chunk], Chunk] = lambda chunk: chunk, known_chunks: Sequence[Chunk] = (),
    ) -> None:
        """known_chunks   of an earlier run; their pieces are done already. Raises OptionError for what is none."""
        self.recording, self.speech, self.report = recording, speech, report
        self.time_words, self.respell = time_words, respell
        self.speakers = speakers or Speakers(TranscribeOptions(), Diarizers(), None)        # the latter asks for nobody
        self.pieces = tuple(pieces)                             # end to end, they are the recording
        known, unknown = settle(self.pieces, known_chunks, report.offset) if known_chunks else ([], self.pieces)
        self.waiting = deque(piece for piece in unknown if not piece.is_silent)
        self.stages, self.pace = StageClock(), Pace()
        self.error: SpeechError | None = None                   # the engine failed on it
        self._done = {piece.start: (piece, empty_chunk(piece, "silence")) for piece in unknown if piece.is_silent}
        for piece, chunk in known:
            self.take(piece, chunk)
        self._known_starts, self._known_indices = {piece.start for piece, _ in known}, set[int]()
        self._num_waited, self._next_start, self._index = len(self.waiting), 0, 0

    @property
    def is_untouched(self) -> bool:
        """Whether nothing of it has been decoded yet."""
        return len(self.waiting) == self._num_waited

    def is_known(self, chunk: Chunk) -> bool:
        """Whether this chunk, as it came in order, is of an earlier run: its times count from the beginning of the recording."""
        return chunk.index in self._known_indices

    def take(self, piece: Piece, chunk: Chunk) -> None:
        """Keep what has become of a piece until its turn comes."""
        self.pace.add(chunk)
        self._done[piece.start] = (piece, chunk)

    def in_order(self) -> Iterator[Chunk]:
        """The chunks whose turn has come."""
        while self._next_start in self._done:
            piece, chunk = self._done.pop(self._next_start)
            if piece.start in self._known_starts:
                self._known_indices.add(self._index)
            yield replace(chunk, index=self._index)
            self._next_start, self._index = piece.end, self._index + 1

    def fail(self, error: SpeechError) -> None:
        """Give the recording up."""
        self.error = error
        self.waiting.clear()


class Schedule:
    """Decodes batch after batch of what waits."""

    def __init__(self, engine: Engine, ask: Ask, options: TranscribeOptions, cancel: CancelToken, look_ahead: LookAhead) -> None:
        self._engine, self._ask, self._options, self._cancel = engine, ask, options, cancel
        self._look_ahead = look_ahead

    def chunks_of(self, job: Job) -> Iterator[Chunk]:
        """Decode until all of a recording is done; gives its chunks in its order, each as soon as it is final.

        When cancelled, what was not reached comes as empty chunks that say so. Raises SpeechError when the engine fails on it.
        """
        chunks = self._chunks_of(job)
        return smooth_as_they_come(chunks, partial(self._hear_again, job)) if may_smooth(self._options) else chunks

    def _chunks_of(self, job: Job) -> Iterator[Chunk]:
        while True:
            if job.error is not None:
                raise job.error
            yield from job.in_order()
            if not job.waiting:
                return
            self._decode(self._next_batch(job))

    def _next_batch(self, job: Job) -> list[Entry]:
        """The next piece of a recording, those near it that are likest in length, and where there is room, such of others."""
        size = self._options.decode.batch_size
        jobs, more_to_come = self._look_ahead(len(job.waiting) < size)
        others = [(other, piece) for other in jobs if other is not job for piece in other.waiting]
        if not others and not more_to_come:
            size = _size(len(job.waiting), size, job.is_untouched)
        near = list(job.waiting)[: WINDOW_BATCHES * self._options.decode.batch_size]
        batch: list[Entry] = [(job, piece) for piece in _likest(near, near[0], size)]
        others.sort(key=lambda entry: abs(entry[1].seconds - batch[0][1].seconds))      # stable: of equal ones, the first in line
        batch += others[: size - len(batch)]
        for owner, piece in batch:
            owner.waiting.remove(piece)
        return batch

    def _decode(self, batch: Sequence[Entry]) -> None:
        """Decode one batch and hand every piece what became of it."""
        heard: list[Entry] = []
        for job, piece in batch:
            if self._cancel.is_cancelled:
                job.take(piece, empty_chunk(piece, "cancelled"))
            elif piece.tries > 1 and self._is_silent(job, piece):
                job.take(piece, empty_chunk(piece, "silence"))
            else:
                heard.append((job, piece))
        if heard:
            self._recognize(heard)

    def _is_silent(self, job: Job, piece: Piece) -> bool:
        vad = self._options.vad
        return vad.mode != "none" and is_silent(job.recording.samples(piece.start, piece.end), vad.silence_dbfs)

    def _recognize(self, batch: Sequence[Entry]) -> None:
        engine, stages = self._engine, StageClock()
        sounds = [make_sound(job.recording, piece, self._options) for job, piece in batch]
        try:
            found = engine.run(recognize, engine.parts, sounds, self._ask, stages, self._cancel)
        except KeyboardInterrupt:
            self._cancel.cancel()                           # while we waited: the engine stops, too
            raise
        except (RuntimeError, MemoryError) as error:
            self._after_failure(batch, error)
            return
        finally:
            _share_out(stages, batch)
        again: dict[Job, list[Piece]] = {}
        for (job, piece), recognition in zip(batch, found, strict=True):
            chunk = make_chunk(piece, recognition, engine.tokenizer)
            for warning in recognition.warnings:
                job.report.warn(warning, chunk.start, chunk.end)
            if chunk.stopped_by in ("budget", "loop") and may_retry(piece, self._options) and not self._cancel.is_cancelled:
                job.report.warn(f"decoding did not end ({chunk.stopped_by}); cut at a pause and decoded again", chunk.start, chunk.end)
                parts = cut_again(job.recording, job.speech, piece, chunk, job.pace, self._options.split)
                again.setdefault(job, []).extend(parts)
                continue
            if recognition.num_penalised and chunk.stopped_by == "eos":
                job.report.warn("decoded with a mild penalty on repetition; what is really said over and over may be written less "
                                "often", chunk.start, chunk.end)
            chunk, doubt = doubted(chunk)
            if doubt:
                job.report.warn(doubt, chunk.start, chunk.end)
            job.take(piece, chunk)
        for job, pieces in again.items():
            job.waiting.extendleft(reversed(pieces))

    def _hear_again(self, job: Job, chunk: Chunk, language: str) -> Chunk | None:
        """A chunk decoded once more in another language; None where that comes to nothing."""
        if job.is_known(chunk):
            return None
        piece = Piece(round(chunk.start * SAMPLE_RATE), round(chunk.end * SAMPLE_RATE), chunk.tries, speech_seconds=chunk.speech_seconds)
        sound, stages = replace(make_sound(job.recording, piece, self._options), language=language), StageClock()
        try:
            found, = self._engine.run(recognize, self._engine.parts, [sound], self._ask, stages, self._cancel)
        except (RuntimeError, MemoryError) as error:
            logger.warning("the engine failed on a chunk that it had decoded before (%s); the first reply stays", error)
            return None
        finally:
            _share_out(stages, [(job, piece)])
        if found.stopped_by != "eos":
            return None
        job.report.warn(f"heard as {chunk.language} ({chunk.languages[chunk.language or '']:.2f}) between chunks in {language}; decoded "
                        f"again as {language}", chunk.start, chunk.end)
        return replace(make_chunk(piece, found, self._engine.tokenizer), index=chunk.index, languages=chunk.languages)

    def _after_failure(self, batch: Sequence[Entry], error: Exception) -> None:
        if len(batch) > 1:
            logger.warning("the engine failed on %d chunks at once (%s); trying half as many", len(batch), error)
            self._engine.run(self._engine.parts.network.release)
            for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
                self._decode([(job, piece) for job, piece in half if job.error is None])
            return
        (job, piece), = batch
        failure = SpeechError(f"the engine failed on one chunk of {piece.seconds:.0f} s ({type(error).__name__}: {error}); "
                              "if memory ran out, choose a smaller max_seconds, fewer bits or a smaller model")
        failure.__cause__ = error
        job.fail(failure)


def _likest(pieces: Sequence[Piece], first: Piece, size: int) -> list[Piece]:
    """The pieces nearest in length to the first, in their order: what is longer than another costs that one as well."""
    ranked = sorted(range(len(pieces)), key=lambda place: abs(pieces[place].seconds - first.seconds))
    return [pieces[place] for place in sorted(ranked[:size])]


def _size(num_waiting: int, batch_size: int, is_first: bool) -> int:
    """How many of the pieces that are left to take at once: the odd ones first, in as many batches in all.

    Of a long recording only a few at first, so that its first text does not wait for a whole batch.
    """
    size = num_waiting % batch_size or min(batch_size, num_waiting)
    is_long = num_waiting >= LONG_BATCHES * batch_size
    return min(size, max(1, batch_size // 4)) if is_first and is_long else size


def _share_out(stages: StageClock, batch: Sequence[Entry]) -> None:
    """Add what a batch took to its recordings, by their seconds of sound in it; steps and the first text are of all of them."""
    total = sum(piece.seconds for _, piece in batch)
    for job, piece in batch:
        for part in ("mel", "encode", "prefill", "decode"):
            setattr(job.stages, part, getattr(job.stages, part) + getattr(stages, part) * piece.seconds / total)
    for job in {id(job): job for job, _ in batch}.values():
        job.stages.num_steps += stages.num_steps
        if job.stages.first_text_at is None:
            job.stages.first_text_at = stages.first_text_at
