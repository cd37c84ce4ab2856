"""The builder makes the checkpoints behind the goldens of shared/oracle, where that folder stands beside the clone."""

import hashlib
import json
import tempfile
from pathlib import Path

import pytest

from tests import checkpoints

SHARED = next((folder.parent for folder in checkpoints.BUNDLED[1:] if (folder.parent / "oracle").is_dir()), None)
pytestmark = pytest.mark.skipif(SHARED is None, reason="needs shared/ beside the clone")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("asr_tiny", {"vocab": "small"}),
        ("asr_tiny_published", {}),
        ("aligner_tiny", {"kind": "aligner", "vocab": "small", "num_classes": 600}),
    ],
)
def test_every_file_with_a_known_hash_is_made_again(name, options, tmp_path):
    manifest = json.loads((SHARED / "oracle" / "golden" / name / "manifest.json").read_text("utf-8"))
    checkpoints.build(tmp_path, tokenizer=SHARED / "tokenizer", **options)
    hashes = {file: value for file, value in manifest["checkpoint"].items() if (tmp_path / file).is_file()}
    assert "model.safetensors" in hashes
    assert hashes == {file: _sha256(tmp_path / file) for file in hashes}


@pytest.mark.slow
@pytest.mark.parametrize("size", ["0.6b", "aligner-0.6b"])
def test_full_size_weights_are_made_again(size):
    known = json.loads((SHARED / "oracle" / "golden" / f"full_{size.replace('.', 'p')}.json").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as work:  # 2 GB, gone at once; tmp_path would stay for three runs
        folder = checkpoints.build_full(Path(work), size, tokenizer=SHARED / "tokenizer")
        assert known["sha256"] == {file: _sha256(folder / file) for file in known["sha256"]}


def _sha256(path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
