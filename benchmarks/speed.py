"""Time one model on one sound, stage by stage, and print JSON with the conditions it was measured under.

    python benchmarks/speed.py --model tiny --audio ossicle/models/tiny/samples/english_long.wav
    python benchmarks/speed.py --model FOLDER --new-tokens 30        # random weights: force the number of steps

Every run goes through the same stages as `ossicle transcribe`. Loading is timed once; `--warmup` runs are not counted.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from ossicle.audio.load import SAMPLE_RATE, read_samples
from ossicle.audio.split import split_at_quiet
from ossicle.options import DTYPES, ENGINES, DecodeOptions, EngineOptions, SourceOptions, SplitOptions
from ossicle.pipeline.engine import Engine, load_engine
from ossicle.pipeline.recognize import Ask, Sound, StageClock, recognize

SAMPLE = Path(__file__).parent.parent / "ossicle" / "models" / "tiny" / "samples"


def main() -> None:
    args = _arguments()
    before = peak_memory_mb()
    started = time.perf_counter()
    engine = load_engine(args.model, EngineOptions(args.engine, args.dtype, args.bits), SourceOptions(offline=True))
    load_seconds, loaded = time.perf_counter() - started, peak_memory_mb()
    samples = read_samples(args.audio)
    runs = [measure(engine, samples, args) for _ in range(args.warmup + args.runs)][args.warmup :]
    report = {
        "machine": machine(),
        "conditions": {"command": " ".join(Path(word).name if "/" in word else word for word in sys.argv),
                       "audio": Path(args.audio).name, "audio_seconds": len(samples) / SAMPLE_RATE,
                       "runs": args.runs, "warmup": args.warmup, "new_tokens": args.new_tokens, "batch_size": args.batch_size},
        "model": asdict(engine.facts) | {"name": Path(engine.facts.name).name, "path": Path(engine.facts.path).name},
        "load_s": round(load_seconds, 3),
        "memory_mb": {"before": before, "loaded": loaded, "peak": peak_memory_mb()},
        **{name: spread([run[name] for run in runs]) for name in runs[0]},
    }
    text = json.dumps(report, indent=2, ensure_ascii=False)
    print(text)
    if args.json:
        args.json.write_text(text + "\n", "utf-8")
    engine.close()


def measure(engine: Engine, samples, args: argparse.Namespace) -> dict[str, float]:
    """One pass over the sound: seconds per stage, and what follows from them."""
    parts, clock, steps = engine.parts, StageClock(), 0
    if args.new_tokens:
        parts = replace(parts, eos_ids=frozenset())             # nothing ends a row but its budget
    spans = split_at_quiet(samples, SplitOptions())
    tokens, started = 0, time.perf_counter()
    for first in range(0, len(spans), args.batch_size):
        batch = spans[first : first + args.batch_size]
        sounds = [Sound(samples[span.start : span.end],
                        args.new_tokens or DecodeOptions().budget((span.end - span.start) / SAMPLE_RATE),
                        loop_guard=not args.new_tokens) for span in batch]
        found = engine.run(recognize, parts, sounds, Ask(language=args.language), clock)
        tokens += sum(len(recognition.ids) for recognition in found)
        steps += max(len(recognition.ids) for recognition in found)
    total, seconds = time.perf_counter() - started, len(samples) / SAMPLE_RATE
    return {
        "mel_s": clock.mel, "encode_s": clock.encode, "prefill_s": clock.prefill, "decode_s": clock.decode,
        "first_text_s": (clock.first_text_at or time.perf_counter()) - started,
        "tokens": tokens, "decode_ms_per_step": 1000 * clock.decode / max(1, steps), "total_s": total, "rtf": total / seconds,
    }


def spread(values: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 4), "min": round(min(values), 4), "max": round(max(values), 4)}


def peak_memory_mb() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def machine() -> dict[str, object]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"system": platform.platform(), "processor": _processor(), "cores": cores, "load_average": os.getloadavg()[0]}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny", help="folder, hub id or short name")
    parser.add_argument("--engine", default="auto", choices=ENGINES)
    parser.add_argument("--dtype", default="auto", choices=DTYPES)
    parser.add_argument("--bits", type=int, default=None)
    parser.add_argument("--language", default=None)
    parser.add_argument("--audio", default=None, help="the longest bundled sample when not given")
    parser.add_argument("--new-tokens", type=int, default=None, help="force this many steps per chunk")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--json", type=Path, default=None, help="also write the report to this file")
    args = parser.parse_args()
    if args.new_tokens and args.language is None:
        args.language = "English"                               # random weights never write a language tag
    if args.audio is None:
        args.audio = str(max(SAMPLE.glob("*.wav"), key=lambda path: path.stat().st_size))
    return args


if __name__ == "__main__":
    main()
