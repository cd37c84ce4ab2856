"""What this machine is and how fast it can be: facts about processor and memory, and speeds measured on the spot.

Knows nothing of networks: docs/speed.md says which of these speeds bounds which stage.
"""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ossicle.model.threads import resolve_threads, usable_cores

PROBE_BYTES = 512 * 2**20       # many times what caches hold, so that they do not answer in memory's place
TRIES = 5                       # the best counts: other programs only ever make it slower
WIDTH = 1024                    # of the square matrices multiplied: 2 GFLOP, some tens of milliseconds a core
PROBE_SECONDS = 0.05            # of arithmetic at least, so that starting the threads does not count
F32, Q8 = 0, 3                  # `enum oss_type` of native/include/ossicle.h


@dataclass(frozen=True)
class Machine:
    """One machine. Speeds are in powers of ten: GB/s is 10^9 bytes a second."""

    processor: str
    system: str
    cores: int                          # that this process may use
    threads: int                        # that were measured with
    memory_mb: int | None
    instruction_set: str | None         # of the native library; None where that is not in use
    read_bandwidth_gbs: float           # reading memory from end to end, the better of one thread and all
    fma_gflops: float                   # float32, a multiplication and an addition are two
    int8_gops: float | None             # int8 products summed in int32; None where the native library is not in use


@dataclass(frozen=True)
class _Speeds:
    read_bandwidth_gbs: float
    fma_gflops: float
    int8_gops: float | None = None
    instruction_set: str | None = None


def machine(threads: int | None = None, library: Any = None) -> Machine:
    """Facts about this machine, and its speeds, measured now: takes a second or two, and 512 MB for the time being.

    threads   to measure with; None is one per core. The matrix product of NumPy takes as many as its BLAS wants
    library   the native library, its functions declared; None measures what NumPy gets out of this machine
    """
    threads = resolve_threads(threads)
    speeds = _measure_numpy(threads) if library is None else _measure_native(library, threads)
    return Machine(
        processor=processor_name(),
        system=platform.platform(),
        cores=usable_cores(),
        threads=threads,
        memory_mb=_memory_mb(),
        instruction_set=speeds.instruction_set,
        read_bandwidth_gbs=_rounded(speeds.read_bandwidth_gbs),
        fma_gflops=_rounded(speeds.fma_gflops),
        int8_gops=None if speeds.int8_gops is None else _rounded(speeds.int8_gops),
    )


def processor_name() -> str:
    """What the processor calls itself; its architecture where it says nothing."""
    if sys.platform == "darwin":
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        name = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    else:
        name = _name_in_cpuinfo()
    return name or platform.processor() or platform.machine() or "unknown"


def _name_in_cpuinfo() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:                                         # no Linux
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _memory_mb() -> int | None:
    if not hasattr(os, "sysconf"):                          # Windows
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20)


def _measure_numpy(threads: int) -> _Speeds:
    memory = _probe_memory().view(np.int64)

    def read(count: int) -> None:
        parts = np.array_split(memory, count)
        list(pool.map(np.bitwise_or.reduce, parts))         # one cheap operation a load; NumPy lets go of the interpreter meanwhile

    with ThreadPoolExecutor(threads) as pool:
        seconds = min(_best(read, count) for count in {1, threads})
    square = np.ones((WIDTH, WIDTH), np.float32)
    return _Speeds(memory.nbytes / seconds / 1e9, 2 * WIDTH**3 / _best(np.matmul, square, square) / 1e9)


def _measure_native(library: Any, threads: int) -> _Speeds:
    memory = _probe_memory()
    seconds = min(_best(library.oss_measure_read, memory.ctypes.data, memory.nbytes, count) for count in {1, threads})
    return _Speeds(
        memory.nbytes / seconds / 1e9,
        _arithmetic(library, F32, threads) / 1e9,
        _arithmetic(library, Q8, threads) / 1e9,
        library.oss_instruction_set().decode(),
    )


def _arithmetic(library: Any, kind: int, threads: int) -> float:
    """Operations a second; as many rounds as it takes to be timed well."""
    rounds = 10_000
    while _timed(library.oss_measure_arithmetic, kind, rounds, threads)[0] < PROBE_SECONDS:
        rounds *= 4
    return max(operations / seconds for seconds, operations in
               (_timed(library.oss_measure_arithmetic, kind, rounds, threads) for _ in range(TRIES)))


def _probe_memory() -> np.ndarray:
    """Bytes that were written once: a page that never was is no memory yet."""
    num_bytes = min(PROBE_BYTES, (_memory_mb() or 4096) * 2**20 // 8) // 64 * 64
    return np.ones(num_bytes, np.uint8)


def _best(work: Callable[..., object], *args: object) -> float:
    return min(_timed(work, *args)[0] for _ in range(TRIES))


def _timed(work: Callable[..., Any], *args: object) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work(*args)
    return max(time.perf_counter() - started, 1e-9), result


def _rounded(speed: float) -> float:
    return float(f"{speed:.4g}")
