"""Options to a session that runs: what they name is found and checked before any sound comes."""

from dataclasses import replace
from functools import partial

from ossicle.errors import ModelError
from ossicle.options import TranscribeOptions
from ossicle.pipeline.asking import make_ask
from ossicle.pipeline.engine import Engine
from ossicle.stream.endpoint import endpointer_of
from ossicle.stream.machine import Machine
from ossicle.stream.policies import policy_of
from ossicle.stream.scheduler import Lane, Scheduler
from ossicle.stream.session import Session
from ossicle.stream.window import Window, WindowOptions
from ossicle.stream_options import StreamOptions


def open_session(engine: Engine, scheduler: Scheduler, options: StreamOptions) -> Session:
    """A session on this engine, ready to be fed.

    Raises OptionError for a language the model does not know, ModelError for an aligner in place of a recogniser, or for an
    aligner that is asked for and cannot be found, MissingExtra for a detector whose package is not installed.
    """
    if engine.config.is_aligner:
        raise ModelError("this checkpoint is a forced aligner: it times words it is given and hears none; load a recogniser such as 0.6b")
    ask, _ = make_ask(engine, TranscribeOptions(options.language, options.languages, context=options.context))
    needs_aligner = options.words == "aligner" or options.policy.name == "aligner"
    aligner = engine.aligner(options.aligner).parts if needs_aligner else None
    has_heads = engine.parts.heads is not None and options.words in ("auto", "attention")
    window_options = WindowOptions(ask.language, ask.languages, ask.context, options.caches, options.drafts, has_heads)

    def new_window(origin: int, past_text: str) -> Window:
        context = " ".join(filter(None, (ask.context, past_text)))
        return Window(engine.parts, origin, replace(window_options, context=context))

    machine = Machine(options, endpointer_of(options.endpoint), new_window, partial(policy_of, options.policy, has_heads or needs_aligner))
    lane = Lane(machine, lambda events, is_last: session.told(events, is_last), aligner)
    session = Session(scheduler, lane)
    scheduler.add(lane)
    return session
