"""Sources in, recordings ready to decode out, in order: each is read on a thread of its own while another is decoded.

Knows nothing of engines. How far ahead it reads is its caller's choice, so that memory stays bounded.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

S = TypeVar("S")
R = TypeVar("R")


class ReadAhead(Generic[S, R]):
    """Prepares sources one after the other. Use it in a `with` block: what was prepared and not taken is closed there."""

    def __init__(self, sources: Iterable[S], prepare: Callable[[S], R], dispose: Callable[[R], None]) -> None:
        """prepare   source to recording, on a thread of its own but for the first one; what it raises takes its place
        dispose   gives back what was prepared for nothing
        """
        self._sources: Iterator[S] = iter(sources)
        self._prepare, self._dispose = prepare, dispose
        self._pool: ThreadPoolExecutor | None = None
        self._begun: deque[Future[R]] = deque()
        self._is_first, self._is_exhausted = True, False

    @property
    def num_begun(self) -> int:
        """Sources that are being prepared, or are and were not taken."""
        return len(self._begun)

    def begin(self) -> bool:
        """Have one more source prepared meanwhile; False when there is none."""
        for source in self._sources:
            self._begun.append(self._submit(source))
            return True
        self._is_exhausted = True
        return False

    def take(self, timeout: float | None = None) -> R | Exception | None:
        """The next one in order; None when there is none, or not within `timeout` seconds. None waits as long as it takes."""
        if not self._begun and not self.begin():
            return None
        try:
            self._begun[0].exception(timeout)
        except TimeoutError:
            return None
        future = self._begun.popleft()
        error = future.exception()
        return error if isinstance(error, Exception) else future.result()

    @property
    def is_exhausted(self) -> bool:
        """Whether every source was begun and taken."""
        return self._is_exhausted and not self._begun

    def __enter__(self) -> "ReadAhead[S, R]":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        for future in self._begun:
            if not future.cancelled() and future.exception() is None:
                self._dispose(future.result())

    def _submit(self, source: S) -> Future[R]:
        if self._is_first:                              # nothing is decoded meanwhile
            self._is_first = False
            done: Future[R] = Future()
            try:
                done.set_result(self._prepare(source))
            except Exception as error:
                done.set_exception(error)
            return done
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="ossicle-reader")
        return self._pool.submit(self._prepare, source)
