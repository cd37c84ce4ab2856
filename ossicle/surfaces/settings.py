"""Which settings are in force, and whence: flags over environment (OSSICLE_*) over a TOML file over defaults.

Knows names and types; what a number may be is said once, in options.py, by whoever builds the options from here.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from ossicle.errors import OptionError
from ossicle.formats.presets import preset
from ossicle.formats.registry import ALL, FORMATS, find_formats
from ossicle.options import (
    CueOptions,
    DecodeOptions,
    DiarizeDevice,
    DtypeName,
    EngineName,
    EngineOptions,
    KVDtypeName,
    PresetName,
    SourceOptions,
    SplitOptions,
    TranscribeOptions,
    VadMode,
    VadOptions,
    WordTiming,
)

PREFIX = "OSSICLE_"
CONFIG_VARIABLE = "OSSICLE_CONFIG"              # names the file; not a setting itself
Bits = int | Literal["auto", "none"]            # a file and the environment have no other word for None
KINDS = {                                       # what pydantic's complaints mean to the one who wrote the value
    "int_parsing": "a whole number", "int_type": "a whole number", "int_from_float": "a whole number",
    "float_parsing": "a number", "float_type": "a number",
    "bool_parsing": "true or false", "bool_type": "true or false", "string_type": "text in quotes",
}


class Settings(BaseModel):
    """Every setting of the programs that may stand in a file: name, type, default, meaning."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field("0.6b", description="A short name (0.6b, 1.7b, tiny), a hub id (org/name) or a folder")
    revision: str | None = Field(None, description="Branch, tag or commit of a hub model; default is main")
    cache_dir: str | None = Field(None, description="Where downloaded models lie; default is the hub client's own folder")
    offline: bool = Field(False, description="Use only models that are on this machine")
    engine: EngineName = Field("auto", description="Which engine runs the network")
    dtype: DtypeName = Field("auto", description="Numbers of the activations; auto is what suits checkpoint and device")
    bits: Bits = Field("auto", description=(
        "Quantise the decoder while loading: 2, 3, 4, 5, 6 or 8 (engine cpu: 4 or 8); none leaves it as stored. "
        "auto is none on engine mlx; engine cpu takes 8 for larger models, where its native kernels are there"))
    encoder_bits: Bits = Field("auto", description=(
        "The same of the encoder, on engine cpu: 8 or none; auto is 8 where the decoder is quantised while loading"))
    group_size: int = Field(EngineOptions.group_size, description=(
        "With bits: weights that share one scale, 32, 64 or 128 (engine cpu: 32 or 64)"))
    kv_dtype: KVDtypeName = Field("auto", description=(
        "Keys and values kept between steps, on engine cpu; auto is float16 where its native kernels are there and dtype is not float32"))
    threads: int | None = Field(None, description=(
        "Processor threads of engine cpu's native kernels; default is one for each core this process may use"))
    language: str | None = Field(None, description="Language spoken, as in `ossicle languages`; default, or 'auto', lets the model hear")
    languages: str | None = Field(None, description=(
        "Languages that may be spoken, with commas (en,zh): each piece is heard in the likeliest of them; default, or 'auto', is any"))
    smooth_languages: bool = Field(TranscribeOptions.smooth_languages, description=(
        "Hear a piece again that was unsure of its language, where the pieces around it are sure of another"))
    speakers: str = Field("none", description=(
        "Say who speaks: sherpa or pyannote listen for voices (each an extra to install), channels takes each channel for one voice, "
        "talk.rttm or a folder of such files tells the turns; none asks for no speakers"))
    num_speakers: int | None = Field(None, description="Exactly so many speakers, where that is known")
    min_speakers: int | None = Field(None, description="At least so many speakers")
    max_speakers: int | None = Field(None, description="At most so many speakers")
    speaker_names: str = Field("", description=(
        "Names by label or by number in order of the first turn, as in 0=Ann,1=Bo or SPEAKER_00=Ann; two of one name become one"))
    diarize_device: DiarizeDevice = Field("auto", description="Where pyannote runs; what fails there goes on on the processor")
    diarize_model: str | None = Field(None, description=(
        "Other models to tell speakers apart: a folder for sherpa, a folder or hub id for pyannote"))
    context: str = Field("", description="Names and terms that may occur, separated by spaces")
    glossary: str | None = Field(None, description=(
        "A file of terms, what they are misheard as, and what is written otherwise (docs/languages.md)"))
    echo_guard: bool = Field(TranscribeOptions.echo_guard, description=(
        "Decode a piece again without context where its reply may only repeat that"))
    format: str = Field("txt", description=(
        "txt: the text. json: an object, or an array for several files. jsonl: a line per segment as soon as it is final. "
        f"Also {', '.join(list(FORMATS)[3:])}; several with commas, or all of them with {ALL}, need --output"))
    output: str | None = Field(None, description="Write one file per recording here, not to stdout: talk.wav becomes talk.txt")
    overwrite: bool = Field(False, description="Replace output files of an earlier run instead of refusing to")
    preset: PresetName = Field("standard", description="Limits of subtitle cues by name; the flags below change single ones")
    max_line_width: int | None = Field(None, description=(
        f"Columns of a line of subtitles, where a Chinese character counts two; standard is {CueOptions.max_line_width}"))
    max_lines: int | None = Field(None, description=f"Lines of a cue; standard is {CueOptions.max_lines}")
    max_words: int | None = Field(None, description="Words of a cue; standard is no limit")
    max_gap: float | None = Field(None, description=f"Seconds of a pause that ends a cue; standard is {CueOptions.max_gap:g}")
    min_duration: float | None = Field(None, description=f"Seconds that a cue stays at least; standard is {CueOptions.min_duration:g}")
    max_duration: float | None = Field(None, description=f"Seconds that a cue stays at most; standard is {CueOptions.max_duration:g}")
    max_cps: float | None = Field(None, description=f"Columns to read in a second; standard is {CueOptions.max_cps:g}")
    word_times: bool | None = Field(None, description=(
        "Times of words inside the cues of vtt, lrc and ass (karaoke), and words as the rows of csv, tsv and audacity"))
    speaker_labels: bool | None = Field(None, description=(
        "Names of speakers in subtitles, where the transcript knows several; standard is yes"))
    embed_audio: bool = Field(False, description=(
        "Carry the recording inside the page of format html, in some 15 MB an hour; without it the page plays the file that is there"))
    tokens: bool = Field(False, description="Add every token with its log-probability to the chunks of JSON")
    words: WordTiming | None = Field(None, description=(
        "How words are timed. aligner: by a second model, made for it. attention: by the recogniser itself. estimated: by loudness. "
        "auto: the best of these for the language. Default is none for txt, auto for all other formats"))
    aligner: str | None = Field(None, description=(
        "The forced aligner that times words: a short name, a hub id or a folder; default is the one that goes with the model"))
    strict: bool = Field(False, description="Exit code 1 also for a transcript with gaps, which is written all the same")
    quiet: bool = Field(False, description="Say nothing on stderr but errors")
    reference: bool = Field(False, description=(
        "Decode as the official code does: one pass up to 20 minutes, no voice detector, no loop guard, no retries"))
    chunk_seconds: float = Field(SplitOptions.max_seconds, description="Longest piece that is decoded at once; cuts fall into pauses")
    vad: VadMode = Field("auto", description=(
        "What is decoded. silero: what a voice detector or loud sound does not rule out. energy: what is not silent. none: all. "
        "auto: silero, where its package is installed"))
    vad_threshold: float = Field(VadOptions.threshold, description=(
        "Probability at which speech begins, for silero; above 0.5, soft speech and speech over music go unheard"))
    vad_pad: float = Field(VadOptions.pad_seconds, description="Seconds decoded before and after what was heard")
    vad_min_silence: float = Field(VadOptions.min_silence_seconds, description=(
        "Seconds of a pause from which on it is left out; a shorter one is decoded with the speech around it"))
    vad_silence_dbfs: float = Field(VadOptions.silence_dbfs, description="Softer than this is silence")
    vad_keep_dbfs: float = Field(VadOptions.keep_dbfs, description=(
        "Louder than this is decoded though no speech is heard in it; 0 leaves out music and noise, and speech that they hide"))
    batch_size: int = Field(DecodeOptions.batch_size, description="Pieces decoded side by side; more needs more memory")
    max_tokens: int | None = Field(None, description="Tokens per piece; default is a budget by duration")
    temperature: float = Field(DecodeOptions.temperature, description="0 takes the likeliest token, above it they are drawn by chance")
    seed: int = Field(DecodeOptions.seed, description="Of that chance: the same seed gives the same text")
    retries: int = Field(TranscribeOptions.retries, description="How often a piece that failed is halved and tried again")
    allow_url: bool = Field(False, description="Fetch recordings that are named by an http(s) URL")

    @field_validator("format")
    @classmethod
    def _check_format(cls, value: str) -> str:
        try:
            find_formats(value)
        except OptionError as error:
            raise PydanticCustomError("format", f"one or several of {', '.join(FORMATS)}, or {ALL}") from error
        return value


LAYERS = ("flag", "environment", "file", "default")         # the first that has a value decides


@dataclass(frozen=True)
class Origin:
    """Where the value of one setting was written."""

    kind: Literal["flag", "environment", "file", "default"]
    name: str                                   # "--max-tokens", "OSSICLE_MAX_TOKENS", "FILE: max_tokens"

    def __str__(self) -> str:
        return self.kind if self.kind == "default" else self.name


@dataclass(frozen=True)
class InForce:
    """Settings with their origins, and what else was found on the way."""

    settings: Settings
    origins: Mapping[str, Origin]
    file: Path                                  # the configuration file, whether it exists or not
    file_exists: bool
    unknown_variables: tuple[str, ...] = ()     # OSSICLE_ names of the environment that are no setting


def read_settings(flags: Mapping[str, Any], config: Path | None = None, environment: Mapping[str, str] | None = None) -> InForce:
    """Put the layers together.

    flags     by setting name; None means not given
    config    the file the user named; else OSSICLE_CONFIG, else the one of the user's configuration folder, if there

    Raises OptionError naming the place, the key, what is allowed and near names.
    """
    environment = os.environ if environment is None else environment
    file = config_path(config, environment)
    is_named = config is not None or bool(environment.get(CONFIG_VARIABLE))
    layers: list[tuple[dict[str, Any], dict[str, Origin]]] = [
        _from_file(file, is_named), _from_environment(environment), _from_flags(flags)]
    values: dict[str, Any] = {}
    origins = {name: Origin("default", "default") for name in Settings.model_fields}
    for found, whence in layers:
        values |= found
        origins |= whence
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise OptionError(_say_invalid(error, origins)) from error
    return InForce(settings, origins, file, file.is_file(), _unknown_variables(environment))


def config_path(config: Path | None = None, environment: Mapping[str, str] | None = None) -> Path:
    """The configuration file that counts: the named one, else OSSICLE_CONFIG, else the user's own."""
    named = config or (os.environ if environment is None else environment).get(CONFIG_VARIABLE)
    return Path(named).expanduser() if named else Path(platformdirs.user_config_dir("ossicle")) / "config.toml"


def variable_of(setting: str) -> str:
    """The name of a setting in the environment."""
    return PREFIX + setting.upper()


def engine_options(settings: Settings) -> EngineOptions:
    """What the settings say of the engine: every field of the options is a setting of the same name. Raises OptionError."""
    values = {field.name: getattr(settings, field.name) for field in fields(EngineOptions)}
    plain: dict[str, Any] = {name: None if value == "none" else value for name, value in values.items()}
    return EngineOptions(**plain)


def word_timing(settings: Settings) -> WordTiming:
    """How words are timed: as asked for, or as the formats need it."""
    formats = {name.strip().lower() for name in settings.format.split(",")}
    return settings.words or ("none" if formats == {"txt"} else "auto")


def forced_language(settings: Settings) -> str | None:
    """The language that the model is told; None lets it hear."""
    return None if (settings.language or "auto").lower() == "auto" else settings.language


def cue_options(settings: Settings, language: str | None = None) -> CueOptions:
    """What the settings say of cues, for a transcript in this language. Raises OptionError."""
    names = {field.name for field in fields(CueOptions)} & set(Settings.model_fields)
    return preset(settings.preset, language, **{name: getattr(settings, name) for name in names})


def spoken(in_force: InForce) -> tuple[str | None, tuple[str, ...]]:
    """The language that the model is told, and those that it may choose from; of two, that which was written nearer to the command."""
    settings = in_force.settings
    language, listed = forced_language(settings), (settings.languages or "auto")
    languages = () if listed.lower() == "auto" else tuple(part.strip() for part in listed.split(",") if part.strip())
    if language is not None and languages:
        far_language, far_languages = (LAYERS.index(in_force.origins[name].kind) for name in ("language", "languages"))
        language = None if far_language > far_languages else language
        languages = () if far_languages > far_language else languages
    return language, languages


def vad_options(settings: Settings) -> VadOptions:
    """What the settings say of what is worth decoding. Raises OptionError."""
    return VadOptions(settings.vad, settings.vad_threshold, settings.vad_pad, settings.vad_min_silence, settings.vad_silence_dbfs,
                      settings.vad_keep_dbfs)


def source_options(settings: Settings) -> SourceOptions:
    """What the settings say of where models come from."""
    return SourceOptions(settings.revision, settings.offline, settings.cache_dir)


def _from_file(file: Path, is_named: bool) -> tuple[dict[str, Any], dict[str, Origin]]:
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        if not is_named:
            return {}, {}
        raise OptionError(f"expected a configuration file at {file}, found none; check --config and {CONFIG_VARIABLE}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise OptionError(f"cannot read the configuration file {file}: {error}") from error
    for key in found:
        if key not in Settings.model_fields:
            asked = near(key, Settings.model_fields)
            raise OptionError(f"{file}: no setting is called {key!r}{asked}; `ossicle config show` lists them all")
    return found, {key: Origin("file", f"{file}: {key}") for key in found}


def _from_environment(environment: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Origin]]:
    found = {name: value for name in Settings.model_fields if (value := environment.get(variable_of(name)))}
    return found, {name: Origin("environment", variable_of(name)) for name in found}


def _from_flags(flags: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Origin]]:
    found = {name: value for name, value in flags.items() if value is not None}
    return found, {name: Origin("flag", flag_of(name)) for name in found}


def flag_of(setting: str) -> str:
    """The name of a setting on the command line."""
    return "--" + setting.replace("_", "-")


def near(name: str, known: Any) -> str:
    """A question back to someone who mistyped a name; empty when nothing is near."""
    by_key = {_key(choice): choice for choice in known}
    found = difflib.get_close_matches(_key(name), by_key, n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(by_key[key] for key in found)}?" if found else ""


def _key(name: str) -> str:
    return name.lower().replace("-", "_").removeprefix(PREFIX.lower())


def _unknown_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    known = {variable_of(name) for name in Settings.model_fields} | {CONFIG_VARIABLE}
    return tuple(sorted(name for name in environment if name.startswith(PREFIX) and name not in known))


def _say_invalid(error: ValidationError, origins: Mapping[str, Origin]) -> str:
    expected: dict[str, list[str]] = {}             # a setting of several kinds has a complaint for each of them
    values: dict[str, Any] = {}
    for problem in error.errors():
        key = str(problem["loc"][0])
        expected.setdefault(key, []).append(KINDS.get(problem["type"]) or problem["msg"].removeprefix("Input should be "))
        values[key] = problem["input"]
    said = []
    for key, kinds in expected.items():
        known = FORMATS if key == "format" else _choices(Settings.model_fields[key].annotation)
        suggestion = near(values[key], known) if isinstance(values[key], str) else ""
        said.append(f"{origins[key]} must be {', or '.join(kinds)}; got {values[key]!r}{suggestion}")
    return "; ".join(said)


def _choices(annotation: Any) -> tuple[str, ...]:
    parts = get_args(annotation)
    return tuple(part for part in parts if isinstance(part, str)) + tuple(choice for part in parts for choice in _choices(part))
