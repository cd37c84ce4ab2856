"""A model and a recording in, a SpeedReport out: what every stage takes, beside what this machine could do at best.

Computes nothing of its own: each pass goes the way of `Recognizer.transcribe`. docs/speed.md says what the figures mean.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ossicle.doctor import Machine, measure_machine
from ossicle.errors import AudioError
from ossicle.options import EngineOptions, SourceOptions, SpeedOptions, TranscribeOptions
from ossicle.recognizer import Recognizer, load
from ossicle.results import ModelFacts, Transcript

SCHEMA = "ossicle-bench/1"
FORCED_LANGUAGE = "English"             # weights that write no language tag are given one; which one costs nothing

OnLoaded = Callable[[ModelFacts, float], None]      # (which model, seconds of loading)
OnRun = Callable[[int, float], None]                # (number of the run, the warm-up included; its seconds)


@dataclass(frozen=True)
class Spread:
    """One figure over all runs that count."""

    median: float
    min: float
    max: float


@dataclass(frozen=True)
class Conditions:
    """What a reader must know before comparing."""

    date: str                           # UTC, ISO 8601
    audio: str                          # name of the file
    audio_seconds: float
    language: str | None                # that was forced
    new_tokens: int | None
    chunk_seconds: float
    batch_size: int
    runs: int
    warmup: int
    engine: EngineOptions               # as asked for; the report's `model` says what came of it
    load_average: float | None          # of the minute before: other programs take what is then missing here


@dataclass(frozen=True)
class Floor:
    """The shortest step that this machine's memory allows: it reads every weight of the step once."""

    step_bytes: int | None
    decode_ms_per_token: float | None
    ratio: float | None                 # measured / floor; 1 is as fast as memory is read
    reason: str | None                  # why there is no floor, or why it is none; None where it holds


@dataclass(frozen=True)
class SpeedReport:
    """One model on one recording on one machine."""

    machine: Machine
    conditions: Conditions
    model: ModelFacts
    load_s: float
    stages: Mapping[str, Spread | None]     # None for what did not happen: no step, no text
    tokens: int                             # of one run, the end tokens left out
    rtf: Spread
    loaded_memory_mb: float | None          # most that the process had taken when the model was loaded,
    peak_memory_mb: float | None            # and when the last run was done; memory of a GPU is not in it
    floor: Floor

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers, ready for JSON."""
        return {"schema": SCHEMA, **asdict(self)}


def measure_speed(
    model: str,
    recording: Path,
    options: TranscribeOptions,
    asked: SpeedOptions,
    engine: EngineOptions,
    where: SourceOptions,
    on_loaded: OnLoaded = lambda facts, seconds: None,
    on_run: OnRun = lambda number, seconds: None,
) -> SpeedReport:
    """Load a model, transcribe one recording again and again, and then see what the machine could do.

    recording   a file; it is read anew in every run
    options     as for `Recognizer.transcribe`; `asked.new_tokens` goes before its budget, retries and end tokens

    Raises AudioError, ModelError, OptionError; MissingExtra when the engine named is not installed.
    """
    if asked.new_tokens:
        decode = replace(options.decode, max_tokens=asked.new_tokens, fill_budget=True)
        options = replace(options, language=options.language or FORCED_LANGUAGE, decode=decode)
    date, load_average = datetime.now(UTC), os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    started = time.perf_counter()
    with load(model, engine, where) as recognizer:
        load_seconds, loaded_memory = time.perf_counter() - started, peak_memory_mb()
        facts = recognizer.facts
        on_loaded(facts, load_seconds)
        transcripts = [_run(recognizer, recording, options, number, on_run) for number in range(asked.warmup + asked.runs)]
    peak_memory = peak_memory_mb()
    transcripts = transcripts[asked.warmup :]
    machine = measure_machine(engine.threads)             # after the peak was read: its own memory is none of the model's
    stages = {name: spread([_stages(transcript)[name] for transcript in transcripts]) for name in _stages(transcripts[0])}
    return SpeedReport(
        machine=machine,
        conditions=Conditions(
            date=date.isoformat(timespec="seconds"),
            audio=recording.name,
            audio_seconds=transcripts[0].duration,
            language=options.language,
            new_tokens=asked.new_tokens,
            chunk_seconds=options.split.max_seconds,
            batch_size=options.decode.batch_size,
            runs=asked.runs,
            warmup=asked.warmup,
            engine=engine,
            load_average=load_average,
        ),
        model=unplaced(facts),
        load_s=_rounded(load_seconds),
        stages=stages,
        tokens=statistics.median_low(sum(chunk.num_tokens for chunk in transcript.chunks) for transcript in transcripts),
        rtf=Spread(*_three([transcript.timings.total / transcript.duration for transcript in transcripts])),
        loaded_memory_mb=loaded_memory,
        peak_memory_mb=peak_memory,
        floor=floor_of(facts, machine, stages["decode_ms_per_token"]),
    )


def floor_of(facts: ModelFacts, machine: Machine, measured: Spread | None) -> Floor:
    """The floor of one step of this model here, and how far above it the measured one is.

    measured   milliseconds per step
    """
    if facts.engine != "cpu" or facts.step_bytes is None:
        return Floor(facts.step_bytes, None, None, f"the memory bandwidth of {facts.device} on engine {facts.engine} is not measured")
    least = facts.step_bytes / machine.read_bandwidth_gbs / 1e6             # GB/s are bytes per nanosecond
    ratio = _rounded(measured.median / least) if measured else None
    is_broken = ratio is not None and ratio < 1
    reason = "faster than memory is read: caches hold the weights, or other programs slowed the reading" if is_broken else None
    return Floor(facts.step_bytes, _rounded(least), ratio, reason)


def unplaced(facts: ModelFacts) -> ModelFacts:
    """The facts with a folder by its own name; where it lies is nobody's business."""
    return replace(facts, name=Path(facts.name).name if Path(facts.name).is_dir() else facts.name, path=Path(facts.path).name)


def peak_memory_mb() -> float | None:
    """The most memory that this process has taken so far, in 2**20 bytes; None where the system does not say."""
    peak = peak_memory_bytes()
    return None if peak is None else round(peak / 2**20, 1)


def peak_memory_bytes() -> int | None:
    """The same in bytes."""
    try:
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    except OSError:                                         # no Linux
        return _peak_by_usage()
    # Not ru_maxrss: that begins with what the program took that started this one.
    kilobytes = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
    return int(kilobytes) * 1024 if kilobytes else None


def reset_peak_memory() -> bool:
    """Let the peak begin anew at what the process holds now. False where the system cannot: the peak is then that of its whole life."""
    try:
        Path("/proc/self/clear_refs").write_text("5", "utf-8")      # 5 is the peak alone; see proc(5)
    except OSError:                                         # no Linux, or a sandbox that forbids it
        return False
    return True


def spread(values: Sequence[float | None]) -> Spread | None:
    """Median, least and most of a figure; None when no run had it."""
    known = [value for value in values if value is not None]
    return Spread(*_three(known)) if known else None


def _run(recognizer: Recognizer, recording: Path, options: TranscribeOptions, number: int, on_run: OnRun) -> Transcript:
    transcript = recognizer.transcribe(recording, options=options)
    if not transcript.duration:
        raise AudioError(f"expected sound in {recording}, got a recording without samples: there is nothing to time")
    on_run(number, transcript.timings.total)
    return transcript


def _stages(transcript: Transcript) -> dict[str, float | None]:
    timings = transcript.timings
    return {
        "read_s": timings.audio,
        "mel_s": timings.mel,
        "encode_s": timings.encode,
        "prefill_s": timings.prefill,
        "decode_s": timings.decode,
        "decode_ms_per_token": 1000 * timings.decode / timings.num_steps if timings.num_steps else None,
        "first_text_s": timings.first_text,
        "total_s": timings.total,
    }


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    return _rounded(statistics.median(values)), _rounded(min(values)), _rounded(max(values))


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")            # microseconds of a second, and no more than a clock can say


def _peak_by_usage() -> int | None:
    try:
        import resource
    except ImportError:                                     # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
