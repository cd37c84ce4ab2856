"""Memory that shows what is read or written beside it."""

import ctypes
import os
import weakref

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ossicle.model.cpu import native

GUARD = 260                  # bytes before and behind; no multiple of 64, for rows may begin anywhere
FILL = 0xA5                  # what stands where nothing may be written: -2.9e-16 as float32
NAN = 0xFF                   # what stands where nothing may be read: as float32, and as float16, not a number
LIBC = ctypes.CDLL(None) if os.name == "posix" else None


class Block:
    """Memory of its own, begun on 64 bytes, that ends where its last byte is: AddressSanitizer then sees who reads on."""

    def __init__(self, num_bytes: int) -> None:
        address = ctypes.c_void_p()
        failed = LIBC.posix_memalign(ctypes.byref(address), ctypes.c_size_t(native.ALIGNMENT), ctypes.c_size_t(num_bytes))
        assert failed == 0
        self.bytes = (ctypes.c_uint8 * num_bytes).from_address(address.value)
        weakref.finalize(self, LIBC.free, address)


class Exact(np.ndarray):
    """An array in a block, which stays as long as any view of it."""

    block: Block | None = None

    def __array_finalize__(self, source: object) -> None:
        self.block = getattr(source, "block", None)


def exact(array: np.ndarray) -> np.ndarray:
    """A copy that begins on 64 bytes, in memory that ends with it."""
    if LIBC is None or array.size == 0:
        copy = native.empty(array.shape, array.dtype)
    else:
        block = Block(array.nbytes)
        copy = np.frombuffer(block.bytes, array.dtype).reshape(array.shape).view(Exact)
        copy.block = block
    copy[...] = array
    return copy


class Rows:
    """Rows (m, n), `stride` numbers from one to the next, between guards and in the middle of them.

    `fill` stands in all the rest; `check` asserts that it does still.
    """

    def __init__(self, m: int, n: int, stride: int | None = None, values: object = None, dtype: object = np.float32, fill: int = FILL):
        self.shape, self.stride, self.dtype, self.fill = (m, n), n if stride is None else stride, np.dtype(dtype), fill
        size = ((m - 1) * self.stride + n) * self.dtype.itemsize
        self.memory = native.empty((GUARD + size + GUARD,), np.uint8)
        self.memory[:] = fill
        self.array = self._rows(self.memory)
        self.address = self.array.ctypes.data
        if values is not None:
            self.array[...] = values

    def _rows(self, memory: np.ndarray) -> np.ndarray:
        size = self.dtype.itemsize
        return as_strided(memory[GUARD:-GUARD].view(self.dtype), self.shape, (self.stride * size, size))

    def check(self) -> None:
        rest = self.memory.copy()
        self._rows(rest)[...] = np.frombuffer(bytes([self.fill] * self.dtype.itemsize), self.dtype)[0]
        assert (rest == self.fill).all(), "something was written beside the rows"

    def is_untouched(self) -> bool:
        return bool((self.memory == self.fill).all())


def to_read(values: np.ndarray, gap: int) -> Rows | np.ndarray:
    """Rows with what is no number around them; or without a gap, memory that ends with them."""
    return Rows(*values.shape, values.shape[1] + gap, values, fill=NAN) if gap else exact(values)


class Scratch:
    """As many bytes as asked for, begun on 64, between guards."""

    def __init__(self, num_bytes: int) -> None:
        room = 256
        self.num_bytes, self.memory = num_bytes, native.empty((room + num_bytes + room,), np.uint8)
        self.memory[:] = FILL
        self.address = self.memory.ctypes.data + room
        self.bytes = self.memory[room : room + num_bytes]
        self._rest = self.memory[:room], self.memory[room + num_bytes :]

    def check(self) -> None:
        assert all((part == FILL).all() for part in self._rest), "something was written beside the scratch memory"
