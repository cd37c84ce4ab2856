"""The sound of one utterance and what the network has made of it, kept between steps: samples in, hypotheses out.

Runs on the engine's thread, over the windows of several sessions at a time. Knows nothing of sessions, endpoints or policies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ossicle.audio.load import SAMPLE_RATE
from ossicle.audio.mel import log_mel
from ossicle.audio.pcm import Samples
from ossicle.decode.greedy import greedy
from ossicle.decode.stopping import StopRule, Writer
from ossicle.pipeline.engine import Parts
from ossicle.pipeline.recognize import StageClock
from ossicle.stream.hypothesis import Hypothesis
from ossicle.text.prompt import build_prompt
from ossicle.text.reply import read_reply, split_reply

WINDOW_SECONDS = 8                   # of sound that the encoder looks at together: the windows of docs/model.md


@dataclass(frozen=True)
class WindowOptions:
    """How a window is heard."""

    language: str | None = None      # the name the model knows, when it is forced
    languages: tuple[str, ...] = ()  # such names to choose from
    context: str = ""
    caches: bool = True              # keep mel, convolutions, finished windows, keys and values between hearings
    drafts: bool = True              # offer the last hypothesis to be checked in one pass
    centres: bool = True             # find where each id was heard, where heads are known


class Window:
    """One utterance. Its sound only grows at the end; whole windows of 8 s may be let go at the front."""

    def __init__(self, parts: Parts, origin: int, options: WindowOptions) -> None:
        """origin   the place of its first sample on the session's clock"""
        self.parts, self.origin, self.options = parts, origin, options
        self.committed: list[int] = []                  # ids that every hearing is made to begin with
        self.last: Hypothesis | None = None
        self._blocks: list[Samples] = []

    @property
    def end(self) -> int:
        """One past its last sample, on the session's clock."""
        return self.origin + sum(map(len, self._blocks))

    def add(self, samples: Samples) -> None:
        """Take the next (n,) float32 samples at 16 kHz. Cheap: the network is not asked."""
        self._blocks.append(samples)

    def samples(self, start: int, end: int) -> Samples:
        """What came in between two places of the session's clock."""
        return np.concatenate([np.zeros(0, np.float32), *self._blocks])[start - self.origin : end - self.origin]

    def commit(self, num_ids: int) -> None:
        """Force so many more ids of the last hypothesis from now on."""
        assert self.last is not None, "commit before anything was heard"
        self.committed = list(self.last.ids[: len(self.committed) + num_ids])

    def force_language(self, name: str) -> None:
        """Force the language from the next hearing on; before that each hearing chooses it."""
        self.options = replace(self.options, language=name, languages=())

    def slide(self) -> int:
        """Let the oldest 8 s of sound go, and the committed ids that were heard in it; gives how many, 0 where that cannot be."""
        return 0


@dataclass(frozen=True)
class Ask:
    """One hearing that is due."""

    window: Window
    end: int                         # hear the sound up to here, on the session's clock
    max_tokens: int


def hear(parts: Parts, asks: Sequence[Ask], clock: StageClock) -> list[Hypothesis | Exception]:
    """Hear several windows side by side; gives one hypothesis each, in order, or what went wrong with that one alone."""
    found: list[Hypothesis | Exception] = []
    for ask in asks:
        try:
            found.append(_hear(parts, ask))
        except Exception as error:                      # one window's trouble is not the others'
            found.append(error)
    return found


def _hear(parts: Parts, ask: Ask) -> Hypothesis:
    window, network = ask.window, parts.network
    options, forced = window.options, window.options.language
    samples = window.samples(window.origin, ask.end)
    audio = network.encode(log_mel(samples))
    prompt = build_prompt(parts.tokenizer, len(audio), options.context, forced)
    embeddings = network.embed([*prompt.ids, *window.committed], audio, prompt.audio_start)
    writer = Writer(StopRule(parts.eos_ids, ask.max_tokens, len(samples) / SAMPLE_RATE))
    for _ in greedy(network, embeddings, network.new_cache((0,), len(embeddings) + 64), writer):
        pass
    reply_ids = split_reply(writer.ids, parts.tokenizer, forced)
    header, text = reply_ids.header, reply_ids.text
    reply = read_reply(parts.tokenizer.decode(writer.ids), forced, repair=False)
    ids = (*window.committed, *text)
    window.last = Hypothesis(
        ids, (*[0.0] * len(window.committed), *writer.logprobs[len(header) : len(header) + len(text)]), len(window.committed), 0,
        reply.language or None, writer.stopped_by or "eos", window.origin / SAMPLE_RATE, ask.end / SAMPLE_RATE,
        num_positions=len(embeddings) + len(writer.ids))
    return window.last
