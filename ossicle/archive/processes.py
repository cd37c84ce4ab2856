"""Who works on a recording: a name for this process, and whether the process of another name still lives.

A claim does not outlive its process: whoever finds the claim of a dead one takes it over.
"""

import os
import re
import socket
import time
from pathlib import Path

LEASE_SECONDS = 600.0               # a process of another machine that has not been heard of for so long is taken for dead


def own_name() -> str:
    """`host:pid:start` of this process; a later process with the same pid has another start."""
    return f"{_host()}:{os.getpid()}:{_started(os.getpid())}"


def is_alive(name: str, heard_of: float) -> bool:
    """Whether the process of that name still runs.

    heard_of   when it last wrote to the ledger, on the clock of time.time(): all that is known of other machines
    """
    host, pid, started = name.rsplit(":", 2)
    if host != _host():
        return time.time() - heard_of < LEASE_SECONDS
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:                                         # it runs, and belongs to somebody else
        pass
    return _started(int(pid)) == started


def _host() -> str:
    """This machine, in letters that a file's name may have."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())


def _started(pid: int) -> str:
    """When a process began, in ticks since the start of the machine; empty where the system does not say."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
