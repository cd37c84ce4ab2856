"""Where the official implementation's arrays come from, in one form: those of tests/golden, and a workshop's own where it has them.

The workshop (the folder `shared` beside the repository, or $OSSICLE_WORKSHOP) holds arrays over recorded speech; a clone does without.
"""

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType

import numpy as np

from ossicle.audio.mel import log_mel
from tests import goldens

WORKSHOP = Path(os.environ.get("OSSICLE_WORKSHOP", goldens.FOLDER.parents[2] / "shared"))

Arrays = dict[str, np.ndarray]


class Committed:
    """tests/golden: synthetic sound, our own small vocabulary."""

    name = "committed"

    def clips(self) -> list[str]:
        return goldens.clips()

    def load(self, clip: str) -> Arrays:
        """Arrays of one clip; `rows_tokens`, `rows_prompt` and `rows_logits` name the rows kept of longer ones."""
        return goldens.load(clip)

    def mel(self, clip: str) -> np.ndarray:
        return log_mel(goldens.samples(clip))

    def build(self, folder: Path) -> Path:
        return goldens.build_asr(folder)

    def aligner_clips(self) -> list[str]:
        return goldens.aligner_clips()

    def load_aligner(self, clip: str) -> Arrays:
        return goldens.load_aligner(clip)

    def build_aligner(self, folder: Path) -> Path:
        return goldens.build_aligner(folder)


class Workshop:
    """shared/oracle/golden: recorded speech, a small part of the published vocabulary."""

    name = "workshop"
    folder = WORKSHOP / "oracle" / "golden"

    def clips(self) -> list[str]:
        return list(json.loads((self.folder / "asr_tiny" / "manifest.json").read_text("utf-8"))["clips"])

    def load(self, clip: str) -> Arrays:
        arrays = self.read(f"asr_tiny/{clip}")
        tokens, prompt, kept = len(arrays["enc_in"]), len(arrays["prompt_ids"]), len(arrays["final_norm"])
        rows = np.arange(prompt - kept, prompt)
        return arrays | {"rows_tokens": np.arange(tokens), "rows_prompt": rows, "rows_logits": rows}

    def mel(self, clip: str) -> np.ndarray:
        return self.read(f"asr_tiny/{clip}")["mel"]

    def build(self, folder: Path, **options: str) -> Path:
        self._builder().build(folder, "asr", "tiny", WORKSHOP / "tokenizer", **options)
        return folder

    def aligner_clips(self) -> list[str]:
        return self.clips()

    def load_aligner(self, clip: str) -> Arrays:
        return self.read(f"aligner_tiny/{clip}")

    def build_aligner(self, folder: Path) -> Path:
        self._builder().build(folder, "aligner", "tiny", WORKSHOP / "tokenizer", classify_num=600)
        return folder

    def read(self, name: str) -> Arrays:
        with np.load(self.folder / f"{name}.npz") as file:
            return {key: file[key] for key in file.files}

    def _builder(self) -> ModuleType:
        spec = importlib.util.spec_from_file_location("random_checkpoint", WORKSHOP / "oracle" / "random_checkpoint.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


HAS_WORKSHOP = Workshop.folder.is_dir()
SOURCES = [Committed(), *([Workshop()] if HAS_WORKSHOP else [])]
CLIPS = [(source, clip) for source in SOURCES for clip in source.clips()]
ALIGNER_CLIPS = [(source, clip) for source in SOURCES for clip in source.aligner_clips()]


def name_of(value: object) -> str:
    """The name of a parameter in a test's id."""
    return getattr(value, "name", str(value))
