"""Hours of synthetic speech through a recogniser: what memory the process takes as the recording goes by. Prints JSON.

    python -m benchmarks.long_memory                    # two hours, the bundled model
    python -m benchmarks.long_memory --hours 8 --model FOLDER --bits 8

The recording is made of the bundled model's samples with pauses of varied length, as a WAV file of 16 kHz and 16 bits. Memory is
what the system says is resident, looked at with every chunk that is done; the slope is a line fitted to it by least squares
over the sound, beginning behind the first tenth, which warms up. Linux only: elsewhere a process cannot ask so cheaply.
"""

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

import ossicle
from ossicle import ChunkDone, EngineOptions, Recognizer, Started, TranscribeOptions

SAMPLES = Path(ossicle.__file__).parent / "models" / "tiny" / "samples"
RATE = 16_000
PAUSES = (0.3, 0.6, 1.0, 0.4, 2.0, 0.5, 5.0, 0.8)       # seconds; the longer ones are left out
WARM_SHARE = 0.1


@dataclass
class Memory:
    """Resident megabytes (2^20 bytes) over seconds of sound that are done."""

    begun_mb: float = 0.0               # when the sound was read and cut
    seconds: list[float] = field(default_factory=list)
    resident_mb: list[float] = field(default_factory=list)

    def on_event(self, event: ossicle.Event) -> None:
        """Look, where a chunk is done."""
        if isinstance(event, Started):
            self.begun_mb = resident_mb()
        elif isinstance(event, ChunkDone):
            self.seconds.append(event.done_seconds)
            self.resident_mb.append(resident_mb())

    @property
    def slope_mb_per_hour(self) -> float:
        """Of sound, behind the first tenth."""
        warm = len(self.seconds) - round(len(self.seconds) * WARM_SHARE)
        return float(np.polyfit(self.seconds[-warm:], self.resident_mb[-warm:], 1)[0] * 3600)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--bits", type=int, default=None)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        recording = write_talk(Path(room) / "talk.wav", args.hours * 3600)
        with ossicle.load(args.model, EngineOptions("cpu", bits=args.bits or "auto")) as recognizer:
            print(json.dumps(measure(recognizer, recording), indent=2))


def measure(recognizer: Recognizer, recording: Path, options: TranscribeOptions | None = None) -> dict[str, object]:
    """Transcribe a recording once; what it took."""
    memory, loaded_mb, began = Memory(), resident_mb(), time.perf_counter()
    transcript = recognizer.transcribe(recording, options=options or TranscribeOptions(), on_event=memory.on_event)
    seconds = time.perf_counter() - began
    heard = max(memory.resident_mb)
    return {
        "machine": {"processor": platform.processor() or platform.machine(), "system": platform.platform(), "cores": os.cpu_count()},
        "model": recognizer.facts.name,
        "weights": recognizer.facts.weights,
        "audio_seconds": round(transcript.duration, 1),
        "samples_mb": round(transcript.duration * RATE * 4 / 2**20, 1),
        "work_seconds": round(seconds, 1),
        "load_average": os.getloadavg()[0],
        "chunks": len(transcript.chunks),
        "coverage": round(transcript.coverage.ratio, 4),
        "loaded_mb": round(loaded_mb, 1),
        "begun_mb": round(memory.begun_mb, 1),
        "highest_mb": round(heard, 1),
        "last_mb": round(memory.resident_mb[-1], 1),
        "slope_mb_per_hour": round(memory.slope_mb_per_hour, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "timings": {"audio": round(transcript.timings.audio, 1), "vad": round(transcript.timings.vad, 1)},
    }


def write_talk(file: Path, seconds: float) -> Path:
    """A recording of so many seconds, written a sentence at a time."""
    sentences = [soundfile.read(SAMPLES / name, dtype="int16")[0] for name in ("english.wav", "english_long.wav")]
    sentences += [soundfile.read(SAMPLES / name, dtype="int16")[0] for name in ("german.flac", "english_context.flac", "chinese.flac")]
    with soundfile.SoundFile(file, "w", RATE, 1, "PCM_16") as out:
        place = 0
        while out.tell() < seconds * RATE:
            out.write(sentences[place % len(sentences)])
            out.write(np.zeros(round(PAUSES[place % len(PAUSES)] * RATE), np.int16))
            place += 1
    return file


def resident_mb() -> float:
    """What of this process is in memory now, temporary files in the system's cache not counted."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
