"""What a caller gets: frozen, typed, JSON-ready. Imports nothing of ours.

Times are seconds from the start of the recording, as floats. Unknown is None, never a made-up number. A word keeps
the space before it: joined words give their segment, joined segments give the text, in every language.
"""

import dataclasses
import os
from dataclasses import dataclass, field
from typing import Any, Literal

StoppedBy = Literal["eos", "budget", "loop", "cancelled", "silence"]


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


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech whose bounds are known."""

    text: str
    start: float
    end: float
    language: str | None = None
    confidence: float | None = None
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of the recording as it was decoded, and how that went."""

    index: int
    start: float
    end: float
    text: str
    language: str | None            # as the model wrote it, or as it was forced; None when it named none
    stopped_by: StoppedBy           # "silence": too quiet to decode, so nothing was asked of the model
    tries: int = 1                  # 2 and more: a longer piece around this one failed before
    num_tokens: int = 0
    mean_logprob: float | None = None
    tokens: tuple[Token, ...] = ()  # every generated id in order, language tag included, end token left out

    @property
    def truncated(self) -> bool:
        """Whether the model was stopped before it was done."""
        return self.stopped_by in ("budget", "loop", "cancelled")


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
    silent_seconds: float           # too quiet to decode
    missing_seconds: float          # cut short or never reached
    gaps: tuple[Gap, ...] = ()

    @property
    def ratio(self) -> float:
        """Share of the sound that was decoded to the end: 1.0 is complete."""
        heard = self.decoded_seconds + self.missing_seconds
        return self.decoded_seconds / heard if heard > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds of work by stage, and the steps of the last one."""

    audio: float = 0.0              # reading and resampling
    mel: float = 0.0
    encode: float = 0.0
    prefill: float = 0.0
    decode: float = 0.0
    first_text: float | None = None  # from the call to the first token of text
    total: float = 0.0
    num_steps: int = 0              # timed in `decode`; pieces decoded side by side share them


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
        for chunk, made in zip(self.chunks, plain["chunks"], strict=True):
            made["truncated"] = chunk.truncated
            if not with_tokens:
                del made["tokens"]
        plain["coverage"]["ratio"] = self.coverage.ratio
        derived = {name: getattr(self, name) for name in ("stopped_by", "truncated", "confidence", "rtf")}
        first = ("text", "language", "duration")
        return {**{name: plain.pop(name) for name in first}, **derived, **plain}


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


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value
