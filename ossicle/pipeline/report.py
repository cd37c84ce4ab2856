"""Chunks to a transcript, as they come: joins texts, keeps count of what is covered, tells the caller.

Knows nothing of networks. The text grows at its end only, so each segment is final when it is reported.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ossicle.pipeline.echo import is_struck_dumb
from ossicle.pipeline.recognize import StageClock
from ossicle.pipeline.segments import ByChunk, Segmenter
from ossicle.pipeline.spelling import after_space
from ossicle.progress import ChunkDone, Diarizing, Done, Event, OnEvent, SegmentDone, Started, Warned
from ossicle.results import Chunk, Coverage, Gap, ModelFacts, Segment, Timings, Transcript, Turn
from ossicle.text.languages import merge_languages
from ossicle.text.words import seam

logger = logging.getLogger(__name__)

REASONS = {
    "budget": "the token budget ran out before the model was done",
    "loop": "the model repeated itself without end",
    "cancelled": "cancelled before it was done",
}


class Report:
    """What is known of one recording so far."""

    def __init__(
        self, facts: ModelFacts | None, source: str | None, on_event: OnEvent | None, started: float,
        segmenter: Segmenter | None = None, offset: float = 0.0, space_between: Callable[[str, str], str] = seam,
    ) -> None:
        """offset   seconds of the recording before the part that is read: what is reported counts from its beginning"""
        self.timings: dict[str, float] = {}
        self.aligner: ModelFacts | None = None      # that timed the words, where one did
        self.turns: tuple[Turn, ...] = ()           # who speaks when, from the first sample read
        self._facts, self._source, self._started = facts, source, started
        self._on_event = on_event
        self._held: list[Event] | None = []         # until `begin`: Started comes first
        self._text, self._seconds, self.offset, self._done_seconds = "", 0.0, offset, 0.0
        self._segmenter, self._space_between = segmenter or ByChunk(), space_between
        self._chunks: list[Chunk] = []
        self._segments: list[Segment] = []
        self._warnings: list[str] = []

    def begin(self, seconds: float, num_chunks: int, started: float | None = None) -> None:
        """The sound is read, `seconds` of it, and its turn has come.

        started   the work on it counts from here; None where it did not have to wait
        """
        self._seconds, self._started = seconds, self._started if started is None else started
        held, self._held = self._held or [], None
        self._tell(Started(self._source, seconds, num_chunks))
        for event in held:
            self._tell(event)
        if seconds == 0 and self.offset > 0:
            self.warn(f"the recording ends before the start at {self.offset:g} s that was asked for; the transcript is empty")
        elif seconds == 0:
            self.warn("the recording holds no samples; the transcript is empty")

    def warn(self, message: str, start: float | None = None, end: float | None = None) -> None:
        """Keep a warning and tell it."""
        if start is not None and end is not None:
            start, end = start + self.offset, end + self.offset
            message = f"{start:.2f} to {end:.2f} s: {message}"
        self._warnings.append(message)
        logger.warning("%s: %s", self._source or "recording", message)
        self._tell(Warned(message, start, end, self._progress))

    def add(self, chunk: Chunk, is_known: bool = False) -> None:
        """Take the next chunk of the recording; its times count from the first sample read.

        is_known   it is of an earlier run, and its times count from the beginning of the recording
        """
        if chunk.truncated and chunk.stopped_by != "cancelled":
            offset = self.offset if is_known else 0.0
            self.warn(f"text may be missing: {REASONS[chunk.stopped_by]}", chunk.start - offset, chunk.end - offset)
        if chunk.stopped_by == "eos" and is_struck_dumb(chunk.text, chunk.speech_seconds):
            offset = self.offset if is_known else 0.0
            self.warn("speech seems to be heard here, but the model wrote nothing", chunk.start - offset, chunk.end - offset)
        chunk = _shifted(chunk, self.offset) if self.offset and not is_known else chunk
        if chunk.stopped_by != "cancelled":
            self._done_seconds = chunk.end - self.offset
        self._chunks.append(chunk)
        elapsed = time.perf_counter() - self._started
        self._tell(ChunkDone(chunk, self._done_seconds, self._seconds, elapsed, self._progress))
        if chunk.text:
            space = self._space_between(self._text, chunk.text)                # where the scripts at the seam want one
            self._text += space + chunk.text
            self._add_segments(self._segmenter.add(chunk, after_space(chunk.words, space)))

    def tell_diarizing(self, share: float) -> None:
        """Tell how much of the search for speakers is done, from 0 to 1."""
        self._tell(Diarizing(share))

    def finish(self, stages: StageClock) -> Transcript:
        """The transcript of all chunks taken; what was never reached is a gap."""
        self._add_segments(self._segmenter.finish())
        coverage = self._coverage()
        first = stages.first_text_at
        transcript = Transcript(
            text=self._text,
            language=merge_languages([chunk.language or "" for chunk in self._chunks]) or None,
            duration=self._seconds,
            segments=tuple(self._segments),
            chunks=tuple(self._chunks),
            coverage=coverage,
            warnings=tuple(self._warnings),
            timings=Timings(
                audio=self.timings.get("audio", 0.0),
                vad=self.timings.get("vad", 0.0),
                mel=stages.mel,
                encode=stages.encode,
                prefill=stages.prefill,
                decode=stages.decode,
                align=self.timings.get("align", 0.0),
                diarize=self.timings.get("diarize", 0.0),
                num_steps=stages.num_steps,
                first_text=max(0.0, first - self._started) if first is not None else None,
                total=time.perf_counter() - self._started,
            ),
            model=self._facts,
            source=self._source,
            aligner=self.aligner,
            turns=tuple(replace(turn, start=turn.start + self.offset, end=turn.end + self.offset) for turn in self.turns),
        )
        logger.info("%s: %.2f s of sound in %.2f s", self._source or "recording", self._seconds, transcript.timings.total)
        self._tell(Done(transcript))
        return transcript

    def _tell(self, event: Event) -> None:
        if self._held is not None:
            self._held.append(event)
        elif self._on_event is not None:
            self._on_event(event)

    @property
    def _progress(self) -> float:
        return min(1.0, self._done_seconds / self._seconds) if self._seconds else 0.0

    def _add_segments(self, segments: Sequence[Segment]) -> None:
        for segment in segments:
            self._segments.append(segment)
            self._tell(SegmentDone(segment, self._progress))

    def _coverage(self) -> Coverage:
        gaps: list[Gap] = []
        for chunk in self._chunks:
            if chunk.truncated:
                reason = REASONS[chunk.stopped_by]
                if gaps and gaps[-1].reason == reason and gaps[-1].end == chunk.start:
                    gaps[-1] = replace(gaps[-1], end=chunk.end)
                else:
                    gaps.append(Gap(chunk.start, chunk.end, reason))
        silent = math.fsum(chunk.end - chunk.start for chunk in self._chunks if chunk.stopped_by == "silence")
        missing = math.fsum(gap.end - gap.start for gap in gaps)
        speech, decoded_speech = self._speech()
        return Coverage(self._seconds, max(0.0, self._seconds - silent - missing), silent, missing, tuple(gaps), speech, decoded_speech)

    def _speech(self) -> tuple[float | None, float | None]:
        """Seconds of speech, and of those decoded to the end; None where nobody listened for speech."""
        heard = [(chunk.speech_seconds, chunk.truncated) for chunk in self._chunks]
        if not heard or any(seconds is None for seconds, _ in heard):
            return None, None
        return (math.fsum(seconds or 0.0 for seconds, _ in heard),
                math.fsum(seconds or 0.0 for seconds, is_cut in heard if not is_cut))


def _shifted(chunk: Chunk, seconds: float) -> Chunk:
    def later(time: float | None) -> float | None:
        return None if time is None else time + seconds

    words = tuple(replace(word, start=later(word.start), end=later(word.end)) for word in chunk.words)
    return replace(chunk, start=chunk.start + seconds, end=chunk.end + seconds, words=words)
