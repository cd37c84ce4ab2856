"""Recordings, whole: read, find speech and cut, decode in batches, try again what failed, join. Start at `transcribe_each`.

The contract: every stretch of sound ends up decoded, silent, or named in `coverage.gaps` with the reason. A chunk that
ran out of budget or looped is cut at a pause and its parts are decoded again; only what still fails is flagged.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ossicle.audio.recording import Recording, read_recording
from ossicle.audio.resample import SAMPLE_RATE
from ossicle.audio.split import split_at_quiet, split_official
from ossicle.audio.vad import is_silent
from ossicle.errors import Cancelled, ModelError, SpeechError
from ossicle.options import TranscribeOptions
from ossicle.pipeline.engine import Engine
from ossicle.pipeline.languages import find_languages
from ossicle.pipeline.pieces import Piece
from ossicle.pipeline.reading import ReadAhead
from ossicle.pipeline.recognize import Ask
from ossicle.pipeline.report import Report
from ossicle.pipeline.schedule import Job, Schedule
from ossicle.pipeline.timing import split_for_words, word_timer
from ossicle.progress import CancelToken, OnEvent
from ossicle.results import Transcript, source_name
from ossicle.text.languages import find_language

REFERENCE_SECONDS = 1200            # the official code's longest chunk
REFERENCE_SECONDS_WITH_TIMES = 180  # and where words are timed
AHEAD_BATCHES = 4                   # pieces that wait, in batches, when no further recording is read ahead
READ_WAIT_SECONDS = 0.5             # how long a batch that is not full waits for the next recording to be read


@dataclass(frozen=True)
class Request:
    """One recording that is to be transcribed."""

    source: Any                         # whatever audio/load.py reads


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
) -> Iterator[Transcript | SpeechError]:
    """Say what is spoken in several sources; gives each result in order, as soon as it is there, or the error in its place.

    Chunks of recordings that follow one another share batches, and the next ones are read while one is decoded. All
    events of a recording come before the first of the next one. Once cancelled, recordings not begun have a Cancelled
    in their place. Closing the generator ends the work.
    """
    cancel = cancel or CancelToken()
    with engine.in_use():
        if engine.config.is_aligner:
            raise ModelError("this checkpoint is a forced aligner: it times words it is given and cannot recognise any; "
                             "load a recogniser such as 0.6b")
        ask, is_left = _ask(engine, options), CancelToken()

        def prepare(request: Request) -> Job:
            return _prepare(engine, request, options, on_event, (cancel, is_left))

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
        self._line: deque[Job | SpeechError] = deque()          # read and not finished, in order
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

    def _next(self) -> Job | SpeechError | None:
        """The first of the line."""
        if not self._line and (found := self._reader.take()) is not None:
            self._line.append(found)
        return self._line[0] if self._line else None

    def _result(self, job: Job | SpeechError, started: float | None) -> Transcript | SpeechError:
        if isinstance(job, SpeechError):
            return job
        try:
            return _transcribe(job, self._schedule, started)
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
    engine: Engine, request: Request, options: TranscribeOptions, on_event: OnEvent | None, stops: tuple[CancelToken, ...]
) -> Job:
    """Read one source and cut it; on whatever thread there is."""
    def check(*_progress: object) -> None:
        for stop in stops:
            stop.check()

    clock = time.perf_counter()
    check()
    report = Report(engine.facts, source_name(request.source), on_event, started=clock, offset=options.audio.start_seconds)
    recording = read_recording(request.source, options.audio, on_progress=check, on_warning=report.warn)
    try:
        report.timings["audio"] = time.perf_counter() - clock
        return Job(recording, split(recording, options), report, word_timer(engine, options, report, stops[0]))
    except BaseException:
        recording.close()
        raise


def _transcribe(job: Job, schedule: Schedule, started: float | None) -> Transcript:
    """One recording to its end; those behind it ride along in its batches.

    started   when its turn came, if it was read while another was decoded
    """
    report = job.report
    report.begin(job.recording.seconds, len(job.pieces), started)
    for chunk in schedule.chunks_of(job):
        samples = job.recording.samples(round(chunk.start * SAMPLE_RATE), round(chunk.end * SAMPLE_RATE))
        report.add(job.time_words(chunk, samples))
    return report.finish(job.stages)


def split(recording: Recording, options: TranscribeOptions) -> list[Piece]:
    """Cut a recording into pieces, in order; joined, they are the recording."""
    if not len(recording):
        return []
    samples = recording.samples()
    if options.reference:
        limit = REFERENCE_SECONDS if options.words == "none" else REFERENCE_SECONDS_WITH_TIMES
        return [Piece(span.start, span.end) for span in split_official(samples, limit)]
    spans = split_at_quiet(samples, split_for_words(options))
    return [Piece(span.start, span.end, is_silent=is_silent(samples[span.start : span.end])) for span in spans]


def _ask(engine: Engine, options: TranscribeOptions) -> Ask:
    supported = engine.config.support_languages or None
    language = find_language(options.language, supported).name if options.language else None
    languages = find_languages(options.languages, engine.config.support_languages)
    return Ask(language, options.context, options.decode, official=options.reference, languages=languages)
