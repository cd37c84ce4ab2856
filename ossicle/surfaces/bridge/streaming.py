"""One live stream of version 2: sound in, its session's events out as lines, and how far it is behind.

Nothing is ever dropped: a client that sends faster than is heard is warned, and decides.
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ossicle.stream.session import Session
from ossicle.stream_events import Final
from ossicle.surfaces.bridge.wire import Wire

REARMED_BELOW = 0.5                 # of the limit: what waits must fall below that before the client is warned again


class Stream:
    """A session with a name. All but `listen` may be called from one thread; events come from another."""

    def __init__(
        self, name: str, session: Session, rate: int, max_queued_ms: int, has_words: bool, wire: Wire, on_end: Callable[["Stream"], None]
    ) -> None:
        """rate      of sound that comes without one of its own
        has_words    leave the words in events
        on_end       is called before the last line is written"""
        self.name, self.rate, self.is_closing = name, rate, False
        self._session, self._limit, self._has_words, self._wire, self._on_end = session, max_queued_ms, has_words, wire, on_end
        self._num_finals, self._is_warned = 0, False
        self._request_id: object = None                     # of the request that ends it
        self._listener = threading.Thread(target=self._listen, name=f"stream-{name}", daemon=True)

    def listen(self) -> None:
        """Begin to tell events."""
        self._listener.start()

    def feed(self, samples: np.ndarray, rate: int) -> None:
        """Take the next (n,) int16 samples; warn where too many wait."""
        self._session.feed(samples, rate)
        queued = _ms(self._session.queued_seconds)
        if queued > self._limit and not self._is_warned:
            self._is_warned = True
            self._wire.say({
                "type": "warning", "id": None, "code": "overloaded", "stream_id": self.name, "queued_ms": queued,
                "max_queued_ms": self._limit,
                "message": "sound comes in faster than it is heard; nothing is dropped, but text comes late: send slower, or wait for acks",
            })
        elif queued < REARMED_BELOW * self._limit:
            self._is_warned = False

    def progress(self) -> dict[str, int]:
        """How much came in, and how much of it waits, in milliseconds."""
        return {"audio_ms": _ms(self._session.audio_seconds), "queued_ms": _ms(self._session.queued_seconds)}

    def commit(self) -> None:
        """End the utterance here."""
        self._session.commit()

    def clear(self) -> None:
        """Drop what is not committed."""
        self._session.clear()

    def close(self, request_id: object = None) -> None:
        """Finish; the last line then carries this id. Closing twice changes nothing."""
        if not self.is_closing:
            self.is_closing, self._request_id = True, request_id
            self._session.close()

    def drop(self) -> None:
        """End it without hearing the rest."""
        if not self.is_closing and not self._session.is_closed:
            self._session.clear()
        self.close()

    def join(self) -> None:
        """Wait until all is told."""
        self._listener.join()

    def _listen(self) -> None:
        for event in self._session:
            plain = event.to_dict()
            if not self._has_words:
                plain = {name: value for name, value in plain.items() if name not in ("words", "pending_words")}
            self._num_finals += isinstance(event, Final)
            queued = _ms(self._session.queued_seconds)
            self._wire.say({"type": "stream.event", "id": None, "stream_id": self.name, "queued_ms": queued, "event": plain})
        self._on_end(self)
        last: dict[str, Any] = {"type": "stream_stopped", "id": self._request_id, "stream_id": self.name, **self.progress()}
        self._wire.say(last | {"num_utterances": self._num_finals})


def _ms(seconds: float) -> int:
    return round(1000 * seconds)
