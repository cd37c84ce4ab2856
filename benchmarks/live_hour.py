"""Hours of synthetic speech through one live session, as fast as it is heard: whether steps or memory grow with it. Prints JSON.

    python -m benchmarks.live_hour                          # one hour, the bundled model
    python -m benchmarks.live_hour --hours 0.05             # three minutes
    python -m benchmarks.live_hour --out FILE.json

The sound is made while it is fed, of the bundled model's samples with pauses of varied length. A slope is a line fitted by least
squares over the sound, behind the first tenth, which warms up; beside it stands its standard error. Memory is what the system
says is resident at each final text. Linux only, as benchmarks/long_memory.py.
"""

import argparse
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile

import ossicle
from benchmarks.long_memory import PAUSES, RATE, SAMPLES, WARM_SHARE, resident_mb
from ossicle import EngineOptions, Failure, Final, Recognizer, StreamOptions
from ossicle.measure.effort import slope, step_times
from ossicle.measure.latency import distribution
from ossicle.measure.normalise import find_normaliser
from ossicle.measure.score import Utterance, score
from ossicle.measure.stability import Stability, stability
from ossicle.measure.told import Arrival, items_told, session_text

SCHEMA = "ossicle-live-hour/1"
NAMES = ("english.wav", "english_long.wav", "english_context.flac", "english_unseen_speaker.flac")
QUEUED_SECONDS = 10.0                   # of sound that may wait in the session


@dataclass
class Talk:
    """Sound sentence by sentence, and what was said in it so far."""

    seconds: float
    said: list[str] = field(default_factory=list)

    def blocks(self) -> Iterator[np.ndarray]:
        """One sentence or one pause at a time."""
        texts = {clip["file"]: clip["text"] for clip in json.loads((SAMPLES / "transcripts.json").read_text("utf-8"))}
        sentences = [(soundfile.read(SAMPLES / name, dtype="float32")[0], texts[name]) for name in NAMES]
        fed, place = 0, 0
        while fed < self.seconds * RATE:
            samples, text = sentences[place % len(sentences)]
            pause = np.zeros(round(PAUSES[place % len(PAUSES)] * RATE), np.float32)
            self.said.append(text)
            yield samples
            yield pause
            fed, place = fed + len(samples) + len(pause), place + 1


@dataclass
class Seen:
    """What is kept of the session: figures only, for its events alone would be tens of megabytes in an hour."""

    memory: list[tuple[float, float]] = field(default_factory=list)     # (seconds of sound, resident megabytes) at each final text
    steps: list[tuple[float, float]] = field(default_factory=list)      # (seconds of sound, seconds of work)
    texts: list[str] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)                   # of words
    steady: Stability = field(default_factory=Stability)
    idle_steps: int = 0                                                 # of utterances without text

    def take(self, arrivals: list[Arrival]) -> None:
        """One utterance, told to its end."""
        item, = items_told(arrivals)
        assert item.final is not None
        self.memory.append((item.final.audio_seconds, resident_mb()))
        self.steps += step_times([item])
        self.texts.append(item.text)
        self.starts += [word.start for word in item.words if word.start is not None]
        self.steady += stability([item])
        self.idle_steps += 0 if item.text.strip() else item.final.usage.num_steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--step", type=float, default=0.5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with ossicle.load(args.model, EngineOptions("cpu")) as recognizer:
        report = measure(recognizer, args.hours * 3600, StreamOptions(language="English", step_seconds=args.step, coalesce=False))
    text = json.dumps(report, indent=2, default=str)
    sys.stdout.write(text + "\n")
    if args.out:
        args.out.write_text(text + "\n", "utf-8")


def measure(recognizer: Recognizer, seconds: float, options: StreamOptions) -> dict[str, object]:
    """Hear so many seconds, and look at what grew."""
    talk, seen, began = Talk(seconds), Seen(), time.perf_counter()
    audio = hear(recognizer, talk, seen, options)
    work = time.perf_counter() - began
    step_slope, memory_slope = (slope(*zip(*[point for point in points if point[0] >= audio * WARM_SHARE]))
                                for points in (seen.steps, seen.memory))
    step_seconds, resident = distribution([took for _, took in seen.steps]), [mb for _, mb in seen.memory]
    wer = score([Utterance("talk", " ".join(talk.said), session_text(seen.texts), "en")], find_normaliser("basic"))
    return {
        "schema": SCHEMA,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processor": platform.processor() or platform.machine(), "system": platform.platform(), "cores": os.cpu_count(),
                    "load_average": os.getloadavg()[0]},
        "model": {"name": recognizer.facts.name, "weights": recognizer.facts.weights, "engine": recognizer.facts.engine},
        "options": asdict(options),
        "audio_seconds": round(audio, 1),
        "work_seconds": round(work, 1),
        "rtf": round(work / audio, 4),
        "utterances": len(seen.texts),
        "steps": len(seen.steps),
        "step_seconds": step_seconds and asdict(step_seconds),
        "step_slope_ms_per_hour": step_slope and round(1000 * step_slope.per_hour, 3),
        "step_slope_error_ms_per_hour": step_slope and round(1000 * step_slope.error, 3),
        "step_slope_is_flat": step_slope and step_slope.is_flat,
        "memory_mb": {"first": round(resident[0], 1), "last": round(resident[-1], 1), "highest": round(max(resident), 1)},
        "memory_slope_mb_per_hour": memory_slope and round(memory_slope.per_hour, 2),
        "memory_slope_error_mb_per_hour": memory_slope and round(memory_slope.error, 2),
        "words": len(" ".join(seen.texts).split()),
        "times_go_backwards": sum(after < before for before, after in pairwise(seen.starts)),
        "retracted_words": seen.steady.retracted_words,
        "split_words": seen.steady.split_words,
        "steps_without_text": seen.idle_steps,
        "wer_percent": None if wer.total.wer.rate is None else round(100 * wer.total.wer.rate, 3),
    }


def hear(recognizer: Recognizer, talk: Talk, seen: Seen, options: StreamOptions) -> float:
    """One session over the talk; gives the seconds of its sound."""
    with recognizer.stream(options) as session:
        def feed() -> None:
            for block in talk.blocks():
                session.wait(QUEUED_SECONDS)
                session.feed(block)
            session.close()

        threading.Thread(target=feed, daemon=True).start()
        open_items: dict[str, list[Arrival]] = {}
        for event in session:
            if isinstance(event, Failure):
                raise SystemExit(f"the session failed ({event.code}): {event.message}")
            if event.item_id is not None:
                open_items.setdefault(event.item_id, []).append((0.0, event))
                if isinstance(event, Final):
                    seen.take(open_items.pop(event.item_id))
    return session.audio_seconds


if __name__ == "__main__":
    main()
