"""Chunks to a transcript, as they come: joins texts, keeps count of what is covered, tells the caller.

Knows nothing of networks. The text grows at its end only, so each segment is final when it is reported.
"""

import logging
import math
import time
from dataclasses import replace

from ossicle.pipeline.recognize import StageClock
from ossicle.progress import ChunkDone, Done, Event, OnEvent, SegmentDone, Started, Warned
from ossicle.results import Chunk, Coverage, Gap, ModelFacts, Segment, Timings, Transcript, Word
from ossicle.text.languages import merge_languages
from ossicle.text.reply import split_reply
from ossicle.text.tokenizer import Tokenizer
from ossicle.text.words import join_texts, split_words, words_with_confidence

logger = logging.getLogger(__name__)

REASONS = {
    "budget": "the token budget ran out before the model was done",
    "loop": "the model repeated itself without end",
    "cancelled": "cancelled before it was done",
}


class Report:
    """What is known of one recording so far."""

    def __init__(self, facts: ModelFacts, source: str | None, on_event: OnEvent | None, started: float) -> None:
        self.timings: dict[str, float] = {}
        self._facts, self._source, self._started = facts, source, started
        self._on_event = on_event
        self._held: list[Event] | None = []         # until `begin`: Started comes first
        self._text, self._seconds, self._offset, self._done_seconds = "", 0.0, 0.0, 0.0
        self._chunks: list[Chunk] = []
        self._segments: list[Segment] = []
        self._warnings: list[str] = []

    def begin(self, seconds: float, num_chunks: int, offset: float) -> None:
        """The sound is read: `seconds` of it, beginning `offset` seconds into the recording."""
        self._seconds, self._offset = seconds, offset
        held, self._held = self._held or [], None
        self._tell(Started(self._source, seconds, num_chunks))
        for event in held:
            self._tell(event)
        if seconds == 0 and offset > 0:
            self.warn(f"the recording ends before the start at {offset:g} s that was asked for; the transcript is empty")
        elif seconds == 0:
            self.warn("the recording holds no samples; the transcript is empty")

    def warn(self, message: str, start: float | None = None, end: float | None = None) -> None:
        """Keep a warning and tell it."""
        if start is not None and end is not None:
            start, end = start + self._offset, end + self._offset
            message = f"{start:.2f} to {end:.2f} s: {message}"
        self._warnings.append(message)
        logger.warning("%s: %s", self._source or "recording", message)
        self._tell(Warned(message, start, end, self._progress))

    def add(self, chunk: Chunk, tokenizer: Tokenizer) -> None:
        """Take the next chunk of the recording; its times count from the first sample read."""
        if chunk.stopped_by != "cancelled":
            self._done_seconds = chunk.end
        if chunk.truncated and chunk.stopped_by != "cancelled":
            self.warn(f"text may be missing: {REASONS[chunk.stopped_by]}", chunk.start, chunk.end)
        chunk = replace(chunk, start=chunk.start + self._offset, end=chunk.end + self._offset)
        self._chunks.append(chunk)
        elapsed = time.perf_counter() - self._started
        self._tell(ChunkDone(chunk, self._done_seconds, self._seconds, elapsed, self._progress))
        if chunk.text:
            self._add_segment(chunk, tokenizer)

    def finish(self, stages: StageClock) -> Transcript:
        """The transcript of all chunks taken; what was never reached is a gap."""
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
                mel=stages.mel,
                encode=stages.encode,
                prefill=stages.prefill,
                decode=stages.decode,
                num_steps=stages.num_steps,
                first_text=first - self._started if first is not None else None,
                total=time.perf_counter() - self._started,
            ),
            model=self._facts,
            source=self._source,
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

    def _add_segment(self, chunk: Chunk, tokenizer: Tokenizer) -> None:
        joined = join_texts(self._text, chunk.text)
        text = joined[len(self._text):]                         # with the space before it, where its script wants one
        self._text = joined
        words = _words(chunk, text, tokenizer)
        known = [word.confidence for word in words if word.confidence is not None]
        confidence = sum(known) / len(known) if known else None
        segment = Segment(text, chunk.start, chunk.end, chunk.language, confidence, words)
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
        return Coverage(self._seconds, max(0.0, self._seconds - silent - missing), silent, missing, tuple(gaps))


def _words(chunk: Chunk, text: str, tokenizer: Tokenizer) -> tuple[Word, ...]:
    """The words of a chunk, joined they give `text`; with confidence where the text is what the tokens spell."""
    ids = [token.id for token in chunk.tokens]
    num_header = len(split_reply(ids, tokenizer).header)
    logprobs = [token.logprob for token in chunk.tokens[num_header:]]
    found = words_with_confidence(ids[num_header:], logprobs, tokenizer)
    spelled = "".join(word for word, _ in found)
    if spelled.strip() != text.strip():                             # repaired, or without a header that can be told apart
        return tuple(Word(word) for word in split_words(text))
    before, after = len(spelled) - len(spelled.lstrip()), len(spelled.rstrip())
    words, place = [], 0
    for word, confidence in found:                                  # the model's space at either end gives way to the join's
        kept = word[max(0, before - place) : max(0, after - place)]
        place += len(word)
        if kept:
            words.append(Word(kept, confidence=confidence))
    if words:
        space = text[: len(text) - len(text.lstrip())]
        words[0] = replace(words[0], text=space + words[0].text)
    return tuple(words)
