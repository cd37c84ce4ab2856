"""Recordings in, what each stage of each takes out, and memory: one piece at a time beside several at once, in one run.

Where `ossicle bench` asks how fast a model is here, this asks what batching is worth on recordings of one's own. The two ways
take turns, so that a ratio is of neighbours in time.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ossicle.doctor import Machine, measure_machine
from ossicle.errors import AudioError, OptionError
from ossicle.measure.speed import Spread, peak_memory_mb, reset_peak_memory, spread, unplaced
from ossicle.options import EngineOptions, SpeedOptions, TranscribeOptions
from ossicle.recognizer import Recognizer
from ossicle.results import ModelFacts, Timings, Transcript

SCHEMA = "ossicle-perftest/1"
WAYS = ("sequential", "batched")
NO_STAGES = frozenset(("first_text", "total", "num_steps"))
STAGES = tuple(part.name for part in fields(Timings) if part.name not in NO_STAGES)
TOGETHER = "all files together"

Way = Literal["sequential", "batched"]
OnRun = Callable[[str, str, float], None]               # (file, way, seconds)


@dataclass(frozen=True)
class Effort:
    """What one way of decoding takes for one recording."""

    total_s: Spread
    stages: Mapping[str, Spread | None]     # seconds by stage; "other" is what no stage names. Empty for several files together
    rtf: float | None
    peak_memory_mb: float | None            # the most the process took during these runs; memory of a GPU is not in it
    tokens: int


@dataclass(frozen=True)
class FilePerformance:
    """One recording, or all of them handed over together, both ways."""

    file: str
    audio_seconds: float
    num_chunks: int
    sequential: Effort
    batched: Effort
    speedup: Spread                         # sequential over batched, run by run
    same_text: bool                         # whether both ways write the same; if not, look before you trust either


@dataclass(frozen=True)
class PerformanceReport:
    """All recordings, one model, one machine."""

    date: str
    model: ModelFacts
    machine: Machine
    engine: EngineOptions
    batch_size: int
    chunk_seconds: float
    runs: int
    warmup: int
    peak_is_per_run: bool                   # False: the system cannot begin a peak anew, and each is that of all before
    files: tuple[FilePerformance, ...]
    together: FilePerformance | None        # None for a single recording

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"schema": SCHEMA, **asdict(self)}


@dataclass(frozen=True)
class _Run:
    seconds: float
    transcripts: list[Transcript]
    peak: float | None


def measure_performance(
    recognizer: Recognizer,
    recordings: Sequence[Path],
    options: TranscribeOptions,
    asked: SpeedOptions,
    engine: EngineOptions,
    on_run: OnRun = lambda file, way, seconds: None,
) -> PerformanceReport:
    """Transcribe every recording alone, both ways, and then all of them in one call, both ways.

    options   as for `Recognizer.transcribe`; its batch size is that of the batched way, 1 that of the other
    asked     runs that count, and those before them that do not

    Raises AudioError for a recording that cannot be read or is empty, OptionError where the batch size leaves nothing to compare.
    """
    if options.decode.batch_size < 2:
        raise OptionError(f"batch_size must be 2 or more to be compared with 1, got {options.decode.batch_size}")
    date, is_per_run = datetime.now(UTC).isoformat(timespec="seconds"), reset_peak_memory()
    files = tuple(_measure(recognizer, [recording], recording.name, options, asked, on_run) for recording in recordings)
    together = _measure(recognizer, recordings, TOGETHER, options, asked, on_run) if len(recordings) > 1 else None
    return PerformanceReport(
        date=date,
        model=unplaced(recognizer.facts),
        machine=measure_machine(engine.threads),
        engine=engine,
        batch_size=options.decode.batch_size,
        chunk_seconds=options.split.max_seconds,
        runs=asked.runs,
        warmup=asked.warmup,
        peak_is_per_run=is_per_run,
        files=files,
        together=together,
    )


def _measure(
    recognizer: Recognizer, recordings: Sequence[Path], name: str, options: TranscribeOptions, asked: SpeedOptions, on_run: OnRun
) -> FilePerformance:
    sizes = {"sequential": 1, "batched": options.decode.batch_size}
    runs: dict[str, list[_Run]] = {way: [] for way in WAYS}
    for number in range(asked.warmup + asked.runs):
        for way in WAYS if number % 2 == 0 else WAYS[::-1]:     # neither is always the one that finds the file in memory
            asked_for = replace(options, decode=replace(options.decode, batch_size=sizes[way]))
            run = _run(recognizer, recordings, asked_for)
            on_run(name, way, run.seconds)
            if number >= asked.warmup:
                runs[way].append(run)
    first = runs["sequential"][0].transcripts
    speedups = [one.seconds / other.seconds for one, other in zip(runs["sequential"], runs["batched"], strict=True)]
    ratio = spread(speedups)
    assert ratio is not None
    return FilePerformance(
        file=name,
        audio_seconds=sum(transcript.duration for transcript in first),
        num_chunks=sum(len(transcript.chunks) for transcript in first),
        sequential=_effort(runs["sequential"]),
        batched=_effort(runs["batched"]),
        speedup=ratio,
        same_text=[transcript.text for transcript in first] == [transcript.text for transcript in runs["batched"][0].transcripts],
    )


def _run(recognizer: Recognizer, recordings: Sequence[Path], options: TranscribeOptions) -> _Run:
    reset_peak_memory()
    started = time.perf_counter()
    found = recognizer.transcribe_many(recordings, options=options)
    seconds = time.perf_counter() - started
    transcripts = [transcript for transcript in found if isinstance(transcript, Transcript)]
    for recording, transcript in zip(recordings, transcripts, strict=True):
        if not transcript.duration:
            raise AudioError(f"expected sound in {recording}, got a recording without samples: there is nothing to time")
    return _Run(seconds, transcripts, peak_memory_mb())


def _effort(runs: Sequence[_Run]) -> Effort:
    total = spread([run.seconds for run in runs])
    assert total is not None
    audio = sum(transcript.duration for transcript in runs[0].transcripts)
    peaks = [run.peak for run in runs if run.peak is not None]
    is_one = len(runs[0].transcripts) == 1
    return Effort(
        total_s=total,
        stages=_stages(runs) if is_one else {},             # files that share batches share their seconds
        rtf=total.median / audio if audio else None,
        peak_memory_mb=max(peaks) if peaks else None,
        tokens=int(statistics.median_low([sum(chunk.num_tokens for transcript in run.transcripts for chunk in transcript.chunks)
                                          for run in runs])),
    )


def _stages(runs: Sequence[_Run]) -> dict[str, Spread | None]:
    rows = [{name: getattr(run.transcripts[0].timings, name) for name in STAGES} for run in runs]
    for run, row in zip(runs, rows, strict=True):
        row["other"] = max(0.0, run.seconds - sum(value for value in row.values() if value is not None))
    return {name: spread([row[name] for row in rows]) for name in rows[0]}
