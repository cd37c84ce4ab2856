"""The sound of one utterance and what the network has made of it, kept between steps: samples in, hypotheses out.

Runs on the engine's thread, over the windows of several sessions at a time. Knows nothing of sessions, endpoints or policies.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np

from ossicle.audio.load import SAMPLE_RATE
from ossicle.audio.mel import PUBLISHED
from ossicle.audio.pcm import Samples
from ossicle.decode.drafts import go_on
from ossicle.decode.stopping import Writer
from ossicle.model.network import Array, Capture, KVCache
from ossicle.pipeline.engine import Parts
from ossicle.pipeline.recognize import StageClock
from ossicle.stream.hypothesis import Hypothesis, live_words
from ossicle.stream.kept import Kept, Reply
from ossicle.stream.plain import hear_plainly
from ossicle.stream.question import MIN_SECONDS, Question, is_too_short, silent
from ossicle.stream.work import Work

WINDOW_SECONDS = 8                   # of sound that the encoder looks at together: the windows of docs/model.md


FEW = 64                             # new ids that a batch has room for; with more it is moved to a larger one


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
    """One utterance. Its sound only grows at the end; whole windows of 8 s may be let go at the front.

    `add`, `samples` and `end` may be used while another thread hears it; all else between two hearings only.
    """

    def __init__(self, parts: Parts, origin: int, options: WindowOptions) -> None:
        """origin   the place of its first sample on the session's clock"""
        self.parts, self.origin, self.options = parts, origin, options
        self.language = options.language                # the name that is forced from the next hearing on; None: it is chosen anew
        self.committed: list[int] = []                  # ids that every hearing is made to begin with
        self.last: Hypothesis | None = None
        self.work = Work()                              # that its hearings took
        self._logprobs: list[float] = []                # of the committed ids, from when they were chosen
        self._sound, self._num_samples = np.zeros(SAMPLE_RATE, np.float32), 0      # with room behind it
        self._kept = Kept(parts)

    @property
    def end(self) -> int:
        """One past its last sample, on the session's clock."""
        return self.origin + self._num_samples

    def add(self, samples: Samples) -> None:
        """Take the next (n,) float32 samples at 16 kHz. Cheap: the network is not asked."""
        end = self._num_samples + len(samples)
        if end > len(self._sound):                      # into new memory: what was handed out stays as it is
            self._sound = np.pad(self._sound[: self._num_samples], (0, max(end, 2 * len(self._sound)) - self._num_samples))
        self._sound[self._num_samples : end] = samples
        self._num_samples = end

    def samples(self, start: int, end: int) -> Samples:
        """What came in between two places of the session's clock, not to be written to."""
        return self._sound[start - self.origin : min(end - self.origin, self._num_samples)]

    def commit(self, num_ids: int) -> None:
        """Force so many more ids of the last hypothesis from now on, and with them its language: what is published is in it."""
        assert self.last is not None, "commit before anything was heard"
        count = len(self.committed) + num_ids
        self.committed, self._logprobs = list(self.last.ids[:count]), list(self.last.logprobs[:count])
        if num_ids and self.language is None:
            self.language = self.last.language

    def force_language(self, name: str) -> None:
        """Force the language from the next hearing on; before that each hearing chooses it."""
        self.language = name

    def slide(self) -> int:
        """Let the oldest window of 8 s go, with the committed ids of the words that were heard in it; gives how many these were.

        Only when it is behind what was heard last, all words in it are committed, and it is known where they were heard; else
        nothing happens, and `origin` stays. 0 is also given where nothing was said in it. What remains is heard as if it
        had been all there was.
        """
        last, num_samples = self.last, self.parts.network.config.encoder.window_frames * PUBLISHED.hop
        edge = (self.origin + num_samples) / SAMPLE_RATE
        if last is None or last.centres is None or last.end < edge + MIN_SECONDS:
            return 0
        count = _num_ids_before(last, edge, self.parts)
        if count > len(self.committed):
            return 0
        self._sound = self._sound[num_samples : self._num_samples].copy()
        self._num_samples -= num_samples
        self.origin += num_samples
        self.committed, self._logprobs = self.committed[count:], self._logprobs[count:]
        self.last = replace(last, ids=last.ids[count:], logprobs=last.logprobs[count:], centres=last.centres[count:],
                            attended=last.attended[count:] if last.attended else last.attended,
                            num_committed=max(0, last.num_committed - count), start=edge)
        self._kept.drop_window(self.samples(self.origin, round(last.end * SAMPLE_RATE)))
        return count

    def begin(self, ask: "Ask", clock: StageClock) -> Hypothesis | Reply:
        """Hear up to where one pass over what is known gets: a reply that may have to go on, or the hypothesis."""
        options = self.options
        logprobs = (*self._logprobs, *[0.0] * len(self.committed))[: len(self.committed)]
        question = Question(
            self.samples(self.origin, ask.end), self.origin, ask.max_tokens, self.language, options.languages, options.context,
            tuple(self.committed), logprobs, self.last, options.centres)
        if is_too_short(question):
            return silent(question)
        if not options.caches and not options.drafts:
            return hear_plainly(self.parts, question, clock, self.work)
        if not options.caches:
            self._kept.forget()
        return self._kept.begin(question, clock, self.work, options.drafts)

    def finish(self, reply: Reply) -> Hypothesis:
        """The hypothesis of a reply that is written to its end."""
        return self._kept.end(reply)

    def forget(self) -> None:
        """Compute all anew at the next hearing: one went wrong, and what it left is not known."""
        self._kept.forget()


def _num_ids_before(hypothesis: Hypothesis, edge: float, parts: Parts) -> int:
    """How many ids spell the words that were heard before `edge`. Words that share an id go together."""
    centres, start, count = hypothesis.centres or (), 0, 0
    for word in live_words(replace(hypothesis, num_committed=0), parts.tokenizer):
        if word.num_ids is None:
            continue
        heard_at = centres[start : word.num_ids]
        if sum(heard_at) / len(heard_at) >= edge:
            break
        start = count = word.num_ids
    return count


@dataclass(frozen=True)
class Ask:
    """One hearing that is due."""

    window: Window
    end: int                         # hear the sound up to here, on the session's clock
    max_tokens: int


def hear(parts: Parts, asks: Sequence[Ask], clock: StageClock) -> list[Hypothesis | Exception]:
    """Hear several windows side by side; gives one hypothesis each, in order, or what went wrong with that one alone.

    Each window is fed on its own; those whose text is not at its end then go on in one batch, which reads the weights once per
    step for all. No window may be asked twice at a time.
    """
    assert len({id(ask.window) for ask in asks}) == len(asks), "each window once"
    found: list[Hypothesis | Reply | Exception] = []
    for ask in asks:
        try:
            found.append(ask.window.begin(ask, clock))
        except Exception as error:                      # one window's trouble is not the others'
            found.append(error)
    unfinished = {place: reply for place, reply in enumerate(found) if isinstance(reply, Reply) and reply.writer.is_open}
    started = time.perf_counter()
    for place, trouble in _write(parts, unfinished, clock).items():
        found[place] = trouble
    clock.decode += time.perf_counter() - started
    return [_finish(ask.window, reply) for ask, reply in zip(asks, found, strict=True)]


def _finish(window: Window, reply: Hypothesis | Reply | Exception) -> Hypothesis | Exception:
    try:
        if not isinstance(reply, Exception):
            window.last = window.finish(reply) if isinstance(reply, Reply) else reply
            return window.last
    except Exception as error:
        reply = error
    with suppress(Exception):                           # a window that fails here, too, must not take the others with it
        window.forget()
    assert isinstance(reply, Exception)
    return reply


def _write(parts: Parts, replies: dict[int, Reply], clock: StageClock) -> dict[int, Exception]:
    """Write these replies to their ends, together where there are several; gives what went wrong with which."""
    if len(replies) > 1:
        before = {place: (deepcopy(reply.writer), len(reply.queries)) for place, reply in replies.items()}
        try:
            room = max(reply.cache.length for reply in replies.values()) + FEW
            _run(parts, list(replies.values()), parts.network.join([reply.cache for reply in replies.values()], room), clock)
            return {}
        except Exception:                               # whose fault it was nobody knows: each goes on alone, from where they were
            for place, (writer, num_queries) in before.items():
                replies[place].writer = writer
                del replies[place].queries[num_queries:]
    failed: dict[int, Exception] = {}
    for place, reply in replies.items():
        try:
            _run(parts, [reply], reply.cache, clock)
        except Exception as error:
            failed[place] = error
    return failed


def _run(parts: Parts, replies: list[Reply], cache: KVCache, clock: StageClock) -> None:
    """Write replies to their ends on a cache that holds one row for each."""
    heads = parts.heads if any(reply.question.wants_centres for reply in replies) else None
    lengths = [len(reply.writer.ids) for reply in replies]

    def keep(queries: Array, rows: Sequence[int]) -> None:
        for row, asked in zip(rows, parts.network.read(queries), strict=True):          # (heads, 1, head_dim)
            if replies[row].writer.is_open:
                replies[row].queries.append(asked)

    writers: list[Writer] = [reply.writer for reply in replies]
    held = [reply.cache.length for reply in replies]
    for _ in go_on(parts.network, cache, writers, Capture(heads.heads, "last") if heads else None, keep):
        clock.num_steps += 1
    for reply, before, length in zip(replies, lengths, held):
        reply.count_steps(len(reply.writer.ids) - before + (reply.writer.stopped_by == "eos"), length)
