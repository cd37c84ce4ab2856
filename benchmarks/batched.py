"""One long recording, chunks side by side against one chunk at a time, turn by turn in one run. Prints JSON.

    python -m benchmarks.batched --folder FOLDER                    # 0.6B at 8 bits, some two minutes on two cores
    python -m benchmarks.batched --folder FOLDER --rates 3,8 --batch-size 16 --minutes 20

FOLDER is any checkpoint; `tests.checkpoints.build_full` writes a random one of the published size. Every chunk writes a fixed number
of tokens, so many for each second of its sound (English has some 4, other scripts up to 10) and 16 more, since random weights do not end
by themselves. `decode` compares the steps of the decoder only, `total` the whole way from the file to the text.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import ossicle
from benchmarks.long_memory import write_talk
from ossicle import DecodeOptions, EngineOptions, TranscribeOptions
from ossicle.measure.perftest import FilePerformance, measure_performance
from ossicle.options import SpeedOptions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--bits", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=4.0, help="of the recording")
    parser.add_argument("--rates", default="4", help="tokens for each second of sound, several with commas")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--runs", type=int, default=1)
    args = parser.parse_args()
    engine = EngineOptions("cpu", bits=args.bits)
    with tempfile.TemporaryDirectory() as room, ossicle.load(args.folder, engine) as recognizer:
        recording = write_talk(Path(room) / "talk.wav", args.minutes * 60)
        recognizer.transcribe((sound_of(recording), 16_000), options=options_of(1, 2))       # wakes threads
        report: dict[str, object] = {"weights": recognizer.facts.weights, "parameters": recognizer.facts.parameters}
        for rate in map(float, args.rates.split(",")):
            asked = SpeedOptions(runs=args.runs, warmup=0)
            found = measure_performance(recognizer, [recording], options_of(rate, args.batch_size), asked, engine)
            report |= {"machine": vars(found.machine), "batch_size": found.batch_size}
            report[f"{rate:g} tokens a second"] = compare(found.files[0])
        report["load_average"] = os.getloadavg()[0]
    print(json.dumps(report, indent=2))


def options_of(rate: float, batch_size: int) -> TranscribeOptions:
    """Every chunk writes as many tokens as its budget has, whatever they are."""
    decode = DecodeOptions(tokens_per_second=rate, min_tokens=1, fill_budget=True, batch_size=batch_size)
    return TranscribeOptions(language="English", decode=decode)


def sound_of(recording: Path) -> object:
    """The first five seconds."""
    from ossicle.audio.load import read_samples
    from ossicle.options import AudioOptions

    return read_samples(recording, AudioOptions(end_seconds=5.0))


def compare(found: FilePerformance) -> dict[str, object]:
    """Seconds of both ways by stage, and the ratios."""
    def seconds(way: str) -> dict[str, float]:
        effort = getattr(found, way)
        stages = {name: round(spread.median, 2) for name, spread in effort.stages.items() if spread is not None}
        return stages | {"total": round(effort.total_s.median, 2), "rtf": round(effort.rtf or 0.0, 4), "tokens": effort.tokens}

    one, several = seconds("sequential"), seconds("batched")
    return {
        "audio_seconds": found.audio_seconds,
        "chunks": found.num_chunks,
        "one at a time": one,
        "side by side": several,
        "speedup": {"decode": round(one["decode"] / several["decode"], 2), "total": round(one["total"] / several["total"], 2)},
    }


if __name__ == "__main__":
    main()
