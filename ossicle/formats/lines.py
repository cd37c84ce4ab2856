"""A transcript as JSON lines: one object a line, final when it is written. Knows nothing of files.

Kinds: `segment` as each becomes final, `chunk` (with its tokens) where tokens were asked for, `warning`, then one `done`
with everything else; `error` stands in its place when a recording failed. Every line carries `source`.
"""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from ossicle.progress import ChunkDone, Done, Event, SegmentDone, Warned
from ossicle.results import Chunk, Segment, Transcript

SCHEMA = "ossicle-transcript/1"


def write_jsonl(transcript: Transcript, with_tokens: bool = False) -> str:
    """The whole transcript as JSON lines, in the order in which a listener gets them when the work is over."""
    source = transcript.source
    lines = [warning_line(message, source) for message in transcript.warnings]
    if with_tokens:
        lines += [chunk_line(chunk, source) for chunk in transcript.chunks]
    lines += [segment_line(segment, source) for segment in transcript.segments]
    return "".join([*lines, done_line(transcript, with_tokens)])


def event_lines(event: Event, source: str | None, with_tokens: bool = False) -> Iterator[str]:
    """The lines that one event of a recording makes: none, or one."""
    match event:
        case SegmentDone():
            yield segment_line(event.segment, source)
        case ChunkDone() if with_tokens:
            yield chunk_line(event.chunk, source)
        case Warned():
            yield warning_line(event.message, source)
        case Done():
            yield done_line(dataclasses.replace(event.transcript, source=source), with_tokens)


def segment_line(segment: Segment, source: str | None) -> str:
    """One final segment; joined, the texts of all segments give the text of `done`."""
    return _line("segment", source, dataclasses.asdict(segment))


def chunk_line(chunk: Chunk, source: str | None) -> str:
    """One decoded chunk with its tokens."""
    return _line("chunk", source, chunk.to_dict(with_tokens=True))


def warning_line(message: str, source: str | None) -> str:
    """Something a reader should know."""
    return _line("warning", source, {"message": message})


def done_line(transcript: Transcript, with_tokens: bool = False) -> str:
    """The end of one recording: its text and every fact that is not in the lines before."""
    whole = transcript.to_dict()
    for name in ("segments", "warnings", "source", *(["chunks"] if with_tokens else [])):
        del whole[name]
    return _line("done", transcript.source, {"schema": SCHEMA, **whole})


def error_line(error: Exception, source: str | None) -> str:
    """The end of a recording that failed."""
    return _line("error", source, {"error": type(error).__name__, "message": str(error)})


def _line(kind: str, source: str | None, content: dict[str, Any]) -> str:
    return json.dumps({"kind": kind, "source": source, **content}, ensure_ascii=False) + "\n"
