"""The library's names for itself, and what it measures."""

import itertools

import numpy as np
import pytest

from ossicle.model.cpu import native
from ossicle.model.cpu.native import BF16, F32, Q4, Q8
from tests.native.kernels.calls import LIBRARY, SETS
from tests.native.kernels.memory import exact


def test_the_instruction_sets_stand_best_first(instruction_set):
    order = ["avx512", "avxvnni", "avx2", "neon_i8mm", "neon", "portable"]
    assert sorted(SETS, key=order.index) == SETS
    assert SETS[-1] == "portable"
    assert native.instruction_set(LIBRARY) == instruction_set


def test_an_instruction_set_that_is_not_here_is_refused(instruction_set):
    for name in (b"", b"avx", b"avx512 ", b"no such thing", None):
        assert LIBRARY.oss_use(name) == -1
    assert native.instruction_set(LIBRARY) == instruction_set


def test_the_version_is_that_of_the_python_file():
    assert LIBRARY.oss_version() == native.VERSION


@pytest.mark.parametrize("num_bytes", [1 << 20, (1 << 20) + 4, (3 << 20) - 60])
def test_reading_stays_inside_the_memory(num_bytes):
    memory = exact(np.full(num_bytes, 1, np.uint8))
    for threads in (1, 2, 5):
        assert LIBRARY.oss_measure_read(memory.ctypes.data, num_bytes, threads) > 0
    assert LIBRARY.oss_measure_read(None, num_bytes, 1) == 0
    assert LIBRARY.oss_measure_read(memory.ctypes.data, 0, 1) == 0


def test_operations_are_counted():
    for kind in (F32, Q8):
        one = LIBRARY.oss_measure_arithmetic(kind, 1, 1)
        assert one >= 2
        for rounds, threads in itertools.product((1, 100), (1, 3)):
            assert LIBRARY.oss_measure_arithmetic(kind, rounds, threads) == one * rounds * threads
    for kind, rounds in ((F32, 0), (F32, -1), (BF16, 1), (Q4, 1), (9, 1)):
        assert LIBRARY.oss_measure_arithmetic(kind, rounds, 1) == 0
