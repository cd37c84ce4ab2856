"""Advanced SubStation Alpha, by pysubs2; on request karaoke, in which each word fills with colour in its time."""

from ossicle.errors import FormatError
from ossicle.formats.cues import Cue, cut_cues
from ossicle.formats.notes import missing_lines, title_of
from ossicle.formats.times import milliseconds
from ossicle.options import CueOptions
from ossicle.results import Transcript

WIDTH, HEIGHT = 1920, 1080
FONT_SIZE = 64                   # 42 columns of it fill about two thirds of the width, where subtitles are used to end
LATEST = 36_000_000 - 10         # milliseconds: the format writes one digit of hours
SUNG, UNSUNG = (255, 214, 10), (255, 255, 255)   # red, green, blue


def write_ass(transcript: Transcript, options: CueOptions | None = None) -> str:
    """A script of one style, white text below. Raises FormatError for a recording of ten hours and more."""
    import pysubs2  # takes longer to import than all of the command line

    options = options or CueOptions()
    cues = cut_cues(transcript, options, with_labels=True)
    if cues and milliseconds(cues[-1].end) > LATEST:
        raise FormatError(f"ass has times up to 9:59:59.99, and this transcript goes on to {cues[-1].end:.0f} s; use srt or vtt")
    script = pysubs2.SSAFile()
    script.info = {"Title": title_of(transcript), "WrapStyle": "2", "ScaledBorderAndShadow": "yes", "YCbCr Matrix": "None",
                   "PlayResX": str(WIDTH), "PlayResY": str(HEIGHT)}
    # In karaoke the colour of what was sung is the primary one.
    script.styles = {"Default": pysubs2.SSAStyle(
        fontname="Arial", fontsize=FONT_SIZE, primarycolor=pysubs2.Color(*(SUNG if options.word_times else UNSUNG)),
        secondarycolor=pysubs2.Color(*UNSUNG), outline=3, shadow=1,
        alignment=pysubs2.Alignment.BOTTOM_CENTER, marginl=60, marginr=60, marginv=50)}
    for gap, line in zip(transcript.coverage.gaps, missing_lines(transcript)):
        start, end = milliseconds(gap.start), milliseconds(gap.end)
        script.append(pysubs2.SSAEvent(start=start, end=end, text=_escaped(line), type="Comment"))
    for cue in cues:
        script.append(pysubs2.SSAEvent(
            start=milliseconds(cue.start), end=milliseconds(cue.end), name=(cue.speaker or "").replace(",", " "),
            text=_karaoke(cue) if options.word_times else _escaped(cue.text)))
    return script.to_string("ass", header_notice="Written by ossicle")


def _karaoke(cue: Cue) -> str:
    """Each unit behind a tag with the hundredths of a second until the next one begins."""
    units = [unit for line in cue.lines for unit in line]
    starts = [_hundredths(unit.start) for unit in units[1:]]
    begins, text, reached = _hundredths(cue.start), "", 0
    for line in cue.lines:
        text += "\\N" if text else ""
        for place, unit in enumerate(line):
            until = starts[reached] if reached < len(starts) else min(_hundredths(unit.end), _hundredths(cue.end))
            reached += 1
            text += (unit.space if place else "") + f"{{\\kf{max(0, until - begins)}}}" + _escaped(unit.text)
            begins = max(begins, until)
    return text


def _hundredths(seconds: float) -> int:
    return round(seconds * 100)


def _escaped(text: str) -> str:
    """Text without the signs that begin a command: players know no common way to quote them, so they get their wide forms."""
    return text.replace("\\", "\\\u2060").replace("{", "｛").replace("}", "｝").replace("\n", "\\N")
