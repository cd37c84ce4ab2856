"""SubRip subtitles. The name of the speaker stands in the text where it changes: the format has no other place for it."""

from ossicle.formats.cues import cut_cues
from ossicle.formats.times import clock
from ossicle.options import CueOptions
from ossicle.results import Transcript


def write_srt(transcript: Transcript, options: CueOptions | None = None) -> str:
    """Numbered cues; an empty transcript is an empty file."""
    cues = cut_cues(transcript, options, with_labels=True)
    return "".join(f"{number}\n{clock(cue.start, ',')} --> {clock(cue.end, ',')}\n{cue.text}\n\n"
                   for number, cue in enumerate(cues, start=1))
