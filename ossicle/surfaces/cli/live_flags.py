"""The flags of a live session: one for each field of stream_options.py, with its type and default from there; and the way back.

What a session shares with whole recordings, as the language, is a setting, and its flag stands in transcribe_flags.py.
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from ossicle.errors import OptionError
from ossicle.stream_options import EndpointOptions, PolicyOptions, StreamOptions
from ossicle.surfaces.cli.transcribe import transcribe

LIVE, COMMIT, ENDPOINT = "Live", "When words are committed", "When an utterance ends"
PREFIX = "live_"                            # of the parameters' names: settings have some of the same names and another meaning
SHARED = ("language", "languages", "context", "aligner")        # fields of StreamOptions that are settings
BORROWED = (*SHARED, "context_file", "model", "quiet", "engine", "dtype", "bits", "encoder_bits", "group_size", "kv_dtype", "threads",
            "revision", "cache_dir", "offline", "config")           # what they mean there they mean here


@dataclass(frozen=True)
class LiveFlag:
    """One flag, and the field that it fills."""

    owner: type                             # StreamOptions, PolicyOptions or EndpointOptions
    field: str
    flag: str
    help: str
    said: str = ""                          # what messages call the field, where that is not its name

    @property
    def parameter(self) -> str:
        return f"{PREFIX}{self.flag[2:].replace('-', '_')}"

    @property
    def default(self) -> Any:
        found = next(field for field in fields(self.owner) if field.name == self.field)
        assert found.default is not MISSING, self.field
        return found.default


FLAGS = (
    LiveFlag(StreamOptions, "step_seconds", "--step", "Seconds of new sound for each step: shorter is sooner and costs more"),
    LiveFlag(StreamOptions, "output", "--output-mode", "append_only leaves out the text that may still change"),
    LiveFlag(StreamOptions, "words", "--words", "How words are timed; auto is by attention where it can be, else estimated"),
    LiveFlag(StreamOptions, "past_text", "--past-text", "Give an utterance the text before as context: auto after a cut in mid-speech"),
    LiveFlag(StreamOptions, "record", "--record", "Keep sound and events in this folder, from the first second on"),
    LiveFlag(StreamOptions, "coalesce", "--coalesce", "Leave out steps that are late"),
    LiveFlag(StreamOptions, "caches", "--caches", "Keep what was computed between steps; without, all is computed anew: slow, same text"),
    LiveFlag(StreamOptions, "drafts", "--drafts", "Check the last text in one pass; without, it is written again: slow, same text"),
    LiveFlag(PolicyOptions, "name", "--policy", "When a word is committed, never to be taken back; none waits for the end", "policy"),
    LiveFlag(PolicyOptions, "border_seconds", "--border", "auto, alignatt: seconds; a word closer to the end of the sound waits"),
    LiveFlag(PolicyOptions, "rewind_seconds", "--rewind", "alignatt: seconds; attention that jumps back further ends what is committed"),
    LiveFlag(PolicyOptions, "agreements", "--agreements", "agreement: hypotheses in a row that must begin with the word"),
    LiveFlag(PolicyOptions, "hold_words", "--hold-words", "agreement: the last words of a hypothesis that wait even so"),
    LiveFlag(PolicyOptions, "hold_tokens", "--hold-tokens", "prefix: the last tokens that stay free"),
    LiveFlag(PolicyOptions, "cold_steps", "--cold-steps", "prefix: first steps that force nothing"),
    LiveFlag(PolicyOptions, "gate_seconds", "--gate", "aligner: seconds; a word that ends closer to the end of the sound waits"),
    LiveFlag(PolicyOptions, "sure", "--sure", "auto: probability from which a word need not be seen twice"),
    LiveFlag(EndpointOptions, "mode", "--vad", "What hears speech begin and end; with manual an utterance ends with the sound, or "
             "where it gets too long", "endpoint mode"),
    LiveFlag(EndpointOptions, "threshold", "--vad-threshold", "silero: probability at which speech begins"),
    LiveFlag(EndpointOptions, "stop_threshold", "--vad-stop-threshold", "silero: probability below which it ends"),
    LiveFlag(EndpointOptions, "min_speech_seconds", "--min-speech", "Seconds; shorter is a click"),
    LiveFlag(EndpointOptions, "silence_seconds", "--endpoint-silence", "Seconds of silence that end an utterance"),
    LiveFlag(EndpointOptions, "pre_roll_seconds", "--pre-roll", "Seconds heard before speech began: words begin softly"),
    LiveFlag(EndpointOptions, "speculate_seconds", "--speculate", "Seconds of silence after which the final text is decoded ahead"),
    LiveFlag(EndpointOptions, "max_utterance_seconds", "--max-utterance", "Seconds; a longer utterance is cut at a pause"),
    LiveFlag(EndpointOptions, "search_seconds", "--cut-search", "Seconds before that in which shorter and shorter pauses do"),
)
PANELS = {StreamOptions: LIVE, PolicyOptions: COMMIT, EndpointOptions: ENDPOINT}
METAVARS = {float: "S", Path: "DIR", int: "N"}


def live(**values: Any) -> None:
    """What commands take the flags of, by `with_flags_of(live)`."""


def _parameter(flag: LiveFlag) -> Parameter:
    hint = get_type_hints(flag.owner)[flag.field]
    kind = Path if flag.field == "record" else hint
    is_switch = kind is bool
    default = "" if is_switch or flag.default is None else f"; default is {_plain(flag.default)}"
    names = f"{flag.flag}/--no-{flag.flag[2:]}" if is_switch else flag.flag
    metavar = "P" if kind is float and "probability" in flag.help else METAVARS.get(kind)
    option = typer.Option(names, metavar=metavar, help=f"{flag.help}{default}.", rich_help_panel=PANELS[flag.owner])
    return Parameter(flag.parameter, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option])


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


_THEIRS = inspect.signature(transcribe).parameters
live.__signature__ = Signature([*(_THEIRS[name] for name in BORROWED), *map(_parameter, FLAGS)])      # type: ignore[attr-defined]


def stream_options(
    given: Mapping[str, Any], language: str | None, languages: tuple[str, ...], context: str, aligner: str | None, **defaults: Any
) -> StreamOptions:
    """What the flags ask for.

    given      values by the parameters' names; None is a flag that was not given
    defaults   of fields of StreamOptions, where a command has others

    Raises OptionError that names the flag.
    """
    values: dict[type, dict[str, Any]] = {StreamOptions: dict(defaults), PolicyOptions: {}, EndpointOptions: {}}
    for flag in FLAGS:
        if given.get(flag.parameter) is not None:
            values[flag.owner][flag.field] = given[flag.parameter]
    try:
        return StreamOptions(language=language, languages=languages, context=context, aligner=aligner, **values[StreamOptions],
                             policy=PolicyOptions(**values[PolicyOptions]), endpoint=EndpointOptions(**values[EndpointOptions]))
    except OptionError as error:
        raise OptionError(by_live_flag(str(error))) from error


def by_live_flag(message: str) -> str:
    """The message of an OptionError with each field under the name of its flag."""
    names = {flag.said or flag.field: flag.flag for flag in FLAGS}
    first = next((name for name in sorted(names, key=len, reverse=True) if message.startswith(f"{name} ")), None)
    if first is None:
        return message
    rest = re.sub(r"(?<=at most )threshold\b", names["threshold"], message.removeprefix(first))
    return names[first] + rest

