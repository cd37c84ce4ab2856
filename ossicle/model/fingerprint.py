"""A checkpoint folder to a short name for what is in it, without reading all of it: to know a model again.

Small files count whole, weights by their size, their beginning and places spread over them: retraining changes all of
those. To prove that nothing was damaged, use verify.py.
"""

import hashlib
from pathlib import Path

PLACES, PLACE_BYTES = 64, 4096
SMALL_BYTES = 32 << 20                      # the largest tokenizer file has 11 MB
SUFFIXES = (".json", ".txt", ".safetensors")
NO_MATTER = ("README.md", "card.json")      # about a model, not of it


def fingerprint(folder: Path) -> str:
    """Forty hexadecimal digits for the files of a checkpoint. Raises OSError."""
    digest = hashlib.blake2b(digest_size=20)
    for file in sorted(folder.iterdir()):
        if file.suffix not in SUFFIXES or file.name in NO_MATTER or not file.is_file():
            continue
        size = file.stat().st_size
        digest.update(f"{file.name}\0{size}\0".encode())
        with open(file, "rb") as opened:
            if file.suffix != ".safetensors" and size <= SMALL_BYTES:
                digest.update(opened.read())
                continue
            for number in range(PLACES):
                opened.seek(number * max(0, size - PLACE_BYTES) // (PLACES - 1))
                digest.update(opened.read(PLACE_BYTES))
    return digest.hexdigest()
