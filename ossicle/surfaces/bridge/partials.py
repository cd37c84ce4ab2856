"""The text of an utterance while it is spoken: sound in, the words so far out. One live session for each utterance.

Version 1 ends utterances by its own boundaries and decodes them anew; what stands here is only shown meanwhile.
"""

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ossicle.recognizer import Recognizer
from ossicle.stream.transcript import text_of
from ossicle.stream_events import Failure, Final, Partial
from ossicle.stream_options import EndpointOptions, StreamOptions

MANUAL = StreamOptions(endpoint=EndpointOptions("manual"))


class LiveText:
    """What was heard of one utterance so far. `text` may be read at any time."""

    def __init__(self, recognizer: Recognizer, language: str | None, note: Callable[[str], None]) -> None:
        self._session = recognizer.stream(replace(MANUAL, language=language))
        self._note = note
        self._done: tuple[str, ...] = ()            # texts of the parts that a long utterance was cut into
        self._current = ""                          # of the newest
        self._listener = threading.Thread(target=self._listen, name="live-text", daemon=True)
        self._listener.start()

    @property
    def text(self) -> str:
        """Committed and pending; "" before the first step."""
        return text_of((*self._done, self._current))

    def feed(self, samples: np.ndarray) -> None:
        """Take the next (n,) int16 samples at 16 kHz. Never waits."""
        self._session.feed(samples, rate=16_000)

    def drop(self) -> None:
        """End it; what was not committed is not decoded any more."""
        self._session.clear()
        self._session.close()

    def _listen(self) -> None:
        for event in self._session:
            match event:
                case Partial():
                    self._current = event.committed_text + event.pending_text
                case Final():
                    self._done, self._current = (*self._done, event.text), ""
                case Failure():
                    self._note(f"live text ended: {event.message}")
