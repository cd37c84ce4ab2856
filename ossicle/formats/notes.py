"""What a reader should know of a transcript besides its text, in words: gaps and warnings, facts for a heading."""

from ossicle.formats.times import clock
from ossicle.results import Transcript


def missing_lines(transcript: Transcript) -> list[str]:
    """One line for each stretch whose text is missing or cut short."""
    return [f"text may be missing from {clock(gap.start)} to {clock(gap.end)}: {' '.join(gap.reason.split())}"
            for gap in transcript.coverage.gaps]


def title_of(transcript: Transcript) -> str:
    """What the recording is called: its file name, or that it is a transcript."""
    return " ".join((transcript.source or "").replace("\\", "/").rstrip("/").rpartition("/")[2].split()) or "Transcript"


def file_id(transcript: Transcript) -> str:
    """The name by which tables of speech research call the recording: its file name without suffix and spaces."""
    stem = title_of(transcript)
    stem = stem.rpartition(".")[0] or stem
    return "_".join(stem.split()) or "recording"
