"""Facts about this machine are facts, and its speeds are measured."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from ossicle.model import machine as machines
from ossicle.model.machine import machine


@pytest.fixture(autouse=True)
def small_probe(monkeypatch):
    """So small that a test may take it, so large that a clock can tell."""
    monkeypatch.setattr(machines, "PROBE_BYTES", 2**24)
    monkeypatch.setattr(machines, "WIDTH", 128)
    monkeypatch.setattr(machines, "PROBE_SECONDS", 0.004)


def test_this_machine_has_a_name_cores_memory_and_speeds():
    found = machine()
    assert found.processor
    assert found.system
    assert found.threads == found.cores >= 1
    assert found.memory_mb is None or found.memory_mb > 100
    assert found.read_bandwidth_gbs > 0.1
    assert found.fma_gflops > 0.1
    assert (found.instruction_set, found.int8_gops) == (None, None)


def test_threads_are_those_asked_for():
    assert machine(3).threads == 3


def test_the_bandwidth_counts_every_byte_once(monkeypatch):
    monkeypatch.setattr(machines, "_best", lambda work, *args: 0.001)
    assert machine(1).read_bandwidth_gbs == pytest.approx(2**24 / 1e6, rel=1e-3)


def test_a_small_machine_is_not_filled_up(monkeypatch):
    monkeypatch.setattr(machines, "_memory_mb", lambda: 64)
    assert len(machines._probe_memory()) == 8 * 2**20


def test_the_native_library_measures_where_it_is_there():
    asked = []

    def arithmetic(kind, rounds, threads):
        asked.append((kind, threads))
        time.sleep(rounds / 1e7)
        return 4.0 * rounds * (8 if kind == machines.Q8 else 1)

    def read(memory, num_bytes, threads):
        assert memory % np.dtype(np.int64).alignment == 0
        asked.append((num_bytes, threads))
        time.sleep(0.002)
        return 0

    library = SimpleNamespace(oss_measure_read=read, oss_measure_arithmetic=arithmetic, oss_instruction_set=lambda: b"avx2")
    found = machine(2, library)
    assert found.instruction_set == "avx2"
    assert found.read_bandwidth_gbs == pytest.approx(2**24 / 0.002 / 1e9, rel=0.5)      # sleeping takes longer than asked
    assert found.fma_gflops == pytest.approx(0.04, rel=0.5)
    assert found.int8_gops == pytest.approx(0.32, rel=0.5)
    assert {(2**24, 1), (2**24, 2), (machines.F32, 2), (machines.Q8, 2)} <= set(asked)
