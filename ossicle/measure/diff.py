"""Two transcripts of one recording in, what is different between them out, with the times at which it is said.

Neither is taken to be right: A and B are two opinions. Words are the same where a normaliser makes them so.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from ossicle.formats.times import timed_segments
from ossicle.measure.languages import code_of
from ossicle.measure.normalise import Normaliser
from ossicle.measure.score import FileScore, Utterance, score
from ossicle.measure.written import Group, group_words
from ossicle.results import Transcript, Word

SCHEMA = "ossicle-diff/1"
CONTEXT_WORDS = 5                       # shown on either side of a difference
MIN_SLOPE_WORDS = 20                    # fewer give no line through them

Kind = Literal["replaced", "only in A", "only in B", "speaker"]


@dataclass(frozen=True)
class Side:
    """What one transcript has at some place."""

    text: str
    start: float | None                 # of the words, or of the segment that they stand in; None where nothing is known
    end: float | None
    speaker: str | None = None


@dataclass(frozen=True)
class Difference:
    """One place where the two are not the same."""

    kind: Kind
    a: Side
    b: Side
    has_number: bool                    # a digit or a number word is in it: what a reader most wants to see
    before: str = ""                    # a few words of A on either side
    after: str = ""


@dataclass(frozen=True)
class Drift:
    """How far apart the same words begin, in seconds; above 0 where B is later."""

    words: int
    median: float
    p95: float                          # of the distance, whichever way
    max: float
    per_hour: float | None              # how much later B becomes in an hour; None where the words are too few
    is_estimated: bool                  # the times of one side are a spread over a cue, not measured


@dataclass(frozen=True)
class Speakers:
    """Who is whom, by most shared words, and where the two disagree."""

    same_as: Mapping[str, str]          # speaker of B -> speaker of A
    words: int                          # the same words, with a speaker in both
    agreement: float                    # share of them with the same speaker


@dataclass(frozen=True)
class TranscriptDiff:
    """Everything that was compared."""

    language: str | None
    normaliser: Normaliser
    same_words: int                     # of A
    words: tuple[int, int]              # of A and of B
    b_against_a: FileScore
    a_against_b: FileScore
    differences: tuple[Difference, ...]
    drift: Drift | None                 # None where no word has a time in both
    speakers: Speakers | None           # None where one of them names none
    stretches: tuple[tuple[bool, Side, Side], ...]      # both texts whole, for a page: (is the same, of A, of B)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; without the texts that are the same."""
        rates = {name: {metric: getattr(file, metric).to_dict() for metric in ("wer", "cer", "mer")} | {"primary": file.primary}
                 for name, file in (("b_against_a", self.b_against_a), ("a_against_b", self.a_against_b))}
        kinds = Counter(difference.kind for difference in self.differences)
        return {
            "schema": SCHEMA, "language": self.language, "normaliser": self.normaliser.to_dict(), "same_words": self.same_words,
            "words": {"a": self.words[0], "b": self.words[1]}, **rates, "counts": dict(kinds),
            "numbers": sum(difference.has_number for difference in self.differences),
            "drift": asdict(self.drift) if self.drift else None, "speakers": asdict(self.speakers) if self.speakers else None,
            "differences": [asdict(difference) for difference in self.differences],
        }


def diff(a: Transcript, b: Transcript, normaliser: Normaliser, language: str | None = None) -> TranscriptDiff:
    """Compare two transcripts of one recording.

    language   decides how words are normalised; None takes the first that A names, else the first of B
    """
    code = code_of(language) or code_of((a.language or b.language or "").partition(",")[0])
    words, others = _words(a), _words(b)
    groups = group_words([word.text for word in words], [word.text for word in others], normaliser, code)
    there, = score([Utterance("b", a.text, b.text, code)], replace(normaliser, drops_unscored=False)).files
    back, = score([Utterance("a", b.text, a.text, code)], replace(normaliser, drops_unscored=False)).files
    same_as = _same_speakers(groups, words, others)
    stretches = tuple(_stretches(groups, words, others))
    return TranscriptDiff(
        language=code,
        normaliser=normaliser,
        same_words=sum(group.reference[1] - group.reference[0] for group in groups if group.is_same),
        words=(len(words), len(others)),
        b_against_a=there,
        a_against_b=back,
        differences=tuple(_differences(groups, words, others, same_as, normaliser, code)),
        drift=_drift(groups, words, others),
        speakers=_speakers(groups, words, others, same_as),
        stretches=stretches,
    )


def _words(transcript: Transcript) -> list[Word]:
    """Words with the speaker of their segment, and with a share of its time, where they have none of their own."""
    found: list[Word] = []
    for segment, timed in zip(transcript.segments, timed_segments(transcript), strict=True):
        own = segment.words or timed.words
        for word, filled in zip(own, timed.words, strict=True):
            if segment.words and word.start is not None:
                filled = word                               # as it was measured, backwards or not
            elif segment.end <= segment.start:
                filled = replace(filled, start=None, end=None, timing=None)     # text alone says nothing of time
            found.append(replace(filled, speaker=word.speaker or segment.speaker))
    return found


def _side(words: Sequence[Word], place: tuple[int, int]) -> Side:
    """Words [begin, end) as one; where there are none, the moment between their neighbours."""
    own = words[slice(*place)]
    if not own:
        before, after = words[: place[0]][-1:], words[place[1] :][:1]
        return Side("", before[0].end if before else None, after[0].start if after else None)
    speakers = dict.fromkeys(word.speaker for word in own if word.speaker)
    return Side(" ".join("".join(word.text for word in own).split()), own[0].start, own[-1].end, ", ".join(speakers) or None)


def _differences(
    groups: Sequence[Group], words: Sequence[Word], others: Sequence[Word], same_as: Mapping[str, str], normaliser: Normaliser,
    code: str | None,
) -> Iterator[Difference]:
    wrong: list[Group] = []                             # same words of another speaker, side by side
    for group in [*groups, None]:
        is_wrong = group is not None and group.is_same and _is_other_speaker(group, words, others, same_as)
        if wrong and not is_wrong:
            yield _difference("speaker", _joined(wrong), words, others, normaliser, code)
            wrong = []
        if group is None:
            return
        if is_wrong:
            wrong.append(group)
        elif not group.is_same:
            has_a, has_b = group.reference[0] < group.reference[1], group.hypothesis[0] < group.hypothesis[1]
            kind: Kind = "replaced" if has_a and has_b else "only in A" if has_a else "only in B"
            yield _difference(kind, group, words, others, normaliser, code)


def _difference(
    kind: Kind, group: Group, words: Sequence[Word], others: Sequence[Word], normaliser: Normaliser, code: str | None
) -> Difference:
    a, b = _side(words, group.reference), _side(others, group.hypothesis)
    said = f"{a.text} {b.text} {normaliser(a.text, code)} {normaliser(b.text, code)}"
    before = _side(words, (max(0, group.reference[0] - CONTEXT_WORDS), group.reference[0]))
    after = _side(words, (group.reference[1], min(len(words), group.reference[1] + CONTEXT_WORDS)))
    return Difference(kind, a, b, kind != "speaker" and any(map(str.isdigit, said)), before.text, after.text)


def _joined(groups: Sequence[Group]) -> Group:
    return Group(True, (groups[0].reference[0], groups[-1].reference[1]), (groups[0].hypothesis[0], groups[-1].hypothesis[1]))


def _stretches(groups: Sequence[Group], words: Sequence[Word], others: Sequence[Word]) -> Iterator[tuple[bool, Side, Side]]:
    """Groups side by side that are the same, as one."""
    run: list[Group] = []
    for group in [*groups, None]:
        if run and (group is None or not group.is_same):
            joined = _joined(run)
            yield True, _side(words, joined.reference), _side(others, joined.hypothesis)
            run = []
        if group is not None and group.is_same:
            run.append(group)
        elif group is not None:
            yield False, _side(words, group.reference), _side(others, group.hypothesis)


def _same(groups: Sequence[Group], words: Sequence[Word], others: Sequence[Word]) -> Iterator[tuple[Word, Word]]:
    """The first words of all groups that are the same and have words in both."""
    for group in groups:
        if group.is_same and group.reference[0] < group.reference[1] and group.hypothesis[0] < group.hypothesis[1]:
            yield words[group.reference[0]], others[group.hypothesis[0]]


def _drift(groups: Sequence[Group], words: Sequence[Word], others: Sequence[Word]) -> Drift | None:
    timed = [(one.start, other.start, "estimated" in (one.timing, other.timing)) for one, other in _same(groups, words, others)
             if one.start is not None and other.start is not None]
    measured = [(start, later) for start, later, is_estimated in timed if not is_estimated]
    pairs = np.array(measured or [(start, later) for start, later, _ in timed], float)
    if not len(pairs):
        return None
    shifts = pairs[:, 1] - pairs[:, 0]
    span = np.ptp(pairs[:, 0])
    slope = float(np.polyfit(pairs[:, 0], shifts, 1)[0]) * 3600 if len(pairs) >= MIN_SLOPE_WORDS and span > 0 else None
    return Drift(len(pairs), float(np.median(shifts)), float(np.percentile(abs(shifts), 95)), float(abs(shifts).max()), slope, not measured)


def _same_speakers(groups: Sequence[Group], words: Sequence[Word], others: Sequence[Word]) -> dict[str, str]:
    """For each speaker of B the one of A with whom most words are shared; each is taken once."""
    shared = Counter((other.speaker, one.speaker) for one, other in _same(groups, words, others) if one.speaker and other.speaker)
    found: dict[str, str] = {}
    for (theirs, ours), _ in shared.most_common():
        if theirs and ours and theirs not in found and ours not in found.values():
            found[theirs] = ours
    return found


def _is_other_speaker(group: Group, words: Sequence[Word], others: Sequence[Word], same_as: Mapping[str, str]) -> bool:
    pair = next(_same([group], words, others), None)
    return pair is not None and bool(pair[0].speaker and pair[1].speaker) and same_as.get(pair[1].speaker or "") != pair[0].speaker


def _speakers(groups: Sequence[Group], words: Sequence[Word], others: Sequence[Word], same_as: Mapping[str, str]) -> Speakers | None:
    pairs = [(one.speaker, other.speaker) for one, other in _same(groups, words, others) if one.speaker and other.speaker]
    if not pairs:
        return None
    agreed = sum(same_as.get(theirs or "") == ours for ours, theirs in pairs)
    return Speakers(same_as, len(pairs), agreed / len(pairs))
