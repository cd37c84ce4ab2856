"""Who speaks in one recording: found before its first chunk is taken, then told of chunk after chunk.

Where nobody asked for speakers all of this does nothing.
"""

import time
from dataclasses import replace
from typing import Protocol

from ossicle.audio.channels import ChannelLevels
from ossicle.audio.recording import Recording
from ossicle.errors import Cancelled
from ossicle.options import TranscribeOptions
from ossicle.pipeline.diarizer import Diarizers, Evidence, find_turns
from ossicle.pipeline.turns import attribute
from ossicle.progress import CancelToken
from ossicle.results import Chunk, Turn


class Listener(Protocol):
    """Who is told how it goes; a Report."""

    turns: tuple[Turn, ...]
    timings: dict[str, float]

    def warn(self, message: str) -> None:
        """Take a warning."""
        ...

    def tell_diarizing(self, share: float) -> None:
        """Take the share of the turns' work that is done."""
        ...


class Speakers:
    """The turns of one recording."""

    def __init__(self, options: TranscribeOptions, diarizers: Diarizers, name: str | None) -> None:
        """name   of the recording: its path or URL"""
        self._options, self._diarizers, self._name = options, diarizers, name
        self._turns: tuple[Turn, ...] = ()
        self._is_wanted = asks_for_speakers(options, diarizers)
        # Listens while the recording is read, where its channels are to say who speaks.
        self.levels = ChannelLevels() if options.speakers.source == "channels" else None

    def find(self, recording: Recording, listener: Listener, cancel: CancelToken) -> None:
        """Find the turns; cancelled, there are none. Raises as `find_turns` does."""
        if not self._is_wanted:
            return
        began = time.perf_counter()
        evidence = Evidence(recording.samples(), self._name, self._options.audio.start_seconds, self.levels)
        try:
            self._turns = find_turns(evidence, self._options.speakers, self._diarizers, listener.tell_diarizing, listener.warn, cancel)
        except Cancelled:                               # the chunks will say so
            return
        listener.turns = self._turns
        listener.timings["diarize"] = time.perf_counter() - began

    def attribute(self, chunk: Chunk) -> Chunk:
        """The chunk with a speaker for each of its words; its times count from the first sample read, as those of the turns do."""
        if not self._is_wanted or not chunk.words:
            return chunk
        return replace(chunk, words=attribute(chunk.words, self._turns, chunk.start, chunk.end))


def asks_for_speakers(options: TranscribeOptions, diarizers: Diarizers) -> bool:
    """Whether words are to get speakers at all."""
    return options.speakers.is_wanted or diarizers.own is not None


def with_word_times(options: TranscribeOptions, diarizers: Diarizers) -> TranscribeOptions:
    """The same options, with words timed where speakers are asked for: a word without times goes to whoever speaks most around it."""
    return replace(options, words="auto") if options.words == "none" and asks_for_speakers(options, diarizers) else options
