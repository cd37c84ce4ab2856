"""A run of `ossicle transcribe`: opens the model, goes through the recordings, lets none stop the others.

Knows no flag; transcribe.py turns flags into a Run.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ossicle.errors import AudioError, ModelError, OptionError, SpeechError
from ossicle.options import EngineOptions, SourceOptions, TranscribeOptions
from ossicle.progress import CancelToken, Event, OnEvent, Started
from ossicle.results import ModelFacts, Transcript, source_name
from ossicle.surfaces.cli.answer import FAILED, INTERRUPTED, tell_error
from ossicle.surfaces.cli.interrupt import Interrupt
from ossicle.surfaces.cli.outlet import Outlet
from ossicle.surfaces.cli.story import Story, say_loaded


class Listener(Protocol):
    """What a run needs of a Recognizer."""

    @property
    def facts(self) -> ModelFacts: ...

    def transcribe_each(
        self, sources: Iterable[str], *, options: TranscribeOptions, on_event: OnEvent, cancel: CancelToken
    ) -> Iterator[Transcript | SpeechError]: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Run:
    """Everything one call of the command asks for."""

    sources: tuple[str, ...]
    model: str
    engine: EngineOptions
    where: SourceOptions
    options: TranscribeOptions
    is_strict: bool = False
    is_debug: bool = False


def open_model(run: Run, story: Story) -> Listener:
    """Find and load the model, downloaded if need be."""
    from ossicle.recognizer import load

    fetch_model(run.model, run.where, story)
    fetch_aligner(run, story)
    return load(run.model, run.engine, run.where)


def fetch_model(model: str, where: SourceOptions, story: Story) -> None:
    """Have a model on this machine. Raises OptionError for a name that stands for none."""
    from ossicle import catalog

    try:
        with story.bytes(f"downloading {model}") as on_progress:
            catalog.resolve(model, where, on_progress)
    except ModelError as error:
        raise OptionError(str(error)) from error


def check_languages(names: Iterable[str | None], model: str, where: SourceOptions) -> None:
    """Raise OptionError for a language that the model does not know, before it is downloaded or loaded."""
    from ossicle import catalog

    for name in names:
        if name is not None:
            catalog.check_language(name, model, where)


def fetch_aligner(run: Run, story: Story) -> str | None:
    """Have the aligner on this machine, where words will be timed by one, and give its name; None where there is none.

    Raises OptionError only where one was asked for.
    """
    from ossicle import catalog

    options = run.options
    if options.words not in ("auto", "aligner"):
        return None
    if options.words == "auto" and options.language and not catalog.check_language(options.language, run.model, run.where).can_align:
        return None
    name, is_asked_for = options.aligner or catalog.aligner_of(run.model), options.words == "aligner" or options.aligner is not None
    try:
        fetch_model(name, replace(run.where, revision=None), story)
    except OptionError:                                 # without it words are timed in another way, and a warning says so
        if is_asked_for:
            raise
        return None
    return name


def go_through(run: Run, outlet: Outlet, story: Story, opener: Callable[[Run, Story], Listener] = open_model) -> int:
    """Transcribe every recording of a run; returns the exit code. Raises OptionError for a language that the model does not know."""
    check_languages((run.options.language, *run.options.languages), run.model, run.where)
    refused = dict(_refused(run, outlet))               # told before minutes of loading, not after
    if len(refused) == len(run.sources):
        for number, error in refused.items():
            outlet.fail(number, source_name(run.sources[number]) or run.sources[number], error)
        outlet.close()
        return FAILED
    story.say(f"loading {run.model}")
    began = time.monotonic()
    recognizer = opener(run, story)
    story.say(say_loaded(recognizer.facts, time.monotonic() - began))
    num_failed = len(refused)
    try:
        with story, Interrupt() as interrupt:
            left = deque(range(len(run.sources)))
            while left:
                num_failed += _go_on(run, left, refused, recognizer, outlet, story, interrupt)
                if interrupt.token.is_cancelled:
                    return INTERRUPTED
    finally:
        recognizer.close()
        outlet.close()
    return FAILED if num_failed else 0


def _refused(run: Run, outlet: Outlet) -> Iterator[tuple[int, SpeechError]]:
    """The recordings that cannot be done, as far as a look shows it."""
    for number, source in enumerate(run.sources):
        try:
            _look(source, run.options.audio.allow_url)
            outlet.refuse(number)
        except (AudioError, OptionError) as error:
            tell_error(error, run.is_debug)
            yield number, error


def _go_on(
    run: Run, left: deque[int], refused: Mapping[int, SpeechError], recognizer: Listener, outlet: Outlet, story: Story,
    interrupt: Interrupt,
) -> int:
    """Transcribe what is left, in order, until there is no more, an interrupt, or a fault that ends all work in hand; the
    recording that it came with is then no longer left. Returns how many failed.
    """
    def on_event(event: Event) -> None:
        if isinstance(event, Started):
            interrupt.is_decoding = True
        story.on_event(event)
        outlet.on_event(left[0], _name(run, left[0]), event)

    wanted = [run.sources[number] for number in left if number not in refused]
    results = recognizer.transcribe_each(wanted, options=run.options, on_event=on_event, cancel=interrupt.token)
    num_failed = 0
    while left and not interrupt.token.is_cancelled:
        number = left[0]
        if number in refused:
            outlet.fail(number, _name(run, number), refused[number])
            left.popleft()
            continue
        story.begin(_name(run, number), number + 1, len(run.sources))
        try:
            result = next(results)
        except BrokenPipeError:                         # nobody reads on: that ends the run, not one recording
            raise
        except Exception as error:                      # a fault of ours or of a library: what else was in hand is begun again
            _fail(run, left.popleft(), error, outlet, story, interrupt)
            return num_failed + 1
        num_failed += not _take(run, number, result, outlet, story, interrupt)
        left.popleft()
    return num_failed


def _take(run: Run, number: int, result: Transcript | SpeechError, outlet: Outlet, story: Story, interrupt: Interrupt) -> bool:
    """Write one result; whether all went well."""
    interrupt.is_decoding = False
    story.pause()
    try:
        if isinstance(result, SpeechError):
            raise result
        went_to = outlet.take(number, _name(run, number), result)
    except BrokenPipeError:
        raise
    except Exception as error:
        _fail(run, number, error, outlet, story, interrupt)
        return False
    if went_to:
        story.say(f"wrote {went_to}")
    return _is_whole(result, _name(run, number), run)


def _fail(run: Run, number: int, error: Exception, outlet: Outlet, story: Story, interrupt: Interrupt) -> None:
    interrupt.is_decoding = False
    story.pause()
    outlet.fail(number, _name(run, number), error)
    tell_error(error, run.is_debug, about=_name(run, number))


def _name(run: Run, number: int) -> str:
    return source_name(run.sources[number]) or run.sources[number]         # a URL's password is nobody's business


def _is_whole(transcript: Transcript, source: str, run: Run) -> bool:
    if transcript.is_complete or not run.is_strict:
        return True
    gaps = "; ".join(f"{gap.start:.2f} to {gap.end:.2f} s: {gap.reason}" for gap in transcript.coverage.gaps)
    tell_error(SpeechError(f"the transcript is incomplete ({gaps}), and --strict asks for all of it"), about=source)
    return False


def _look(source: str, allow_url: bool) -> None:
    if source == "-":
        return
    if source.lower().startswith(("http://", "https://")):
        if not allow_url:
            raise OptionError(f"{source_name(source)} is a URL; --allow-url fetches it")
        return
    try:
        is_there = Path(source).exists()
    except OSError as error:                            # a name longer than any system takes
        raise AudioError(f"expected a sound file at {source}, but the system said: {error.strerror}") from error
    if not is_there:
        raise AudioError(f"expected a sound file at {source}, but there is none; check name and folder")
