"""Praat's TextGrid: tiers of words, segments and speakers that leave no gap, in the long form that every reader knows."""

from collections.abc import Sequence
from dataclasses import dataclass

from ossicle.formats.pieces import plain_spaces
from ossicle.formats.times import timed_segments
from ossicle.results import Transcript

SHORTEST = 0.0005                # seconds; Praat refuses intervals without length, so a shorter one joins the next


@dataclass(frozen=True, slots=True)
class Interval:
    """A labelled stretch; an empty label is silence."""

    start: float
    end: float
    text: str


def write_textgrid(transcript: Transcript) -> str:
    """Tiers `words` and `segments`, and `speakers` where the words name them."""
    segments = timed_segments(transcript)
    words = [Interval(word.start or 0.0, word.end or 0.0, plain_spaces(word.text)) for segment in segments for word in segment.words]
    speakers = [Interval(word.start or 0.0, word.end or 0.0, plain_spaces(word.speaker or segment.speaker or ""))
                for segment in segments for word in segment.words]
    stretches = [Interval(segment.start, segment.end, plain_spaces(segment.text)) for segment in transcript.segments]
    end = max([transcript.duration, *(interval.end for interval in (*words, *stretches)), SHORTEST])
    tiers = {"words": _gapless(words, end), "segments": _gapless(stretches, end)}
    if any(interval.text for interval in speakers):
        tiers["speakers"] = _gapless(_joined(speakers), end)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {_number(end)}", "tiers? <exists>",
             f"size = {len(tiers)}", "item []:"]
    for number, (name, intervals) in enumerate(tiers.items(), start=1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"', "        xmin = 0",
                  f"        xmax = {_number(end)}", f"        intervals: size = {len(intervals)}"]
        for place, interval in enumerate(intervals, start=1):
            lines += [f"        intervals [{place}]:", f"            xmin = {_number(interval.start)}",
                      f"            xmax = {_number(interval.end)}", f"            text = {_quoted(interval.text)}"]
    return "\n".join(lines) + "\n"


def _gapless(intervals: Sequence[Interval], end: float) -> list[Interval]:
    """The same with silence between them, none overlapping and none without length, from 0 to the end."""
    filled: list[Interval] = []
    reached, waiting = 0.0, ""       # text of intervals without length, which goes with the next one
    for interval in sorted(intervals, key=lambda interval: interval.start):
        if not interval.text:
            continue
        start, stop = max(interval.start, reached), min(max(interval.end, reached), end)
        text = f"{waiting} {interval.text}".strip()
        if stop - start < SHORTEST:
            waiting = text
            continue
        if start - reached < SHORTEST:
            start = reached
        else:
            filled.append(Interval(reached, start, ""))
        filled.append(Interval(start, stop, text))
        reached, waiting = stop, ""
    if waiting and filled and end - reached < SHORTEST:
        filled[-1] = Interval(filled[-1].start, filled[-1].end, f"{filled[-1].text} {waiting}")
    elif end - reached >= SHORTEST or not filled:
        filled.append(Interval(reached, end, waiting))
    if filled[-1].end != end:
        filled[-1] = Interval(filled[-1].start, end, filled[-1].text)
    return filled


def _joined(intervals: Sequence[Interval]) -> list[Interval]:
    """Neighbours of one label as one interval."""
    joined: list[Interval] = []
    for interval in intervals:
        if joined and joined[-1].text == interval.text:
            joined[-1] = Interval(joined[-1].start, interval.end, interval.text)
        else:
            joined.append(interval)
    return joined


def _number(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
