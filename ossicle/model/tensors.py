"""Safetensors files as memory: a checked header in, arrays out that are views of the mapped file.

Knows the file format only, neither names nor networks. A damaged or cut file is refused before a byte of it is used.
Source: the format's specification (github.com/huggingface/safetensors, README, "Format").
"""

import json
import math
import mmap
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from ossicle.errors import ModelError

MAX_HEADER_BYTES = 16 * 2**20       # published ones stay below one MiB; parsed, a header may take twenty times its bytes
MAX_AXIS = 1 << 40                  # larger than any file; keeps the products below sane
ALIGNMENT = 64                      # of the data we write: a cache line, so that mapped rows begin on one
SHOWN = 120                         # letters of a name in a message: longer than any of ours
LFS_POINTER = b"version https://git-lfs"

DTYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "U8": np.dtype("u1"), "I8": np.dtype("i1"), "U16": np.dtype("<u2"), "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"), "I32": np.dtype("<i4"), "U64": np.dtype("<u8"), "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"), "F32": np.dtype("<f4"), "F64": np.dtype("<f8"), "C64": np.dtype("<c8"),
    # NumPy has no such numbers: their bits are handed out.
    "BF16": np.dtype("<u2"), "F8_E4M3": np.dtype("u1"), "F8_E5M2": np.dtype("u1"), "F8_E8M0": np.dtype("u1"),
}


@dataclass(frozen=True)
class Tensor:
    """One stored tensor: where it lies, and a view of it on request."""

    name: str                           # as the network calls it
    stored_name: str                    # as the file calls it
    file: Path
    dtype: str                          # as in the file: BF16, F16, F32, U32 ...
    shape: tuple[int, ...]
    start: int                          # first byte, counted from the beginning of the file
    end: int                            # one past the last
    mapped: np.ndarray = field(repr=False, compare=False)   # (file bytes,) uint8; one mapping for all tensors of a file
    mapping: mmap.mmap = field(repr=False, compare=False)   # the same

    @property
    def num_bytes(self) -> int:
        return self.end - self.start

    def read(self) -> np.ndarray:
        """A read-only view of the mapped file, no copy; bfloat16 comes as its bits in uint16."""
        return self.mapped[self.start : self.end].view(DTYPES[self.dtype]).reshape(self.shape)

    def forget(self, start: int = 0, end: int | None = None) -> None:
        """Stop counting bytes `start` to `end` of it as memory of this process; they are read again when they are needed."""
        self._advise("MADV_DONTNEED", self.start + start, self.end if end is None else self.start + end)

    def prefer_large_pages(self) -> None:
        """Have the system read it in pages of 2 MiB where it can: what is read again and again from end to end is read faster so."""
        self._advise("MADV_HUGEPAGE", self.start, self.end)

    def _advise(self, name: str, start: int, end: int) -> None:
        first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE                  # only whole pages: others share the rest
        last = end // mmap.PAGESIZE * mmap.PAGESIZE
        if first < last and hasattr(mmap, name):                            # not every system takes advice
            with suppress(OSError):
                self.mapping.madvise(getattr(mmap, name), first, last - first)


def read_tensors(file: Path) -> list[Tensor]:
    """Map one safetensors file and list what it holds, in the order of its bytes.

    Raises ModelError for a file that is missing, cut short, or whose header contradicts itself.
    """
    header, data_start, num_bytes = _read_header(file)
    with file.open("rb") as opened:
        mapping = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    tensors = [_tensor(file, name, entry, data_start, mapping) for name, entry in header.items() if name != "__metadata__"]
    tensors.sort(key=lambda tensor: (tensor.start, tensor.end))
    position = data_start
    for tensor in tensors:
        if tensor.start != position:
            kind = "overlaps the tensor before it" if tensor.start < position else "leaves a hole before it"
            raise _damaged(file, f"tensor {shown(tensor.stored_name)} to begin at byte {position}", f"{tensor.start}, which {kind}")
        position = tensor.end
    if position > num_bytes:
        raise ModelError(f"{file} is cut short: expected {position} bytes by its header, got {num_bytes}; download the file again")
    if position < num_bytes:
        raise _damaged(file, f"{position} bytes by its header", f"{num_bytes}")
    return tensors


def read_json(file: Path) -> Any:
    """The content of a JSON file. Raises ModelError when it is missing or damaged."""
    try:
        return json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"expected a file {file.name} in {file.parent}, found none; download the checkpoint again") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"cannot read {file} as JSON: {error}; download the file again") from error


def shown(name: str) -> str:
    """A name as it may stand in a message: a damaged one may be megabytes long, and move the cursor of a terminal."""
    return name if len(name) <= SHOWN and name.isprintable() else ascii(name[:SHOWN])


class TensorWriter:
    """A safetensors file whose shapes are known beforehand; its tensors may be written in any order.

    Wide numbers come first, so that every tensor is aligned to its own width. Closing checks that nothing is missing.
    """

    def __init__(self, file: Path, plan: Mapping[str, tuple[str, tuple[int, ...]]], metadata: Mapping[str, str]) -> None:
        """plan  tensor name -> (dtype, shape)"""
        self._missing = dict(plan)
        self._starts: dict[str, int] = {}
        header: dict[str, Any] = {"__metadata__": dict(metadata)}
        position = 0
        for name in sorted(plan, key=lambda name: (-DTYPES[plan[name][0]].itemsize, name)):
            dtype, shape = plan[name]
            self._starts[name] = position
            end = position + math.prod(shape) * DTYPES[dtype].itemsize
            header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [position, end]}
            position = end
        blob = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        blob += b" " * (-(len(blob) + 8) % ALIGNMENT)
        self._data_start = 8 + len(blob)
        self.num_bytes = self._data_start + position
        self._stream: BinaryIO = open(file, "wb")       # noqa: SIM115  the writer is the context
        self._stream.write(struct.pack("<Q", len(blob)) + blob)
        self._stream.truncate(self.num_bytes)

    def write(self, name: str, array: np.ndarray) -> None:
        """Put one tensor in its place; bfloat16 is given as its bits in uint16."""
        dtype, shape = self._missing.pop(name)
        assert array.shape == shape, (name, array.shape, shape)
        assert array.dtype == DTYPES[dtype], (name, array.dtype, dtype)
        self._stream.seek(self._data_start + self._starts[name])
        self._stream.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)

    def __enter__(self) -> "TensorWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stream.close()
        assert error is not None or not self._missing, sorted(self._missing)


def _read_header(file: Path) -> tuple[dict[str, Any], int, int]:
    try:
        with open(file, "rb") as stream:
            num_bytes = stream.seek(0, 2)
            stream.seek(0)
            first = stream.read(len(LFS_POINTER))
            if first == LFS_POINTER:
                raise ModelError(f"{file} is a Git LFS pointer, not the weights; run `git lfs pull` in {file.parent}")
            if len(first) < 8:
                raise ModelError(f"{file} is cut short: expected a safetensors header, got {num_bytes} bytes; download the file again")
            length = struct.unpack("<Q", first[:8])[0]
            if length > MAX_HEADER_BYTES or length > num_bytes - 8:
                raise _damaged(file, f"a safetensors header of at most {min(MAX_HEADER_BYTES, num_bytes - 8)} bytes", f"{length}")
            stream.seek(8)
            blob = stream.read(length)
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror}; is the checkpoint complete and may it be read?") from error
    try:
        header = json.loads(blob.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _damaged(file, "a JSON header", f"{type(error).__name__} ({str(error)[:80]})") from error
    if not isinstance(header, dict):
        raise _damaged(file, "an object as header", type(header).__name__)
    return header, 8 + length, num_bytes


def _tensor(file: Path, name: str, entry: Any, data_start: int, mapping: mmap.mmap) -> Tensor:
    dtype = entry.get("dtype") if isinstance(entry, dict) else None
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise _damaged(file, f"a known dtype for tensor {shown(name)}", repr(dtype)[:40])
    shape, offsets = _counts(entry.get("shape")), _counts(entry.get("data_offsets"))
    if shape is None:
        raise _damaged(file, f"sizes as the shape of tensor {shown(name)}", repr(entry.get("shape"))[:80])
    if offsets is None or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _damaged(file, f"two offsets for tensor {shown(name)}", repr(entry.get("data_offsets"))[:80])
    start, end = offsets
    expected = math.prod(shape) * DTYPES[dtype].itemsize
    if end - start != expected:
        raise _damaged(file, f"{expected} bytes for tensor {shown(name)} ({dtype}, {shape})", f"{end - start}")
    return Tensor(name, name, file, dtype, shape, data_start + start, data_start + end, np.frombuffer(mapping, np.uint8), mapping)


def _counts(numbers: Any) -> tuple[int, ...] | None:
    if not isinstance(numbers, list) or len(numbers) > 8:
        return None
    if any(type(number) is not int or not 0 <= number <= MAX_AXIS for number in numbers):
        return None
    return tuple(numbers)


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for key, entry in pairs:
        if key in entries:
            raise ValueError(f"the key {shown(key)} stands there twice")
        entries[key] = entry
    return entries


def _damaged(file: Path, expected: str, got: str) -> ModelError:
    return ModelError(f"{file} is damaged: expected {expected}, got {got}; download the file again")
