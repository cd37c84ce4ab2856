"""A transcript to one in which every word has times, and seconds to the clocks of the formats. Knows nothing of files.

What the words lack is spread over the room that their segment leaves, by the columns they take, and marked as such. Times
never go backwards afterwards, whoever made them.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from ossicle.formats.columns import columns
from ossicle.formats.pieces import is_said, split_pieces
from ossicle.results import Segment, Timing, Transcript, Word

SAME_TIME = 0.001                # seconds; words closer than this have been put on one spot by an aligner that lost its way


def timed_segments(transcript: Transcript) -> tuple[Segment, ...]:
    """The segments, each with words, each word with start and end; joined words give their segment as before.

    Words that had times keep them, save that none begins before the one before it. `timing` says what was filled in.
    """
    words: list[Word] = []
    counts = []
    for segment in transcript.segments:
        found = segment.words or tuple(Word(piece, speaker=segment.speaker) for piece in split_pieces(segment.text))
        words += _filled(found, segment)
        counts.append(len(found))
    words = _spread_piles(_forward(words))
    return tuple(replace(segment, words=tuple(words[end - count:end]))
                 for segment, count, end in zip(transcript.segments, counts, accumulate(counts)))


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, the step of most formats."""
    return round(seconds * 1000)


def clock(seconds: float, mark: str = ".", with_hours: bool = True) -> str:
    """`00:01:02.345`; `mark` stands before the milliseconds. Without hours, minutes go on counting: `61:02.345`."""
    whole, rest = divmod(milliseconds(seconds), 1000)
    minutes, second = divmod(whole, 60)
    head = f"{minutes // 60:02d}:{minutes % 60:02d}" if with_hours else f"{minutes:02d}"
    return f"{head}:{second:02d}{mark}{rest:03d}"


def _filled(words: Sequence[Word], segment: Segment) -> list[Word]:
    """Times for the words that lack them, between those that have them."""
    filled = list(words)
    place = 0
    while place < len(filled):
        if _is_timed(filled[place]):
            place += 1
            continue
        stop = next((later for later in range(place, len(filled)) if _is_timed(filled[later])), len(filled))
        start = filled[place - 1].end if place else segment.start
        end = filled[stop].start if stop < len(filled) else segment.end
        assert start is not None
        assert end is not None
        filled[place:stop] = _spread(filled[place:stop], start, max(start, end), "estimated")
        place = stop
    return filled


def _forward(words: list[Word]) -> list[Word]:
    """The same, each beginning where the one before it began or later, and ending before the next one begins."""
    moved: list[Word] = []
    latest = 0.0
    for word in words:
        start = max(latest, word.start or 0.0)
        moved.append(replace(word, start=start, end=max(start, word.end or 0.0)))
        latest = start
    for place in range(len(moved) - 1):
        limit = moved[place + 1].start
        if limit is not None and (moved[place].end or 0.0) > limit:
            moved[place] = replace(moved[place], end=limit)
    return moved


def _spread_piles(words: list[Word]) -> list[Word]:
    """Words that stand on one spot share the room until the next one that does not."""
    spread: list[Word] = []
    place = 0
    while place < len(words):
        start = words[place].start or 0.0
        stop = next((later for later in range(place + 1, len(words)) if (words[later].start or 0.0) - start > SAME_TIME), len(words))
        run = words[place:stop]
        end = max(run[-1].end or 0.0, start)
        if stop < len(words) and end - start <= SAME_TIME:
            end = words[stop].start or start
        spread += _spread(run, start, end, "interpolated") if len(run) > 1 else run
        place = stop
    return spread


def _spread(words: Sequence[Word], start: float, end: float, timing: Timing) -> list[Word]:
    weights = [max(1, columns("".join(char for char in word.text if is_said(char)))) for word in words]
    total, reached = sum(weights), 0
    spread = []
    for word, weight in zip(words, weights):
        spread.append(replace(word, start=start + (end - start) * reached / total,
                              end=start + (end - start) * (reached + weight) / total, timing=timing))
        reached += weight
    return spread


def _is_timed(word: Word) -> bool:
    return word.start is not None and word.end is not None
