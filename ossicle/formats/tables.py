"""A transcript as rows: tab-separated as Whisper writes it, comma-separated for spreadsheets, labels for Audacity."""

import csv
import io
from collections.abc import Iterator

from ossicle.formats.pieces import plain_spaces
from ossicle.formats.times import milliseconds, timed_segments
from ossicle.options import CueOptions
from ossicle.results import Segment, Transcript, Word

SEGMENT_COLUMNS = ("start", "end", "speaker", "language", "confidence", "text")
WORD_COLUMNS = ("start", "end", "speaker", "confidence", "timing", "text")


def write_tsv(transcript: Transcript, options: CueOptions | None = None) -> str:
    """Whisper's table: `start end text` with whole milliseconds, a row for each segment, or each word with `word_times`."""
    rows = (f"{milliseconds(row.start or 0.0)}\t{milliseconds(row.end or 0.0)}\t{plain_spaces(row.text)}\n"
            for row in _rows(transcript, options))
    return "start\tend\ttext\n" + "".join(rows)


def write_csv(transcript: Transcript, options: CueOptions | None = None) -> str:
    """Comma-separated values with a header (RFC 4180, but lines end as in all our files): segments, or words with `word_times`."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(WORD_COLUMNS if options and options.word_times else SEGMENT_COLUMNS)
    for row in _rows(transcript, options):
        known = "" if row.confidence is None else f"{row.confidence:.4f}"
        start, end, speaker = f"{row.start or 0.0:.3f}", f"{row.end or 0.0:.3f}", row.speaker or ""
        if isinstance(row, Word):
            writer.writerow((start, end, speaker, known, row.timing or "", plain_spaces(row.text)))
        else:
            writer.writerow((start, end, speaker, row.language or "", known, plain_spaces(row.text)))
    return table.getvalue()


def write_audacity(transcript: Transcript, options: CueOptions | None = None) -> str:
    """Labels as Audacity imports them: seconds, seconds, text; for segments, or words with `word_times`."""
    return "".join(f"{row.start or 0.0:.6f}\t{row.end or 0.0:.6f}\t{_spoken_by(row)}{plain_spaces(row.text)}\n"
                   for row in _rows(transcript, options))


def _rows(transcript: Transcript, options: CueOptions | None) -> Iterator[Segment | Word]:
    if options is None or not options.word_times:
        return (segment for segment in transcript.segments if plain_spaces(segment.text))
    return (word for segment in timed_segments(transcript) for word in segment.words if plain_spaces(word.text))


def _spoken_by(row: Segment | Word) -> str:
    return f"{plain_spaces(row.speaker)}: " if row.speaker and isinstance(row, Segment) else ""
