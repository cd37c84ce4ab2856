"""Files as a whole: their content as one hash, and writing them so that they appear whole or not at all."""

import contextlib
import hashlib
import os
from pathlib import Path

from ossicle.archive.processes import is_alive, own_name

BLOCK_BYTES = 1 << 20
NAME_DIGITS = 12                        # of the hash in the name of a file that is being written: it may be as long as one can be


def content_hash(path: Path) -> str:
    """BLAKE2b of a file's bytes. Raises OSError."""
    digest = hashlib.blake2b(digest_size=20)
    with open(path, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def text_hash(text: str | bytes) -> str:
    """The same of something in memory."""
    return hashlib.blake2b(text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace"), digest_size=20).hexdigest()


def write_file(path: Path, content: str | bytes, overwrite: bool = True) -> None:
    """Write a file that appears whole or not at all, also when the machine stops.

    Raises FileExistsError where one is and may not be replaced, OSError when it cannot be written.
    """
    name = _remove_left(path) / f".ossicle.{own_name().replace(':', '_')}.{text_hash(path.name)[:NAME_DIGITS]}"
    try:
        with open(name, "wb") as temporary:
            temporary.write(content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace"))
            temporary.flush()
            os.fsync(temporary.fileno())
        if overwrite:
            os.replace(name, path)
        else:
            _place(name, path)
    finally:
        name.unlink(missing_ok=True)


def _remove_left(path: Path) -> Path:
    """Remove what killed processes left of this file; gives its folder."""
    for left in path.parent.glob(f".ossicle.*.{text_hash(path.name)[:NAME_DIGITS]}"):
        owner = left.name.removeprefix(".ossicle.").rpartition(".")[0].replace("_", ":")
        with contextlib.suppress(OSError, ValueError):
            if not is_alive(owner, left.stat().st_mtime):
                left.unlink()
    return path.parent


def _place(name: Path, path: Path) -> None:
    """Give a written file its name; unlike os.replace, fails where a file is."""
    try:
        os.link(name, path)
    except FileExistsError:
        raise
    except OSError:                                     # a disk without links
        if path.exists():
            raise FileExistsError(path) from None
        os.replace(name, path)

