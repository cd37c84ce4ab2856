"""What one step of live recognition costs, with what a window keeps and without, step by step in turns. Prints JSON.

    python -m benchmarks.live_step --folder FOLDER                              # 0.6B at 8 bits, a minute or two on two cores
    python -m benchmarks.live_step --folder FOLDER --seconds 4,12,20 --sessions 1,4

FOLDER is any checkpoint; `tests.checkpoints.build_full` writes a random one of the published size. Random weights neither end nor say
the same twice, so a draft of theirs would never be right. Here text is committed at a fixed rate, which is fed as a draft that is right
is fed, and each step writes a few new tokens. `kept` is the fast form, `anew` computes all again with the same committed text, and
`written anew`, for one session, writes all the text again token by token, as it is without either.
"""

import argparse
import json
import os
import statistics
import time
from copy import copy
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

import numpy as np

from ossicle.model.checkpoint import open_checkpoint
from ossicle.model.engines import load_network
from ossicle.options import EngineOptions
from ossicle.pipeline.engine import Parts
from ossicle.pipeline.recognize import StageClock
from ossicle.stream.window import Ask, Window, WindowOptions, hear
from ossicle.stream.work import multiply_accumulates
from ossicle.text.tokenizer import Tokenizer

RATE = 16_000
FORMS = {"kept": {}, "anew": {"caches": False, "drafts": False}, "written anew": {"caches": False, "drafts": False}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--engine", default="cpu")
    parser.add_argument("--bits", default="8", choices=["none", "4", "8"])
    parser.add_argument("--seconds", default="4,12,20", help="of sound in the window before the steps, several with commas")
    parser.add_argument("--step", type=float, default=0.5, help="seconds of new sound")
    parser.add_argument("--rate", type=float, default=3.5, help="tokens that are said in a second")
    parser.add_argument("--new-tokens", type=int, default=2, help="that a step writes")
    parser.add_argument("--sessions", default="1", help="windows heard side by side, several with commas")
    parser.add_argument("--steps", type=int, default=4, help="timed one after another")
    args = parser.parse_args()
    parts = parts_of(args.folder, EngineOptions(args.engine, bits=None if args.bits == "none" else int(args.bits)))
    report: dict[str, object] = {"weights": parts.network.weights, "device": parts.network.device, "step_seconds": args.step}
    for sessions in map(int, args.sessions.split(",")):
        for seconds in map(float, args.seconds.split(",")):
            forms = [form for form in FORMS if form != "written anew" or sessions == 1]
            report[f"{sessions} sessions behind {seconds:g} s"] = {form: measure(parts, form, sessions, seconds, args) for form in forms}
    report["load_average"] = os.getloadavg()[0]
    print(json.dumps(report, indent=2))


def parts_of(folder: Path, options: EngineOptions) -> Parts:
    """No end token: a random network must write as many as it is told to."""
    checkpoint = open_checkpoint(folder)
    has_vocabulary = any((folder / name).exists() for name in ("tokenizer.json", "vocab.json"))
    tokenizer = Tokenizer.from_folder(folder if has_vocabulary else Path(str(files("ossicle") / "models" / "tiny")))
    return Parts(load_network(checkpoint, options), tokenizer, checkpoint.config, frozenset())


def measure(parts: Parts, form: str, sessions: int, seconds: float, args: argparse.Namespace) -> dict[str, object]:
    """Milliseconds of a step, where they went, and its operations for each session."""
    rng = np.random.default_rng(0)
    sound = (0.05 * rng.standard_normal(round((seconds + args.steps * args.step) * RATE))).astype(np.float32)
    sound[: RATE // 10] *= 8                                    # the loudest comes first: the floor of the mel stays where it is
    windows = [Window(parts, 0, WindowOptions("English", centres=False, **FORMS[form])) for _ in range(sessions)]
    for window in windows:
        window.add(sound[: round(seconds * RATE)])
    if form == "kept":
        hear(parts, [Ask(window, window.end, 1) for window in windows], StageClock())
    took, clock, before = [], StageClock(), copy(windows[0].work)
    for turn in range(1, args.steps + 1):
        end = round((seconds + turn * args.step) * RATE)
        said = round(args.rate * end / RATE)
        for window in windows:
            window.add(sound[window.end : end])
            window.committed = [] if form == "written anew" else rng.integers(0, 200, said).tolist()
        started = time.perf_counter()
        found = hear(parts, [Ask(window, end, said + args.new_tokens if form == "written anew" else args.new_tokens)
                             for window in windows], clock)
        took.append(1000 * (time.perf_counter() - started))
        for hypothesis in found:
            if isinstance(hypothesis, Exception):
                raise hypothesis
    work, old = windows[0].work, before
    operations = (multiply_accumulates(work, parts.config) - multiply_accumulates(old, parts.config)) / args.steps / 1e9
    spent = asdict(clock)
    stages = {name: round(1000 * spent[name] / args.steps, 1) for name in ("mel", "encode", "prefill", "decode")}
    return {"ms": {"median": round(statistics.median(took), 1), "max": round(max(took), 1)}, "stages_ms": stages,
            "gmac_a_step": round(operations, 2), "rtf": round(statistics.median(took) / 1000 / args.step / sessions, 4)}


if __name__ == "__main__":
    main()
