"""Recordings, whole: read, find speech and cut, decode in batches, try again what failed, join. Start at `transcribe_each`.

The contract: every stretch of sound ends up decoded, silent, or named in `coverage.gaps` with the reason. A chunk that
ran out of budget or looped is cut at a pause and its parts are decoded again; only what still fails is flagged.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ossicle.audio.recording import Recording, read_recording
from ossicle.audio.resample import SAMPLE_RATE
from ossicle.audio.split import pack, split_official
from ossicle.audio.vad import Detector, Speech, find_speech
from ossicle.errors import Cancelled, ModelError, SpeechError
from ossicle.options import TranscribeOptions, VadOptions
from ossicle.pipeline.asking import make_ask
from ossicle.pipeline.diarizer import Diarizers
from ossicle.pipeline.engine import Engine
from ossicle.pipeline.pieces import Piece
from ossicle.pipeline.reading import ReadAhead
from ossicle.pipeline.recognize import Ask
from ossicle.pipeline.report import Report
from ossicle.pipeline.respelling import respeller
from ossicle.pipeline.schedule import Job, Schedule
from ossicle.pipeline.segments import BySentence
from ossicle.pipeline.speakers import Speakers, with_word_times
from ossicle.pipeline.timing import split_for_words, word_timer
from ossicle.progress import CancelToken, OnEvent
from ossicle.results import Chunk, Transcript, source_name

REFERENCE_SECONDS = 1200            # the official code's longest chunk
REFERENCE_SECONDS_WITH_TIMES = 180  # and where words are timed
AHEAD_BATCHES = 4                   # pieces that wait, in batches, when no further recording is read ahead
READ_WAIT_SECONDS = 0.5             # how long a batch that is not full waits for the next recording to be read


@dataclass(frozen=True)
class Request:
    """One recording that is to be transcribed."""

    source: Any                         # whatever audio/load.py reads
    detector: Detector | None = None    # of speech, in place of ours
    known_chunks: Sequence[Chunk] = ()  # of an earlier, interrupted run over the same sound, with the same options


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
    result, = transcribe_each(engine, [Request(source)], options, on_event, cancel)
    if isinstance(result, SpeechError):
        raise result
    return result


def transcribe_each(
    engine: Engine,
    requests: Iterable[Request],
    options: TranscribeOptions,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
    diarizers: Diarizers | None = None,
) -> Iterator[Transcript | SpeechError]:
    """Say what is spoken in several sources; gives each result in order, as soon as it is there, or the error in its place.

    Chunks of recordings that follow one another share batches, and the next ones are read while one is decoded. All
    events of a recording come before the first of the next one. Once cancelled, recordings not begun have a Cancelled
    in their place. Closing the generator ends the work.

    diarizers   kept from call to call by whoever wants their models loaded once
    """
    cancel, diarizers = cancel or CancelToken(), diarizers or Diarizers()
    with engine.in_use():
        if engine.config.is_aligner:
            raise ModelError("this checkpoint is a forced aligner: it times words it is given and cannot recognise any; "
                             "load a recogniser such as 0.6b")
        (ask, warnings), is_left = make_ask(engine, options), CancelToken()
        diarizers.prepare(options.speakers)
        options = with_word_times(options, diarizers)

        def prepare(request: Request) -> Job:
            return _prepare(engine, request, options, diarizers, on_event, (cancel, is_left), warnings)

        with ReadAhead(requests, prepare, dispose=lambda job: job.recording.close()) as reader:
            try:
                yield from _Session(engine, ask, options, cancel, reader).results()
            finally:
                is_left.cancel()


class _Session:
    """The recordings of one call: which comes next, and which are read meanwhile."""

    def __init__(
        self, engine: Engine, ask: Ask, options: TranscribeOptions, cancel: CancelToken, reader: ReadAhead[Request, Job]
    ) -> None:
        self._options, self._cancel, self._reader = options, cancel, reader
        self._line: deque[Job | Exception] = deque()            # read and not finished, in order
        self._schedule = Schedule(engine, ask, options, cancel, self._look_ahead)

    def results(self) -> Iterator[Transcript | SpeechError]:
        """One after the other."""
        started = None
        try:
            while (job := self._next()) is not None:
                if started is not None and self._cancel.is_cancelled:
                    yield Cancelled("cancelled by the caller")
                else:
                    yield self._result(job, started)
                if isinstance(job, Job):
                    job.recording.close()
                self._line.popleft()
                started = time.perf_counter()
        finally:
            for left in self._line:
                if isinstance(left, Job):
                    left.recording.close()

    def _next(self) -> Job | Exception | None:
        """The first of the line."""
        if not self._line and (found := self._reader.take()) is not None:
            self._line.append(found)
        return self._line[0] if self._line else None

    def _result(self, job: Job | Exception, started: float | None) -> Transcript | SpeechError:
        if isinstance(job, SpeechError):
            return job
        if isinstance(job, Exception):          # a fault of ours or of the caller's function: at its turn, so that it costs no other
            raise job
        try:
            return _transcribe(job, self._schedule, self._cancel, started)
        except SpeechError as error:
            return error

    def _look_ahead(self, is_short: bool) -> tuple[list[Job], bool]:
        """The recordings in hand, more of them where a batch would not be full, and whether further ones are to be had."""
        batch_size, deadline = self._options.decode.batch_size, time.monotonic() + READ_WAIT_SECONDS
        while True:
            jobs = [job for job in self._line if isinstance(job, Job)]
            num_waiting = sum(len(job.waiting) for job in jobs)
            while self._reader.num_begun < (batch_size if is_short else 1) and self._reader.begin():
                pass
            if not is_short or num_waiting >= AHEAD_BATCHES * batch_size:
                break
            is_full = num_waiting >= batch_size
            found = self._reader.take(0 if is_full else max(0, deadline - time.monotonic()))
            if found is None:
                break
            self._line.append(found)
        return jobs, not self._reader.is_exhausted


def _prepare(
    engine: Engine, request: Request, options: TranscribeOptions, diarizers: Diarizers, on_event: OnEvent | None,
    stops: tuple[CancelToken, ...], warnings: tuple[str, ...] = (),
) -> Job:
    """Read one source and cut it; on whatever thread there is."""
    def check(*_progress: object) -> None:
        for stop in stops:
            stop.check()

    clock = time.perf_counter()
    check()
    name = source_name(request.source)
    report = Report(engine.facts, name, on_event, clock, BySentence(options.segments), offset=options.audio.start_seconds)
    for warning in warnings:
        report.warn(warning)
    speakers = Speakers(options, diarizers, name)
    recording = read_recording(request.source, options.audio, on_progress=check, on_warning=report.warn, levels=speakers.levels)
    try:
        report.timings["audio"] = time.perf_counter() - clock
        clock = time.perf_counter()
        speech = find_speech(recording, VadOptions("none") if options.reference else options.vad, request.detector, check)
        pieces = cut(recording, speech, options)
        report.timings["vad"] = time.perf_counter() - clock
        time_words = word_timer(engine, options, report, stops[0])
        return Job(recording, speech, pieces, report, time_words, speakers, respeller(options.glossary), request.known_chunks)
    except BaseException:
        recording.close()
        raise


def _transcribe(job: Job, schedule: Schedule, cancel: CancelToken, started: float | None) -> Transcript:
    """One recording to its end; those behind it ride along in its batches.

    started   when its turn came, if it was read while another was decoded
    """
    report = job.report
    report.begin(job.recording.seconds, len(job.pieces), started)
    job.speakers.find(job.recording, report, cancel)
    for chunk in schedule.chunks_of(job):
        if job.is_known(chunk):
            report.add(chunk, is_known=True)
            continue
        samples = job.recording.samples(round(chunk.start * SAMPLE_RATE), round(chunk.end * SAMPLE_RATE))
        report.add(job.speakers.attribute(job.respell(job.time_words(chunk, samples))))
    return report.finish(job.stages)


def cut(recording: Recording, speech: Speech, options: TranscribeOptions) -> list[Piece]:
    """Cut a recording into pieces, in order; joined, they are the recording."""
    if not len(recording):
        return []
    if options.reference:
        limit = REFERENCE_SECONDS if options.words == "none" else REFERENCE_SECONDS_WITH_TIMES
        return [Piece(span.start, span.end) for span in split_official(recording.samples(), limit)]
    return [Piece(span.start, span.end, is_silent=not span.is_active, speech_seconds=speech.seconds(span.start, span.end))
            for span in pack(recording, speech, split_for_words(options))]

