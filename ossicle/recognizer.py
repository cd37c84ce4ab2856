"""What users hold: one loaded model that turns recordings into transcripts.

A `Recognizer` is safe to use from several threads: work on the model takes turns on the thread that owns it.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from ossicle.errors import Cancelled, OptionError, SpeechError
from ossicle.options import AudioOptions, DetectOptions, EngineOptions, SourceOptions, TranscribeOptions
from ossicle.pipeline.clips import hear_clips, read_clip
from ossicle.pipeline.detect import detect
from ossicle.pipeline.diarizer import Diarizer, Diarizers
from ossicle.pipeline.engine import Engine, load_engine
from ossicle.pipeline.given import align_text
from ossicle.pipeline.heads_find import HeadScores, score_heads
from ossicle.pipeline.transcribe import Detector, Request, transcribe_each
from ossicle.progress import CancelToken, OnEvent
from ossicle.results import Chunk, Detection, HeardClips, ModelFacts, Transcript
from ossicle.stream.blocks import read_blocks as read_blocks  # for callers that feed sessions: `surfaces`, `measure`
from ossicle.stream.opening import open_session
from ossicle.stream.resume import resume
from ossicle.stream.scheduler import Scheduler
from ossicle.stream.session import Session
from ossicle.stream.transcript import transcript_of as transcript_of
from ossicle.stream_options import StreamOptions


def load(model: str | Path, engine: EngineOptions | None = None, source: SourceOptions | None = None) -> "Recognizer":
    """Load a model and be ready to transcribe.

    model    a folder, a Hugging Face id such as "Qwen/Qwen3-ASR-0.6B", or a short name: 0.6b, 1.7b, tiny
    engine   which engine, in which numbers
    source   revision, cache and network use for a model that is named by its id

    Raises ModelError when the model cannot be found or is of another kind, MissingExtra when the engine named is not installed.
    """
    return Recognizer(load_engine(model, engine or EngineOptions(), source or SourceOptions()))


class Recognizer:
    """One loaded model. Close it, or use it in a `with` block, to give its thread and memory back."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._diarizers = Diarizers()               # their models stay for the next recording
        self._scheduler = Scheduler(engine)

    @property
    def facts(self) -> ModelFacts:
        """Which model this is, on which engine, in which numbers."""
        return self._engine.facts

    @property
    def is_aligner(self) -> bool:
        """Whether this is a forced aligner: it aligns, and cannot transcribe."""
        return self._engine.config.is_aligner

    @property
    def languages(self) -> tuple[str, ...]:
        """Names of the languages the model was trained on, as its configuration lists them."""
        return self._engine.config.support_languages

    def transcribe(
        self,
        source: Any,
        *,
        language: str | None = None,
        context: str | None = None,
        options: TranscribeOptions | None = None,
        on_event: OnEvent | None = None,
        cancel: CancelToken | None = None,
        diarizer: Diarizer | None = None,
        detector: Detector | None = None,
        known_chunks: Sequence[Chunk] = (),
    ) -> Transcript:
        """Say what is spoken in a recording.

        source     a path, "-" for standard input, bytes, a file object, a URL (where options allow it), or (samples, rate)
        language   a name, ISO code or BCP-47 tag; None lets the model say
        context    names and terms that may occur
        options    everything else; `language` and `context` given here go before its own
        on_event   is called with one typed event after another, on this thread; what it raises ends the work
        cancel     a token that stops the work before its next token; the transcript then holds what was done
        diarizer   says who speaks when: a function of (samples, options.speakers), samples (n,) float32 at 16 kHz, that gives a list
                   of Turn in seconds from the first sample; in place of a source that options.speakers names
        detector   says where speech is: a function of (samples, rate) that gives (start, end) in seconds from the first sample; in
                   place of ours. What it leaves out by more than a pause is not decoded
        known_chunks   of an earlier, interrupted run over the same sound with the same options: what they cover is not decoded again,
                   and events are told for them, too

        Raises AudioError, OptionError, ModelError; Cancelled when that was asked for before the sound was read; with
        `options.strict`, SpeechError for an incomplete transcript.
        """
        result, = self.transcribe_each([source], language=language, context=context, options=options, on_event=on_event, cancel=cancel,
                                       diarizer=diarizer, detector=detector, known_chunks={0: known_chunks})
        if isinstance(result, SpeechError):
            raise result
        return result

    def transcribe_each(
        self,
        sources: Iterable[Any],
        *,
        language: str | None = None,
        context: str | None = None,
        options: TranscribeOptions | None = None,
        on_event: OnEvent | None = None,
        cancel: CancelToken | None = None,
        diarizer: Diarizer | None = None,
        detector: Detector | None = None,
        known_chunks: Mapping[int, Sequence[Chunk]] | None = None,
    ) -> Iterator[Transcript | SpeechError]:
        """Transcribe several recordings; gives one result each, in order, as soon as it is there, or the error in its place.

        Chunks of recordings that follow one another are decoded side by side, and the next ones are read meanwhile; so many
        short ones take far less time than one by one. All events of one come before the first of the next.
        known_chunks   by the place of their recording among the sources, from 0; looked up when the source was taken
        Everything else is as in `transcribe`. Once cancelled, recordings not begun have a Cancelled in their place.
        """
        for name, function in (("diarizer", diarizer), ("detector", detector)):
            if function is not None and not callable(function):
                raise OptionError(f"{name} must be a function, got {type(function).__name__}; a source with a name, such as 'sherpa', "
                                  "is set in options")
        if isinstance(sources, str | bytes | Path):
            raise OptionError(f"sources must be several recordings, got one {type(sources).__name__}; use transcribe for one")
        if known_chunks is not None and not isinstance(known_chunks, Mapping):
            raise OptionError(f"known_chunks must map the place of a recording among the sources to its chunks, as in {{0: chunks}}; "
                              f"got {type(known_chunks).__name__}")
        options = _with(options or TranscribeOptions(), language, context)
        diarizers = self._diarizers if diarizer is None else Diarizers(diarizer)
        known = {} if known_chunks is None else known_chunks       # looked up as sources come: it may fill meanwhile
        requests = (Request(source, detector, known.get(place, ())) for place, source in enumerate(sources))
        return _checked(transcribe_each(self._engine, requests, options, on_event, cancel, diarizers), options)

    def detect(self, source: Any, *, options: DetectOptions | None = None, cancel: CancelToken | None = None) -> Detection:
        """Say which language is spoken in a recording, by the model's probabilities, without its text.

        source    as in `transcribe`
        options   the languages to choose from, how much to listen to, which part of the recording
        cancel    a token that stops the work; it then raises Cancelled

        Raises AudioError, OptionError, ModelError, Cancelled.
        """
        return detect(self._engine, source, options or DetectOptions(), cancel)

    def transcribe_many(
        self,
        sources: Iterable[Any],
        *,
        language: str | None = None,
        context: str | None = None,
        options: TranscribeOptions | None = None,
        on_event: OnEvent | None = None,
        cancel: CancelToken | None = None,
        diarizer: Diarizer | None = None,
        detector: Detector | None = None,
        return_errors: bool = False,
    ) -> list[Transcript | SpeechError]:
        """Transcribe several recordings, in order; one result each.

        return_errors   put the error of a recording that cannot be read in its place and go on;
                        otherwise all are tried, then the first error is raised with the others in its notes
        Everything else is as in `transcribe`. Once cancelled, recordings not begun have a Cancelled in their place.
        """
        results = list(self.transcribe_each(sources, language=language, context=context, options=options,
                                            on_event=on_event, cancel=cancel, diarizer=diarizer, detector=detector))
        errors = [result for result in results if isinstance(result, SpeechError) and not isinstance(result, Cancelled)]
        if errors and not return_errors:
            for other in errors[1:]:
                errors[0].add_note(f"and also: {other}")
            raise errors[0]
        return results

    def align(
        self,
        source: Any,
        text: str,
        *,
        language: str | None = None,
        options: TranscribeOptions | None = None,
        on_event: OnEvent | None = None,
        cancel: CancelToken | None = None,
    ) -> Transcript:
        """Find when each word of a text that you already have is said.

        source     as in `transcribe`; hours are no trouble
        text       what is said in it, as people write it; it comes back exactly so
        language   a name, ISO code or BCP-47 tag; matters for Japanese and Korean, which are told by their script without it
        options    of these count `language`, `aligner`, `audio` and `segments`
        on_event, cancel   as in `transcribe`

        The forced aligner is the loaded model, where that is one; else it is loaded beside it on first use. Raises AudioError,
        OptionError, ModelError, MissingExtra, and Cancelled when that was asked for: half an alignment is none.
        """
        return align_text(self._engine, source, text, _with(options or TranscribeOptions(), language, None), on_event, cancel)

    @staticmethod
    def read_clip(source: Any, audio: AudioOptions | None = None) -> Any:
        """Any source of sound as (n,) float32 at 16 kHz, as `hear_clips` takes it. Raises AudioError, also where it is empty."""
        return read_clip(source, audio or AudioOptions())

    def hear_clips(
        self,
        clips: Sequence[Any],
        *,
        language: str | None = None,
        max_tokens: int | None = None,
        is_batched: bool = False,
        has_cache: bool = True,
        cancel: CancelToken | None = None,
    ) -> HeardClips:
        """What the model writes for clips that somebody else has cut: its own words with their markup, ids, and what each stage took.

        For programs that read replies themselves; everybody else wants `transcribe`, which finds speech, tries again what failed
        and says what is missing.

        clips        each (n,) float32 at 16 kHz; one longer than 30 s is cut at pauses and joined
        language     to force; the model then writes no language
        max_tokens   of each piece; None is until the model ends
        is_batched   decode them side by side; else one after the other
        has_cache    False reads everything again for each token: a slow form to compare with

        Raises OptionError, ModelError, Cancelled.
        """
        return hear_clips(self._engine, clips, language, max_tokens, is_batched, has_cache, cancel)

    def stream(self, options: StreamOptions | None = None, *, language: str | None = None, context: str | None = None) -> Session:
        """Open a live session: feed it sound while somebody speaks, and read its events.

        options             everything; `language` and `context` given here go before its own

        Any number of sessions share the model; what they have to do is done side by side. Raises OptionError, ModelError,
        MissingExtra.
        """
        options = options or StreamOptions()
        if language is not None:
            options = replace(options, language=language)
        return open_session(self._engine, self._scheduler, options if context is None else replace(options, context=context))

    def resume(self, folder: str | Path) -> Transcript:
        """Finish a session that was recorded to this folder and ended before its time, and give its whole transcript.

        What was final stays; the sound behind it is heard again. Of a session that ended well the transcript is read. Raises
        FormatError where the folder holds no session, StreamError when it fails again.
        """
        return resume(Path(folder), partial(open_session, self._engine, self._scheduler))

    def score_heads(
        self,
        source: Any,
        text: str | None = None,
        *,
        language: str | None = None,
        options: TranscribeOptions | None = None,
        cancel: CancelToken | None = None,
    ) -> HeadScores:
        """Count how often each attention head points at the sound of the word whose token it reads, as a forced aligner placed it.

        text      what is said in it; without it, or without a language, the model says that itself
        options   of these count `language`, `aligner`, `audio` and what decoding needs
        Everything else is as in `align`. Scores of several recordings add up with `+`; docs/heads.md says what to do with them.
        """
        return score_heads(self._engine, source, text, _with(options or TranscribeOptions(), language, None), cancel)

    async def align_async(self, source: Any, text: str, **kwargs: Any) -> Transcript:
        """`align` for asyncio: takes the same, on a thread of its own. Cancelling the task stops the work."""
        return await _in_thread(self.align, source, text, **kwargs)

    async def transcribe_async(self, source: Any, **kwargs: Any) -> Transcript:
        """`transcribe` for asyncio: takes the same, on a thread of its own. Cancelling the task stops the work."""
        return await _in_thread(self.transcribe, source, **kwargs)

    async def detect_async(self, source: Any, **kwargs: Any) -> Detection:
        """`detect` for asyncio: takes the same, on a thread of its own. Cancelling the task stops the work."""
        return await _in_thread(self.detect, source, **kwargs)

    async def transcribe_many_async(self, sources: Iterable[Any], **kwargs: Any) -> list[Transcript | SpeechError]:
        """`transcribe_many` for asyncio: takes the same, on a thread of its own. Cancelling the task stops the work."""
        return await _in_thread(self.transcribe_many, sources, **kwargs)

    def close(self) -> None:
        """Take no new recording; those in hand go on to their end. A closed recogniser raises ModelError."""
        self._engine.close()

    def __enter__(self) -> "Recognizer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _checked(results: Iterable[Transcript | SpeechError], options: TranscribeOptions) -> Iterator[Transcript | SpeechError]:
    for result in results:
        if options.strict and isinstance(result, Transcript) and not result.is_complete:
            gaps = "; ".join(f"{gap.start:.2f} to {gap.end:.2f} s: {gap.reason}" for gap in result.coverage.gaps)
            yield SpeechError(f"the transcript of {result.source or 'the recording'} is incomplete ({gaps}); "
                              "without strict it is returned with these gaps named")
        else:
            yield result


def _with(options: TranscribeOptions, language: str | None, context: str | None) -> TranscribeOptions:
    if language is not None:
        options = replace(options, language=language)
    return options if context is None else replace(options, context=context)


async def _in_thread(work: Callable[..., Any], *arguments: Any, **kwargs: Any) -> Any:
    cancel = kwargs.setdefault("cancel", None) or CancelToken()
    kwargs["cancel"] = cancel
    try:
        return await asyncio.to_thread(work, *arguments, **kwargs)
    except asyncio.CancelledError:
        cancel.cancel()
        raise
