"""How many threads engine cpu computes on: physical cores that this process may use, unless the caller says otherwise.

Reads what the system says of processors and limits; starts nothing. Every reader takes the root of the file system, so
that tests can build small ones. Sources: Linux, Documentation/admin-guide/cgroup-v2.rst ("CPU Interface Files") and
cgroup-v1 (cpu.cfs_quota_us), Documentation/ABI/stable/sysfs-devices-system-cpu; macOS, sysctl(3) hw.perflevel0.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ossicle.options import MAX_THREADS

ROOT = Path("/")
SYSCTL = "/usr/sbin/sysctl"
SYSCTL_SECONDS = 5


def resolve_threads(asked: int | None) -> int:
    """The number that the caller asked for, else one thread for each usable core."""
    return min(usable_cores(), MAX_THREADS) if asked is None else asked


def usable_cores() -> int:
    """Physical cores that this process may use, at least 1.

    A second thread on a core brings nothing to products that keep its arithmetic busy, and threads beyond a container's
    limit are put to sleep in the middle of one.
    """
    if sys.platform == "darwin":
        return performance_cores(_sysctl) or os.cpu_count() or 1
    if not hasattr(os, "sched_getaffinity"):
        return getattr(os, "process_cpu_count", os.cpu_count)() or 1       # the former since Python 3.13
    cores = count_cores(os.sched_getaffinity(0))
    quota = cgroup_cores()
    return cores if quota is None else min(cores, quota)


def count_cores(processors: Iterable[int], root: Path = ROOT) -> int:
    """Distinct cores among logical processors; those of unknown siblings count as cores of their own."""
    return len({_siblings(processor, root) for processor in processors}) or 1


def cgroup_cores(root: Path = ROOT) -> int | None:
    """The smallest number of processors that the control groups of this process allow, rounded up; None when there is no limit."""
    shares = [share for folder in _cgroups(root) for share in (_share_v2(folder), _share_v1(folder)) if share is not None]
    return max(1, min(shares)) if shares else None


def performance_cores(ask: Callable[[str], int | None]) -> int | None:
    """The fast cores of a Mac, or all of one whose cores are alike; None when it does not say.

    ask   gives the number under a name of sysctl(3), None when there is none
    """
    return ask("hw.perflevel0.physicalcpu") or ask("hw.physicalcpu")


def _siblings(processor: int, root: Path) -> str:
    return _read(root / f"sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list") or str(processor)


def _cgroups(root: Path) -> Iterator[Path]:
    """Folders of the control groups that this process is in, each with all that are above it."""
    mount = root / "sys/fs/cgroup"
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if hierarchy == "0":
            tops = [mount, mount / "unified"]
        elif "cpu" in controllers.split(","):
            tops = [mount / controllers, mount / "cpu"]
        else:
            continue
        # In a container the path may be one of the host, of which only the container's own end is mounted: at the top.
        parts = [part for part in path.split("/") if part]
        steps = [] if ".." in parts else parts
        for top in tops:
            yield from (top.joinpath(*steps[:depth]) for depth in range(len(steps), -1, -1))


def _share_v2(folder: Path) -> int | None:
    quota, _, period = (_read(folder / "cpu.max") or "max").partition(" ")
    return _whole_share(quota, period or "100000")


def _share_v1(folder: Path) -> int | None:
    return _whole_share(_read(folder / "cpu.cfs_quota_us") or "-1", _read(folder / "cpu.cfs_period_us") or "100000")


def _whole_share(quota: str, period: str) -> int | None:
    """Microseconds of work in each period, as whole processors, rounded up; None for "max", -1 and what is no number."""
    if not quota.isdecimal() or not period.isdecimal() or int(period) == 0:
        return None
    return -(-int(quota) // int(period))


def _read(file: Path) -> str | None:
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _sysctl(name: str) -> int | None:
    try:
        done = subprocess.run([SYSCTL, "-n", name], capture_output=True, text=True, timeout=SYSCTL_SECONDS, check=True)
        return int(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
