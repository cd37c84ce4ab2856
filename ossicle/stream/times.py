"""Words of a hypothesis to words with times on the session's audio clock: aligned, by attention, or a guess.

Runs on the engine's thread, in the step that heard the words. Times are in order, behind what was committed before and inside the
sound; where the way that was asked for fails, the next one is taken, as in pipeline/timing.py. Commits nothing.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from ossicle.audio.pcm import Samples
from ossicle.audio.resample import SAMPLE_RATE
from ossicle.errors import ModelError
from ossicle.pipeline.align import align_units, longest_seconds
from ossicle.pipeline.attention import around
from ossicle.pipeline.engine import Parts
from ossicle.pipeline.estimate import estimate_words
from ossicle.pipeline.spans import Heard, fill, times_of_words
from ossicle.pipeline.timing import on_clock, units_of, with_times
from ossicle.results import Timing, Word
from ossicle.stream.hypothesis import Hypothesis, LiveWord, spelled_words
from ossicle.stream_options import LiveTiming
from ossicle.text.scripts import is_spoken

logger = logging.getLogger(__name__)

LEAST_SECONDS = 0.001                # of a word where there is no room left: the digits of a time

Warn = Callable[[str], None]
Found = Sequence[Heard | None]       # of each word, in seconds from the front of the window; None where nothing is known


def time_words(
    parts: Parts, aligner: Parts | None, words: Sequence[LiveWord], hypothesis: Hypothesis, samples: Samples, start: float, after: float,
    how: LiveTiming, warn: Warn = logger.debug,
) -> list[LiveWord]:
    """The same words, each with start, end and what its times come from.

    words     of `live_words(hypothesis)`: all that are not committed
    samples   (n,) that were heard, the first of them `start` seconds into the session
    after     end of the last committed word; `start` where there is none
    how       aligner needs one; auto takes attention, where the hypothesis says what was heard when
    warn      is told why a way was not taken that should have been
    returns   after <= start < end <= next start, the last end no later than that of the sound. A guess has the timing
              "estimated", or "interpolated" where only its neighbours were measured
    """
    if not words:
        return []
    after, seconds = max(after, start), len(samples) / SAMPLE_RATE
    found, timing = _best(parts, aligner, words, hypothesis, samples, start, after, how, warn)
    heard = _behind(found, words, after - start, seconds)
    times = on_clock(heard, after, max(start + seconds, after + heard[-1].end))
    return [
        replace(word, start=begin, end=end, timing=timing if entry.is_measured or timing == "estimated" else "interpolated")
        for word, entry, (begin, end) in zip(words, heard, times, strict=True)
    ]


def time_final(
    aligner: Parts, words: Sequence[Word], language: str | None, samples: Samples, start: float, warn: Warn = logger.debug
) -> list[Word]:
    """All words of an utterance timed by the forced aligner, once its text is final; texts and their number stay.

    words     timed as they were committed; those that begin before `start` keep their times
    samples   (n,) of the utterance that are still there, the first of them `start` seconds into the session

    Where the aligner fails the words come back as they are, and `warn` is told.
    """
    old = [word for word in words if word.start is None or word.start < start] if len(words) and words[0].start is not None else []
    new = words[len(old):]
    if not new:
        return old
    after, seconds = max(start, old[-1].end or start) if old else start, len(samples) / SAMPLE_RATE
    try:
        heard = _behind(_align(aligner, "", [word.text for word in new], language, samples, warn), new, after - start, seconds)
    except Exception as error:                          # whatever it is, the text is there and stays
        _tell(warn, "the forced aligner", error)
        return list(words)
    return [*old, *with_times(new, heard, after, max(start + seconds, after + heard[-1].end), "aligned")]


def _best(
    parts: Parts, aligner: Parts | None, words: Sequence[LiveWord], hypothesis: Hypothesis, samples: Samples, start: float, after: float,
    how: LiveTiming, warn: Warn,
) -> tuple[Found, Timing]:
    texts = [word.text for word in words]
    if how == "aligner" and aligner is not None:
        try:
            before = parts.tokenizer.decode(hypothesis.ids[: hypothesis.num_committed])
            return _align(aligner, before, texts, hypothesis.language, samples, warn), "aligned"
        except Exception as error:                      # whatever it is, the text is there and stays
            _tell(warn, "the forced aligner", error)
    if how != "estimated" and hypothesis.centres is not None:
        spelled = spelled_words(hypothesis, parts.tokenizer)
        heard_at = [[hypothesis.centres[tokens[-1]] - start for tokens in word.said] for word in spelled]
        return around(heard_at, samples), "attention"
    room = after - start
    guessed = estimate_words(texts, samples[round(room * SAMPLE_RATE):])
    return [Heard(entry.start + room, entry.end + room, False) for entry in guessed], "estimated"


def _align(aligner: Parts, before: str, texts: Sequence[str], language: str | None, samples: Samples, warn: Warn) -> list[Heard]:
    """before   text of the same sound that stands before the words"""
    seconds, longest = len(samples) / SAMPLE_RATE, longest_seconds(aligner)
    if seconds > longest:
        raise ModelError(f"it reads {longest:g} s at once, and the utterance has {seconds:.1f} s")
    units = units_of(before + "".join(texts), language, warn)
    heard = align_units(aligner, samples, units)
    if units and not any(entry.is_measured and entry.end > entry.start for entry in heard):
        raise ModelError(f"it placed none of the {len(texts)} words")
    times = times_of_words([before, *texts] if before else texts, units, heard, seconds)
    return times[1:] if before else times


def _behind(found: Found, words: Sequence[LiveWord] | Sequence[Word], after: float, seconds: float) -> list[Heard]:
    """A time for each word, in seconds from `after`, inside the room from there to `seconds`; both count from the window's front."""
    room = max(seconds - after, LEAST_SECONDS * len(words))

    def inside(time: float) -> float:
        return min(max(time - after, 0.0), room)

    moved = [None if entry is None else Heard(inside(entry.start), inside(entry.end), entry.is_measured) for entry in found]
    return fill(moved, [max(1, sum(map(is_spoken, word.text))) for word in words], room)


def _tell(warn: Warn, name: str, error: Exception) -> None:
    logger.debug("%s failed", name, exc_info=True)
    said = str(error) if isinstance(error, ModelError) else f"{type(error).__name__}: {error}"
    warn(f"words could not be timed by {name} ({said}); the next best way is taken")
