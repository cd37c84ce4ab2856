"""What is kept of one window between two hearings, and how the next one begins with it: the fast form of `plain.py`.

The cache of a window holds the system turn, the head and the finished windows of sound. Each hearing feeds what is behind them:
the rest of the sound, the end of the prompt, what is committed, and the last text as a draft. Afterwards all that is forgotten
again, as one more second of sound changes every row of the rest and moves what stands behind it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ossicle.audio.pcm import Samples
from ossicle.decode.drafts import verify
from ossicle.decode.phrases import score_phrases
from ossicle.decode.stopping import Writer
from ossicle.model.network import Array, Capture, KVCache
from ossicle.pipeline.engine import Parts
from ossicle.pipeline.recognize import StageClock
from ossicle.stream.boundary import guard
from ossicle.stream.hypothesis import Hypothesis
from ossicle.stream.incremental import EncodedSound, Heard
from ossicle.stream.question import Question, Told, answer, draft_of, places_of, said_by
from ossicle.stream.work import Work
from ossicle.text.prompt import Prompt, build_prompt
from ossicle.text.reply import NO_SPEECH

ROOM = 160                       # positions allocated behind the prompt: committed text, a draft and a few new ids


@dataclass
class Reply:
    """A reply in the making: it goes on alone, on the cache of its window, or in a batch with others."""

    question: Question
    prompt: Prompt
    cache: KVCache                   # ends where the writer's last id is to be fed
    writer: Writer
    work: Work
    told: Told = field(default_factory=Told)
    queries: list[np.ndarray] = field(default_factory=list)      # (heads, ids, head_dim): of each id from the first committed one on

    def count_steps(self, num_steps: int, held: int) -> None:
        """Count what was fed one by one behind so many positions, on whatever cache."""
        for step in range(num_steps):
            self.work.feed(1, held + step, 1)
        self.work.steps += num_steps
        self.told.num_positions += num_steps


class Kept:
    """What one window keeps. Only the engine's thread touches it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._sound = EncodedSound(parts.network)
        self._cache: KVCache | None = None
        self._num_windows, self._version = 0, -1        # that the cache holds, and of which version of the sound
        self._length = 0                                # of what the cache keeps

    def begin(self, question: Question, clock: StageClock, work: Work, with_draft: bool) -> Reply:
        """Feed all that is known; the reply's writer holds what was accepted and one id more, or is closed."""
        heard = self._sound.hear(question.samples, clock, work)
        started = time.perf_counter()
        prompt = build_prompt(self._parts.tokenizer, heard.num_rows, question.context, question.language)
        cache = self._ready(prompt, heard)
        audio = [*heard.windows[self._num_windows :], *([] if heard.rest is None else [heard.rest])]
        rows = None if not audio else audio[0] if len(audio) == 1 else self._parts.network.concatenate(audio)
        feeder = _Feeder(self._parts, Reply(question, prompt, cache, question.writer(self._parts), work), with_draft)
        self._num_windows, self._version = len(heard.windows), heard.version
        self._length = prompt.audio_start + sum(map(len, heard.windows))
        feeder.begin(prompt.ids[cache.length :], rows, max(0, prompt.audio_start - cache.length))
        clock.prefill += time.perf_counter() - started
        return feeder.reply

    def end(self, reply: Reply) -> Hypothesis:
        """The hypothesis of a reply that is written to its end; the cache forgets what only this hearing fed."""
        parts, question, prompt = self._parts, reply.question, reply.prompt
        said, places = said_by(question, reply.writer, parts.tokenizer), None
        if question.wants_centres and parts.heads is not None:
            queries = _aligned(reply, said.indices(len(question.committed)))
            places = places_of(parts, reply.cache, queries, prompt.audio_start, prompt.audio_end)
        reply.cache.trim(reply.cache.length - self._length)
        return answer(question, reply.writer, said, reply.told, places)

    def forget(self) -> None:
        """Begin anew at the next hearing."""
        self._sound, self._cache = EncodedSound(self._parts.network), None

    def drop_window(self, samples: Samples) -> None:
        """Let the oldest window of sound go; `samples` remain."""
        if self._sound.num_samples < self._sound.window_samples + len(samples):
            return self.forget()                        # it was heard by another form, or went wrong since
        self._sound.drop_window(samples)
        return None

    def _ready(self, prompt: Prompt, heard: Heard) -> KVCache:
        """The cache, cut back to what is still true."""
        if self._cache is None:
            room = len(prompt.ids) + ROOM
            self._cache = self._parts.turns.own(self._parts.network, prompt.ids[: prompt.audio_start], room)
            self._num_windows = 0
            return self._cache
        is_true = heard.version == self._version
        self._num_windows = min(self._num_windows, len(heard.windows)) if is_true else 0    # fewer where less sound is heard
        kept = prompt.audio_start + sum(map(len, heard.windows[: self._num_windows]))
        self._cache.trim(self._cache.length - kept)
        return self._cache


class _Feeder:
    """Feeds one hearing: the end of its prompt, and what its reply begins with."""

    def __init__(self, parts: Parts, reply: Reply, with_draft: bool) -> None:
        self.reply = reply
        self._parts, self._network, self._with_draft = parts, parts.network, with_draft
        question = reply.question
        self._heads = parts.heads if question.wants_centres else None
        self._before = 1 if self._heads is not None and self._heads.is_predicting else 0    # the query of an id comes so much earlier

    def begin(self, rest: list[int], audio: Array | None, audio_start: int) -> None:
        """Feed `rest`, the end of the prompt, with its sound, and check a draft of the reply."""
        question = self.reply.question
        if question.has_header:
            return self._begin_with_header(rest, audio, audio_start)
        draft = self._draft(question.language)
        ids = [*rest, *question.committed, *draft]
        logits = self._feed(ids, len(draft) + 1, len(rest) - self._before, audio, audio_start)
        choose = guard(self._network, self._parts.tokenizer, question.committed)
        accepted = verify(self._network, logits, self.reply.cache, draft, self.reply.writer, choose)
        self._keep_queries(len(draft) - accepted)
        self._count_draft(accepted, len(draft))

    def _begin_with_header(self, rest: list[int], audio: Array | None, audio_start: int) -> None:
        """The language first: it decides which draft is worth checking."""
        network, question, writer, headers = self._network, self.reply.question, self.reply.writer, self._parts.headers
        start = headers.phrases.start
        logits = self._feed([*rest, *start], len(start) + 1, len(rest) - self._before, audio, audio_start)
        ids = network.read(network.greedy(logits)[0])[0].tolist()
        if not question.languages and tuple(ids[: len(start)]) != start:        # it does not begin with a language at all
            accepted = verify(network, logits, self.reply.cache, start, writer)
            return self._keep_queries(len(start) - accepted)
        scores = score_phrases(network, logits[:, -1], self.reply.cache, headers.phrases)[0]
        self.reply.told.chances = headers.chances(scores)
        name = next(iter(headers.chances(scores, question.languages)))
        header = headers.phrases.ids[headers.names.index(name)]
        draft = self._draft(None if name == NO_SPEECH else name)
        for token_id in header if question.languages else (*start, ids[-1]):
            if writer.is_open:
                writer.write(token_id, 0.0)
        if not writer.is_open or (not question.languages and ids[-1] != header[len(start)]):
            return None
        known = len(header) if question.languages else len(start) + 1           # ids of the header that are written
        checked = (*header[known:], *draft)
        fed = [*header[len(start) :], *draft]
        logits = self._feed(fed, len(checked) + 1, 0)
        accepted = verify(network, logits, self.reply.cache, checked, writer)
        self._keep_queries(len(checked) - accepted)
        self._count_draft(max(0, accepted - (len(header) - known)), len(draft))
        return None

    def _draft(self, language: str | None) -> tuple[int, ...]:
        return draft_of(self.reply.question, language) if self._with_draft else ()

    def _feed(self, ids: Sequence[int], num_logits: int, first_query: int, audio: Array | None = None, audio_start: int = 0) -> Array:
        """Logits of the last positions; queries are kept from `first_query` on."""
        reply, count = self.reply, len(ids)
        reply.work.feed(count, reply.cache.length, num_logits)
        reply.told.num_positions += count
        capture = None
        if self._heads is not None and first_query < count:
            capture = Capture(self._heads.heads, range(first_query, count))
        embeddings = self._network.embed(list(ids), audio, audio_start)
        output = self._network.forward(embeddings, reply.cache, range(count - num_logits, count), capture)
        if capture is not None:
            reply.queries.append(self._network.read(output.queries)[0])         # (heads, positions, head_dim)
        return output.logits

    def _keep_queries(self, num_rejected: int) -> None:
        if num_rejected and self.reply.queries:
            self.reply.queries[-1] = self.reply.queries[-1][:, :-num_rejected]

    def _count_draft(self, accepted: int, drafted: int) -> None:
        told, work = self.reply.told, self.reply.work
        told.num_accepted, told.num_drafted = accepted, drafted
        work.accepted += accepted
        work.drafted += drafted


def _aligned(reply: Reply, wanted: Sequence[int]) -> np.ndarray:
    """Queries (heads, wanted, head_dim) of these ids of the whole text.

    The last id of a text that its budget ended may never have been fed: it is taken to be heard where the one before it is.
    """
    if not reply.queries or not wanted:
        return np.zeros((1, 0, 1), np.float32)
    asked = np.concatenate(reply.queries, axis=1)
    return asked[:, np.minimum(wanted, asked.shape[1] - 1)]
