"""Every setting, written once: name, type, unit, default, reason. Imports nothing of ours but the errors.

Functions take one of these dataclasses, never a copy of its fields. `__post_init__` checks what was given and names
the field, the rule and the value.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

from ossicle.errors import OptionError

EngineName = Literal["auto", "mlx", "cpu"]
DtypeName = Literal["auto", "float32", "float16", "bfloat16"]
RawFormat = Literal["s16le", "f32le"]
KVDtypeName = Literal["auto", "float16", "float32"]
WordTimes = Literal["none", "auto", "aligner", "attention", "estimated"]
PresetName = Literal["standard", "netflix", "broadcast", "karaoke", "shorts"]

ENGINES: tuple[str, ...] = ("auto", "mlx", "cpu")
DTYPES: tuple[str, ...] = ("auto", "float32", "float16", "bfloat16")
RAW_FORMATS: tuple[str, ...] = ("s16le", "f32le")
WORD_TIMES: tuple[str, ...] = ("none", "auto", "aligner", "attention", "estimated")
KV_DTYPES: tuple[str, ...] = ("auto", "float16", "float32")
BITS: tuple[int, ...] = (2, 3, 4, 5, 6, 8)
GROUP_SIZES: tuple[int, ...] = (32, 64, 128)
MAX_THREADS = 256


@dataclass(frozen=True)
class AudioOptions:
    """How a source of sound is read."""

    rate: int | None = None              # Hz of an array or of raw bytes; a container states its own
    raw_format: RawFormat | None = None  # bytes without a container; None means that a container is expected
    raw_channels: int = 1                # interleaved channels of raw bytes
    start_seconds: float = 0.0           # the part to read begins here
    end_seconds: float | None = None     # and ends here; None is the end of the recording
    track: int | None = None             # which audio track of a container, from 0; None is its default track
    allow_url: bool = False              # servers must not fetch what a stranger names

    def __post_init__(self) -> None:
        _require_choice("raw_format", self.raw_format, (None, *RAW_FORMATS))
        if self.rate is not None:
            _require_between("rate", self.rate, 1, 768_000, "Hz")
        if self.raw_format is not None and self.rate is None:
            raise OptionError("raw_format needs rate: raw bytes do not say how many samples make a second; give rate=16000, say")
        _require_between("raw_channels", self.raw_channels, 1, 64)
        _require_at_least("start_seconds", self.start_seconds, 0)
        if self.end_seconds is not None and not self.end_seconds > self.start_seconds:
            raise OptionError(f"end_seconds must be later than start_seconds ({self.start_seconds:g}), got {self.end_seconds:g}")
        if self.track is not None:
            _require_at_least("track", self.track, 0)


@dataclass(frozen=True)
class SplitOptions:
    """How a long recording is cut into chunks. Every cut falls between two samples; nothing is lost or doubled."""

    max_seconds: float = 30.0            # one chunk; longer ones save nothing and are lost whole when they fail
    search_seconds: float = 8.0          # a cut is looked for this far back from the longest end; at most half a chunk
    quiet_seconds: float = 0.1           # loudness is averaged over this long; a plosive's closure is shorter

    def __post_init__(self) -> None:
        _require_between("max_seconds", self.max_seconds, 1, 1200, "s")
        _require_between("search_seconds", self.search_seconds, 0.1, 60, "s")
        _require_between("quiet_seconds", self.quiet_seconds, 0.01, 1, "s")


@dataclass(frozen=True)
class DecodeOptions:
    """How token ids are chosen and when choosing stops."""

    max_tokens: int | None = None        # per chunk; None means a budget by duration
    tokens_per_second: float = 16.0      # of that budget: fast speech in a script with long tokens stays below it
    min_tokens: int = 64                 # the smallest such budget: a short clip still gets its language tag and a phrase
    temperature: float = 0.0             # 0 is greedy; sampling only on request
    seed: int = 0                        # of sampling; the same seed gives the same tokens
    loop_guard: bool = True              # stop when one pattern repeats beyond what people say
    batch_size: int = 8                  # chunks decoded side by side; memory grows with it
    fill_budget: bool = False            # go on to the budget, past end tokens and loops: to time weights that never learned to end

    def __post_init__(self) -> None:
        for name in ("min_tokens", "seed", "batch_size", *(["max_tokens"] if self.max_tokens is not None else [])):
            _require_whole(name, getattr(self, name))
        if self.max_tokens is not None:
            _require_between("max_tokens", self.max_tokens, 1, 65_536)
        _require_between("tokens_per_second", self.tokens_per_second, 1, 1000)
        _require_between("min_tokens", self.min_tokens, 1, 65_536)
        _require_between("temperature", self.temperature, 0, 10)
        _require_at_least("seed", self.seed, 0)
        _require_between("batch_size", self.batch_size, 1, 256)

    def budget(self, seconds: float) -> int:
        """How many tokens a chunk of `seconds` may have, the end token included."""
        return self.max_tokens or max(self.min_tokens, math.ceil(seconds * self.tokens_per_second) + 16)


@dataclass(frozen=True)
class TranscribeOptions:
    """One transcription: what is known of the recording, and how it is to be treated."""

    language: str | None = None          # a name, ISO code or BCP-47 tag; None lets the model say
    languages: tuple[str, ...] = ()      # the languages that may be spoken: each piece is heard in the likeliest of them; () is any
    smooth_languages: bool = True        # hear a piece again that was unsure of its language, where its neighbours are sure of another
    context: str = ""                    # names and terms that may occur, as the model was trained to read them
    reference: bool = False              # decode as the official code does: one pass, no gate, no guard, no retries
    retries: int = 2                     # how often a chunk that ran out of budget or looped is halved and tried again
    strict: bool = False                 # an incomplete transcript is an error
    words: WordTimes = "none"            # how words are timed; auto is the best way for the language on this machine: see docs/words.md
    aligner: str | None = None           # forced aligner: a folder, hub id or short name; None is the one that goes with the model
    audio: AudioOptions = field(default_factory=AudioOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    decode: DecodeOptions = field(default_factory=DecodeOptions)

    def __post_init__(self) -> None:
        _require_whole("retries", self.retries)
        _require_between("retries", self.retries, 0, 8)
        _require_choice("words", self.words, WORD_TIMES)
        if isinstance(self.languages, str) or not all(isinstance(name, str) for name in self.languages):
            raise OptionError(f"languages must be several names, as in ('en', 'zh'); got {self.languages!r}")
        if self.language is not None and self.languages:
            raise OptionError(f"languages is a choice to hear from and language forces one: give one of them, got language "
                              f"{self.language!r} and languages {', '.join(self.languages)!r}")


@dataclass(frozen=True)
class CueOptions:
    """How words become cues of subtitles: what fits on the screen, and how long it stays there.

    Widths are columns: a Latin letter has one, a Han, kana or Hangul character two, a combining mark none. Reading speed
    counts the same columns, so 17 a second are 17 letters or eight and a half Chinese characters. Which limit yields where
    all cannot be kept: docs/formats.md.
    """

    max_line_width: int = 42             # columns; what fits a film in type that can be read from a sofa
    max_lines: int = 2                   # more of them hide the picture
    max_words: int | None = None         # in one cue; None is no limit. Without spaces between words, four columns count as one
    max_gap: float = 0.8                 # seconds; a longer pause ends the cue
    min_duration: float = 1.0            # seconds; a shorter cue is missed
    max_duration: float = 7.0            # seconds; a longer one is read twice
    max_cps: float = 17.0                # columns to read in a second; a cue stays longer for it where there is room
    max_linger: float = 1.5              # seconds that a cue may stay after its last word for the reading speed's sake
    min_gap: float = 2 / 24              # seconds of bare picture between two cues: the eye sees that the text has changed
    close_gap: float = 0.5               # seconds; a shorter rest than this flickers, so the cue before stays until `min_gap`
    word_times: bool = False             # vtt and lrc with a time before each word, ass with karaoke tags, tables of words
    speaker_labels: bool = True          # a name where the speaker changes, in formats that have no place of their own for it

    def __post_init__(self) -> None:
        for name in ("max_line_width", "max_lines", *(["max_words"] if self.max_words is not None else [])):
            _require_whole(name, getattr(self, name))
        _require_between("max_line_width", self.max_line_width, 4, 1000, "columns")
        _require_between("max_lines", self.max_lines, 1, 10)
        if self.max_words is not None:
            _require_between("max_words", self.max_words, 1, 1000)
        for name in ("max_gap", "min_duration", "max_duration", "max_linger", "min_gap", "close_gap"):
            _require_between(name, getattr(self, name), 0, 3600, "s")
        _require_between("max_duration", self.max_duration, 0.1, 3600, "s")
        _require_between("max_cps", self.max_cps, 1, 1000)
        if self.min_duration > self.max_duration:
            raise OptionError(f"min_duration must be at most max_duration ({self.max_duration:g} s), got {self.min_duration:g}")


@dataclass(frozen=True)
class EngineOptions:
    """Which engine runs the network, and in which numbers."""

    engine: EngineName = "auto"          # mlx where it has a GPU, or where only it can do what is asked; else cpu
    dtype: DtypeName = "auto"            # of activations; auto is the checkpoint's own, float32 where that has no hardware
    bits: int | Literal["auto"] | None = "auto"     # quantise the decoder while loading; None leaves it as stored, auto asks the engine
    group_size: int = 64                 # weights that share one scale, where bits are given
    encoder_bits: Literal["auto", 8] | None = "auto"    # of engine cpu; None leaves the encoder as stored, auto goes with the decoder
    threads: int | None = None           # of engine cpu's native kernels; None is one for each usable core (see model/threads.py)
    kv_dtype: KVDtypeName = "auto"       # of keys and values between steps, on engine cpu: float16 halves what every step reads

    def __post_init__(self) -> None:
        _require_choice("engine", self.engine, ENGINES)
        _require_choice("dtype", self.dtype, DTYPES)
        _require_choice("bits", self.bits, ("auto", None, *BITS))
        _require_choice("group_size", self.group_size, GROUP_SIZES)
        _require_choice("encoder_bits", self.encoder_bits, ("auto", None, 8))
        if self.threads is not None:
            _require_whole("threads", self.threads)
            _require_between("threads", self.threads, 1, MAX_THREADS)
        _require_choice("kv_dtype", self.kv_dtype, KV_DTYPES)


@dataclass(frozen=True)
class SourceOptions:
    """Where a checkpoint named by a hub id comes from."""

    revision: str | None = None          # branch, tag or commit; None is the main branch
    offline: bool = False                # only what is on this machine already
    cache_dir: str | None = None         # None is the hub client's own folder, shared with other programs
    show_progress: bool = False          # a bar on stderr while downloading


@dataclass(frozen=True)
class SpeedOptions:
    """How a model is timed."""

    runs: int = 5                        # that count; their median is reported
    warmup: int = 1                      # before them: the first one wakes threads and compiles kernels
    new_tokens: int | None = None        # every chunk gets exactly so many; None lets the model end it

    def __post_init__(self) -> None:
        for name in ("runs", "warmup", *(["new_tokens"] if self.new_tokens is not None else [])):
            _require_whole(name, getattr(self, name))
        _require_between("runs", self.runs, 1, 1000)
        _require_between("warmup", self.warmup, 0, 1000)
        if self.new_tokens is not None:
            _require_between("new_tokens", self.new_tokens, 1, 65_536)


def _require_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        listed = ", ".join("none" if choice is None else str(choice) for choice in choices)
        raise OptionError(f"{name} must be one of {listed}; got {value!r}")


def _require_whole(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise OptionError(f"{name} must be a whole number, got {value!r}")


def _require_between(name: str, value: float, low: float, high: float, unit: str = "") -> None:
    if not isinstance(value, int | float):
        raise OptionError(f"{name} must be a number, got {value!r}")
    if not low <= value <= high:             # also refuses NaN
        unit = f" {unit}" if unit else ""
        raise OptionError(f"{name} must be between {low:g} and {high:g}{unit}, got {value:g}")


def _require_at_least(name: str, value: float, low: float) -> None:
    if not isinstance(value, int | float):
        raise OptionError(f"{name} must be a number, got {value!r}")
    if not value >= low or value == math.inf:
        raise OptionError(f"{name} must be at least {low:g}, got {value:g}")
