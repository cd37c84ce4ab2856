"""`ossicle align`: a recording and its text in, the text with the times of its words out.

A run of one recording as `ossicle transcribe` makes it (recordings.py), with an aligner in the place of the recogniser.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ossicle.errors import OptionError, SpeechError
from ossicle.options import AudioOptions, TranscribeOptions
from ossicle.progress import CancelToken, OnEvent
from ossicle.results import ModelFacts, Transcript
from ossicle.surfaces.cli import recordings
from ossicle.surfaces.cli import transcribe_flags as flags
from ossicle.surfaces.cli.answer import is_debug
from ossicle.surfaces.cli.flags import ConfigFlag, by_flag
from ossicle.surfaces.cli.outlet import open_outlet, style_of
from ossicle.surfaces.cli.story import Story, tell
from ossicle.surfaces.settings import Settings, engine_options, forced_language, read_settings, source_options

if TYPE_CHECKING:
    from ossicle.recognizer import Recognizer

Audio = Annotated[str, typer.Argument(
    metavar="AUDIO", help="A sound or video file, '-' for standard input, or with --allow-url an http(s) URL.")]
Text = Annotated[str, typer.Option("--text", metavar="FILE", help="What is said in it, as plain text in UTF-8; '-' reads standard input.")]


def align(
    ctx: typer.Context,
    audio: Audio,
    text: Text,
    aligner: flags.Aligner = None,
    language: flags.Language = None,
    format: flags.Format = None,
    output: flags.Output = None,
    overwrite: flags.Overwrite = None,
    preset: flags.Preset = None,
    max_line_width: flags.MaxLineWidth = None,
    max_lines: flags.MaxLines = None,
    max_words: flags.MaxWords = None,
    max_gap: flags.MaxGap = None,
    min_duration: flags.MinDuration = None,
    max_duration: flags.MaxDuration = None,
    max_cps: flags.MaxCps = None,
    word_times: flags.WordTimes = None,
    quiet: flags.Quiet = None,
    start: flags.Start = None,
    end: flags.End = None,
    track: flags.Track = None,
    raw: flags.Raw = None,
    rate: flags.Rate = None,
    channels: flags.Channels = None,
    allow_url: flags.AllowUrl = None,
    engine: flags.Engine = None,
    dtype: flags.Dtype = None,
    bits: flags.Bits = None,
    encoder_bits: flags.EncoderBits = None,
    group_size: flags.GroupSize = None,
    kv_dtype: flags.KVDtype = None,
    threads: flags.Threads = None,
    cache_dir: flags.CacheDir = None,
    offline: flags.Offline = None,
    config: ConfigFlag = None,
) -> None:
    """Find when each word of a text that you already have is said in its recording.

    The text comes out as it went in, with times. Nothing is recognised, and recordings may last hours. Default format is json.
    """
    given = {name: value for name, value in ctx.params.items() if name in Settings.model_fields}
    in_force = read_settings(given, config)
    settings = in_force.settings
    name = _aligner_of(settings)
    try:
        sound = AudioOptions(rate, raw, 1 if channels is None else channels, start or 0.0, end, track, settings.allow_url)
        run = recordings.Run(
            sources=(audio,), model=name, engine=engine_options(settings), where=replace(source_options(settings), revision=None),
            options=TranscribeOptions(audio=sound), is_debug=is_debug(ctx))
        style = style_of(settings, "json" if in_force.origins["format"].kind == "default" else settings.format)
    except OptionError as error:
        raise OptionError(by_flag(str(error), in_force)) from error
    words, spoken = _read(text, audio), forced_language(settings)
    outlet = open_outlet(settings.output, run.sources, style, overwrite=settings.overwrite)
    story = tell(settings.quiet, is_shared=style.formats == ("jsonl",) and not settings.output and sys.stdout.isatty())

    def open_aligner(run: recordings.Run, story: Story) -> recordings.Listener:
        return _Aligner(_open(run, story), words, spoken)

    code = recordings.go_through(run, outlet, story, open_aligner)
    if code:
        raise typer.Exit(code)


def _aligner_of(settings: Settings) -> str:
    """The aligner to use, with the language looked at on the way: both before anything is loaded."""
    from ossicle import catalog

    if spoken := forced_language(settings):
        catalog.find_language(spoken)
    return settings.aligner or catalog.aligner_of(settings.model)


def _open(run: recordings.Run, story: Story) -> "Recognizer":
    from ossicle.recognizer import load

    recordings.fetch_model(run.model, run.where, story)
    recognizer = load(run.model, run.engine, run.where)
    if not recognizer.is_aligner:
        recognizer.close()
        raise OptionError(f"--aligner must name a forced aligner, {run.model} is a recogniser; leave it out for the one that fits")
    return recognizer


class _Aligner:
    """A loaded aligner and the text it is to find, in the place of a recogniser."""

    def __init__(self, recognizer: "Recognizer", text: str, language: str | None) -> None:
        self._recognizer, self._text, self._language = recognizer, text, language

    @property
    def facts(self) -> ModelFacts:
        return self._recognizer.facts

    def transcribe_each(
        self, sources: Iterable[str], *, options: TranscribeOptions, on_event: OnEvent, cancel: CancelToken
    ) -> Iterator[Transcript | SpeechError]:
        for source in sources:
            try:
                result: Transcript | SpeechError = self._recognizer.align(
                    source, self._text, language=self._language, options=options, on_event=on_event, cancel=cancel)
            except SpeechError as error:
                result = error
            yield result

    def close(self) -> None:
        self._recognizer.close()


def _read(file: str, audio: str) -> str:
    """The text, without white space around it: the last line end of a file belongs to the file."""
    if file == "-" and audio == "-":
        raise OptionError("'-' may stand for AUDIO or for --text, not for both: standard input can be read once")
    try:
        found = sys.stdin.buffer.read() if file == "-" else Path(file).expanduser().read_bytes()
        text = found.decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"cannot read --text {file} as text in UTF-8: {error}") from error
    if not text:
        raise OptionError(f"--text must hold the words that are said in the recording, {file} holds none")
    return text
