"""What a live session takes, each setting written once: name, type, unit, default, reason; as in options.py.

Times are seconds on the session's audio clock: they count samples that came in, never the wall's time.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ossicle.checks import require_between, require_choice, require_names, require_whole
from ossicle.errors import OptionError

EndpointMode = Literal["auto", "silero", "energy", "manual"]
PolicyName = Literal["auto", "none", "prefix", "agreement", "alignatt", "aligner"]
OutputMode = Literal["revisable", "append_only"]
LiveTiming = Literal["auto", "aligner", "attention", "estimated"]
PastText = Literal["no", "auto", "yes"]

ENDPOINT_MODES: tuple[str, ...] = ("auto", "silero", "energy", "manual")
POLICIES: tuple[str, ...] = ("auto", "none", "prefix", "agreement", "alignatt", "aligner")
OUTPUT_MODES: tuple[str, ...] = ("revisable", "append_only")
LIVE_TIMINGS: tuple[str, ...] = ("auto", "aligner", "attention", "estimated")
PAST_TEXTS: tuple[str, ...] = ("no", "auto", "yes")


@dataclass(frozen=True)
class EndpointOptions:
    """When a live utterance begins and when it is over."""

    mode: EndpointMode = "auto"          # silero, where its package is there, else energy; manual: only commit() ends an utterance
    threshold: float = 0.5               # probability at which speech begins, for silero
    stop_threshold: float = 0.35         # and below which it ends: a voice wavers
    min_speech_seconds: float = 0.096    # shorter is a click: three frames of 32 ms
    silence_seconds: float = 0.6         # of silence end an utterance; shorter cuts slow speech
    pre_roll_seconds: float = 0.3        # heard before the detector was sure: words begin softly
    speculate_seconds: float = 0.2       # of silence after which the final text is decoded ahead, to be there when the endpoint is
    max_utterance_seconds: float = 24.0  # a longer utterance is cut: what one step costs grows with it
    search_seconds: float = 6.0          # before that, shorter and shorter pauses end the utterance: a soft cut

    def __post_init__(self) -> None:
        require_choice("endpoint mode", self.mode, ENDPOINT_MODES)
        for name in ("threshold", "stop_threshold"):
            require_between(name, getattr(self, name), 0.01, 0.99)
        if self.stop_threshold > self.threshold:
            raise OptionError(f"stop_threshold must be at most threshold ({self.threshold:g}), got {self.stop_threshold:g}")
        require_between("min_speech_seconds", self.min_speech_seconds, 0, 5, "s")
        require_between("silence_seconds", self.silence_seconds, 0.03, 60, "s")
        require_between("pre_roll_seconds", self.pre_roll_seconds, 0, 5, "s")
        require_between("speculate_seconds", self.speculate_seconds, 0.03, 60, "s")
        require_between("max_utterance_seconds", self.max_utterance_seconds, 2, 120, "s")
        require_between("search_seconds", self.search_seconds, 0, 60, "s")


@dataclass(frozen=True)
class PolicyOptions:
    """When a live word is committed, never to be taken back: docs/streaming.md says what each policy does."""

    name: PolicyName = "auto"
    border_seconds: float = 0.48         # auto, alignatt: a word heard closer to the end of the sound waits
    rewind_seconds: float = 0.48         # alignatt: attention that jumps back further than this ends what is committed
    agreements: int = 2                  # agreement: hypotheses in a row that must begin with the word
    hold_words: int = 0                  # agreement: the last words of a hypothesis that wait even so
    hold_tokens: int = 5                 # prefix: the last tokens that stay free, as in the official code
    cold_steps: int = 2                  # prefix: first steps that force nothing, as in the official code
    gate_seconds: float = 0.25           # aligner: a word that ends closer to the end of the sound waits
    sure: float = 0.9                    # auto: probability of its least likely token from which a word need not be seen twice

    def __post_init__(self) -> None:
        require_choice("policy", self.name, POLICIES)
        for name in ("border_seconds", "rewind_seconds", "gate_seconds"):
            require_between(name, getattr(self, name), 0, 30, "s")
        for name, low in (("agreements", 1), ("hold_words", 0), ("hold_tokens", 0), ("cold_steps", 0)):
            require_whole(name, getattr(self, name))
            require_between(name, getattr(self, name), low, 1000)
        require_between("sure", self.sure, 0, 1)


@dataclass(frozen=True)
class StreamOptions:
    """One live session."""

    language: str | None = None          # a name, ISO code or BCP-47 tag; None lets the model say, anew for each utterance
    languages: tuple[str, ...] = ()      # the languages that may be spoken; () is any
    context: str = ""                    # names and terms that may occur
    past_text: PastText = "no"           # give an utterance the text before as context: auto only after a cut in mid-speech
    step_seconds: float = 0.5            # of new sound for each step; shorter is sooner and costs more
    output: OutputMode = "revisable"     # append_only leaves out the text that may still change
    words: LiveTiming = "auto"           # how words are timed; auto: by attention where heads are known, else estimated
    aligner: str | None = None           # forced aligner, where words or the policy ask for it; None is the one of the model
    coalesce: bool = True                # leave out steps that are late; False takes every step, so that events do not hang on speed
    caches: bool = True                  # keep what was computed between steps; False computes all anew: the slow form, same text
    drafts: bool = True                  # let the network check its last text in one pass; False writes it again: the slow form, same text
    record: Path | None = None           # folder in which sound and events are kept from the first second
    policy: PolicyOptions = field(default_factory=PolicyOptions)
    endpoint: EndpointOptions = field(default_factory=EndpointOptions)

    def __post_init__(self) -> None:
        require_names("languages", self.languages)
        if self.language is not None and self.languages:
            raise OptionError(f"languages is a choice to hear from and language forces one: give one of them, got language "
                              f"{self.language!r} and languages {', '.join(self.languages)!r}")
        require_choice("past_text", self.past_text, PAST_TEXTS)
        require_between("step_seconds", self.step_seconds, 0.08, 10, "s")
        require_choice("output", self.output, OUTPUT_MODES)
        require_choice("words", self.words, LIVE_TIMINGS)
