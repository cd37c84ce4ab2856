"""Options to a session that runs: what they name is found and checked before any sound comes."""

from dataclasses import replace
from functools import partial

from ossicle.errors import ModelError
from ossicle.options import TranscribeOptions
from ossicle.pipeline.asking import make_ask
from ossicle.pipeline.engine import Engine, Parts
from ossicle.stream.endpoint import endpointer_of
from ossicle.stream.item import Told
from ossicle.stream.machine import Machine, Settings
from ossicle.stream.policies import policy_of
from ossicle.stream.record import Recorder
from ossicle.stream.scheduler import Lane, Scheduler
from ossicle.stream.session import Session
from ossicle.stream.window import Window, WindowOptions
from ossicle.stream_options import StreamOptions


def open_session(engine: Engine, scheduler: Scheduler, options: StreamOptions, told: Told | None = None) -> Session:
    """A session on this engine, ready to be fed.

    told   what an earlier session committed of the utterance that comes first

    Raises OptionError for a language the model does not know, ModelError for an aligner in place of a recogniser, or for an
    aligner that is asked for and cannot be found, MissingExtra for a detector whose package is not installed.
    """
    if engine.config.is_aligner:
        raise ModelError("this checkpoint is a forced aligner: it times words it is given and hears none; load a recogniser such as 0.6b")
    machine = Machine(_settings(engine, options), endpointer_of(options.endpoint))
    machine.told = told
    lane = Lane(machine, lambda events, is_last: session.told(events, is_last), _aligner(engine, options))
    recorder = Recorder(options.record, options, engine.facts) if options.record is not None else None
    session = Session(scheduler, lane, options, partial(_settings, engine), recorder)
    scheduler.add(lane)
    return session


def _settings(engine: Engine, options: StreamOptions) -> Settings:
    ask, _ = make_ask(engine, TranscribeOptions(options.language, options.languages, context=options.context))
    has_heads = engine.parts.heads is not None and options.words != "estimated"
    asked = WindowOptions(ask.language, ask.languages, ask.context, options.caches, options.drafts, has_heads)

    def new_window(origin: int, past_text: str) -> Window:
        return Window(engine.parts, origin, replace(asked, context=" ".join(filter(None, (ask.context, past_text)))))

    return Settings(options, new_window, partial(policy_of, options.policy, has_heads or _needs_aligner(options)))


def _aligner(engine: Engine, options: StreamOptions) -> Parts | None:
    return engine.aligner(options.aligner).parts if _needs_aligner(options) else None


def _needs_aligner(options: StreamOptions) -> bool:
    return options.words == "aligner" or options.policy.name == "aligner"
