"""Names in, what the official implementation computed out: the arrays of tests/golden, with the sound and weights.

Knows nothing of our engines. The arrays were made by tools/oracle/make_golden.py; every key is explained in
tools/oracle/README.md.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np

from tests import checkpoints, sounds

FOLDER = Path(__file__).resolve().parent / "golden"
SEED = 1234
ALIGNER_CLASSES = 600

# name: samples, seed of the sound; seeds were sought until no greedy step was nearer than 0.004 to another id
SOUNDS = {
    "c0p3": (4800, 561),  # 30 frames: shorter than one chunk, so convolved at its own width
    "c3p6": (58268, 72),  # 364 frames and 28 samples: no multiple of the hop, the last frame is partly reflection
    "c4p7": (74900, 193),  # 468 frames: a tail of 68, whose padding leaks into the third convolution
    "c11": (176000, 44),  # 1100 frames: whole chunks only, two attention windows
    "c18": (293957, 135),  # 1837 frames: a tail of 37, whose padding leaks into the second; three windows
}


def clips() -> list[str]:
    """Names of the clips that were recognised, shortest first."""
    return list(manifest()["asr"]["clips"])


def aligner_clips() -> list[str]:
    """Names of the clips that were aligned."""
    return list(manifest()["aligner"]["clips"])


@cache
def manifest() -> dict:
    """How every array was made, with prompts, words and hashes."""
    return json.loads((FOLDER / "manifest.json").read_text("utf-8"))


@cache
def load(name: str) -> dict[str, np.ndarray]:
    """The arrays of one recognised clip."""
    return _arrays(FOLDER / f"asr_{name}.npz")


@cache
def load_aligner(name: str) -> dict[str, np.ndarray]:
    """The arrays of one aligned clip."""
    return _arrays(FOLDER / f"aligner_{name}.npz")


def samples(name: str) -> np.ndarray:
    """The sound of one clip: (samples,) float32 at 16 kHz, read-only."""
    return sounds.speech(*SOUNDS[name])


def build_asr(folder: Path, layout: str = "original", dtype: str = "float32", **options) -> Path:
    """Write the recogniser that the goldens were made with; float32 gives the very numbers."""
    return checkpoints.build(folder, "asr", seed=SEED, layout=layout, dtype=dtype, **options)


def build_aligner(folder: Path, layout: str = "original", dtype: str = "float32", **options) -> Path:
    """Write the aligner that the goldens were made with; float32 gives the very numbers."""
    options = {"num_classes": ALIGNER_CLASSES} | options
    return checkpoints.build(folder, "aligner", seed=SEED, layout=layout, dtype=dtype, **options)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {key: file[key] for key in file.files}
