"""Files as a whole: their content as one hash, and writing them so that they appear whole or not at all."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

BLOCK_BYTES = 1 << 20


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
    """Write a file that appears whole or not at all, also when the machine stops. Folders on the way are made.

    Raises FileExistsError where one is and may not be replaced, OSError when it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".ossicle.", dir=path.parent)   # short: the name may be as long as one can be
    try:
        with open(handle, "wb") as temporary:
            temporary.write(content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace"))
            temporary.flush()
            os.fsync(temporary.fileno())
        os.chmod(name, 0o666 & ~_umask())
        if overwrite:
            os.replace(name, path)
        else:
            _place(name, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _place(name: str, path: Path) -> None:
    """Give a written file its name; unlike os.replace, fails where a file is."""
    try:
        os.link(name, path)
    except FileExistsError:
        raise
    except OSError:                                     # a disk without links
        if path.exists():
            raise FileExistsError(path) from None
        os.replace(name, path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
