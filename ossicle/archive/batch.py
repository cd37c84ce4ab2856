"""A folder of recordings to a tree of results: what is done is left alone, what was interrupted goes on, no failure stops the rest.

Knows no flag and no terminal: it yields one Outcome per recording and tells a listener what happens meanwhile.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import Literal, Protocol

from ossicle.archive.files import content_hash, text_hash, write_file
from ossicle.archive.finding import Found
from ossicle.archive.ledger import Entry, Ledger
from ossicle.errors import AudioError, Cancelled, OptionError, SpeechError
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

    def transcribe_each(
        self,
        sources: Iterable[Path],
        *,
        options: TranscribeOptions,
        on_event: OnEvent,
        cancel: CancelToken,
        known_chunks: Mapping[int, Sequence[Chunk]],
    ) -> Iterator[Transcript | SpeechError]: ...


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


OnRecording = Callable[[Path, Event], None]


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
    run = _Run(ledger, job, on_recording, cancel or CancelToken())
    left: Sequence[Found] = found
    for number in count():
        if not left or run.cancel.is_cancelled:
            return
        if number > 1:                                      # take what the others write, or take over when they die
            time.sleep(WAIT_SECONDS)
        yield from run.go_through(left, recognizer)
        left, run.busy = run.busy, []
        if not job.wait:
            yield from (Outcome(recording.path, "busy", "another process works on it") for recording in left)
            return


@dataclass(frozen=True)
class _Claimed:
    """A recording that is ours to do, and what is known of it."""

    recording: Found
    entry: Entry
    known: tuple[Chunk, ...]
    look: os.stat_result            # of the file, before it is read

    @property
    def path(self) -> Path:
        return self.recording.path


class _Run:
    """One way through a list of recordings."""

    def __init__(self, ledger: Ledger, job: Job, on_recording: OnRecording, cancel: CancelToken) -> None:
        self.busy: list[Found] = []                         # others work on these
        self.cancel = cancel
        self._ledger, self._job, self._on_recording = ledger, job, on_recording
        self._ended: deque[Outcome] = deque()               # without the model
        self._in_hand: deque[_Claimed] = deque()

    def go_through(self, found: Sequence[Found], recognizer: Callable[[], Listener]) -> Iterator[Outcome]:
        """Bring these to their ends; what others work on is left in `busy`."""
        waiting = self._claim_each(found)
        again: list[_Claimed] = []                          # claimed, and not begun when another one broke off the work
        try:
            while not self.cancel.is_cancelled:
                first = again[0] if again else next(waiting, None)
                yield from self._take_ended()
                if first is None:
                    return
                again = [first, *again[1:]]                 # ours until it ends, also where no model can be loaded
                try:
                    yield from self._transcribe(chain(again, waiting), recognizer())
                    return
                except Exception as error:                  # no SpeechError: a fault, which must not stop the rest
                    if not self._in_hand:
                        raise
                    failed = self._in_hand.popleft()
                    again = list(self._in_hand)
                    self._in_hand.clear()
                    yield self._fail(failed, error)
        finally:
            for claimed in (*self._in_hand, *again):
                self._ledger.let_go(claimed.entry)
            self._in_hand.clear()

    def _claim_each(self, found: Sequence[Found]) -> Iterator[_Claimed]:
        """The recordings that need the model, claimed one by one as they are asked for."""
        for recording, content in _hashed(found, self._ledger, self._job.jobs):
            if self.cancel.is_cancelled:
                return
            if (claimed := self._claim(recording, content)) is not None:
                yield claimed

    def _claim(self, recording: Found, content: str | OSError) -> _Claimed | None:
        path, ledger, job = recording.path, self._ledger, self._job
        if isinstance(content, OSError):
            self._ended.append(Outcome(path, "failed", f"cannot read it: {content.strerror or content}"))
            return None
        entry = ledger.enter(content, job.identity, str(path))
        try:
            if entry.path != str(path) and not Path(entry.path).exists():
                ledger.move(entry, str(path))
            look = path.stat()
            _refuse_foreign(recording, ledger, job)
            if entry.state == "done" or (entry.state == "incomplete" and not job.retry):
                self._ended.append(_settled(recording, entry, ledger, job))
            elif entry.state == "failed" and entry.tries >= MAX_TRIES and not job.retry:
                reason = f"{entry.error} (failed {entry.tries} times and left alone; --retry-failed tries again)"
                self._ended.append(Outcome(path, "failed", reason))
            elif any(claimed.entry.id == entry.id for claimed in self._in_hand) or not ledger.claim(entry):
                self.busy.append(recording)                 # of the same content as one in hand, or another process has it
            else:
                known = tuple(chunk for chunk in ledger.chunks(entry) if not chunk.truncated)   # what failed is worth another try
                return _Claimed(recording, entry, known, look)
        except (SpeechError, OSError) as error:
            self._ended.append(Outcome(path, "failed", str(error)))
        return None

    def _transcribe(self, waiting: Iterator[_Claimed], recognizer: Listener) -> Iterator[Outcome]:
        known: dict[int, Sequence[Chunk]] = {}

        def sources() -> Iterator[Path]:
            for place, claimed in enumerate(waiting):       # several are read ahead, and decoded side by side
                known[place] = claimed.known
                self._in_hand.append(claimed)
                yield claimed.path

        results = recognizer.transcribe_each(
            sources(), options=self._job.options, on_event=self._on_event, cancel=self.cancel, known_chunks=known)
        for result in results:
            yield from self._take_ended()
            claimed = self._in_hand[0]
            if isinstance(result, Cancelled) or (isinstance(result, Transcript) and result.stopped_by == "cancelled"):
                return
            self._in_hand.popleft()
            yield self._end(claimed, result)
        yield from self._take_ended()

    def _on_event(self, event: Event) -> None:
        claimed = self._in_hand[0]                          # all events of one come before the first of the next
        if isinstance(event, ChunkDone):
            is_known = any(event.chunk.start == chunk.start for chunk in claimed.known)
            if not is_known and event.chunk.stopped_by != "cancelled":
                self._ledger.add_chunk(claimed.entry, event.chunk)
        self._on_recording(claimed.path, event)

    def _end(self, claimed: _Claimed, result: Transcript | SpeechError) -> Outcome:
        if isinstance(result, SpeechError):
            return self._fail(claimed, result)
        try:
            now = claimed.path.stat()
        except OSError as error:
            return self._fail(claimed, error)
        if (now.st_size, now.st_mtime_ns) != (claimed.look.st_size, claimed.look.st_mtime_ns):
            return self._fail(claimed, AudioError(f"{claimed.path} was changed while it was read; the next run takes it anew"))
        self._ledger.finish(claimed.entry, result)
        outcome = Outcome(claimed.path, "done" if result.is_complete else "incomplete", _say_gaps(result) or None, (),
                          result.duration, result.timings.total, len(result.chunks), len(claimed.known))
        try:
            written = _write(claimed.recording, claimed.entry, result, self._ledger, self._job, only_missing=False)
        except (OSError, SpeechError) as error:
            return replace(outcome, ending="failed", reason=f"it is transcribed, but not written: {error}; the next run writes it")
        return replace(outcome, outputs=tuple(written))

    def _fail(self, claimed: _Claimed, error: Exception) -> Outcome:
        self._ledger.fail(claimed.entry, error)
        return Outcome(claimed.path, "failed", str(error) or type(error).__name__)

    def _take_ended(self) -> Iterator[Outcome]:
        while self._ended:
            yield self._ended.popleft()


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
        path.parent.mkdir(parents=True, exist_ok=True)
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


def _known_content(path: Path, ledger: Ledger) -> str | None:
    try:
        now = path.stat()
    except OSError:
        return None
    return ledger.known_content(str(path), now.st_size, now.st_mtime_ns)
