"""A folder of recordings to a tree of results: what is done is left alone, what was interrupted goes on, no failure stops the rest.

Knows no flag and no terminal: it yields one Outcome per recording and tells a listener what happens meanwhile.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from ossicle.errors import AudioError, Cancelled, OptionError, SpeechError
from ossicle.library.files import content_hash, text_hash, write_file
from ossicle.library.finding import Found
from ossicle.library.ledger import Entry, Ledger
from ossicle.options import TranscribeOptions
from ossicle.progress import CancelToken, ChunkDone, Event, OnEvent
from ossicle.results import Chunk, Transcript

Ending = Literal["done", "incomplete", "failed", "skipped", "rewritten", "busy"]

MAX_TRIES = 3                       # a recording that failed so often is left alone until it is asked for again
AHEAD = 4                           # files whose content is hashed before their turn, for each job
NOTHING = "nothing"                 # stands for the hash of an output that a transcript cannot be written as
WAIT_SECONDS = 1.0                  # between two looks at a recording that another process works on


class Listener(Protocol):
    """What a batch needs of a Recognizer."""

    def transcribe(
        self, source: Path, *, options: TranscribeOptions, on_event: OnEvent, cancel: CancelToken, known_chunks: Sequence[Chunk]
    ) -> Transcript: ...


@dataclass(frozen=True)
class Style:
    """One kind of file to be written for every recording."""

    suffix: str
    render: Callable[[Transcript, Path], str | bytes | None]    # for a file at this path; None where there is nothing to write
    identity: str                   # everything but the transcript that shapes the file: where it changes, files are written again


@dataclass(frozen=True)
class Outcome:
    """How it went with one recording."""

    path: Path
    ending: Ending
    reason: str | None = None       # why it failed, or what is missing
    outputs: tuple[Path, ...] = ()  # written in this run
    audio_seconds: float = 0.0
    work_seconds: float = 0.0       # of this run
    num_chunks: int = 0
    num_known: int = 0              # of these, found in the ledger: not decoded in this run


@dataclass(frozen=True)
class Job:
    """What is the same for every recording of a batch."""

    out: Path
    styles: tuple[Style, ...]
    options: TranscribeOptions
    identity: str                   # of model and options: what shapes a transcript
    overwrite: bool = False         # also files that no earlier run wrote
    retry: bool = False             # also what failed often, or was incomplete
    jobs: int = 1                   # threads that read ahead
    wait: bool = True               # for other processes that work on the same ledger


@dataclass
class Tally:
    """Counts of a run, as it goes."""

    outcomes: list[Outcome] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def add(self, outcome: Outcome) -> None:
        """Take the outcome of one more recording."""
        self.outcomes.append(outcome)

    def count(self, *endings: Ending) -> int:
        """How many ended so."""
        return sum(outcome.ending in endings for outcome in self.outcomes)

    @property
    def audio_seconds(self) -> float:
        """Of sound, transcribed in this run."""
        return sum(outcome.audio_seconds for outcome in self.outcomes if outcome.ending in ("done", "incomplete"))

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self.started


OnRecording = Callable[[Path, Event | None], None]      # None: work on it begins


def run_batch(
    found: Sequence[Found],
    ledger: Ledger,
    recognizer: Callable[[], Listener],
    job: Job,
    on_recording: OnRecording = lambda path, event: None,
    cancel: CancelToken | None = None,
) -> Iterator[Outcome]:
    """Bring every recording to its end; yields one Outcome each, as they end.

    recognizer     gives the loaded model; called when the first recording needs one, so a run with nothing to do loads none
    on_recording   is told of every event of every recording
    cancel         ends the run before the next token; what is decoded of the recording in hand stays in the ledger

    Raises what `recognizer` raises; nothing for a recording that cannot be done.
    """
    cancel = cancel or CancelToken()
    busy: deque[Found] = deque()
    for recording, content in _hashed(found, ledger, job.jobs):
        if cancel.is_cancelled:
            return
        outcome = _bring_to_end(recording, content, ledger, recognizer, job, on_recording, cancel)
        if outcome is not None and outcome.ending == "busy":
            busy.append(recording)
        elif outcome is not None:
            yield outcome
    while busy and not cancel.is_cancelled:                 # others work on these: take what they write, or take over when they die
        recording = busy.popleft()
        outcome = _bring_to_end(recording, _content(recording.path, ledger), ledger, recognizer, job, on_recording, cancel)
        if outcome is None:
            return
        if outcome.ending != "busy" or not job.wait:
            yield outcome
        else:
            busy.append(recording)
            time.sleep(WAIT_SECONDS)


def _bring_to_end(
    recording: Found,
    content: str | OSError,
    ledger: Ledger,
    recognizer: Callable[[], Listener],
    job: Job,
    on_recording: OnRecording,
    cancel: CancelToken,
) -> Outcome | None:
    """None when cancelled."""
    path = recording.path
    if isinstance(content, OSError):
        return Outcome(path, "failed", f"cannot read it: {content.strerror or content}")
    entry = ledger.enter(content, job.identity, str(path))
    try:
        _refuse_foreign(recording, ledger, job)
        if entry.state == "done" or (entry.state == "incomplete" and not job.retry):
            return _settled(recording, entry, ledger, job)
        if entry.state == "failed" and entry.tries >= MAX_TRIES and not job.retry:
            return Outcome(path, "failed", f"{entry.error} (failed {entry.tries} times and left alone; --retry-failed tries again)")
        if not ledger.claim(entry):
            return Outcome(path, "busy", "another process works on it")
    except (SpeechError, OSError) as error:
        return Outcome(path, "failed", str(error))
    return _transcribe(recording, entry, ledger, recognizer(), job, on_recording, cancel)


def _transcribe(
    recording: Found,
    entry: Entry,
    ledger: Ledger,
    recognizer: Listener,
    job: Job,
    on_recording: OnRecording,
    cancel: CancelToken,
) -> Outcome | None:
    """Decode what is not known yet of a claimed recording, and write its results."""
    path, began = recording.path, time.monotonic()
    known = [chunk for chunk in ledger.chunks(entry) if not chunk.truncated]    # what failed is worth another try
    seen = {(chunk.start, chunk.end) for chunk in known}
    before = path.stat()

    def on_event(event: Event) -> None:
        if isinstance(event, ChunkDone) and event.chunk.stopped_by != "cancelled" and (event.chunk.start, event.chunk.end) not in seen:
            ledger.add_chunk(entry, event.chunk)
        on_recording(path, event)

    on_recording(path, None)
    try:
        transcript = recognizer.transcribe(path, options=job.options, on_event=on_event, cancel=cancel, known_chunks=known)
        if transcript.stopped_by == "cancelled" or (cancel.is_cancelled and not transcript.is_complete):
            raise Cancelled("cancelled by the caller")
        after = path.stat()
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise AudioError(f"{path} was changed while it was read; the next run takes it anew")
    except Cancelled:
        ledger.let_go(entry)
        return None
    except KeyboardInterrupt:
        ledger.let_go(entry)
        raise
    except Exception as error:                              # an engine out of memory is no SpeechError, and the next file may be short
        ledger.fail(entry, error)
        return Outcome(path, "failed", str(error) or type(error).__name__, work_seconds=time.monotonic() - began)
    ledger.finish(entry, transcript)
    outcome = Outcome(path, "done" if transcript.is_complete else "incomplete", _say_gaps(transcript) or None, (),
                      transcript.duration, time.monotonic() - began, len(transcript.chunks), len(known))
    try:
        return replace(outcome, outputs=tuple(_write(recording, entry, transcript, ledger, job, only_missing=False)))
    except (OSError, SpeechError) as error:
        return replace(outcome, ending="failed", reason=f"it is transcribed, but not written: {error}; the next run writes it")


def _settled(recording: Found, entry: Entry, ledger: Ledger, job: Job) -> Outcome:
    """Results of a recording that has its transcript: whatever is missing, changed or of another style is written again."""
    transcript = None
    if any(not _is_as_written(recording, entry, style, ledger, job) for style in job.styles):
        transcript = ledger.transcript(entry)
        assert transcript is not None, "a settled entry has a transcript"
    written = _write(recording, entry, transcript, ledger, job, only_missing=True) if transcript else []
    if entry.state == "incomplete":
        stored = transcript or ledger.transcript(entry)
        reason = f"{_say_gaps(stored) if stored else ''} (from an earlier run; --retry-failed tries again)"
        return Outcome(recording.path, "incomplete", reason, tuple(written))
    return Outcome(recording.path, "rewritten" if written else "skipped", outputs=tuple(written))


def _write(
    recording: Found, entry: Entry, transcript: Transcript, ledger: Ledger, job: Job, only_missing: bool
) -> list[Path]:
    written = []
    for style in job.styles:
        if only_missing and _is_as_written(recording, entry, style, ledger, job):
            continue
        path = _output(recording, style, job)
        content = style.render(replace(transcript, source=str(recording.path)), path)   # the same sound may lie in several places
        if content is None:
            ledger.note_output(str(path.absolute()), entry, style.identity, NOTHING)
            continue
        write_file(path, content)
        ledger.note_output(str(path.absolute()), entry, style.identity, text_hash(content))
        written.append(path)
    return written


def _is_as_written(recording: Found, entry: Entry, style: Style, ledger: Ledger, job: Job) -> bool:
    path = _output(recording, style, job)
    expected = ledger.output_hash(str(path.absolute()), entry, style.identity)
    if expected == NOTHING:
        return True
    try:
        return expected is not None and content_hash(path) == expected
    except OSError:
        return False


def _refuse_foreign(recording: Found, ledger: Ledger, job: Job) -> None:
    """Raise OptionError where a file stands in the way that no run of ours has written."""
    for style in job.styles:
        path = _output(recording, style, job)
        if path.exists() and not job.overwrite and not ledger.is_ours(str(path.absolute())):
            raise OptionError(f"{path} is there already and was not written by an earlier run; --overwrite replaces it, "
                              "another --out leaves it")


def _output(recording: Found, style: Style, job: Job) -> Path:
    place = job.out / recording.place
    return place.with_name(f"{place.name}.{style.suffix}")


def _say_gaps(transcript: Transcript) -> str:
    return "; ".join(f"{gap.start:.2f} to {gap.end:.2f} s: {gap.reason}" for gap in transcript.coverage.gaps)


def _hashed(found: Sequence[Found], ledger: Ledger, jobs: int) -> Iterator[tuple[Found, str | OSError]]:
    """Recordings with the hash of their content, read ahead by `jobs` threads; an error of the system in its place."""
    with ThreadPoolExecutor(max(1, jobs), thread_name_prefix="ossicle-hash") as pool:
        coming: deque[tuple[Found, Future[str] | str | OSError]] = deque()
        waiting = deque(found)
        while waiting or coming:
            while waiting and len(coming) < AHEAD * max(1, jobs):
                recording = waiting.popleft()
                coming.append((recording, _known_content(recording.path, ledger) or pool.submit(content_hash, recording.path)))
            recording, hashed = coming.popleft()
            if isinstance(hashed, Future):
                try:
                    before = recording.path.stat()
                    hashed = hashed.result()
                    ledger.note_content(str(recording.path), before.st_size, before.st_mtime_ns, hashed)
                except OSError as error:
                    hashed = error
            yield recording, hashed


def _content(path: Path, ledger: Ledger) -> str | OSError:
    try:
        return _known_content(path, ledger) or content_hash(path)
    except OSError as error:
        return error


def _known_content(path: Path, ledger: Ledger) -> str | None:
    try:
        now = path.stat()
    except OSError:
        return None
    return ledger.known_content(str(path), now.st_size, now.st_mtime_ns)
