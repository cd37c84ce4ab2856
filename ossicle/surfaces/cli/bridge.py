"""`ossicle bridge`: speech to text for programs in other languages, over standard input and output."""

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from ossicle.errors import OptionError
from ossicle.surfaces.cli import transcribe_flags as flags
from ossicle.surfaces.cli.flags import ConfigFlag, by_flag, complete_model
from ossicle.surfaces.cli.recordings import check_languages, fetch_model
from ossicle.surfaces.cli.story import say_loaded, tell
from ossicle.surfaces.settings import Settings, engine_options, forced_language, read_settings, source_options

if TYPE_CHECKING:
    from ossicle.recognizer import Recognizer

PROTOCOL = "Protocol"


def bridge(
    ctx: typer.Context,
    model_name: Annotated[str | None, typer.Argument(
        metavar="[MODEL]", help="The model; --model says the same.", autocompletion=complete_model)] = None,
    max_new_tokens: Annotated[int, typer.Option(
        "--max-new-tokens", metavar="N", min=0, rich_help_panel=PROTOCOL,
        help="Tokens of an utterance where a request names no limit; default is 0, until the model ends.")] = 0,
    no_cache: Annotated[bool, typer.Option(
        "--no-cache", rich_help_panel=PROTOCOL,
        help="Keep nothing between two tokens in version 1: a slow form, to compare with.")] = False,
    no_partials: Annotated[bool, typer.Option(
        "--no-partials", rich_help_panel=PROTOCOL,
        help="Leave the text of partial_result empty in version 1: streams then cost nothing while they are spoken.")] = False,
    print_capabilities: Annotated[bool, typer.Option(
        "--print-capabilities", rich_help_panel=PROTOCOL, help="Print what version 1 answers to capabilities, and exit.")] = False,
    local_files_only: Annotated[bool, typer.Option(
        "--local-files-only", rich_help_panel=PROTOCOL, help="The same as --offline.")] = False,
    no_trust_remote_code: Annotated[bool, typer.Option(
        "--no-trust-remote-code", rich_help_panel=PROTOCOL, help="Taken for older clients' sake: no model's code is ever run.")] = False,
    model: flags.Model = None,
    language: flags.Language = None,
    quiet: flags.Quiet = None,
    engine: flags.Engine = None,
    dtype: flags.Dtype = None,
    bits: flags.Bits = None,
    encoder_bits: flags.EncoderBits = None,
    group_size: flags.GroupSize = None,
    kv_dtype: flags.KVDtype = None,
    threads: flags.Threads = None,
    revision: flags.Revision = None,
    cache_dir: flags.CacheDir = None,
    offline: flags.Offline = None,
    config: ConfigFlag = None,
) -> None:
    """Answer another program: requests as JSON lines on stdin, one reply line for each on stdout, news on stderr.

    The model is loaded with the first request that needs it. docs/bridge.md is the protocol, in both versions.
    """
    if model_name is not None and model not in (None, model_name):
        raise OptionError(f"the model must be named once, got {model_name} and --model {model}")
    given = {**ctx.params, "model": model or model_name, "offline": True if local_files_only else offline}
    in_force = read_settings({name: value for name, value in given.items() if name in Settings.model_fields}, config)
    settings = in_force.settings
    try:
        chosen = engine_options(settings)
    except OptionError as error:
        raise OptionError(by_flag(str(error), in_force)) from error
    from ossicle.surfaces.bridge import loop, v1, v2
    from ossicle.surfaces.bridge.loading import Loading
    from ossicle.surfaces.bridge.wire import private_wire

    if print_capabilities:
        typer.echo(json.dumps(v1.capabilities(settings.model, not no_cache), ensure_ascii=False))
        return
    wire, story, where = private_wire(), tell(settings.quiet), source_options(settings)
    forced = forced_language(settings)

    def load() -> "Recognizer":
        from ossicle.recognizer import load as load_model

        check_languages((forced,), settings.model, where)
        story.say(f"loading {settings.model}")
        began = time.monotonic()
        recognizer = load_model(settings.model, chosen, where)
        story.say(say_loaded(recognizer.facts, time.monotonic() - began))
        return recognizer

    def note(message: str) -> None:
        story.pause()
        typer.echo(f"ossicle: warning: {message}", err=True)

    loading = Loading(settings.model, lambda: fetch_model(settings.model, where, story), load)
    options = v1.V1Options(forced, max_new_tokens, not no_cache, not no_partials)
    try:
        loop.converse(wire, {
            v1.PROTOCOL: lambda: v1.V1(loading, options, wire, note),
            v2.PROTOCOL: lambda: v2.V2(loading, forced, wire, note),
        })
    finally:
        loading.close()
