"""What one hearing of a window is asked, and what its reply is worth: plain data in, a hypothesis out.

Both ways of hearing, the slow one (`plain.py`) and the one that keeps what it computed (`kept.py`), begin and end here, so that
they can be held to one another. Nothing here feeds a network.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ossicle.audio.load import SAMPLE_RATE
from ossicle.audio.pcm import Samples
from ossicle.decode.stopping import StopRule, Writer
from ossicle.model.network import KVCache
from ossicle.pipeline.attention import attended, attention_of, token_centres
from ossicle.pipeline.engine import Parts
from ossicle.results import StoppedBy
from ossicle.stream.hypothesis import Hypothesis
from ossicle.text.reply import read_reply, read_untagged, split_reply
from ossicle.text.tokenizer import ASR_TEXT, Tokenizer
from ossicle.text.words import decode_with_owners

HEADER = re.compile(rf"\s*language \S*{re.escape(ASR_TEXT)}")
MIN_SECONDS = 0.1                    # of less sound nothing can be said


@dataclass(frozen=True)
class Question:
    """One hearing of one window."""

    samples: Samples                 # (n,) float32 at 16 kHz, from the front of the window to where it is heard
    origin: int                      # place of the first one on the session's clock
    max_tokens: int                  # new ids, the header and the end token included
    language: str | None             # the name that is forced
    languages: tuple[str, ...]       # such names to choose from
    context: str
    committed: tuple[int, ...]       # ids that the text begins with
    committed_logprobs: tuple[float, ...]
    last: Hypothesis | None          # of the same window
    wants_centres: bool

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE

    @property
    def has_header(self) -> bool:
        """Whether the reply is to begin with its language. What is committed without one goes on without one."""
        return self.language is None and not self.committed

    def writer(self, parts: Parts) -> Writer:
        """An empty one under the rules of this hearing."""
        return Writer(StopRule(parts.eos_ids, self.max_tokens, self.seconds))


@dataclass
class Told:
    """What came up while a reply was written."""

    chances: Mapping[str, float] = field(default_factory=dict)
    num_accepted: int = 0            # ids of the text
    num_drafted: int = 0
    num_positions: int = 0


class Places(NamedTuple):
    """When ids are heard, in seconds from the front of the window."""

    centres: Sequence[float]         # along the likeliest path, which never goes back
    attended: Sequence[float]        # where attention is strongest, wherever that is


def silent(question: Question) -> Hypothesis:
    """What is heard where there is too little sound."""
    return _hypothesis(question, (), (), None, "eos", Told(), None)


def is_too_short(question: Question) -> bool:
    """Whether there is too little sound to hear."""
    return question.seconds < MIN_SECONDS


@dataclass(frozen=True)
class Said:
    """The part of a reply that is text."""

    start: int                       # of its ids, among those written
    ids: tuple[int, ...]
    language: str | None

    def indices(self, num_committed: int) -> list[int]:
        """Where the ids of the whole text stand among those committed and, behind them, those written."""
        start = num_committed + self.start
        return [*range(num_committed), *range(start, start + len(self.ids))]


def said_by(question: Question, writer: Writer, tokenizer: Tokenizer) -> Said:
    """What the written ids say. A header that was cut off, and whatever follows `language None`, is no text."""
    ids = writer.readable_ids
    if not question.has_header:
        return _without_tags(ids, question.language, tokenizer)
    parted = split_reply(ids, tokenizer)
    text = tokenizer.decode(ids)
    if parted.header:
        language = read_reply(text, repair=False).language or None
        return Said(len(parted.header), tuple(parted.text) if language else (), language)
    reply = read_untagged(text, is_cut=writer.stopped_by != "eos")
    starts = (start for start in range(len(ids)) if tokenizer.decode(ids[start:]).strip() == reply.text)
    start = next(starts, len(ids)) if reply.text else len(ids)
    return Said(start, tuple(ids[start:]), reply.language or None)


def _without_tags(ids: Sequence[int], language: str | None, tokenizer: Tokenizer) -> Said:
    """A text whose language was given, and that names one even so: what is before that, or behind it where it comes first."""
    if ASR_TEXT not in tokenizer.decode(ids):
        return Said(0, tuple(ids), language)
    text, owners = decode_with_owners(ids, tokenizer)
    header = HEADER.search(text)
    if header is None:
        return Said(0, tuple(ids[: owners[text.index(ASR_TEXT)][0]]), language)
    if text[: header.start()].strip():
        return Said(0, tuple(ids[: owners[header.start()][0]]), language)
    start = owners[header.end() - 1][-1] + 1
    rest = _without_tags(ids[start:], language, tokenizer)
    return Said(start + rest.start, rest.ids, language)


def answer(question: Question, writer: Writer, said: Said, told: Told, places: Places | None) -> Hypothesis:
    """The hypothesis of a reply.

    places   of each id, those committed first
    """
    told.num_accepted = min(told.num_accepted, len(said.ids))
    logprobs = tuple(writer.logprobs[said.start : said.start + len(said.ids)])
    return _hypothesis(question, said.ids, logprobs, said.language, writer.stopped_by or "eos", told, places)


def _hypothesis(
    question: Question, ids: Sequence[int], logprobs: Sequence[float], language: str | None, stopped_by: StoppedBy, told: Told,
    places: Places | None,
) -> Hypothesis:
    start = question.origin / SAMPLE_RATE
    centres, attended = (None, None) if places is None else (tuple(start + place for place in part) for part in places)
    return Hypothesis(
        (*question.committed, *ids), (*question.committed_logprobs, *logprobs), len(question.committed), told.num_accepted, language,
        stopped_by, start, start + question.seconds, centres, told.chances, told.num_positions, told.num_drafted, attended)


def draft_of(question: Question, language: str | None) -> tuple[int, ...]:
    """What the last hypothesis had behind the committed ids; nothing where it was in another language."""
    last = question.last
    if last is None or last.language != language:
        return ()
    return last.ids[len(question.committed) :]


def places_of(parts: Parts, cache: KVCache, queries: np.ndarray, audio_start: int, audio_end: int) -> Places:
    """When ids are heard.

    cache     still holds the sound
    queries   (heads, ids, head_dim), rotated, of the alignment heads
    """
    assert parts.heads is not None
    if queries.shape[1] == 0 or audio_end == audio_start:
        return Places((), ())
    attention = attention_of(parts.network, parts.heads.heads, cache, queries, audio_start, audio_end)
    return Places(token_centres(attention).tolist(), attended(attention).tolist())
