"""What fewer bits cost on engine cpu: logits and greedy ids on a random checkpoint, word errors on the bundled model. Prints JSON.

    python benchmarks/quality.py                        # a small random checkpoint, and the bundled model
    python benchmarks/quality.py --folder FOLDER        # another checkpoint: logits and ids only

The reference is the checkpoint's own weights with float32 keys and values ("16-bit"), which the tests hold to the official
implementation.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import jiwer
import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import ossicle  # noqa: E402
from ossicle import EngineOptions  # noqa: E402
from ossicle.model.checkpoint import open_checkpoint  # noqa: E402
from ossicle.model.cpu.load import load_network  # noqa: E402
from tests import goldens  # noqa: E402

FORMS = {
    "16-bit, float16 cache": EngineOptions("cpu", bits=None),
    "8-bit": EngineOptions("cpu", bits=8),
    "8-bit, groups of 32": EngineOptions("cpu", bits=8, group_size=32),
    "4-bit": EngineOptions("cpu", bits=4),
    "4-bit, groups of 32": EngineOptions("cpu", bits=4, group_size=32),
}
REFERENCE = EngineOptions("cpu", "float32", bits=None)
HELDOUT = ROOT / "tests" / "data" / "tiny_heldout"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="checkpoint to compare logits on, instead of a small random one")
    parser.add_argument("--seeds", type=int, default=8, help="prompts of random sound and ids")
    parser.add_argument("--steps", type=int, default=24, help="greedy ids of each")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        folder = args.folder or goldens.build_asr(Path(room) / "random", dtype="bfloat16")
        found = compare_logits(folder, args.seeds, args.steps)
        report: dict[str, object] = {"logits": {"checkpoint": folder.name, "seeds": args.seeds, "steps": args.steps} | found}
    if args.folder is None:
        report["word_errors"] = compare_words()
    print(json.dumps(report, indent=2))


def compare_logits(folder: Path, seeds: int, steps: int) -> dict[str, object]:
    """Error of the prompt's last logits in units of their spread, and greedy ids that are the reference's, step by step."""
    checkpoint, found = open_checkpoint(folder), {}
    runs = {name: [run(load_network(checkpoint, options), seed, steps) for seed in range(seeds)]
            for name, options in {"reference": REFERENCE, **FORMS}.items()}
    for name in FORMS:
        errors = [np.sqrt(np.mean((got - true) ** 2)) / true.std() for (got, _), (true, _) in zip(runs[name], runs["reference"])]
        worst = [np.abs(got - true).max() / true.std() for (got, _), (true, _) in zip(runs[name], runs["reference"])]
        same = [int(np.argmax([*(a != b for a, b in zip(got, true)), True])) for (_, got), (_, true) in zip(runs[name], runs["reference"])]
        found[name] = {"logit_error_rms": round(float(np.mean(errors)), 5), "logit_error_max": round(float(np.max(worst)), 4),
                       "ids_before_the_first_other_one": same}
    return found


def run(network, seed: int, steps: int) -> tuple[np.ndarray, list[int]]:
    random = np.random.default_rng(seed)
    mel = random.uniform(-1, 1.5, (network.config.encoder.mel_bins, 500)).astype(np.float32)
    audio = network.encode(mel)
    ids = random.integers(0, 900, 20).tolist()
    cache = network.new_cache()
    output = network.forward(network.embed([*ids[:9], *[1] * len(audio), *ids[9:]], audio, 9), cache)
    logits, written = np.asarray(output.logits[0]).copy(), []
    for _ in range(steps):
        chosen, _ = network.greedy(output.logits)
        written.append(int(chosen[0]))
        output = network.forward(network.embed(chosen[:, None]), cache)
    return logits, written


def compare_words() -> dict[str, object]:
    """Word error of the bundled model on its held-out clips, and clips whose text is the reference's."""
    clips = json.loads((HELDOUT / "transcripts.json").read_text("utf-8"))
    english = [clip for clip in clips if clip["language"] == "English"]
    bare, texts = jiwer.Compose([jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.Strip()]), {}
    for name, options in {"reference": REFERENCE, **FORMS}.items():
        with ossicle.load("tiny", options) as asr:
            texts[name] = {clip["file"]: asr.transcribe(HELDOUT / clip["file"]).text for clip in clips}
    return {"clips": len(clips), "words": sum(len(clip["text"].split()) for clip in english)} | {
        name: {"english_wer_percent": round(100 * jiwer.wer([bare(clip["text"]) for clip in english],
                                                          [bare(got[clip["file"]]) for clip in english]), 2),
               "clips_as_the_reference": sum(got[clip["file"]] == texts["reference"][clip["file"]] for clip in clips)}
        for name, got in texts.items()}


if __name__ == "__main__":
    main()
