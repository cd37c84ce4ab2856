"""Whatever the caller named in, one open binary file out: path, bytes, file object, standard input or URL.

Knows nothing of sound. A source that cannot seek is spooled first, unless it is to be read while it arrives.
"""

import io
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import httpx
import numpy as np

from ossicle.errors import AudioError, OptionError
from ossicle.options import AudioOptions
from ossicle.results import source_name

Source = str | Path | bytes | bytearray | memoryview | BinaryIO | np.ndarray | tuple[np.ndarray, int]

MAX_URL_BYTES = 4 * 2**30            # a day of mp3, or six hours of CD sound; more is a mistake or an attack
MAX_URL_SECONDS = 3600.0             # for the whole download
URL_WAIT_SECONDS = 30.0              # without a byte
SPOOL_BYTES = 32 * 2**20             # kept in memory; beyond it, in a temporary file
PIECE_BYTES = 2**20


@dataclass(frozen=True)
class OpenFile:
    """A binary file at its beginning, and how to speak of it."""

    file: BinaryIO
    name: str                        # for messages
    size: int | None                 # bytes; None when it cannot seek

    @property
    def is_seekable(self) -> bool:
        return self.size is not None

    def head(self, num_bytes: int) -> bytes:
        """The first bytes, which stay there for whoever reads next."""
        if isinstance(self.file, _Pipe):
            return self.file.peek(num_bytes)
        head = self.file.read(num_bytes)
        self.file.seek(0)
        return head


@contextmanager
def open_source(source: Source, options: AudioOptions, is_live: bool = False) -> Iterator[OpenFile]:
    """Open `source`; what was opened here is closed here, a file object of the caller is left open.

    is_live   hand out a pipe as it is, instead of reading it to its end first
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield OpenFile(io.BytesIO(source), "the given bytes", memoryview(source).nbytes)
    elif isinstance(source, str) and source == "-":
        with _seekable(sys.stdin.buffer, "standard input", is_live) as opened:
            yield opened
    elif isinstance(source, str) and source.lower().startswith(("http://", "https://")):
        with _download(source, options) as opened:
            yield opened
    elif isinstance(source, (str, os.PathLike)):
        with _open_path(Path(source), is_live) as opened:
            yield opened
    elif hasattr(source, "read"):
        file = cast(BinaryIO, source)
        if isinstance(file, io.TextIOBase):
            raise OptionError('a file object must be binary, got one of text; open it with mode "rb"')
        with _seekable(file, str(getattr(file, "name", "the given file object")), is_live) as opened:
            yield opened
    else:
        raise OptionError(
            "a source of sound must be a path, bytes, a binary file, a URL, an array with its rate, or \"-\"; "
            f"got {type(source).__name__}"
        )


@contextmanager
def _open_path(path: Path, is_live: bool) -> Iterator[OpenFile]:
    try:
        if path.is_dir():
            raise AudioError(f"expected a sound file, but {path} is a folder; name the files in it")
        file = path.open("rb")
    except FileNotFoundError as error:
        raise AudioError(f"expected a sound file at {path}, but there is none; check name and folder") from error
    except PermissionError as error:
        raise AudioError(f"expected to read {path}, but permission was denied; check who may read it") from error
    except (OSError, ValueError) as error:           # ValueError: a NUL in the name
        raise AudioError(f"expected to read {path}, but the system said: {error}") from error
    with file, _seekable(file, str(path), is_live) as opened:
        yield opened


@contextmanager
def _seekable(file: BinaryIO, name: str, is_live: bool) -> Iterator[OpenFile]:
    if _can_seek(file):
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        yield OpenFile(file, name, size)
    elif is_live:
        yield OpenFile(cast(BinaryIO, _Pipe(file)), name, None)
    else:
        with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:
            while piece := _read_piece(file, PIECE_BYTES):
                spool.write(piece)
            size = spool.tell()
            spool.seek(0)
            yield OpenFile(cast(BinaryIO, spool), name, size)


@contextmanager
def _download(url: str, options: AudioOptions) -> Iterator[OpenFile]:
    shown = source_name(url) or ""                         # neither keys nor passwords belong in a message
    if not options.allow_url:
        raise AudioError(
            f"expected sound on this machine, got the URL {shown}; "
            "allow fetching with AudioOptions(allow_url=True), or download it first"
        )
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:
        try:
            _fetch(url, shown, cast(BinaryIO, spool))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error).split(" for url")[0] or type(error).__name__   # the rest is the whole URL
            raise AudioError(f"expected sound from {shown}, but fetching failed: {reason}; check it") from error
        size = spool.tell()
        spool.seek(0)
        yield OpenFile(cast(BinaryIO, spool), shown, size)


def _fetch(url: str, shown: str, file: BinaryIO) -> None:
    began = time.monotonic()
    num_bytes = 0
    with httpx.stream("GET", url, follow_redirects=True, timeout=URL_WAIT_SECONDS) as response:
        response.raise_for_status()
        for piece in response.iter_bytes(PIECE_BYTES):
            num_bytes += len(piece)
            if num_bytes > MAX_URL_BYTES:
                raise AudioError(f"expected at most {MAX_URL_BYTES >> 30} GiB from {shown}, got more; download it")
            if time.monotonic() - began > MAX_URL_SECONDS:
                raise AudioError(f"expected {shown} within {MAX_URL_SECONDS:g} s, it took longer; download it")
            file.write(piece)


def _can_seek(file: BinaryIO) -> bool:
    try:
        return bool(file.seekable())
    except AttributeError:                           # a minimal object with nothing but read()
        return False


def _read_piece(file: Any, size: int) -> bytes:
    piece = file.read(size)
    if isinstance(piece, str):
        raise OptionError('a file object must give bytes, got text; open it with mode "rb"')
    return piece or b""


class _Pipe:
    """A file that cannot seek, read as it comes; the first bytes can be looked at before a decoder gets them."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._ahead = b""

    def peek(self, size: int) -> bytes:
        while len(self._ahead) < size and (piece := self._more(size - len(self._ahead))):
            self._ahead += piece
        return self._ahead[:size]

    def read(self, size: int = -1) -> bytes:
        if self._ahead:
            size = len(self._ahead) if size < 0 else size
            piece, self._ahead = self._ahead[:size], self._ahead[size:]
            return piece
        return self._more(size)

    def _more(self, size: int) -> bytes:
        read_some = getattr(self._file, "read1", None)       # what is there now, rather than waiting for all of it
        return read_some(size) if read_some is not None else _read_piece(self._file, size)
