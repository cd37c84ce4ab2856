"""Cores counted on small file systems of our own."""

import os
import sys

import pytest

from ossicle.model import threads
from ossicle.model.threads import cgroup_cores, count_cores, performance_cores, resolve_threads, usable_cores


@pytest.fixture
def system(tmp_path):
    """Write a file system: path -> text."""
    def write(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path
    return write


def siblings(*lists):
    return {f"sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list": f"{text}\n" for number, text in enumerate(lists)}


@pytest.mark.parametrize(("lists", "allowed", "cores"), [
    (["0,2", "1,3", "0,2", "1,3"], range(4), 2),                # two cores of two threads
    (["0-1", "0-1", "2-3", "2-3"], range(4), 2),
    (["0-1", "0-1", "2-3", "2-3"], {0, 2}, 2),
    (["0-1", "0-1", "2-3", "2-3"], {0, 1}, 1),                  # bound to both threads of one core
    (["0", "1", "2"], range(3), 3),
    (["0,4", "1,5", "2", "3", "0,4", "1,5"], range(6), 4),      # fast cores of two threads beside slow ones of one
    ([], range(3), 3),                                          # nothing known
    ([], [], 1),
])
def test_threads_of_one_core_count_once(system, lists, allowed, cores):
    assert count_cores(allowed, system(siblings(*lists))) == cores


V1 = "sys/fs/cgroup/cpu,cpuacct"


@pytest.mark.parametrize(("files", "cores"), [
    ({}, None),
    ({"proc/self/cgroup": "0::/\n"}, None),
    ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
    ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
    ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
    ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "10000 100000\n"}, 1),
    ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "0 100000\n"}, 1),
    ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "400000\n"}, 4),
    ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "300000 100000\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, 3),
    ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "300000 100000\n", "sys/fs/cgroup/a/b/cpu.max": "500000 100000\n"}, 3),
    ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "900000 100000\n", "sys/fs/cgroup/a/b/cpu.max": "50000 50000\n"}, 1),
    ({"proc/self/cgroup": "0::/of/the/host\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
    ({"proc/self/cgroup": "0::/../other\n", "sys/fs/cgroup/cpu.max": "200000 100000\n", "sys/fs/other/cpu.max": "100000 100000"}, 2),
    ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/unified/a/cpu.max": "200000 100000\n"}, 2),
    ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "lots of\n"}, None),
    ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 0\n"}, None),
    ({"proc/self/cgroup": "4:cpu,cpuacct:/\n", f"{V1}/cpu.cfs_quota_us": "-1\n", f"{V1}/cpu.cfs_period_us": "100000\n"}, None),
    ({"proc/self/cgroup": "4:cpu,cpuacct:/\n", f"{V1}/cpu.cfs_quota_us": "350000\n", f"{V1}/cpu.cfs_period_us": "100000\n"}, 4),
    ({"proc/self/cgroup": "5:memory:/a\n4:cpu,cpuacct:/a\n0::/\n", f"{V1}/a/cpu.cfs_quota_us": "20000\n",
      f"{V1}/a/cpu.cfs_period_us": "10000\n", f"{V1}/cpu.cfs_quota_us": "-1\n"}, 2),
    ({"proc/self/cgroup": "1:cpu:/docker/x\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n"}, 2),
    ({"proc/self/cgroup": "2:cpuacct:/\nnonsense\n", "sys/fs/cgroup/cpuacct/cpu.cfs_quota_us": "200000\n"}, None),
])
def test_the_smallest_quota_on_the_way_up_counts(system, files, cores):
    assert cgroup_cores(system(files)) == cores


@pytest.mark.parametrize(("known", "cores"), [
    ({"hw.perflevel0.physicalcpu": 4, "hw.physicalcpu": 8}, 4),
    ({"hw.physicalcpu": 6}, 6),
    ({}, None),
])
def test_a_mac_is_asked_for_its_fast_cores(known, cores):
    assert performance_cores(known.get) == cores


def test_a_mac_that_does_not_answer_counts_processors(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(threads, "SYSCTL", "no-such-program")
    assert usable_cores() == os.cpu_count()


def test_this_machine_has_at_least_one_core_and_no_more_than_processors():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to processors")
def test_a_process_bound_to_one_processor_has_one_core():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_the_caller_decides_when_a_number_is_given(monkeypatch):
    monkeypatch.setattr(threads, "usable_cores", lambda: 1000)
    assert (resolve_threads(None), resolve_threads(3)) == (256, 3)
