"""What other programs know of a recording to a transcript: stretches of text with times, and words where they have them."""

from collections.abc import Sequence
from dataclasses import dataclass

from ossicle.formats.columns import UNSPACED, columns, script_of
from ossicle.formats.pieces import plain_spaces
from ossicle.results import Coverage, Segment, Transcript, Word

# Codes of the languages that lines are broken for with more than their characters (leaning.py, presets.py).
LANGUAGES = {
    "ar": "Arabic", "de": "German", "en": "English", "es": "Spanish", "fr": "French", "hi": "Hindi", "it": "Italian", "ja": "Japanese",
    "ko": "Korean", "nl": "Dutch", "pt": "Portuguese", "ru": "Russian", "th": "Thai", "yue": "Cantonese", "zh": "Chinese",
}


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word as another program gives it: perhaps without the spaces and marks around it."""

    text: str
    start: float | None
    end: float | None
    confidence: float | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A subtitle, or a segment of another program."""

    text: str
    start: float
    end: float
    speaker: str | None = None
    words: tuple[Spoken, ...] = ()
    confidence: float | None = None


def make_transcript(stretches: Sequence[Stretch], kind: str, language: str | None = None, duration: float | None = None) -> Transcript:
    """A transcript of the stretches that have text. It has no chunks, and a warning says that nobody knows what is missing."""
    segments: list[Segment] = []
    name = LANGUAGES.get((language or "").lower().partition("-")[0]) or (language.title() if language else None)
    for stretch in stretches:
        text = plain_spaces(stretch.text)
        if not text:
            continue
        before = segments[-1].text[-1] if segments else ""
        text = between(before, text[0]) + text
        segments.append(Segment(text, stretch.start, max(stretch.start, stretch.end), name, stretch.confidence,
                                _words_in(text, stretch), stretch.speaker))
    end = max([duration or 0.0, *(segment.end for segment in segments)])
    return Transcript(
        text="".join(segment.text for segment in segments), language=name, duration=end, segments=tuple(segments), chunks=(),
        coverage=Coverage(end, end, 0.0, 0.0), warnings=(f"read from {kind}, which does not say whether text is missing",))


def between(last: str, first: str) -> str:
    """The space between two texts of one recording, by the characters that meet there."""
    if not last or not first:
        return ""
    if columns(last) == 2 or columns(first) == 2 or (script_of(last) in UNSPACED and script_of(first) in UNSPACED):
        return " " if "\uac00" <= last <= "\ud7a3" or "\uac00" <= first <= "\ud7a3" else ""
    return " "


def _words_in(text: str, stretch: Stretch) -> tuple[Word, ...]:
    """The words of a stretch as parts of its text; each takes what stands between it and the one before. Joined, they give the text."""
    found: list[tuple[int, int, Spoken]] = []
    reached = 0
    for spoken in stretch.words:
        core = plain_spaces(spoken.text)
        start = text.find(core, reached) if core else -1
        if start >= 0:
            found.append((start, start + len(core), spoken))
            reached = start + len(core)
    words, reached = [], 0
    for place, (_, end, spoken) in enumerate(found):
        # Marks between two words stay on the first, up to the space before the second.
        stop = len(text) if place + 1 == len(found) else _parting(text, end, found[place + 1][0])
        is_timed = spoken.start is not None and spoken.end is not None
        words.append(Word(text[reached:stop], spoken.start if is_timed else None, spoken.end if is_timed else None, spoken.confidence,
                          "aligned" if is_timed else None, spoken.speaker or stretch.speaker))
        reached = stop
    return tuple(words)


def _parting(text: str, end: int, start: int) -> int:
    space = text.find(" ", end, start)
    return space if space >= 0 else start
