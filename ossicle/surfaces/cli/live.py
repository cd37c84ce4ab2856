"""What `ossicle listen` and `ossicle stream` share: the model, and following a session until it has told everything."""

import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ossicle.errors import OptionError, SpeechError
from ossicle.options import EngineOptions, SourceOptions
from ossicle.stream_events import Failure, LiveWarning, SessionEvent
from ossicle.stream_options import StreamOptions
from ossicle.surfaces.cli.flags import by_flag
from ossicle.surfaces.cli.interrupt import Interrupt
from ossicle.surfaces.cli.live_flags import stream_options
from ossicle.surfaces.cli.live_view import Pulse, View
from ossicle.surfaces.cli.recordings import check_languages, fetch_model
from ossicle.surfaces.cli.story import Story, say_loaded
from ossicle.surfaces.cli.transcribe import context_of
from ossicle.surfaces.settings import InForce, Settings, engine_options, read_settings, source_options, spoken

if TYPE_CHECKING:
    from ossicle.recognizer import Recognizer
    from ossicle.stream.session import Session
    from ossicle.surfaces.feeding import Feeder

TICK_SECONDS = 0.1


@dataclass(frozen=True)
class Asked:
    """What the flags that both commands have ask for."""

    in_force: InForce
    engine: EngineOptions
    where: SourceOptions
    options: StreamOptions


def asked_for(ctx: typer.Context, **defaults: Any) -> Asked:
    """From the flags, the environment and the file. Raises OptionError that names where a value was written."""
    given = {name: value for name, value in ctx.params.items() if name in Settings.model_fields}
    context = context_of(ctx.params.get("context"), ctx.params.get("context_file"))
    in_force = read_settings(given | {"context": context}, ctx.params.get("config"))
    settings = in_force.settings
    try:
        language, languages = spoken(in_force)
        engine = engine_options(settings)
    except OptionError as error:
        raise OptionError(by_flag(str(error), in_force)) from error
    options = stream_options(ctx.params, language, languages, settings.context, settings.aligner, **defaults)
    return Asked(in_force, engine, source_options(settings), options)


def open_live(asked: Asked, story: Story) -> "Recognizer":
    """Find and load the model, downloaded if need be, with the aligner where one is asked for."""
    from ossicle import catalog
    from ossicle.recognizer import load

    model, options = asked.in_force.settings.model, asked.options
    check_languages((options.language, *options.languages), model, asked.where)
    fetch_model(model, asked.where, story)
    if options.words == "aligner" or options.policy.name == "aligner":
        fetch_model(options.aligner or catalog.aligner_of(model), SourceOptions(None, asked.where.offline, asked.where.cache_dir), story)
    story.say(f"loading {model}")
    began = time.monotonic()
    recognizer = load(model, asked.engine, asked.where)
    story.say(say_loaded(recognizer.facts, time.monotonic() - began))
    return recognizer


OnLive = Callable[[SessionEvent, float], None]      # an event, and seconds on the wall's clock from the first sample fed


def follow(
    session: "Session", feeder: "Feeder", view: View, interrupt: Interrupt, warnings: deque[str], on_event: OnLive | None = None,
    on_tick: Callable[[float], None] | None = None,
) -> list[SessionEvent]:
    """Show a session until it has ended; gives all its events.

    interrupt   the first one ends the sound, and what was spoken is finished
    warnings    what the source has to say, from any thread
    on_tick     gets the seconds that were heard, some ten times a second

    What ended the sound or the session too early, `trouble_of` says.
    """
    inbox: queue.SimpleQueue[tuple[SessionEvent, float] | None] = queue.SimpleQueue()

    def read() -> None:
        for event in session:
            inbox.put((event, time.monotonic()))
        inbox.put(None)

    events: list[SessionEvent] = []

    def take(event: SessionEvent, at: float) -> None:
        events.append(event)
        view.take(event)
        if on_event is not None:
            on_event(event, max(0.0, at - feeder.began) if feeder.began is not None else 0.0)

    def warn() -> None:
        while warnings:
            take(LiveWarning(message=warnings.popleft(), audio_seconds=session.audio_seconds), time.monotonic())

    threading.Thread(target=read, name="ossicle-events", daemon=True).start()
    ticked = 0.0
    with view:
        interrupt.is_decoding = True
        feeder.start()
        while True:
            try:
                found: Any = inbox.get(timeout=TICK_SECONDS)
            except queue.Empty:
                found = ()
            if found is None:
                break
            if found:
                take(*found)
            warn()
            if interrupt.token.is_cancelled and not feeder.is_stopped:
                feeder.stop()
            if time.monotonic() - ticked >= TICK_SECONDS:
                ticked = time.monotonic()
                view.tick(Pulse(session.audio_seconds, session.queued_seconds, feeder.level_dbfs(), session.is_closed))
                if on_tick is not None:
                    on_tick(session.audio_seconds - session.queued_seconds)
        warn()                                      # what was said with the last of the sound came while the events ended
        interrupt.is_decoding = False
    return events


def trouble_of(events: list[SessionEvent], feeder: "Feeder") -> Exception | None:
    """What ended a session, or its sound, before the time; None where all went well."""
    failed = next((event for event in events if isinstance(event, Failure)), None)
    return SpeechError(f"{failed.code}: {failed.message}") if failed is not None else feeder.error


def check_folder(folder: Path | None) -> None:
    """Make the folder to record into. Raises OptionError for one that cannot be: who asked for a recording is not to miss it at the end."""
    if folder is None:
        return
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"--record must name a folder, got {folder}, which is a file")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"--record must name a folder that can be written, got {folder}: {error.strerror}; name another one") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OptionError(f"--record must name a folder that can be written, got {folder}: it may not be; name another one")
