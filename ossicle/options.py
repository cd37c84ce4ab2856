"""Every setting, written once: name, type, unit, default, reason. What a live session takes stands in
stream_options.py. Imports nothing of ours but checks, errors and the glossary.

Functions take one of these dataclasses, never a copy of its fields. `__post_init__` checks what was given and names
the field, the rule and the value.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

from ossicle.checks import require_at_least, require_between, require_choice, require_names, require_whole
from ossicle.errors import OptionError
from ossicle.glossary import Glossary

EngineName = Literal["auto", "mlx", "cpu"]
DtypeName = Literal["auto", "float32", "float16", "bfloat16"]
RawFormat = Literal["s16le", "f32le"]
KVDtypeName = Literal["auto", "float16", "float32"]
VadMode = Literal["auto", "silero", "energy", "none"]
WordTiming = Literal["none", "auto", "aligner", "attention", "estimated"]
PresetName = Literal["standard", "netflix", "broadcast", "karaoke", "shorts"]
DiarizeDevice = Literal["auto", "cpu", "cuda", "mps"]

ENGINES: tuple[str, ...] = ("auto", "mlx", "cpu")
DTYPES: tuple[str, ...] = ("auto", "float32", "float16", "bfloat16")
RAW_FORMATS: tuple[str, ...] = ("s16le", "f32le")
WORD_TIMINGS: tuple[str, ...] = ("none", "auto", "aligner", "attention", "estimated")
KV_DTYPES: tuple[str, ...] = ("auto", "float16", "float32")
VAD_MODES: tuple[str, ...] = ("auto", "silero", "energy", "none")
DIARIZE_DEVICES: tuple[str, ...] = ("auto", "cpu", "cuda", "mps")
SPEAKER_SOURCES: tuple[str, ...] = ("none", "sherpa", "pyannote", "channels")     # any other word is an RTTM file
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
        require_choice("raw_format", self.raw_format, (None, *RAW_FORMATS))
        if self.rate is not None:
            require_between("rate", self.rate, 1, 768_000, "Hz")
        if self.raw_format is not None and self.rate is None:
            raise OptionError("raw_format needs rate: raw bytes do not say how many samples make a second; give rate=16000, say")
        require_between("raw_channels", self.raw_channels, 1, 64)
        require_at_least("start_seconds", self.start_seconds, 0)
        if self.end_seconds is not None and not self.end_seconds > self.start_seconds:
            raise OptionError(f"end_seconds must be later than start_seconds ({self.start_seconds:g}), got {self.end_seconds:g}")
        if self.track is not None:
            require_at_least("track", self.track, 0)


@dataclass(frozen=True)
class SplitOptions:
    """How a long recording is cut into chunks. Every cut falls between two samples; nothing is lost or doubled."""

    max_seconds: float = 30.0            # one chunk; longer ones save nothing and are lost whole when they fail
    search_seconds: float = 8.0          # a cut is looked for this far back from the longest end; at most half a chunk
    quiet_seconds: float = 0.1           # loudness is averaged over this long; a plosive's closure is shorter

    def __post_init__(self) -> None:
        require_between("max_seconds", self.max_seconds, 1, 1200, "s")
        require_between("search_seconds", self.search_seconds, 0.1, 60, "s")
        require_between("quiet_seconds", self.quiet_seconds, 0.01, 1, "s")


@dataclass(frozen=True)
class VadOptions:
    """What of a recording is decoded. Lenient on purpose: what is left out here is lost, what is decoded for nothing costs a little."""

    mode: VadMode = "auto"               # silero: gate and voice detector; energy: the gate alone; none: all; auto: silero where installed
    threshold: float = 0.25              # probability at which speech begins; above 0.5, soft speech and speech over music go unheard
    pad_seconds: float = 0.4             # decoded before and after what was heard: beginnings are soft, ends fade
    min_silence_seconds: float = 3.0     # a shorter pause is decoded with the speech around it: it keeps the context together
    silence_dbfs: float = -65.0          # the gate: softer is silence; speech 45 dB below the usual still passes, dither does not
    keep_dbfs: float = -40.0             # louder sound is decoded though no speech is heard in it: there may be some under the music

    def __post_init__(self) -> None:
        require_choice("mode", self.mode, VAD_MODES)
        require_between("threshold", self.threshold, 0.01, 0.99)
        require_between("pad_seconds", self.pad_seconds, 0, 10, "s")
        require_between("min_silence_seconds", self.min_silence_seconds, 0.1, 3600, "s")
        require_between("silence_dbfs", self.silence_dbfs, -150, 0, "dBFS")
        require_between("keep_dbfs", self.keep_dbfs, -150, 20, "dBFS")


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
            require_whole(name, getattr(self, name))
        if self.max_tokens is not None:
            require_between("max_tokens", self.max_tokens, 1, 65_536)
        require_between("tokens_per_second", self.tokens_per_second, 1, 1000)
        require_between("min_tokens", self.min_tokens, 1, 65_536)
        require_between("temperature", self.temperature, 0, 10)
        require_at_least("seed", self.seed, 0)
        require_between("batch_size", self.batch_size, 1, 256)

    def budget(self, seconds: float) -> int:
        """How many tokens a chunk of `seconds` may have, the end token included."""
        return self.max_tokens or max(self.min_tokens, math.ceil(seconds * self.tokens_per_second) + 16)


@dataclass(frozen=True)
class SourceOptions:
    """Where a checkpoint named by a hub id comes from."""

    revision: str | None = None          # branch, tag or commit; None is the main branch
    offline: bool = False                # only what is on this machine already
    cache_dir: str | None = None         # None is the hub client's own folder, shared with other programs
    show_progress: bool = False          # a bar on stderr while downloading


@dataclass(frozen=True)
class SpeakerOptions:
    """Who speaks when: where the turns come from, and what the speakers are called."""

    source: str | PurePath = "none"      # sherpa, pyannote, channels, an RTTM file, or a folder of them named as the recordings
    num_speakers: int | None = None      # exactly so many, where that is known; of sherpa, pyannote and a caller's function
    min_speakers: int | None = None      # at least and
    max_speakers: int | None = None      # at most so many, where it is not
    names: Mapping[str, str] = field(default_factory=dict)      # by label or by number from 0, in order of the first turn
    device: DiarizeDevice = "auto"       # of pyannote; sherpa runs on the processor
    model: str | None = None             # sherpa: a folder of models; pyannote: a folder or a hub id; None is the default
    threshold: float = 0.5               # of sherpa, where no number is given: higher finds fewer speakers; 0.5 is its own default
    token: str | None = field(default=None, repr=False)     # of a gated hub model; None leaves it to the hub client (HF_TOKEN)
    download: SourceOptions = field(default_factory=SourceOptions)

    def __post_init__(self) -> None:
        if not self.is_file and self.source not in SPEAKER_SOURCES:
            raise OptionError(f"speakers must be one of {', '.join(SPEAKER_SOURCES)}, an RTTM file (talk.rttm) or a folder of them "
                              f"(./rttm); got {str(self.source)!r}")
        bounds = {"num_speakers": self.num_speakers, "min_speakers": self.min_speakers, "max_speakers": self.max_speakers}
        given = {name: value for name, value in bounds.items() if value is not None}
        for name, value in given.items():
            require_whole(name, value)
            require_between(name, value, 1, 100)
        if given and (self.is_file or self.source == "channels"):
            raise OptionError(f"{next(iter(given))} is for sherpa and pyannote; {self.source} itself says who speaks: leave it out")
        if self.num_speakers is not None and len(given) > 1:
            raise OptionError("num_speakers is an exact number, min_speakers and max_speakers are bounds: give the one or the others")
        if self.min_speakers is not None and self.max_speakers is not None and self.min_speakers > self.max_speakers:
            raise OptionError(f"min_speakers must be at most max_speakers ({self.max_speakers}), got {self.min_speakers}")
        for label, name in self.names.items():
            if not label.strip() or not name.strip() or not (label + name).isprintable():
                raise OptionError(f"speaker_names must be pairs as 0=Ann or SPEAKER_00=Ann in printable characters, got {label!r}={name!r}")
        require_choice("device", self.device, DIARIZE_DEVICES)
        require_between("threshold", self.threshold, 0, 2)

    @property
    def is_wanted(self) -> bool:
        """Whether turns are asked for at all."""
        return self.source != "none"

    @property
    def is_file(self) -> bool:
        """Whether the turns are written in a file, or in one of a folder."""
        text = str(self.source)
        return isinstance(self.source, PurePath) or text.lower().endswith(".rttm") or "/" in text or "\\" in text


def read_names(text: str) -> dict[str, str]:
    """Speaker names from `0=Ann,1=Bo` or `SPEAKER_00=Ann`. Raises OptionError for anything else."""
    names: dict[str, str] = {}
    for pair in filter(str.strip, text.split(",")):
        label, equals, name = (part.strip() for part in pair.partition("="))
        if not (equals and label and name):
            raise OptionError(f"speaker_names must be pairs parted by commas, as in 0=Ann,1=Bo; got {pair.strip()!r}")
        if label in names:
            raise OptionError(f"speaker_names must name each speaker once, got {label} twice")
        names[label] = name
    return names


@dataclass(frozen=True)
class SegmentOptions:
    """Where segments end, once words have times: at sentence ends, pauses, and changes of speaker or language."""

    pause_seconds: float = 0.8           # between two words; shorter ones stand inside sentences
    max_seconds: float = 20.0            # a longer sentence is cut at a clause mark, else at its longest pause

    def __post_init__(self) -> None:
        require_between("pause_seconds", self.pause_seconds, 0.1, 60, "s")
        require_between("max_seconds", self.max_seconds, 1, 1200, "s")


@dataclass(frozen=True)
class TranscribeOptions:
    """One transcription: what is known of the recording, and how it is to be treated."""

    language: str | None = None          # a name, ISO code or BCP-47 tag; None lets the model say
    languages: tuple[str, ...] = ()      # the languages that may be spoken: each piece is heard in the likeliest of them; () is any
    smooth_languages: bool = True        # hear a piece again that was unsure of its language, where its neighbours are sure of another
    context: str = ""                    # names and terms that may occur, as the model was trained to read them
    glossary: Glossary | None = None     # terms that join the context, and what is written otherwise in the text
    glossary_tokens: int = 1000          # of the context for terms, at most: each batch of pieces reads them all
    echo_guard: bool = True              # decode a piece again without the context where its reply may only repeat that
    reference: bool = False              # decode as the official code does: one pass, no gate or detector, no guard, no retries
    retries: int = 2                     # how often a chunk that ran out of budget or looped is halved and tried again
    strict: bool = False                 # an incomplete transcript is an error
    words: WordTiming = "none"           # how words are timed; auto is the best way for the language on this machine: see docs/words.md
    aligner: str | None = None           # forced aligner: a folder, hub id or short name; None is the one that goes with the model
    audio: AudioOptions = field(default_factory=AudioOptions)
    vad: VadOptions = field(default_factory=VadOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    decode: DecodeOptions = field(default_factory=DecodeOptions)
    speakers: SpeakerOptions = field(default_factory=SpeakerOptions)
    segments: SegmentOptions = field(default_factory=SegmentOptions)

    def __post_init__(self) -> None:
        require_whole("retries", self.retries)
        require_between("retries", self.retries, 0, 8)
        require_choice("words", self.words, WORD_TIMINGS)
        if self.glossary is not None and not isinstance(self.glossary, Glossary):
            raise OptionError(f"glossary must be a Glossary, as read_glossary gives it; got {type(self.glossary).__name__}")
        require_whole("glossary_tokens", self.glossary_tokens)
        require_between("glossary_tokens", self.glossary_tokens, 0, 32_768)
        require_names("languages", self.languages)
        if self.language is not None and self.languages:
            raise OptionError(f"languages is a choice to hear from and language forces one: give one of them, got language "
                              f"{self.language!r} and languages {', '.join(self.languages)!r}")


@dataclass(frozen=True)
class DetectOptions:
    """Which language a recording is in, without its text."""

    languages: tuple[str, ...] = ()      # to choose from; () is all that the model knows
    max_chunks: int | None = 8           # of a long recording so many are listened to, from its beginning to its end; None is all
    batch_size: int = 8                  # of them side by side
    audio: AudioOptions = field(default_factory=AudioOptions)
    split: SplitOptions = field(default_factory=SplitOptions)

    def __post_init__(self) -> None:
        require_names("languages", self.languages)
        for name in ("batch_size", *(["max_chunks"] if self.max_chunks is not None else [])):
            require_whole(name, getattr(self, name))
            require_between(name, getattr(self, name), 1, 100_000 if name == "max_chunks" else 256)


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
            require_whole(name, getattr(self, name))
        require_between("max_line_width", self.max_line_width, 4, 1000, "columns")
        require_between("max_lines", self.max_lines, 1, 10)
        if self.max_words is not None:
            require_between("max_words", self.max_words, 1, 1000)
        for name in ("max_gap", "min_duration", "max_duration", "max_linger", "min_gap", "close_gap"):
            require_between(name, getattr(self, name), 0, 3600, "s")
        require_between("max_duration", self.max_duration, 0.1, 3600, "s")
        require_between("max_cps", self.max_cps, 1, 1000)
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
        require_choice("engine", self.engine, ENGINES)
        require_choice("dtype", self.dtype, DTYPES)
        require_choice("bits", self.bits, ("auto", None, *BITS))
        require_choice("group_size", self.group_size, GROUP_SIZES)
        require_choice("encoder_bits", self.encoder_bits, ("auto", None, 8))
        if self.threads is not None:
            require_whole("threads", self.threads)
            require_between("threads", self.threads, 1, MAX_THREADS)
        require_choice("kv_dtype", self.kv_dtype, KV_DTYPES)


@dataclass(frozen=True)
class SpeedOptions:
    """How a model is timed."""

    runs: int = 5                        # that count; their median is reported
    warmup: int = 1                      # before them: the first one wakes threads and compiles kernels
    new_tokens: int | None = None        # every chunk gets exactly so many; None lets the model end it

    def __post_init__(self) -> None:
        for name in ("runs", "warmup", *(["new_tokens"] if self.new_tokens is not None else [])):
            require_whole(name, getattr(self, name))
        require_between("runs", self.runs, 1, 1000)
        require_between("warmup", self.warmup, 0, 1000)
        if self.new_tokens is not None:
            require_between("new_tokens", self.new_tokens, 1, 65_536)
