"""LRC lyrics: a time before each line, on request also before each word, as karaoke players read it."""

from ossicle.formats.cues import Cue, cut_cues, join_units
from ossicle.formats.notes import title_of
from ossicle.formats.times import milliseconds
from ossicle.formats.units import Unit
from ossicle.options import CueOptions
from ossicle.results import Transcript

CLEAR_SECONDS = 2.0              # a longer rest gets a line of its own, so that what was sung does not stay


def write_lrc(transcript: Transcript, options: CueOptions | None = None) -> str:
    """One line for each cue, its lines joined; after a long rest an empty one."""
    options = options or CueOptions()
    cues = cut_cues(transcript, options, with_labels=True)
    lines = [f"[ti:{title_of(transcript)}]", f"[length:{_minutes(transcript.duration)}]", "[re:ossicle]"]
    for cue, following in zip(cues, [*cues[1:], None]):
        lines.append(f"[{_minutes(cue.start)}]{_words(cue) if options.word_times else join_units(_units(cue))}")
        if following is None or following.start - cue.end >= CLEAR_SECONDS:
            lines.append(f"[{_minutes(cue.end)}]")
    return "\n".join(lines) + "\n"


def _words(cue: Cue) -> str:
    """The enhanced form: `<00:01.25>` before each word, and at the end when the last one is over."""
    units = _units(cue)
    timed = (f"{unit.space if place else ''}<{_minutes(max(unit.start, cue.start))}>{unit.text}" for place, unit in enumerate(units))
    return f"{''.join(timed)}<{_minutes(min(units[-1].end, cue.end))}>"


def _units(cue: Cue) -> list[Unit]:
    return [unit for line in cue.lines for unit in line]


def _minutes(seconds: float) -> str:
    """`61:02.35`: minutes go on counting, and fractions are hundredths, which every player reads."""
    whole, hundredths = divmod(milliseconds(seconds) // 10, 100)
    return f"{whole // 60:02d}:{whole % 60:02d}.{hundredths:02d}"
