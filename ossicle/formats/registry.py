"""Every format by name: what its files are called, how they are written, what they need.

A writer takes the transcript and one set of options, so that whoever writes files need not know which format asks for what.
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ossicle.errors import OptionError
from ossicle.formats.ass import write_ass
from ossicle.formats.html import Media, write_html
from ossicle.formats.lines import write_jsonl
from ossicle.formats.lrc import write_lrc
from ossicle.formats.markdown import write_markdown
from ossicle.formats.research import write_ctm, write_rttm, write_stm
from ossicle.formats.srt import write_srt
from ossicle.formats.tables import write_audacity, write_csv, write_tsv
from ossicle.formats.textgrid import write_textgrid
from ossicle.formats.vtt import write_vtt
from ossicle.formats.write import write_json, write_txt
from ossicle.options import CueOptions
from ossicle.results import Transcript

ALL = "all"                      # stands for every format where formats are named


@dataclass(frozen=True)
class FormatOptions:
    """What is asked of the files; each format takes from here what it knows."""

    with_tokens: bool = False        # in JSON: every token with its log-probability
    cues: CueOptions = field(default_factory=CueOptions)
    media: Media | None = None       # in HTML: the recording that the page plays


@dataclass(frozen=True)
class Format:
    """One way to write a transcript."""

    suffix: str                      # of its files, without the dot
    write: Callable[[Transcript, FormatOptions], str]
    meaning: str


FORMATS: dict[str, Format] = {
    "txt": Format("txt", lambda transcript, options: write_txt(transcript, options.with_tokens), "the text"),
    "json": Format("json", lambda transcript, options: write_json(transcript, options.with_tokens), "everything, by a published schema"),
    "jsonl": Format("jsonl", lambda transcript, options: write_jsonl(transcript, options.with_tokens), "the same as lines"),
    "srt": Format("srt", lambda transcript, options: write_srt(transcript, options.cues), "SubRip subtitles"),
    "vtt": Format("vtt", lambda transcript, options: write_vtt(transcript, options.cues), "WebVTT subtitles"),
    "ass": Format("ass", lambda transcript, options: write_ass(transcript, options.cues), "SubStation subtitles and karaoke"),
    "lrc": Format("lrc", lambda transcript, options: write_lrc(transcript, options.cues), "lyrics"),
    "tsv": Format("tsv", lambda transcript, options: write_tsv(transcript, options.cues), "Whisper's table"),
    "csv": Format("csv", lambda transcript, options: write_csv(transcript, options.cues), "a table for spreadsheets"),
    "audacity": Format("labels.txt", lambda transcript, options: write_audacity(transcript, options.cues), "labels for Audacity"),
    "textgrid": Format("TextGrid", lambda transcript, options: write_textgrid(transcript), "tiers for Praat"),
    "ctm": Format("ctm", lambda transcript, options: write_ctm(transcript), "words for NIST's tools"),
    "stm": Format("stm", lambda transcript, options: write_stm(transcript), "segments for NIST's tools"),
    "rttm": Format("rttm", lambda transcript, options: write_rttm(transcript), "speakers for NIST's tools"),
    "md": Format("md", lambda transcript, options: write_markdown(transcript), "a page to read"),
    "html": Format("html", lambda transcript, options: write_html(transcript, options.media, cues=options.cues),
                   "a page that plays, finds and takes corrections"),
}


def write(transcript: Transcript, format_name: str, options: FormatOptions | None = None) -> str:
    """A transcript as the text of a file. Raises OptionError for an unknown format, FormatError for what cannot be written in it."""
    names = find_formats(format_name)
    if len(names) > 1:
        raise OptionError(f"write makes one file, so format must be one of {', '.join(FORMATS)}; got {format_name!r}")
    return FORMATS[names[0]].write(transcript, options or FormatOptions())


def find_formats(names: str | Iterable[str]) -> tuple[str, ...]:
    """The formats that are meant by `srt,vtt`, `all` or a list of these, each once. Raises OptionError with near names."""
    asked = [name.strip().lower() for part in ([names] if isinstance(names, str) else names) for name in part.split(",")]
    found: dict[str, None] = {}
    for name in filter(None, asked):
        if name != ALL and name not in FORMATS:
            near = difflib.get_close_matches(name, FORMATS, n=2, cutoff=0.6)
            asking = f"; did you mean {' or '.join(near)}?" if near else ""
            raise OptionError(f"format must be one or several of {', '.join(FORMATS)}, or all; got {name!r}{asking}")
        found |= dict.fromkeys(FORMATS if name == ALL else [name])
    if not found:
        raise OptionError(f"format must be one or several of {', '.join(FORMATS)}, or all; got nothing")
    return tuple(found)
