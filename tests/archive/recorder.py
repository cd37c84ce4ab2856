"""Transcripts and a recogniser for the tests of this room: every second of a file's bytes is a chunk of one word."""

from dataclasses import replace

from ossicle.errors import AudioError, Cancelled
from ossicle.progress import ChunkDone, Done, Started
from ossicle.results import Chunk, Coverage, Gap, Segment, Timings, Transcript, Word


def transcript_of(text: str, speaker: str | None = None, **changes) -> Transcript:
    """One segment for each line, one second for each word."""
    segments, at = [], 0.0
    for line in text.split("\n"):
        words, parts = [], line.split(" ")
        for number, part in enumerate(parts):
            words.append(Word(f"{' ' if number else ''}{part}", at, at + 0.5, 0.9, "aligned", speaker))
            at += 1.0
        segments.append(Segment(line, at - len(parts), at, "English", 0.9, tuple(words), speaker))
    made = {"text": text, "language": "English", "duration": at, "segments": tuple(segments), "chunks": (),
            "coverage": Coverage(at, at, 0.0, 0.0), "timings": Timings(total=0.1)}
    return Transcript(**made | changes)


class Recorder:
    """Hears one word per chunk: the words of the file. Counts what it decodes; breaks off where told to."""

    def __init__(self) -> None:
        self.decoded: list[tuple[str, float]] = []
        self.break_at: float | None = None          # raise KeyboardInterrupt before this second of any file
        self.is_closed = False

    def transcribe_each(self, sources, *, options, on_event, cancel, known_chunks):
        for place, source in enumerate(sources):
            if cancel.is_cancelled:
                yield Cancelled("cancelled")
                continue
            try:
                yield self._transcribe(source, on_event, known_chunks[place])
            except AudioError as error:
                yield error

    def _transcribe(self, source, on_event, known_chunks):
        words = source.read_bytes().decode().split()
        if "fault" in words:
            raise RuntimeError("a fault of ours")
        if "broken" in words:
            raise AudioError(f"expected sound in {source}, got noise")
        known = {chunk.start: chunk for chunk in known_chunks}
        chunks = []
        on_event(Started(str(source), float(len(words)), len(words)))
        for number, word in enumerate(words):
            start = float(number)
            if start in known:
                chunk = replace(known[start], index=number)
            else:
                if start == self.break_at:
                    raise KeyboardInterrupt
                self.decoded.append((source.name, start))
                stopped_by = "loop" if word == "loop" else "eos"
                chunk = Chunk(number, start, start + 1.0, word, "English", stopped_by, words=(Word(word, start, start + 0.5),))
            chunks.append(chunk)
            on_event(ChunkDone(chunk, start + 1, float(len(words)), start / 10, (number + 1) / len(words)))
        gaps = tuple(Gap(chunk.start, chunk.end, "it repeated itself") for chunk in chunks if chunk.truncated)
        made = transcript_of(" ".join(words), chunks=tuple(chunks), coverage=Coverage(len(words), len(words), 0.0, float(len(gaps)), gaps))
        on_event(Done(made))
        return made

    def close(self):
        self.is_closed = True
