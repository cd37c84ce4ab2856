"""Ctrl-C: the first one ends the work in hand and keeps what is there, the second one kills."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from ossicle.progress import CancelToken


class Interrupt:
    """While entered, Ctrl-C cancels `token` if something is being decoded, else raises KeyboardInterrupt as ever."""

    def __init__(self) -> None:
        self.token = CancelToken()
        self.is_decoding = False
        self._before: Any = None

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if not self.is_decoding:
            raise KeyboardInterrupt
        self.token.cancel()
