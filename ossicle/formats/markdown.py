"""Markdown for readers: a title, what is known of the recording, what is missing, and paragraphs with times and speakers."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ossicle.formats.notes import missing_lines, title_of
from ossicle.formats.pieces import plain_spaces, split_space
from ossicle.formats.places import ends_sentence
from ossicle.formats.times import clock, timed_segments
from ossicle.results import Transcript, Word

PAUSE_SECONDS = 2.0              # a paragraph ends with a sentence before a pause so long,
LONG_SECONDS = 45.0              # or when it is so long already
ESCAPED = re.compile(r"([\\`*_{}\[\]<>|~#$])")                    # anywhere; the rest means something at the start of a line only
LINE_START = re.compile(r"^(\d+)([.)])(?=\s|$)|^([-+=])")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What one speaker says without a long pause."""

    start: float
    speaker: str | None
    text: str


def write_markdown(transcript: Transcript) -> str:
    """A page; what is missing stands on top, and warnings at the end."""
    facts = [f"{_clock(transcript.duration)} of sound"]
    facts += [transcript.language.replace(",", ", ")] if transcript.language else []
    facts += [f"speakers: {', '.join(transcript.speakers)}"] if transcript.speakers else []
    facts += [f"transcribed with {transcript.model.name}"] if transcript.model else []
    blocks = [f"# {_escaped(title_of(transcript))}", _escaped(" · ".join(facts))]
    blocks += ["\n".join(f"> **Missing**: {_escaped(line)}  " for line in missing_lines(transcript))] if transcript.coverage.gaps else []
    for paragraph in paragraphs(transcript):
        who = f"**{_escaped(plain_spaces(paragraph.speaker))}** " if paragraph.speaker else ""
        blocks.append(f"{who}`{_clock(paragraph.start)}`  \n{_escaped(paragraph.text)}")
    if transcript.warnings:
        blocks += ["## Warnings", "\n".join(f"- {_escaped(' '.join(warning.split()))}" for warning in transcript.warnings)]
    return "\n\n".join(blocks) + "\n"


def paragraphs(transcript: Transcript) -> Iterator[Paragraph]:
    """The text in paragraphs: a new one where the speaker changes, and with a sentence's end after a pause or a long time."""
    open_words: list[Word] = []
    for segment in timed_segments(transcript):
        for word in segment.words:
            if open_words and _parts(open_words, word):
                yield _paragraph(open_words)
                open_words = []
            open_words.append(word)
    if open_words:
        yield _paragraph(open_words)


def _parts(words: Sequence[Word], word: Word) -> bool:
    last = words[-1]
    if word.speaker != last.speaker:
        return True
    pause = (word.start or 0.0) - (last.end or 0.0)
    is_long = (word.start or 0.0) - (words[0].start or 0.0) >= LONG_SECONDS
    return (pause >= PAUSE_SECONDS or is_long) and ends_sentence(last.text, split_space(word.text)[1])


def _paragraph(words: Sequence[Word]) -> Paragraph:
    return Paragraph(words[0].start or 0.0, words[0].speaker, plain_spaces("".join(word.text for word in words)))


def _clock(seconds: float) -> str:
    return clock(float(int(seconds))).partition(".")[0]


def _escaped(text: str) -> str:
    text = ESCAPED.sub(r"\\\1", text).replace("&", "&amp;")
    return LINE_START.sub(lambda found: f"{found[1]}\\{found[2]}" if found[1] else f"\\{found[3]}", text)
