"""A folder that fills while we look: recordings are handed out once nobody has changed them for a while."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ossicle.archive.finding import Found
from ossicle.progress import CancelToken

POLL_SECONDS = 2.0                  # between two looks where the system tells nothing of changes
STEP_SECONDS = 0.2                  # how long a cancel may wait


def watch(
    find: Callable[[], Sequence[Found]],
    roots: Sequence[Path],
    quiet_seconds: float,
    cancel: CancelToken,
    poll: bool = False,
) -> Iterator[list[Found]]:
    """Hand out recordings as they become ready, over and over; each again when it has changed.

    find            looks for recordings
    roots           the folders to be told about, where the package watchfiles is installed; else they are looked through
                    every two seconds
    quiet_seconds   a file is ready when its size and time have stood still for so long
    poll            never ask the system: network folders tell of no changes

    Ends when cancelled.
    """
    changes = None if poll else _changes(roots, cancel)
    stable: dict[Path, tuple[tuple[int, int], float]] = {}      # what a file looked like, and since when
    given: dict[Path, tuple[int, int]] = {}
    while not cancel.is_cancelled:
        ready, is_waiting = [], False
        for found in find():
            look = _look(found.path)
            if look is None or given.get(found.path) == look:
                continue
            if stable.get(found.path, (None, 0.0))[0] != look:
                # A file that was last changed long ago has been quiet for long, whenever we came to see it.
                stable[found.path] = (look, time.monotonic() - max(0.0, time.time() - look[1] / 1e9))
            if time.monotonic() - stable[found.path][1] >= quiet_seconds:
                given[found.path] = look
                ready.append(found)
            else:
                is_waiting = True
        if ready:
            yield ready
        elif changes is None or is_waiting:
            _sleep(min(POLL_SECONDS, max(STEP_SECONDS, quiet_seconds / 2)), cancel)
        else:
            next(changes, None)


def _changes(roots: Sequence[Path], cancel: CancelToken) -> Iterator[Any] | None:
    try:
        from watchfiles import watch as wait_for_change
    except ImportError:
        return None
    # It wakes now and then without news, as what lies between two looks must not be missed.
    return wait_for_change(*roots, stop_event=_Stop(cancel), yield_on_timeout=True, rust_timeout=5000, raise_interrupt=False)


class _Stop:
    """A cancel token in the form that watchfiles asks."""

    def __init__(self, cancel: CancelToken) -> None:
        self._cancel = cancel

    def is_set(self) -> bool:
        return self._cancel.is_cancelled


def _look(path: Path) -> tuple[int, int] | None:
    try:
        now = path.stat()
    except OSError:
        return None
    return now.st_size, now.st_mtime_ns


def _sleep(seconds: float, cancel: CancelToken) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not cancel.is_cancelled:
        time.sleep(STEP_SECONDS)
