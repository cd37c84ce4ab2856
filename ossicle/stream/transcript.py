"""What a session told to a transcript: its events in, the same `Transcript` out that a whole recording gives.

Each utterance is a chunk, and what lies between them was silent. Knows nothing of sound or networks, so a stored session can be
read back anywhere.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ossicle.options import SegmentOptions
from ossicle.pipeline.recognize import StageClock
from ossicle.pipeline.report import Report
from ossicle.pipeline.segments import BySentence
from ossicle.results import Chunk, ModelFacts, StoppedBy, Transcript, Word
from ossicle.stream_events import Failure, Final, LiveWarning, Partial, SessionEvent, SpeechStarted
from ossicle.text.words import join_all, split_words

LEAST_SECONDS = 1e-3                 # a stretch between two utterances that is shorter is what rounding leaves
TOLD_BY_REPORT = frozenset(("truncated",))      # warnings that the transcript words itself, from the chunk


@dataclass(frozen=True)
class _Said:
    """One utterance."""

    text: str
    words: tuple[Word, ...]
    start: float
    end: float
    language: str | None
    languages: dict[str, float]
    stopped_by: StoppedBy
    num_tokens: int = 0


def transcript_of(
    events: Iterable[SessionEvent],
    duration: float | None = None,
    *,
    source: str | None = None,
    facts: ModelFacts | None = None,
    segments: SegmentOptions = SegmentOptions(),  # noqa: B008  (frozen)
) -> Transcript:
    """The transcript of a session, from its events in the order in which they came.

    duration   seconds of sound that the session was given; None takes the audio clock of its last event
    source     what the sound is called
    facts      the model that heard it
    segments   where segments end, by the rules of whole recordings

    An utterance without a final event, because the session broke off, has what was committed of it and counts as cancelled: it is
    a gap of `coverage`. `timings` add up the work on all utterances; nothing of them says how long the session was.
    """
    events = list(events)
    finals = [event for event in events if isinstance(event, Final)]
    heard = max((event.audio_seconds for event in events), default=0.0)
    duration = heard if duration is None else duration
    stages = _stages(finals)
    report = Report(facts, source, None, 0.0, BySentence(segments))
    report.begin(duration, len(finals))
    for event in events:
        if isinstance(event, LiveWarning | Failure) and event.code not in TOLD_BY_REPORT:
            report.warn(event.message)
    for index, chunk in enumerate(_chunks(_utterances(events, heard), duration)):
        report.add(replace(chunk, index=index))
    transcript = report.finish(stages)
    total = math.fsum(final.timings.total for final in finals)
    align = math.fsum(final.timings.align for final in finals)
    return replace(transcript, timings=replace(transcript.timings, total=total, align=align, first_text=None))


def text_of(texts: Iterable[str]) -> str:
    """Texts of utterances that followed one another as one, with the spaces that their scripts ask for."""
    return join_all(text.strip() for text in texts)


def _utterances(events: Iterable[SessionEvent], heard: float) -> Iterator[_Said]:
    """What was said, in order; the one that was open when the session broke off comes last."""
    open_items: dict[str | None, tuple[float, list[Partial]]] = {}
    for event in events:
        match event:
            case SpeechStarted():
                open_items[event.item_id] = (event.start, [])
            case Partial():
                open_items.setdefault(event.item_id, (event.audio_seconds, []))[1].append(event)
            case Final():
                open_items.pop(event.item_id, None)
                yield _Said(event.text, event.words, event.start, event.end, event.language, event.languages, event.stopped_by,
                            event.usage.num_tokens)
    for start, partials in open_items.values():
        words = tuple(word for partial in partials for word in partial.words)
        language = next((partial.language for partial in reversed(partials) if partial.language), None)
        text = "".join(partial.committed_delta for partial in partials)
        yield _Said(text, words, start, max(start, heard), language, {}, "cancelled")


def _chunks(said: Iterable[_Said], duration: float) -> Iterator[Chunk]:
    """The utterances and the silence between them; together they are the whole session."""
    at = 0.0
    for one in said:
        start = max(at, one.start)                      # room before a word may have been the end of the utterance before
        end = max(start, one.end)
        if start - at > LEAST_SECONDS:
            yield Chunk(0, at, start, "", None, "silence")
        text = one.text.strip()
        yield Chunk(0, start, end, text, one.language, one.stopped_by, num_tokens=one.num_tokens, words=_words(one, text),
                    languages=one.languages)
        at = end
    if duration - at > LEAST_SECONDS:
        yield Chunk(0, at, duration, "", None, "silence")


def _words(one: _Said, text: str) -> tuple[Word, ...]:
    """The words of an utterance, without a space before the first; untimed where those that were told do not spell its text."""
    words = one.words
    if words and "".join(word.text for word in words).strip() == text:
        first, *rest = words
        words = (replace(first, text=first.text.lstrip()), *rest)
        return (*words[:-1], replace(words[-1], text=words[-1].text.rstrip()))
    return tuple(Word(word) for word in split_words(text)) if text else ()


def _stages(finals: Iterable[Final]) -> StageClock:
    finals = list(finals)
    mel, encode, prefill, decode = (math.fsum(getattr(final.timings, name) for final in finals)
                                    for name in ("mel", "encode", "prefill", "decode"))
    return StageClock(mel, encode, prefill, decode, sum(final.usage.num_steps for final in finals))
