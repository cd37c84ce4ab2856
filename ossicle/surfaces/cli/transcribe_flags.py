"""The flags of `ossicle transcribe`. Those that are settings take their meaning and default from settings.py."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ossicle.options import (
    DiarizeDevice,
    DtypeName,
    EngineName,
    KVDtypeName,
    PresetName,
    RawFormat,
    VadMode,
    WordTiming,
)
from ossicle.surfaces.cli.flags import complete_format, complete_language, complete_model, complete_speakers
from ossicle.surfaces.settings import Settings, flag_of

SOUND, MODEL, SPEECH, VOICES, RESULT, CUES = "What to read", "Model", "Recognition", "Speakers", "Result", "Subtitles"
TIME = re.compile(r"((\d+:)?[0-5]?\d:[0-5]?\d|\d+:[0-5]?\d|\d+)(\.\d*)?|\.\d+")


def seconds(text: str) -> float:
    """`90`, `1:30` or `0:01:30.5` as seconds."""
    if not TIME.fullmatch(text):
        raise typer.BadParameter(f"expected seconds, m:ss or h:mm:ss, got {text!r}")
    total = 0.0
    for part in text.split(":"):
        total = 60 * total + float(part)
    return total


def _setting(name: str, panel: str, *short: str, metavar: str | None = None, complete: Callable[..., Any] | None = None) -> Any:
    field = Settings.model_fields[name]
    is_switch = field.annotation in (bool, bool | None)
    default = "" if is_switch or field.default in (None, "") else f"; default is {_plain(field.default)}"
    flag = flag_of(name)
    names = (f"{flag}/--no-{flag[2:]}" if is_switch else flag, *short)
    return typer.Option(*names, help=f"{field.description}{default}.", rich_help_panel=panel, metavar=metavar, autocompletion=complete)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


Files = Annotated[list[str], typer.Argument(
    metavar="FILES", help="Sound or video files, '-' for standard input, or with --allow-url http(s) URLs.")]

Start = Annotated[float | None, typer.Option(
    "--start", parser=seconds, metavar="TIME", rich_help_panel=SOUND, help="Begin here: seconds, m:ss or h:mm:ss.")]
End = Annotated[float | None, typer.Option(
    "--end", parser=seconds, metavar="TIME", rich_help_panel=SOUND, help="End here; default is the end of the recording.")]
Track = Annotated[int | None, typer.Option(
    "--track", rich_help_panel=SOUND, help="Which audio track of a container, from 0; default is its default track.")]
Raw = Annotated[RawFormat | None, typer.Option(
    "--raw", rich_help_panel=SOUND, help="The input is samples without a container, in this form; needs --rate.")]
Rate = Annotated[int | None, typer.Option("--rate", metavar="HZ", rich_help_panel=SOUND, help="Samples per second of --raw.")]
Channels = Annotated[int | None, typer.Option(
    "--channels", rich_help_panel=SOUND, help="Interleaved channels of --raw; default is 1.")]
AllowUrl = Annotated[bool | None, _setting("allow_url", SOUND)]

Model = Annotated[str | None, _setting("model", MODEL, "-m", metavar="MODEL", complete=complete_model)]
Engine = Annotated[EngineName | None, _setting("engine", MODEL)]
Dtype = Annotated[DtypeName | None, _setting("dtype", MODEL)]
Bits = Annotated[str | None, _setting("bits", MODEL, metavar="BITS")]                           # "auto" and "none" are words of it
EncoderBits = Annotated[str | None, _setting("encoder_bits", MODEL, metavar="BITS")]
GroupSize = Annotated[int | None, _setting("group_size", MODEL)]
KVDtype = Annotated[KVDtypeName | None, _setting("kv_dtype", MODEL)]
Threads = Annotated[int | None, _setting("threads", MODEL)]
Revision = Annotated[str | None, _setting("revision", MODEL)]
CacheDir = Annotated[str | None, _setting("cache_dir", MODEL, metavar="DIR")]
Offline = Annotated[bool | None, _setting("offline", MODEL)]

Language = Annotated[str | None, _setting("language", SPEECH, "-l", complete=complete_language)]
Languages = Annotated[str | None, _setting("languages", SPEECH, metavar="LANGUAGES")]
SmoothLanguages = Annotated[bool | None, _setting("smooth_languages", SPEECH)]
Context = Annotated[str | None, _setting("context", SPEECH)]
Glossary = Annotated[str | None, _setting("glossary", SPEECH, metavar="FILE")]
EchoGuard = Annotated[bool | None, _setting("echo_guard", SPEECH)]
ContextFile = Annotated[Path | None, typer.Option(
    "--context-file", metavar="FILE", rich_help_panel=SPEECH, help="The same from a text file.")]
Reference = Annotated[bool | None, _setting("reference", SPEECH)]
ChunkSeconds = Annotated[float | None, _setting("chunk_seconds", SPEECH)]
Vad = Annotated[VadMode | None, _setting("vad", SPEECH)]
VadThreshold = Annotated[float | None, _setting("vad_threshold", SPEECH)]
VadPad = Annotated[float | None, _setting("vad_pad", SPEECH)]
VadMinSilence = Annotated[float | None, _setting("vad_min_silence", SPEECH)]
VadSilenceDbfs = Annotated[float | None, _setting("vad_silence_dbfs", SPEECH)]
VadKeepDbfs = Annotated[float | None, _setting("vad_keep_dbfs", SPEECH)]
BatchSize = Annotated[int | None, _setting("batch_size", SPEECH)]
MaxTokens = Annotated[int | None, _setting("max_tokens", SPEECH)]
Temperature = Annotated[float | None, _setting("temperature", SPEECH)]
Seed = Annotated[int | None, _setting("seed", SPEECH)]
Retries = Annotated[int | None, _setting("retries", SPEECH)]

Speakers = Annotated[str | None, _setting("speakers", VOICES, metavar="SOURCE", complete=complete_speakers)]
NumSpeakers = Annotated[int | None, _setting("num_speakers", VOICES)]
MinSpeakers = Annotated[int | None, _setting("min_speakers", VOICES)]
MaxSpeakers = Annotated[int | None, _setting("max_speakers", VOICES)]
SpeakerNames = Annotated[str | None, _setting("speaker_names", VOICES, metavar="NAMES")]
DiarizeDeviceFlag = Annotated[DiarizeDevice | None, _setting("diarize_device", VOICES)]
DiarizeModel = Annotated[str | None, _setting("diarize_model", VOICES, metavar="MODEL")]

Format = Annotated[str | None, _setting("format", RESULT, "-f", metavar="FORMATS", complete=complete_format)]
Output = Annotated[str | None, _setting("output", RESULT, "-o", metavar="DIR")]
Overwrite = Annotated[bool | None, _setting("overwrite", RESULT)]
EmbedAudio = Annotated[bool | None, _setting("embed_audio", RESULT)]
Tokens = Annotated[bool | None, _setting("tokens", RESULT)]
Words = Annotated[WordTiming | None, _setting("words", RESULT)]
Aligner = Annotated[str | None, _setting("aligner", MODEL, metavar="MODEL", complete=complete_model)]
Strict = Annotated[bool | None, _setting("strict", RESULT)]
Quiet = Annotated[bool | None, _setting("quiet", RESULT, "-q")]

Preset = Annotated[PresetName | None, _setting("preset", CUES)]
MaxLineWidth = Annotated[int | None, _setting("max_line_width", CUES)]
MaxLines = Annotated[int | None, _setting("max_lines", CUES)]
MaxWords = Annotated[int | None, _setting("max_words", CUES)]
MaxGap = Annotated[float | None, _setting("max_gap", CUES)]
MinDuration = Annotated[float | None, _setting("min_duration", CUES)]
MaxDuration = Annotated[float | None, _setting("max_duration", CUES)]
MaxCps = Annotated[float | None, _setting("max_cps", CUES)]
WordTimes = Annotated[bool | None, _setting("word_times", CUES)]
SpeakerLabels = Annotated[bool | None, _setting("speaker_labels", CUES)]
