"""Run the official implementation over our synthetic sound and write tests/golden.

`python -m tools.oracle.make_golden [--out FOLDER] [--threads N]`
Needs the environment of requirements.txt beside this file; downloads nothing. What is kept is explained in README.md.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch

from tests import goldens, sounds
from tools.oracle.official import Official, align

CONTEXT = "Bletchley, Enigma; Zürich 123"
PROMPTS = {"plain": ("", None), "context": (CONTEXT, None), "forced": ("", "German"), "both": (CONTEXT, "English")}
ALIGNED = {
    "c3p6": ("Turn on the light, it's half past ten.", "English"),
    "c11": ("今天三点。 Zürich im e-mail", "Chinese"),
}
MAX_TOKENS = 32
KEPT_STEPS = 8
ATTENTION_CLIP = "c3p6"
ATTENTION_HEADS = [[0, 0], [1, 2], [2, 1], [2, 3]]
CHECKPOINTS = [("original", "float32"), ("hf", "float32"), ("original", "bfloat16"), ("hf", "bfloat16")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=goldens.FOLDER)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        manifest = {
            "packages": {name: importlib.metadata.version(name) for name in ("qwen-asr", "transformers", "torch")},
            "sounds": {name: _sound_entry(name) for name in goldens.SOUNDS},
            "checkpoints": _checkpoint_entries(Path(work)),
            "asr": make_asr(arguments.out, goldens.build_asr(Path(work, "asr"))),
            "aligner": make_aligner(arguments.out, goldens.build_aligner(Path(work, "aligner"))),
        }
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (arguments.out / "manifest.json").write_text(text + "\n", "utf-8")


def make_asr(out: Path, folder: Path) -> dict:
    """Write asr_<clip>.npz for every clip; return the manifest's entry."""
    official = Official(folder)
    entries = {}
    for name in goldens.SOUNDS:
        samples = goldens.samples(name)
        arrays, entry = _plain_arrays(official, samples)
        if name == ATTENTION_CLIP:
            arrays |= _attention_arrays(official, samples, arrays["greedy_ids"])
        for tag in ("context", "forced", "both"):
            inputs = official.inputs(official.prompt(*PROMPTS[tag]), samples)
            ids, logits = official.greedy(inputs, MAX_TOKENS)
            arrays |= {f"prompt_ids_{tag}": inputs["input_ids"][0].numpy(), f"greedy_ids_{tag}": ids}
            arrays[f"first_logits_{tag}"] = logits[0]
            entry["smallest_margin"] = min(entry["smallest_margin"], _margin(logits))
        np.savez_compressed(out / f"asr_{name}.npz", **arrays)
        entries[name] = entry
        print(name, entry["frames"], entry["window_edges"], arrays["greedy_ids"][:12], entry["smallest_margin"])
    prompts = {tag: {"context": context, "language": language} for tag, (context, language) in PROMPTS.items()}
    return {"prompts": prompts, "clips": entries}


def make_aligner(out: Path, folder: Path) -> dict:
    """Write aligner_<clip>.npz for the aligned clips; return the manifest's entry."""
    official = Official(folder)
    entries = {}
    for name, (text, language) in ALIGNED.items():
        arrays, entries[name] = align(official, goldens.samples(name), text, language)
        entries[name]["smallest_margin"] = _margin(arrays["stamp_logits"])
        np.savez_compressed(out / f"aligner_{name}.npz", **arrays)
        print(name, entries[name]["words"], arrays["raw_ms"])
    config = official.model.config
    stamps = {"token_id": config.timestamp_token_id, "segment_ms": config.timestamp_segment_time}
    return {"stamps": stamps, "classes": goldens.ALIGNER_CLASSES, "clips": entries}


def _plain_arrays(official: Official, samples: np.ndarray) -> tuple[dict, dict]:
    inputs = official.inputs(official.prompt(), samples)
    mel = inputs["input_features"][0]
    stages = official.encode(mel)
    edges = official.window_edges()
    hidden = official.prefill(inputs)
    ids, logits = official.greedy(inputs, MAX_TOKENS)
    num_tokens, num_prompt = len(stages["audio_embeds"]), inputs["input_ids"].shape[1]
    frames = _spread(mel.shape[1], all_up_to=400, head=32, tail=32, every=10)
    tokens = _spread(
        num_tokens, all_up_to=64, head=8, tail=16, every=8, also=[e + i for e in edges for i in (-1, 0, 1)]
    )
    prompt = _spread(num_prompt, all_up_to=32, head=6, tail=8, every=8)
    ends = _spread(num_prompt, all_up_to=8, head=2, tail=4, every=num_prompt)
    arrays = {"rows_mel": frames, "rows_tokens": tokens, "rows_prompt": prompt, "rows_logits": ends}
    arrays |= {"mel": mel.numpy()[:, frames], "audio_embeds": stages.pop("audio_embeds")}
    arrays["conv_out_padded"] = stages.pop("conv_out_padded")[-2:]
    arrays |= {key: value[tokens] for key, value in stages.items()}
    arrays["prefill_logits"] = hidden.pop("prefill_logits")[ends]
    arrays |= {key: value[prompt] for key, value in hidden.items()}
    arrays |= {"prompt_ids": inputs["input_ids"][0].numpy(), "window_edges": np.array(edges)}
    arrays |= {"greedy_ids": ids, "step_logits": logits[:KEPT_STEPS]}
    if len(edges) > 2:
        official.use_windows(False)
        arrays["audio_embeds_no_windows"] = official.encode(mel)["audio_embeds"][tokens]
        arrays["greedy_ids_no_windows"] = official.greedy(inputs, MAX_TOKENS)[0]
        official.use_windows(True)
    entry = {"frames": mel.shape[1], "audio_tokens": num_tokens, "window_edges": edges}
    return arrays, entry | {"greedy_text": official.decode(ids), "smallest_margin": _margin(logits)}


def _attention_arrays(official: Official, samples: np.ndarray, answer: np.ndarray) -> dict:
    inputs = official.inputs(official.prompt(), samples)
    num_prompt = inputs["input_ids"].shape[1]
    probabilities = official.attention(inputs, answer)
    rows = np.arange(num_prompt - 4, min(num_prompt + 12, probabilities.shape[-1]))
    kept = np.stack([probabilities[layer, head][rows] for layer, head in ATTENTION_HEADS])
    return {"attention_heads": np.array(ATTENTION_HEADS), "attention_rows": rows, "attention": kept}


def _spread(count: int, *, all_up_to: int, head: int, tail: int, every: int, also=()) -> np.ndarray:
    """The rows that are kept of `count`: all of a few; else the first, the last, some between and some named ones."""
    if count <= all_up_to:
        return np.arange(count)
    rows = {*range(head), *range(count - tail, count), *range(0, count, every), *also}
    return np.array(sorted(row for row in rows if 0 <= row < count))


def _margin(logits: np.ndarray) -> float:
    """The smallest distance of the best logit to the second best: below the rounding of sums, ids may differ."""
    best = np.sort(logits, -1)[..., -2:]
    return float((best[..., 1] - best[..., 0]).min())


def _sound_entry(name: str) -> dict:
    num_samples, seed = goldens.SOUNDS[name]
    digest = hashlib.sha256(sounds.speech_int16(num_samples, seed).astype("<i2").tobytes()).hexdigest()
    return {"samples": num_samples, "seed": seed, "sha256_int16": digest}


def _checkpoint_entries(work: Path) -> dict:
    entries: dict = {"seed": goldens.SEED}
    for kind, build in (("asr", goldens.build_asr), ("aligner", goldens.build_aligner)):
        for layout, dtype in CHECKPOINTS:
            folder = build(work / f"{kind}-{layout}-{dtype}", layout=layout, dtype=dtype)
            digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
            entries[f"{kind} {layout} {dtype}"] = digest
    for name in ("vocab.json", "merges.txt"):
        entries[name] = hashlib.sha256((work / "asr-original-float32" / name).read_bytes()).hexdigest()
    return entries


if __name__ == "__main__":
    main()
