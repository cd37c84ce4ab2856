"""Words with times to the units that subtitles are set from: pieces that stay whole, with what stands between them.

Knows nothing of limits but the width of a line, which a piece of a script without spaces may have to be cut for.
"""

from dataclasses import dataclass, replace

from ossicle.formats.columns import UNSPACED, columns, script_of
from ossicle.formats.pieces import cut_piece, may_part, plain_space, plain_spaces, split_space
from ossicle.formats.places import CLAUSE, LEANING, ends_sentence, place_cost
from ossicle.formats.times import timed_segments
from ossicle.options import CueOptions
from ossicle.results import Segment, Transcript, Word

COLUMNS_PER_WORD = 4             # in scripts without spaces: two Han characters, or four Thai letters
PAUSE_SECONDS = 0.5              # a pause so long makes any place to part at nearly three times as good
PAUSE_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Unit:
    """What is never parted, when it is said, and by whom."""

    text: str
    space: str                       # between it and the one before, where both stand on one line
    start: float
    end: float
    width: int                       # columns of the text
    num_words: float
    speaker: str | None = None
    language: str | None = None
    is_label: bool = False           # the name of who speaks now: shown, but not said
    cost: float = 0.0                # of parting it from the unit before; see places.py
    ends_sentence: bool = False      # the sentence ends with it


def make_units(transcript: Transcript, options: CueOptions, with_labels: bool = False) -> list[Unit]:
    """The units of a transcript, in order. Joined with their spaces they give its text, save that runs of spaces become one.

    options       a piece wider than their line is cut where its script allows
    with_labels   put the name of the speaker before the first unit of each, where the transcript knows several
    """
    units: list[Unit] = []
    pending = ""                     # space that stood behind the last word
    for segment in timed_segments(transcript):
        fresh = True
        for word in segment.words:
            space, core = split_space(word.text)
            trimmed = plain_spaces(core)
            if trimmed:
                _add(units, _cut(word, trimmed, plain_space(pending + space), segment, options.max_line_width), fresh)
                fresh = False
            pending = core[len(core.rstrip()):] if trimmed else pending + space
    units = _judge(units)
    return _with_labels(units, options) if with_labels and len({unit.speaker for unit in units if unit.speaker}) > 1 else units


def _cut(word: Word, core: str, space: str, segment: Segment, line_width: int) -> list[Unit]:
    """The units of one word: one, but for a long word without spaces."""
    start, end = word.start or 0.0, word.end or 0.0
    pieces = cut_piece(core, line_width) if columns(core) > line_width else [core]
    total, reached = max(1, sum(map(columns, pieces))), 0
    units: list[Unit] = []
    for piece in pieces:
        inner, text = split_space(piece)
        width, upto = columns(text), reached + columns(piece)
        units.append(Unit(text, plain_space(inner) if units else space, start + (end - start) * reached / total,
                          start + (end - start) * upto / total, width, _num_words(text, width), word.speaker, segment.language))
        reached = upto
    return units


def _add(units: list[Unit], found: list[Unit], begins_segment: bool) -> None:
    """Append the units of a word; what no line may begin with goes into the unit before."""
    first = found[0]
    if units and units[-1].speaker == first.speaker and not may_part(units[-1].text, first.text, bool(first.space)):
        last = units.pop()
        text = last.text + first.space + first.text
        width = columns(text)
        found = [replace(last, text=text, end=max(last.end, first.end), width=width, num_words=_num_words(text, width)), *found[1:]]
    elif begins_segment:
        found = [replace(first, cost=CLAUSE), *found[1:]]       # a segment ends where somebody heard a reason for it
    units += found


def _judge(units: list[Unit]) -> list[Unit]:
    """The same, each knowing what it costs to part it from the one before."""
    judged: list[Unit] = []
    for unit in units:
        if judged:
            last = judged[-1]
            cost = place_cost(last.text, unit.text, bool(unit.space), unit.language)
            if unit.cost:
                cost = min(cost, unit.cost)
            pause = min(1.0, max(0.0, unit.start - last.end) / PAUSE_SECONDS)
            judged[-1] = replace(last, ends_sentence=ends_sentence(last.text, unit.text))
            unit = replace(unit, cost=cost * (1 - PAUSE_SHARE * pause))
        judged.append(unit)
    if judged:
        judged[-1] = replace(judged[-1], ends_sentence=True)
    return judged


def _with_labels(units: list[Unit], options: CueOptions) -> list[Unit]:
    labelled: list[Unit] = []
    speaker = None
    for unit in units:
        if unit.speaker and unit.speaker != speaker:
            text = _label(unit.speaker, options.max_line_width // 2)
            label = replace(unit, text=text, end=unit.start, width=columns(text), num_words=0, is_label=True, ends_sentence=False)
            if options.max_lines > 1 or label.width + 1 + unit.width <= options.max_line_width:
                labelled.append(label)
                unit = replace(unit, space=" ", cost=LEANING)
        speaker = unit.speaker
        labelled.append(unit)
    return labelled


def _label(speaker: str, max_width: int) -> str:
    name = plain_spaces(speaker)
    if columns(name) >= max_width:
        while columns(name) + 2 > max_width:
            name = name[:-1]
        name += "…"
    return f"{name}:"


def _num_words(text: str, width: int) -> float:
    return width / COLUMNS_PER_WORD if any(script_of(char) in UNSPACED for char in text) else 1.0
