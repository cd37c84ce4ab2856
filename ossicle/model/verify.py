"""Is this checkpoint what its publisher put there: structure, sizes and, where the hub's cache knows them, hashes.

Reads every byte of a cached checkpoint once; changes nothing. Knows no engine.
"""

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ossicle.errors import ModelError
from ossicle.model.checkpoint import Checkpoint, open_checkpoint
from ossicle.model.store import missing_files

BLOCK_BYTES = 1 << 22
SHA256, GIT_SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class VerifiedFile:
    """One file of a checkpoint and whether its content is the published one."""

    name: str
    num_bytes: int
    is_intact: bool | None                  # None where nobody recorded a hash


@dataclass(frozen=True)
class Verification:
    """What `verify` found."""

    folder: Path
    files: tuple[VerifiedFile, ...]
    problems: tuple[str, ...]               # in words, each with what to do; none when all is well
    checkpoint: Checkpoint | None           # opened; None when it cannot be

    @property
    def is_intact(self) -> bool:
        return not self.problems


def verify(folder: Path, on_progress: Callable[[int, int], None] | None = None) -> Verification:
    """Check a checkpoint folder: opens it, looks for every tensor and file, and compares hashes with the hub cache's blob names.

    on_progress  called with (bytes hashed, bytes to hash); raising from it stops the work
    """
    folder = Path(folder)
    problems: list[str] = []
    checkpoint = None
    try:
        checkpoint = open_checkpoint(folder)
    except ModelError as error:
        problems.append(str(error))
    missing = missing_files(folder)
    if missing is not None and missing not in problems and checkpoint is not None:
        problems.append(f"{missing}; download the checkpoint again")
    names = sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    hashes = {name: published for name in names if (published := _published_hash(folder / name))}
    total = sum((folder / name).stat().st_size for name in hashes)
    done = 0

    def on_block(num_bytes: int) -> None:
        nonlocal done
        done += num_bytes
        if on_progress is not None:
            on_progress(done, total)

    files = []
    for name in names:
        is_intact = _hash(folder / name, hashes[name], on_block) == hashes[name] if name in hashes else None
        if is_intact is False:
            problems.append(f"{folder / name} has changed since it was published: its hash is not {hashes[name]}; download the file again")
        files.append(VerifiedFile(name, (folder / name).stat().st_size, is_intact))
    return Verification(folder, tuple(files), tuple(problems), checkpoint)


def _published_hash(file: Path) -> str | None:
    # In the hub's cache a file is a link to a blob named by its hash; that one may itself be a link into a shared store.
    if not file.is_symlink():
        return None
    name = Path(os.readlink(file)).name
    return name if SHA256.fullmatch(name) or GIT_SHA1.fullmatch(name) else None


def _hash(file: Path, published: str, on_block: Callable[[int], None]) -> str:
    if len(published) == 64:                # large files: of the content
        digest = hashlib.sha256()
    else:                                   # small ones: as git hashes a blob
        digest = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    with open(file, "rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
            on_block(len(block))
    return digest.hexdigest()
