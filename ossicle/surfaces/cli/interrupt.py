"""Ctrl-C: the first one ends the work in hand and keeps what is there, the second one kills."""

import os
import signal
import sys
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
        if self.token.is_cancelled:
            _kill()
        if not self.is_decoding:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            raise KeyboardInterrupt
        self.token.cancel()


def _kill() -> None:
    """End at once, as a signal does; the terminal gets back the cursor that a progress bar hides."""
    if sys.stderr is not None and sys.stderr.isatty():
        os.write(sys.stderr.fileno(), b"\x1b[?25h\n")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
