"""A talk of the bundled model's held-out clips, live, as fast as it is spoken: how late, how steady, how right. Prints JSON.

    python -m benchmarks.live_latency                       # the bundled model, steps of 0.5 s, 100 seconds
    python -m benchmarks.live_latency --out FILE.json       # and keep the report
    python -m benchmarks.live_latency --fast                # as fast as it is heard: waits by the audio clock alone

Every sentence is followed by a second of silence, so that it is an utterance. When each word is spoken is known from the
synthesis of the clips. Beside it stand the same model over the same sound as one whole recording, which is what live recognition
is to be compared with, and over the clips alone: a small model hears other words where silence stands around the same sentence.
Definitions: docs/measuring.md.
"""

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import ossicle
from ossicle import EngineOptions, Recognizer, StreamOptions, TranscribeOptions
from ossicle.measure.live import LiveSession, figures
from ossicle.measure.manifest import Item
from ossicle.measure.normalise import find_normaliser
from ossicle.measure.score import Utterance, score
from ossicle.measure.streams import RATE, FeedOptions, Stream, hear_stream, session_of, sound_of

ROOT = Path(__file__).parent.parent
HELDOUT = ROOT / "tests" / "data" / "tiny_heldout"
SCHEMA = "ossicle-live-latency/1"
SILENCE_SECONDS = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--step", type=float, default=0.5)
    parser.add_argument("--policy", default="auto")
    parser.add_argument("--clips", type=int, help="no more than so many")
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    options = StreamOptions(language="English", step_seconds=args.step, policy=ossicle.PolicyOptions(args.policy))
    with ossicle.load(args.model, EngineOptions("cpu")) as recognizer:
        feed = FeedOptions(None if args.fast else 1.0, SILENCE_SECONDS, SILENCE_SECONDS)
        report = measure(recognizer, clips()[: args.clips], options, feed)
    text = json.dumps(report, indent=2, default=str)
    sys.stdout.write(text + "\n")
    if args.out:
        args.out.write_text(text + "\n", "utf-8")


def clips() -> list[dict]:
    """English sentences, one in each, whose words are timed: 30 of four kinds of voice."""
    told = json.loads((HELDOUT / "transcripts.json").read_text("utf-8"))
    return [clip for clip in told if clip["language"] == "English" and clip["words"] and not clip["file"].startswith("joined")]


def measure(recognizer: Recognizer, talk: list[dict], options: StreamOptions, feed: FeedOptions) -> dict[str, object]:
    """Everything the talk shows."""
    options = replace(options, coalesce=feed.is_paced)
    stream = Stream("talk", tuple(Item(clip["file"], HELDOUT / clip["file"], clip["text"], "English") for clip in talk))
    session = hear(recognizer, stream, talk, options, feed)
    normaliser, said = find_normaliser("basic"), " ".join(clip["text"] for clip in talk)
    plain = TranscribeOptions("English")
    whole = recognizer.transcribe((sound_of(stream, feed)[0], RATE), options=plain).text
    alone = " ".join(found.text for found in recognizer.transcribe_many([item.audio for item in stream.items], options=plain))
    texts = {"live": session.text, "unrewritten": session.unrewritten, "whole": whole, "clips_alone": alone}
    rates = {name: score([Utterance("talk", said, text, "en")], normaliser).total.wer.rate or 0.0 for name, text in texts.items()}
    found = figures([session], normaliser, feed.is_paced)
    waits = {f"{name}_p50_seconds": {clock: (wait := getattr(getattr(found, name), of)) and round(wait.p50, 3)
                                     for clock, of in (("audio_clock", "unaware"), ("wall_clock", "aware"))}
             for name in ("first_partial", "word_emission", "finalisation", "endpoint_to_final")}
    return {
        "schema": SCHEMA,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processor": platform.processor() or platform.machine(), "system": platform.platform(), "cores": os.cpu_count(),
                    "load_average": os.getloadavg()[0]},
        "model": {"name": recognizer.facts.name, "weights": recognizer.facts.weights, "engine": recognizer.facts.engine},
        "talk": {"clips": len(talk), "words": len(session.reference), "audio_seconds": round(session.audio_seconds, 2)},
        "options": asdict(options),
        "feed": asdict(feed),
        "proof": {
            "committed_words": found.stability.committed_words,
            "retracted_words": found.stability.retracted_words,
            "split_words": found.stability.split_words,
            **{f"wer_{name}_percent": round(100 * rate, 3) for name, rate in rates.items()},
            "points_over_whole": round(100 * (rates["live"] - rates["whole"]), 3),
            "utterances": len(session.items),
            **waits,
            "rtf": found.effort.rtf and round(found.effort.rtf, 4),
            "silence_steps_per_minute": found.effort.silence_steps_per_minute,
        },
        "figures": found.to_dict(),
        "texts": texts,
    }


def hear(recognizer: Recognizer, stream: Stream, talk: list[dict], options: StreamOptions, feed: FeedOptions) -> LiveSession:
    """The talk through one session, beside the words of its clips with their times in it."""
    heard = hear_stream(recognizer, stream, "", options, feed)
    words = [(word, offset) for clip, (offset, _) in zip(talk, heard.bounds) for word in clip["words"]]
    times = tuple((word["start"] + offset, word["end"] + offset) for word, offset in words)
    return session_of(stream, replace(heard, times=times, words=tuple(word["text"] for word, _ in words)), "English")


if __name__ == "__main__":
    main()
