"""What a caller learns while work goes on, and how it stops it. Imports only the words of the foundation.

Every event carries `progress`, the share of the sound that is done, from 0 to 1. Events of one recording come in order:
started, diarizing, then chunk, segment and warning as they happen, then done.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ossicle.errors import Cancelled
from ossicle.results import Chunk, Segment, Transcript


@dataclass(frozen=True, slots=True)
class Started:
    """The sound is read and cut."""

    source: str | None
    audio_seconds: float
    num_chunks: int
    progress: float = 0.0
    kind: Literal["started"] = "started"


@dataclass(frozen=True, slots=True)
class Diarizing:
    """Who speaks when is being found, before the first chunk; only where that takes long."""

    share: float                    # of that work, from 0 to 1
    progress: float = 0.0
    kind: Literal["diarizing"] = "diarizing"


@dataclass(frozen=True, slots=True)
class ChunkDone:
    """One chunk has its final text. Chunks come in order."""

    chunk: Chunk
    done_seconds: float
    audio_seconds: float
    elapsed_seconds: float          # since the work on this recording began
    progress: float
    kind: Literal["chunk"] = "chunk"


@dataclass(frozen=True, slots=True)
class SegmentDone:
    """One segment is final."""

    segment: Segment
    progress: float
    kind: Literal["segment"] = "segment"


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a user should know; the work goes on."""

    message: str
    start: float | None = None      # the stretch it is about, where there is one
    end: float | None = None
    progress: float = 0.0
    kind: Literal["warning"] = "warning"


@dataclass(frozen=True, slots=True)
class Done:
    """The transcript is final."""

    transcript: Transcript
    progress: float = 1.0
    kind: Literal["done"] = "done"


Event = Started | Diarizing | ChunkDone | SegmentDone | Warned | Done
OnEvent = Callable[[Event], None]


class CancelToken:
    """Hand it in, keep a reference, call `cancel` from any thread; work stops before its next token."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop. Asking twice changes nothing."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise Cancelled when cancellation was asked for."""
        if self.is_cancelled:
            raise Cancelled("cancelled by the caller")
