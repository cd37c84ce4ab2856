"""Two pipes to lines: requests one by one, replies whole. Nobody else writes where the replies go.

Libraries print where they please, and one stray line would end a client's parser. So the bridge takes the program's
standard output for itself and points the old place at stderr.
"""

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO


class Wire:
    """Lines from one file, messages to another. Any thread may write."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source, self._sink = source, sink
        self._lock = threading.Lock()
        self.is_open = True                 # False when the reader of our replies went away

    def lines(self) -> Iterator[bytes]:
        """Every line that is not blank, as it comes, until the other side closes."""
        for line in self._source:
            if not self.is_open:
                return
            if line.strip():
                yield line

    def say(self, message: Mapping[str, Any]) -> None:
        """One message, on one line, at once. ASCII: no reader takes a character of it for the end of a line."""
        line = json.dumps(message, allow_nan=False).encode("ascii") + b"\n"
        with self._lock:
            try:
                self._sink.write(line)
                self._sink.flush()
            except (BrokenPipeError, ValueError):
                self.is_open = False


def private_wire() -> Wire:
    """The wire over this program's own pipes. From now on everybody else's standard output is stderr, and their input is empty."""
    sys.stdout.flush()
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return Wire(source, sink)
