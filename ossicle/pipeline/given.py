"""A text that people already have to a transcript with times: read the sound, follow the text through it, join nothing anew.

The text comes back exactly as it was given. Nothing is recognised here: whether the text is what is said, nobody asks.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ossicle.audio.load import SAMPLE_RATE, read_samples
from ossicle.errors import AudioError, OptionError
from ossicle.options import TranscribeOptions
from ossicle.pipeline.align import align_units, longest_seconds
from ossicle.pipeline.engine import Engine, Loaded
from ossicle.pipeline.follow import Stretch, follow
from ossicle.pipeline.recognize import StageClock
from ossicle.pipeline.report import Report
from ossicle.pipeline.segments import BySentence
from ossicle.pipeline.spans import Heard
from ossicle.pipeline.timing import units_of, with_times
from ossicle.progress import CancelToken, OnEvent
from ossicle.results import Chunk, Transcript, Word, source_name
from ossicle.text.languages import Language, find_language
from ossicle.text.units import Unit
from ossicle.text.words import split_words


def align_text(
    engine: Engine,
    source: Any,
    text: str,
    options: TranscribeOptions,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
) -> Transcript:
    """Find when each word of a text is said in one source of sound.

    source    whatever audio/load.py reads
    text      of all of it, or of less
    options   of these count language, aligner, audio and segments
    returns   a Transcript whose text is `text`; its chunks are the stretches that were aligned at once

    Raises AudioError when the sound cannot be read, OptionError for a text without words or a language that nobody
    knows, ModelError and MissingExtra when there is no aligner, Cancelled.
    """
    with engine.in_use():
        return _align_text(engine, source, text, options, on_event, cancel or CancelToken())


def _align_text(
    engine: Engine, source: Any, text: str, options: TranscribeOptions, on_event: OnEvent | None, cancel: CancelToken
) -> Transcript:
    clock = time.perf_counter()
    cancel.check()
    language = find_language(options.language) if options.language else None
    if not text.strip():
        raise OptionError("text must hold the words that are to be found in the sound, got none; to have them recognised, transcribe")
    report = Report(None, source_name(source), on_event, clock, BySentence(options.segments), options.audio.start_seconds, _nothing)
    words = split_words(text)
    units = units_of(text, language.name if language else None, report.warn)
    loaded = engine.aligner(options.aligner)
    report.aligner = loaded.facts
    if language is not None:
        _warn_of(language, loaded, report)
    samples = read_samples(source, options.audio, on_progress=lambda done, total: cancel.check(), on_warning=report.warn)
    if not len(samples):
        raise AudioError(f"expected sound in {source_name(source) or 'the recording'} to find the text in, got none")
    report.timings["audio"] = time.perf_counter() - clock
    longest = longest_seconds(loaded.parts)
    report.begin(len(samples) / SAMPLE_RATE, max(1, round(len(samples) / SAMPLE_RATE / longest)))

    def align(sound: np.ndarray, some: Sequence[Unit]) -> list[Heard]:
        return engine.run(align_units, loaded.parts, sound, some, cancel)

    began = time.perf_counter()
    stretches = follow(align, samples, words, units, longest)
    num_guessed = 0
    for chunk in _chunks(stretches, words, language.name if language else None):
        cancel.check()
        num_guessed += sum(word.timing != "aligned" for word in chunk.words)
        report.timings["align"] = time.perf_counter() - began
        report.add(chunk)
    if num_guessed * 2 > len(words):
        report.warn(f"{num_guessed} of the {len(words)} words could not be measured and stand between others; is this the text of "
                    "the recording, and all of it?")
    return report.finish(StageClock())


def _chunks(stretches: Iterator[Stretch], words: Sequence[str], language: str | None) -> Iterator[Chunk]:
    for index, stretch in enumerate(stretches):
        start, end = stretch.start / SAMPLE_RATE, stretch.end / SAMPLE_RATE
        some = [Word(word) for word in words[stretch.first : stretch.last]]
        heard = [Heard(entry.start - start, entry.end - start, entry.is_measured) for entry in stretch.times]
        timed = with_times(some, heard, start, end, "aligned")
        yield Chunk(index, start, end, "".join(word.text for word in timed), language, "eos", words=timed)


def _warn_of(language: Language, loaded: Loaded, report: Report) -> None:
    known = loaded.parts.config.support_languages
    if known and language.name not in known:
        report.warn(f"the aligner was trained on {', '.join(known)}, not on {language.name}: look at the times before you use them")


def _nothing(left: str, right: str) -> str:
    """Between parts of a text that is complete as it is."""
    return ""
