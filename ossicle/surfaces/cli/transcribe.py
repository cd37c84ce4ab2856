"""`ossicle transcribe`: flags in, a Run out; recordings.py does it."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import typer

from ossicle.errors import OptionError
from ossicle.glossary import read_glossary
from ossicle.options import AudioOptions, DecodeOptions, SplitOptions, TranscribeOptions
from ossicle.results import source_name
from ossicle.surfaces.cli import recordings
from ossicle.surfaces.cli import transcribe_flags as flags
from ossicle.surfaces.cli.answer import is_debug
from ossicle.surfaces.cli.flags import ConfigFlag, by_flag
from ossicle.surfaces.cli.media import check_embedding, embed_recordings
from ossicle.surfaces.cli.outlet import open_outlet, style_of
from ossicle.surfaces.cli.speakers import speaker_options
from ossicle.surfaces.cli.story import tell
from ossicle.surfaces.settings import (
    InForce,
    Settings,
    engine_options,
    near,
    read_settings,
    source_options,
    spoken,
    vad_options,
    variable_of,
    word_timing,
)


def transcribe(
    ctx: typer.Context,
    files: flags.Files,
    model: flags.Model = None,
    language: flags.Language = None,
    languages: flags.Languages = None,
    smooth_languages: flags.SmoothLanguages = None,
    context: flags.Context = None,
    context_file: flags.ContextFile = None,
    glossary: flags.Glossary = None,
    echo_guard: flags.EchoGuard = None,
    speakers: flags.Speakers = None,
    num_speakers: flags.NumSpeakers = None,
    min_speakers: flags.MinSpeakers = None,
    max_speakers: flags.MaxSpeakers = None,
    speaker_names: flags.SpeakerNames = None,
    diarize_device: flags.DiarizeDeviceFlag = None,
    diarize_model: flags.DiarizeModel = None,
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
    speaker_labels: flags.SpeakerLabels = None,
    embed_audio: flags.EmbedAudio = None,
    tokens: flags.Tokens = None,
    words: flags.Words = None,
    aligner: flags.Aligner = None,
    strict: flags.Strict = None,
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
    revision: flags.Revision = None,
    cache_dir: flags.CacheDir = None,
    offline: flags.Offline = None,
    reference: flags.Reference = None,
    chunk_seconds: flags.ChunkSeconds = None,
    vad: flags.Vad = None,
    vad_threshold: flags.VadThreshold = None,
    vad_pad: flags.VadPad = None,
    vad_min_silence: flags.VadMinSilence = None,
    vad_silence_dbfs: flags.VadSilenceDbfs = None,
    vad_keep_dbfs: flags.VadKeepDbfs = None,
    batch_size: flags.BatchSize = None,
    max_tokens: flags.MaxTokens = None,
    temperature: flags.Temperature = None,
    seed: flags.Seed = None,
    retries: flags.Retries = None,
    config: ConfigFlag = None,
) -> None:
    """Say what is spoken in recordings. The text goes to stdout, progress and warnings to stderr.

    One bad file does not stop the others. Ctrl-C ends the work and keeps what is there; a second one kills.
    """
    given = {name: value for name, value in ctx.params.items() if name in Settings.model_fields}
    in_force = read_settings(given | {"context": context_of(context, context_file)}, config)
    settings = in_force.settings
    sources = _sources(files)
    if raw is None and (rate is not None or channels is not None):
        name = "--rate" if rate is not None else "--channels"
        raise OptionError(f"{name} is of samples without a container: give --raw s16le or f32le with it, or leave it away")
    try:
        audio = AudioOptions(rate, raw, 1 if channels is None else channels, start or 0.0, end, track, settings.allow_url)
        run = run_of(ctx, sources, in_force, audio)
        style = style_of(settings)
    except OptionError as error:
        raise OptionError(by_flag(str(error), in_force)) from error
    story = tell(settings.quiet, is_shared=style.formats == ("jsonl",) and not settings.output and sys.stdout.isatty())
    if settings.embed_audio:
        check_embedding(style.formats, sources, in_force.origins["embed_audio"].kind == "flag")
        by_name = {source_name(source) or source: source for source in sources}
        style = replace(style, media=embed_recordings(by_name, audio, story.say))
    outlet = open_outlet(settings.output, sources, style, overwrite=settings.overwrite)
    for name in in_force.unknown_variables:
        if asked := near(name, [variable_of(setting) for setting in Settings.model_fields]):
            story.say(f"ossicle: warning: {name} is in the environment, but no setting is called so{asked}")
    code = recordings.go_through(run, outlet, story, recordings.open_model)
    if code:
        raise typer.Exit(code)


def run_of(ctx: typer.Context, sources: tuple[str, ...], in_force: InForce, audio: AudioOptions) -> recordings.Run:
    """What the settings ask for, of these sources. Raises OptionError naming the option's field."""
    settings = in_force.settings
    language, languages = spoken(in_force)
    options = TranscribeOptions(
        language=language,
        languages=languages,
        smooth_languages=settings.smooth_languages,
        context=settings.context,
        glossary=read_glossary(settings.glossary) if settings.glossary else None,
        echo_guard=settings.echo_guard,
        reference=settings.reference,
        retries=settings.retries,
        words=word_timing(settings),
        aligner=settings.aligner,
        audio=audio,
        vad=vad_options(settings),
        split=SplitOptions(max_seconds=settings.chunk_seconds),
        decode=DecodeOptions(max_tokens=settings.max_tokens, temperature=settings.temperature, seed=settings.seed,
                             batch_size=settings.batch_size),
        speakers=speaker_options(settings),
    )
    return recordings.Run(
        sources=sources,
        model=settings.model,
        engine=engine_options(settings),
        where=source_options(settings),
        options=options,
        is_strict=settings.strict,
        is_debug=is_debug(ctx),
    )


def _sources(files: list[str]) -> tuple[str, ...]:
    if files.count("-") > 1:
        raise OptionError("'-' may stand once among the files: standard input can be read once")
    if "-" in files and sys.stdin is None:
        raise OptionError("'-' reads sound from standard input, which is closed; pipe a file into it")
    if "-" in files and sys.stdin.isatty():
        raise OptionError("'-' reads sound from standard input, which is a terminal; pipe a file into it")
    for file in files:
        if file != "-" and os.path.isdir(file):         # says no to a name that no system takes
            raise OptionError(f"{file} is a folder; name the files in it, as in {Path(file) / '*.wav'}")
    return tuple(files)


def context_of(text: str | None, file: Path | None) -> str | None:
    """--context, or what the file of --context-file holds, on one line. Raises OptionError."""
    if file is None:
        return text
    if text is not None:
        raise OptionError("--context and --context-file cannot both be given")
    try:
        return " ".join(file.read_text("utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"cannot read --context-file {file} as text: {error}") from error
