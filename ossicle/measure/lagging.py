"""When words were written beside when a perfect, steady writer would have written them: LAAL, YAAL, and both for long streams.

Times are seconds. Plain arithmetic over rows of times; knows nothing of events. tests/measure checks all of it against
omnisteval, whose authors wrote the paper of YAAL: Polák et al., "Better Late Than Never: Evaluation of Latency Metrics for
Simultaneous Speech-to-Text Translation", arXiv 2509.17349.
"""

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

PUNCTUATION = frozenset(".!?,;:-()。！？，；：—（）ー")     # of the soft segmenter: these stand for no word, and no word for them
MATCH, DELETE, INSERT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Piece:
    """One utterance of a reference, and what was written in its place."""

    offset: float                       # of its sound in the stream
    seconds: float                      # of its sound
    reference_words: int
    emissions: tuple[float, ...]        # when each of its words was committed, from the beginning of the stream
    recording_seconds: float            # where the last piece of the stream ends

    @property
    def delays(self) -> tuple[float, ...]:
        """The same, from the beginning of the piece."""
        return tuple(time - self.offset for time in self.emissions)


def laal(delays: Sequence[float], source_seconds: float, reference_words: int) -> float | None:
    """Length-adaptive average lagging; None without words or sound.

    Mean distance of each word's time from that of a writer who spreads as many words evenly over the sound: `max(written, said)`
    of them, so that writing too much gains nothing. Words behind the end of the sound count no more, but for the first of them.
    Papi et al., "Over-Generation Cannot Be Rewarded", AutoSimTrans 2022.
    """
    if not delays or source_seconds <= 0:
        return None
    if delays[0] > source_seconds:
        return delays[0]
    ended = next((place for place, delay in enumerate(delays) if delay >= source_seconds), len(delays) - 1)
    return _mean_lag(delays[: ended + 1], max(len(delays), reference_words) / source_seconds)


def yaal(
    delays: Sequence[float], source_seconds: float, reference_words: int, recording_seconds: float = math.inf, is_long: bool = False
) -> float | None:
    """Yet another average lagging: as LAAL, but words behind the end count not at all; None where no word is left.

    is_long             the sound is a piece of a stream: what is written behind the end of the piece counts, up to that of the stream
    recording_seconds   from the beginning of the piece to the end of the stream
    """
    if not delays or source_seconds <= 0:
        return None
    bound = recording_seconds if is_long else min(source_seconds, recording_seconds)
    ended = next((place for place, delay in enumerate(delays) if delay >= bound), len(delays))
    return _mean_lag(delays[:ended], max(len(delays), reference_words) / source_seconds) if ended else None


def stream_laal(pieces: Sequence[Piece]) -> float | None:
    """LAAL of each piece of a stream, the mean over pieces that have words.

    Papi et al., "StreamAtt", ACL 2024, with the soft segmenter of arXiv 2509.17349 in place of mWERSegmenter.
    """
    return _mean([laal(piece.delays, piece.seconds, piece.reference_words) for piece in pieces])


def long_yaal(pieces: Sequence[Piece]) -> float | None:
    """YAAL of each piece of a stream, the mean over pieces that have words: arXiv 2509.17349."""
    return _mean([yaal(piece.delays, piece.seconds, piece.reference_words, piece.recording_seconds - piece.offset, is_long=True)
                  for piece in pieces])


def assign(references: Sequence[Sequence[str]], hypothesis: Sequence[str], by_character: bool = False) -> list[int]:
    """For each written token the utterance of the reference that it belongs to: the soft segmenter of arXiv 2509.17349.

    references     tokens of each utterance, in the order of the stream
    by_character   tokens are characters: they are like each other only where they are the same

    Tokens are laid side by side so that the likeness of pairs adds up to the most; one without a partner goes with the
    neighbour that it is more like. Raises ValueError where no utterance has a token.
    """
    owners = [place for place, words in enumerate(references) for _ in words]
    if not owners and hypothesis:
        raise ValueError("expected an utterance with words to lay the text beside, got none")
    said, written = ([_plain(token) for token in tokens] for tokens in ([word for words in references for word in words], hypothesis))
    found, waiting, last = [0] * len(hypothesis), [], -1        # waiting: tokens without a partner since the last reference token
    for row, column in [*_lay_side_by_side(said, written, by_character), (len(said), None)]:
        if row is None:
            waiting.append(column)
            continue
        for place, token in _with_neighbours(waiting, last, row, said, written, by_character):
            found[place] = owners[token]
        waiting, last = [], row
        if column is not None:
            found[column] = owners[row]
    return found


def _with_neighbours(
    waiting: Sequence[int | None], last: int, following: int, said: Sequence[str], written: Sequence[str], by_character: bool
) -> list[tuple[int, int]]:
    """(written token, reference token) for tokens between two reference tokens: from the first that is more like the later one on."""
    pairs, is_later = [], last < 0
    for place in waiting:
        assert place is not None
        if not is_later and following < len(said):
            is_later = _likeness(said[following], written[place], by_character) > _likeness(said[last], written[place], by_character)
        pairs.append((place, following if is_later else last))
    return pairs


def _lay_side_by_side(said: Sequence[str], written: Sequence[str], by_character: bool) -> list[tuple[int | None, int | None]]:
    """(reference, written) in order, None for a gap. Among equal ways a pair goes before a gap, and a missing before a needless word."""
    rows, columns = len(said), len(written)
    likeness = _all_likenesses(said, written, by_character)
    ways = np.empty((rows, columns), np.int8)
    above = np.zeros(columns + 1)
    for row in range(rows):
        pair = above[:-1] + likeness(row)
        best = np.empty_like(above)
        best[0] = 0.0
        # A needless word costs nothing, so the best so far is never lost along a row: a running maximum.
        best[1:] = np.maximum.accumulate(np.maximum(np.maximum(pair, above[1:]), 0.0))
        ways[row] = np.where((pair >= above[1:]) & (pair >= best[:-1]), MATCH, np.where(above[1:] >= best[:-1], DELETE, INSERT))
        above = best
    steps: list[tuple[int | None, int | None]] = []
    row, column = rows, columns
    while row or column:
        way = INSERT if not row else DELETE if not column else ways[row - 1, column - 1]
        row, column = row - (way != INSERT), column - (way != DELETE)
        steps.append((None if way == INSERT else row, None if way == DELETE else column))
    return steps[::-1]


def _all_likenesses(said: Sequence[str], written: Sequence[str], by_character: bool) -> Callable[[int], np.ndarray]:
    """A function from a reference token to its likeness to each written one: `_likeness` of all pairs, each word compared once."""
    rows, columns = list(dict.fromkeys(said)), list(dict.fromkeys(written))
    if by_character:
        table = np.array([[float(one == other) for other in columns] for one in rows]).reshape(len(rows), len(columns))
    else:
        letters = {letter: place for place, letter in enumerate(sorted(set("".join([*rows, *columns]))))}
        has, others_have = _letters_of(rows, letters), _letters_of(columns, letters)
        shared = has @ others_have.T
        table = shared / np.maximum(1.0, has.sum(1)[:, None] + others_have.sum(1)[None, :] - shared)
    is_mark, are_marks = np.array([word in PUNCTUATION for word in rows]), np.array([word in PUNCTUATION for word in columns])
    table[is_mark[:, None] != are_marks[None, :]] = -math.inf
    row_of, column_of = {word: place for place, word in enumerate(rows)}, {word: place for place, word in enumerate(columns)}
    places = np.array([column_of[word] for word in written], np.int64)
    return lambda row: table[row_of[said[row]]][places]


def _letters_of(words: Sequence[str], letters: Mapping[str, int]) -> np.ndarray:
    """(words, letters), 1 where a word has a letter."""
    table = np.zeros((len(words), len(letters)))
    for place, word in enumerate(words):
        table[place, [letters[letter] for letter in word]] = 1
    return table


def _likeness(one: str, other: str, by_character: bool) -> float:
    """Of the sets of their characters, after Jaccard."""
    if (one in PUNCTUATION) != (other in PUNCTUATION):
        return -math.inf
    if by_character:
        return float(one == other)
    letters, others = set(one), set(other)
    union = len(letters | others)
    return len(letters & others) / union if union else 0.0


def _plain(token: str) -> str:
    return unicodedata.normalize("NFKC", token).lower()


def _mean_lag(delays: Sequence[float], words_per_second: float) -> float:
    return sum(delay - place / words_per_second for place, delay in enumerate(delays)) / len(delays)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
