"""What a caller gets: frozen, typed, JSON-ready. Imports nothing of ours.

Times are seconds from the start of the recording, as floats. Unknown is None, never a made-up number. A word keeps
the space before it: joined words give their segment, joined segments give the text, in every language.
"""

import dataclasses
import os
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

StoppedBy = Literal["eos", "budget", "loop", "cancelled", "silence"]
# Where the times of a word come from: the aligner model, attention of the recogniser, a spread over the room between two
# measured neighbours, or the share of the word in a stretch of speech.
Timing = Literal["aligned", "attention", "interpolated", "estimated"]


@dataclass(frozen=True, slots=True)
class Token:
    """One generated id."""

    id: int
    text: str                       # on its own; a character spread over several ids shows as U+FFFD in each
    logprob: float                  # natural logarithm of the model's probability


@dataclass(frozen=True, slots=True)
class Word:
    """A word with the space before it and the punctuation behind it."""

    text: str
    start: float | None = None      # None until something has measured it
    end: float | None = None
    confidence: float | None = None  # geometric mean of the probabilities of its tokens, 0 to 1
    timing: Timing | None = None    # None where the word has no times
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch in which one speaker talks. Turns of different speakers may overlap."""

    start: float
    end: float
    speaker: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech whose bounds are known."""

    text: str
    start: float
    end: float
    language: str | None = None
    confidence: float | None = None
    words: tuple[Word, ...] = ()
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Respelling:
    """What a glossary wrote otherwise."""

    heard: str                      # as the model wrote it
    written: str                    # what stands in the text
    count: int = 1


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of the recording as it was decoded, and how that went."""

    index: int
    start: float
    end: float
    text: str
    language: str | None            # as the model wrote it, or as it was forced; None when it named none
    stopped_by: StoppedBy           # "silence": nothing in it was worth decoding, so the model was not asked
    tries: int = 1                  # 2 and more: a longer piece around this one failed before
    num_tokens: int = 0
    mean_logprob: float | None = None
    tokens: tuple[Token, ...] = ()  # every generated id in order, language tag included, end token left out
    speech_seconds: float | None = None     # of it, as the voice detector heard them; None where it was not asked
    words: tuple[Word, ...] = ()    # of its text, without a space before the first; joined they give it back
    languages: dict[str, float] = field(default_factory=dict)   # what it may be in, from 0.01 up, likeliest first; empty: not asked
    respellings: tuple[Respelling, ...] = ()    # by a glossary; `tokens` are still what the model wrote

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens for each second of its speech, or of its sound where nobody asked for speech: far above 10 is suspicious."""
        seconds = self.speech_seconds or self.end - self.start
        return self.num_tokens / seconds if seconds > 0 else None

    @property
    def compression_ratio(self) -> float | None:
        """Bytes of the text over its bytes deflated, as Whisper counts it: above 2.4 the text repeats itself."""
        text = self.text.encode()
        return len(text) / len(zlib.compress(text)) if text else None

    @property
    def truncated(self) -> bool:
        """Whether the model was stopped before it was done."""
        return self.stopped_by in ("budget", "loop", "cancelled")

    def to_dict(self, with_tokens: bool = False) -> dict[str, Any]:
        """The chunk ready for JSON, without its words: they stand in the segments."""
        plain = _plain(dataclasses.asdict(self))
        for name in ("words", *([] if with_tokens else ["tokens"])):
            del plain[name]
        derived = {name: getattr(self, name) for name in ("truncated", "tokens_per_second", "compression_ratio")}
        return plain | derived

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Chunk":
        """A chunk back from its fields as plain dicts and lists, words and tokens included where they are there."""
        return _from_plain(cls, plain)


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of the recording whose text is missing or cut short."""

    start: float
    end: float
    reason: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the recording the text stands for. The three parts add up to `audio_seconds`."""

    audio_seconds: float
    decoded_seconds: float          # decoded to the end
    silent_seconds: float           # left out: silent, or soft and without speech
    missing_seconds: float          # cut short or never reached
    gaps: tuple[Gap, ...] = ()
    speech_seconds: float | None = None             # as the voice detector heard them; None where it was not asked
    decoded_speech_seconds: float | None = None     # of those, decoded to the end

    @property
    def ratio(self) -> float:
        """Share of the speech that was decoded to the end, or of the sound where nobody looked for speech: 1.0 is complete."""
        if self.speech_seconds and self.decoded_speech_seconds is not None:
            return self.decoded_speech_seconds / self.speech_seconds
        heard = self.decoded_seconds + self.missing_seconds
        return self.decoded_seconds / heard if heard > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds of work by stage, and the steps of the last one."""

    audio: float = 0.0              # reading and resampling
    vad: float = 0.0                # listening for speech, and cutting
    mel: float = 0.0
    encode: float = 0.0
    prefill: float = 0.0
    decode: float = 0.0
    first_text: float | None = None  # from the call to the first token of text
    total: float = 0.0
    num_steps: int = 0              # timed in `decode`; pieces decoded side by side share them
    align: float = 0.0              # times of words; loading an aligner, which happens once, is in it
    diarize: float = 0.0            # finding who speaks when


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Which model on which engine, in which versions."""

    name: str                       # as asked for
    path: str                       # the folder it was loaded from
    engine: str
    device: str
    dtype: str
    weights: str
    parameters: int
    versions: dict[str, str] = field(default_factory=dict)
    num_bytes: int | None = None    # of the weights as held
    step_bytes: int | None = None   # of those that one step of the decoder reads


@dataclass(frozen=True, slots=True)
class LanguageGuess:
    """Which language a stretch of a recording is in, by the model's own probabilities."""

    start: float
    end: float
    language: str | None            # the likeliest; None: no speech
    probabilities: dict[str, float]  # of each language that was to be chosen from, likeliest first; with `no_speech` they add up to 1
    no_speech: float

    @property
    def probability(self) -> float:
        """Of what `language` says."""
        return self.no_speech if self.language is None else self.probabilities[self.language]


@dataclass(frozen=True, slots=True)
class Detection:
    """Which language a recording is in, without its text."""

    overall: LanguageGuess          # the mean over the chunks with speech, by their length
    chunks: tuple[LanguageGuess, ...]   # those that were listened to
    duration: float                 # of the recording, or of the part that was asked for
    source: str | None = None
    model: ModelFacts | None = None
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The detection as plain dicts, lists, strings and numbers, ready for JSON."""
        plain: dict[str, Any] = _plain(dataclasses.asdict(self))
        for guess, found in zip((self.overall, *self.chunks), (plain["overall"], *plain["chunks"]), strict=True):
            found["probability"] = guess.probability
        return plain


@dataclass(frozen=True, slots=True)
class HeardClip:
    """What the model wrote for one clip, unread. A clip of several pieces has one entry of each for every tuple."""

    text: str                           # with the model's markup, `language X<asr_text>…`, unless the language was forced
    token_ids: tuple[int, ...]          # of all pieces in order, end tokens included
    num_samples: int                    # at 16 kHz
    num_frames: tuple[int, ...]         # of mel
    audio_lengths: tuple[int, ...]      # rows of audio embeddings,
    hidden: int                         # and their columns
    prompt_lengths: tuple[int, ...]     # positions, those of the sound included
    left_padding: tuple[int, ...]       # empty positions before them, among the pieces beside them
    stopped_by: StoppedBy
    decode_seconds: float               # of pieces side by side each has an equal share


@dataclass(frozen=True, slots=True)
class HeardClips:
    """Clips that were heard in one call, and seconds of work on them by stage."""

    clips: tuple[HeardClip, ...]
    mel: float
    prompt: float
    encode: float
    assembly: float                     # of prompts and embeddings to what the decoder is fed
    prefill: float                      # up to the first token
    steps: float                        # from there to the last
    total: float                        # waiting for others at the engine included
    mlx_memory: dict[str, int] = field(default_factory=dict)     # bytes: active, peak, cache; empty on other engines


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in one recording, how sure that is, and what is missing."""

    text: str
    language: str | None            # languages in order, repeats dropped, joined by commas; None when none was named
    duration: float                 # of the recording, or of the part that was asked for
    segments: tuple[Segment, ...]
    chunks: tuple[Chunk, ...]
    coverage: Coverage
    warnings: tuple[str, ...] = ()
    timings: Timings = field(default_factory=Timings)
    model: ModelFacts | None = None
    source: str | None = None       # path or URL, where the sound had one
    turns: tuple[Turn, ...] = ()    # who spoke when, where that was asked for
    aligner: ModelFacts | None = None   # the model that timed the words, where one did

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in order; joined they give the text."""
        return tuple(word for segment in self.segments for word in segment.words)

    @property
    def respellings(self) -> tuple[Respelling, ...]:
        """What a glossary wrote otherwise in all chunks, the most frequent first."""
        counts: Counter[tuple[str, str]] = Counter()
        for one in (one for chunk in self.chunks for one in chunk.respellings):
            counts[one.heard, one.written] += one.count
        return tuple(Respelling(heard, written, count) for (heard, written), count in counts.most_common())

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who speaks, in order of the first word, or of the first turn where no word has a speaker."""
        named = [word.speaker for word in self.words if word.speaker] or [turn.speaker for turn in self.turns]
        return tuple(dict.fromkeys(named))

    @property
    def stopped_by(self) -> StoppedBy:
        """Why decoding ended: the most serious reason among the chunks."""
        reasons = {chunk.stopped_by for chunk in self.chunks}
        order: tuple[StoppedBy, ...] = ("cancelled", "loop", "budget", "eos")
        return next((reason for reason in order if reason in reasons), "silence")

    @property
    def truncated(self) -> bool:
        """Whether any text is missing at the end of a chunk, or chunks were never reached."""
        return bool(self.coverage.gaps)

    @property
    def is_complete(self) -> bool:
        return not self.truncated

    @property
    def confidence(self) -> float | None:
        """Mean confidence of the words; None without words."""
        known = [word.confidence for segment in self.segments for word in segment.words if word.confidence is not None]
        return sum(known) / len(known) if known else None

    @property
    def rtf(self) -> float | None:
        """Seconds of work per second of sound."""
        return self.timings.total / self.duration if self.duration > 0 else None

    def to_dict(self, with_tokens: bool = False) -> dict[str, Any]:
        """The transcript as plain dicts, lists, strings and numbers, ready for JSON.

        with_tokens   add to each entry of `chunks` the list `tokens` of {id, text, logprob}
        """
        plain = _plain(dataclasses.asdict(self))
        plain["chunks"] = [chunk.to_dict(with_tokens) for chunk in self.chunks]
        plain["coverage"]["ratio"] = self.coverage.ratio
        derived = {name: getattr(self, name) for name in ("stopped_by", "truncated", "confidence", "rtf")}
        first = ("text", "language", "duration")
        return {**{name: plain.pop(name) for name in first}, **derived, **plain}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Transcript":
        """A transcript back from what `to_dict` gave; what the properties derive is ignored, what is absent has its default.

        Raises KeyError, TypeError or ValueError for something else; formats/read.py says it in words.
        """
        return _from_plain(cls, plain)


def source_name(source: Any) -> str | None:
    """What a source of sound is called in results and messages: its path or URL, without passwords and keys; or None."""
    if isinstance(source, os.PathLike):
        return str(os.fspath(source))
    if not isinstance(source, str):
        return None
    if not source.lower().startswith(("http://", "https://")):
        return source
    scheme, _, rest = source.split("?")[0].split("#")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


NESTED: dict[str, type] = {
    "segments": Segment, "respellings": Respelling, "chunks": Chunk, "words": Word, "tokens": Token, "turns": Turn, "gaps": Gap,
    "coverage": Coverage, "timings": Timings, "model": ModelFacts, "aligner": ModelFacts,
}


def _from_plain(kind: type, plain: dict[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for part in dataclasses.fields(kind):
        if part.name not in plain:
            continue
        value, inner = plain[part.name], NESTED.get(part.name)
        if inner is not None and isinstance(value, list | tuple):
            value = tuple(_from_plain(inner, entry) for entry in value)
        elif inner is not None and isinstance(value, dict):
            value = _from_plain(inner, value)
        elif isinstance(value, list):
            value = tuple(value)
        values[part.name] = value
    return kind(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value
