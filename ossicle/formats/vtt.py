"""WebVTT: speakers as voice tags, what is missing as notes, and on request a time before each word, which players light up."""

from ossicle.formats.cues import Cue, cut_cues
from ossicle.formats.notes import missing_lines
from ossicle.formats.pieces import plain_spaces
from ossicle.formats.times import clock, milliseconds
from ossicle.options import CueOptions
from ossicle.results import Transcript


def write_vtt(transcript: Transcript, options: CueOptions | None = None) -> str:
    """Cues under a header that says nothing else; an empty transcript is the header alone."""
    options = options or CueOptions()
    blocks = ["WEBVTT"]
    blocks += [f"NOTE {line}".replace("-->", "->") for line in missing_lines(transcript)]
    blocks += [f"{clock(cue.start)} --> {clock(cue.end)}\n{_payload(cue, options)}" for cue in cut_cues(transcript, options)]
    return "\n\n".join(blocks) + "\n"


def _payload(cue: Cue, options: CueOptions) -> str:
    text = _with_times(cue) if options.word_times else _escaped(cue.text)
    if not (cue.speaker and options.speaker_labels):
        return text
    # The one tag in which a cue may end unclosed.
    return f"<v {_escaped(plain_spaces(cue.speaker))}>{text}"


def _with_times(cue: Cue) -> str:
    """The lines with a time before each unit but those that begin with the cue; no time stands twice, and none outside the cue."""
    latest, end = milliseconds(cue.start), milliseconds(cue.end)
    lines = []
    for line in cue.lines:
        text = ""
        for place, unit in enumerate(line):
            text += unit.space if place else ""
            begins = milliseconds(unit.start)
            if latest < begins < end:
                text += f"<{clock(unit.start)}>"
                latest = begins
            text += _escaped(unit.text)
        lines.append(text)
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
