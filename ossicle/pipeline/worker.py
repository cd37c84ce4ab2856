"""One thread that does jobs in the order they came, and leaves in good order.

Engines tie what they make to the thread that made it, so that thread must also be the one that puts it away: MLX ends
the process with an abort when a thread that used it ends without a word (`leave`).
"""

import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from ossicle.errors import StreamError

R = TypeVar("R")

Item = tuple[Future[Any], Callable[[], Any]] | None         # None ends the thread


class Worker:
    """Does jobs until it is closed, collected, or the interpreter exits; `leave` is the last it does, on its own thread."""

    def __init__(self, name: str, leave: Callable[[], None]) -> None:
        jobs: queue.SimpleQueue[Item] = queue.SimpleQueue()
        # A daemon, so that the interpreter does not wait for it before the finaliser below has told it to end.
        thread = threading.Thread(target=_work, args=(jobs, leave), name=name, daemon=True)
        self._jobs = jobs
        self._lock = threading.Lock()           # between asking whether it is open and queueing
        self._finalizer = weakref.finalize(self, _end, jobs, thread)
        thread.start()

    @property
    def is_open(self) -> bool:
        return self._finalizer.alive

    def submit(self, job: Callable[[], R]) -> Future[R]:
        """Queue a job; its future gives what it returns or raises. Raises StreamError when closed."""
        future: Future[R] = Future()
        with self._lock:
            if not self.is_open:
                raise StreamError("the worker is closed; make a new one")
            self._jobs.put((future, job))
        return future

    def close(self) -> None:
        """Let the queued jobs end, then the thread. Closing twice changes nothing."""
        with self._lock:
            end = self._finalizer.detach()
        if end is not None:
            _, function, args, _ = end
            function(*args)


def _work(jobs: "queue.SimpleQueue[Item]", leave: Callable[[], None]) -> None:
    try:
        while (item := jobs.get()) is not None:
            _do(*item)
            del item                                        # what the job held is not kept while waiting for the next
    finally:
        leave()


def _do(future: Future[Any], job: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(job())
    except BaseException as error:                          # whoever waits for the future gets it, whatever it is
        future.set_exception(error)


def _end(jobs: "queue.SimpleQueue[Item]", thread: threading.Thread) -> None:
    jobs.put(None)
    if thread is not threading.current_thread():
        thread.join()
