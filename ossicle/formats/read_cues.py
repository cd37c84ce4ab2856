"""Subtitle files to transcripts: SubRip, WebVTT with its voices and word times, SubStation by pysubs2."""

import html
import re

from ossicle.errors import FormatError
from ossicle.formats.foreign import Spoken, Stretch, between, make_transcript
from ossicle.results import Transcript

TIME = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
TIMING = re.compile(rf"^[ \t]*{TIME}[ \t]*-->[ \t]*{TIME}[^\n]*$", re.MULTILINE)
SRT_TAG = re.compile(r"</?(?:b|i|u|s|font)(?:\s[^>]*)?>|\{\\[^}]*\}", re.IGNORECASE)
VTT_TIME = re.compile(rf"<{TIME}>")
VTT_TAG = re.compile(r"<[^>]*>")
VOICE = re.compile(r"<v(?:\.[^\s>]*)?[ \t]+([^>]*)>")


def read_srt(text: str, name: str) -> Transcript:
    """SubRip; formatting is dropped, and a name before the text stays part of it, as the format does not tell them apart."""
    stretches = []
    for start, end, body in _cues(text, name):
        lines = body.strip("\n").splitlines()
        while lines and not lines[-1].strip():
            lines.pop()
        if len(lines) > 1 and lines[-1].strip().isdigit() and not lines[-2].strip():
            lines.pop()                                  # the number of the next cue
        stretches.append(Stretch(_one_line([SRT_TAG.sub("", line) for line in lines]), start, end))
    return make_transcript(stretches, "srt")


def read_vtt(text: str, name: str) -> Transcript:
    """WebVTT: voice tags become speakers, times within a cue those of words; other tags are dropped."""
    stretches = []
    for start, end, body in _cues(text, name):
        lines = body.strip("\n").partition("\n\n")[0].splitlines()
        voice = VOICE.search("".join(lines))
        speaker = html.unescape(voice[1]).strip() if voice else None
        stretches.append(Stretch(_one_line([_untagged(line) for line in lines]), start, end, speaker, _words(lines, start, end)))
    return make_transcript(stretches, "vtt")


def read_ass(text: str, name: str) -> Transcript:
    """SubStation; the actor's field becomes the speaker, override tags are dropped."""
    import pysubs2

    try:
        script = pysubs2.SSAFile.from_string(text)
    except (pysubs2.exceptions.Pysubs2Error, ValueError, IndexError, KeyError) as error:
        raise FormatError(f"{name} begins as ass but cannot be read: {error}") from error
    return make_transcript([
        Stretch(_one_line(event.plaintext.replace("\u2060", "").splitlines()), event.start / 1000, event.end / 1000, event.name or None)
        for event in sorted(script, key=lambda event: event.start) if event.type == "Dialogue" and not event.is_drawing], "ass")


def _cues(text: str, name: str) -> list[tuple[float, float, str]]:
    """Start, end and what stands between a line of times and the next."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    found = list(TIMING.finditer(text))
    if "-->" in text and not found:
        raise FormatError(f"{name} has no line of times that can be read; expected lines such as 00:00:01,000 --> 00:00:02,500")
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [(_seconds(match.groups()[:4]), _seconds(match.groups()[4:]), text[match.end():end]) for match, end in zip(found, ends)]


def _words(lines: list[str], start: float, end: float) -> tuple[Spoken, ...]:
    """Where a cue has times inside: each stretch of text between two of them."""
    marked = "\n".join(lines)
    if not VTT_TIME.search(marked):
        return ()
    parts = VTT_TIME.split(marked)                       # text, four groups of a time, text, …
    times = [start, *(_seconds(tuple(parts[place:place + 4])) for place in range(1, len(parts), 5))]
    words = []
    for text, begins, ends in zip(parts[::5], times, [*times[1:], end]):
        if spoken := _one_line(_untagged(text).splitlines()):
            words.append(Spoken(spoken, begins, max(begins, ends)))
    return tuple(words)


def _untagged(text: str) -> str:
    return html.unescape(VTT_TAG.sub("", text))


def _one_line(lines: list[str]) -> str:
    whole = ""
    for line in filter(None, (line.strip() for line in lines)):
        whole += between(whole[-1:], line[0]) + line
    return whole


def _seconds(groups: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = groups
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + int((fraction or "0").ljust(3, "0")) / 1000
