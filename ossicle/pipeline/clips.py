"""Clips that somebody else has cut to what the model wrote for each, unread: its ids, its markup, and what every stage took.

Where `transcribe` promises a transcript, this promises the model's own words and true numbers, for programs that read them
themselves (docs/bridge.md). No voice detector, no retries, no context; a clip longer than a piece is cut at pauses and joined.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ossicle.audio.load import SAMPLE_RATE, read_samples
from ossicle.audio.mel import log_mel
from ossicle.audio.pcm import Samples
from ossicle.audio.recording import read_recording
from ossicle.audio.split import pack
from ossicle.audio.vad import find_speech
from ossicle.decode.batched import decode_rows, padding_of
from ossicle.decode.stopping import StopRule, Writer
from ossicle.decode.uncached import greedy_uncached
from ossicle.errors import AudioError, ModelError
from ossicle.model.engines import mlx_memory
from ossicle.options import AudioOptions, DecodeOptions, SplitOptions, TranscribeOptions, VadOptions
from ossicle.pipeline.asking import make_ask
from ossicle.pipeline.engine import Engine, Parts
from ossicle.progress import CancelToken
from ossicle.results import HeardClip, HeardClips, StoppedBy
from ossicle.text.languages import merge_languages
from ossicle.text.prompt import build_prompt
from ossicle.text.reply import read_reply
from ossicle.text.tokenizer import ASR_TEXT
from ossicle.text.words import join_all

MAX_TOKENS = 1024                   # of a piece, where the caller names no limit: far more than anybody says in 30 s
MAX_ROWS = 32                       # pieces side by side; a longer queue is decoded in several batches
SEVERITY: tuple[StoppedBy, ...] = ("cancelled", "loop", "budget", "eos")


def read_clip(source: Any, options: AudioOptions = AudioOptions()) -> Samples:  # noqa: B008  (frozen)
    """Any source of sound as (n,) float32 at 16 kHz. Raises AudioError where it cannot be read or is empty."""
    samples = read_samples(source, options)
    if not len(samples):
        raise AudioError(f"expected sound in {source if isinstance(source, str) else 'the clip'}, got no samples; record some")
    return samples


def hear_clips(
    engine: Engine,
    clips: Sequence[Samples],
    language: str | None = None,
    max_tokens: int | None = None,
    is_batched: bool = False,
    has_cache: bool = True,
    cancel: CancelToken | None = None,
) -> HeardClips:
    """Hear clips, one after the other or side by side; gives what was written for each, in order.

    clips        each (n,) float32 at 16 kHz, not empty
    language     to force; the model then writes no language
    max_tokens   of each piece, the end token included; None is until the model ends
    is_batched   decode all pieces side by side: sooner done, and where two tokens are nearly as likely the other may win
    has_cache    False reads everything again for each token: the slow form, one after the other

    Raises OptionError for a language that the model does not know, ModelError for a forced aligner, Cancelled.
    """
    cancel, began = cancel or CancelToken(), time.perf_counter()
    with engine.in_use():
        if engine.config.is_aligner:
            raise ModelError("this checkpoint is a forced aligner: it hears no text; load a recogniser such as 0.6b")
        ask, _ = make_ask(engine, TranscribeOptions(language, decode=DecodeOptions(max_tokens=max_tokens)))
        pieces = [(place, piece) for place, clip in enumerate(clips) for piece in _cut(clip)]
        size = MAX_ROWS if is_batched and has_cache else 1          # one at a time lets others at the engine in between
        clock, rows = _Clock(), []
        for first in range(0, len(pieces), size):
            cancel.check()
            batch = [piece for _, piece in pieces[first : first + size]]
            rows += engine.run(_hear, engine.parts, batch, ask.language, max_tokens or MAX_TOKENS, has_cache, clock, cancel)
        found = []
        for place, clip in enumerate(clips):
            own = [row for row, (whose, _) in zip(rows, pieces, strict=True) if whose == place]
            found.append(_joined(engine, clip, own, ask.language))
        memory = engine.run(mlx_memory) if engine.facts.engine == "mlx" else {}
        return HeardClips(tuple(found), clock.mel, clock.prompt, clock.encode, clock.assembly, clock.prefill, clock.steps,
                          time.perf_counter() - began, memory)


@dataclass
class _Clock:
    """Seconds of work by stage; each adds its own."""

    mel: float = 0.0
    prompt: float = 0.0
    encode: float = 0.0
    assembly: float = 0.0
    prefill: float = 0.0
    steps: float = 0.0
    last: float = field(default_factory=time.perf_counter)

    def lap(self) -> float:
        """Seconds since it was asked last."""
        before, self.last = self.last, time.perf_counter()
        return self.last - before


class _Scribe(Writer):
    """Keeps the end token, too."""

    def __init__(self, rule: StopRule) -> None:
        super().__init__(rule)
        self.written: list[int] = []

    def write(self, token_id: int, logprob: float) -> None:
        self.written.append(token_id)
        super().write(token_id, logprob)


@dataclass(frozen=True)
class _Row:
    """One piece, heard."""

    scribe: _Scribe
    num_frames: int
    audio_shape: tuple[int, int]
    prompt_length: int
    padding: int
    seconds: float                  # its share of the decoding


def _cut(clip: Samples) -> Iterator[Samples]:
    limit = SplitOptions.max_seconds
    if len(clip) <= limit * SAMPLE_RATE:
        yield clip
        return
    with read_recording((clip, SAMPLE_RATE)) as recording:
        for span in pack(recording, find_speech(recording, VadOptions("none")), SplitOptions(limit)):
            yield recording.samples(span.start, span.end)


def _hear(
    parts: Parts, pieces: Sequence[Samples], language: str | None, max_tokens: int, has_cache: bool, clock: _Clock, cancel: CancelToken
) -> list[_Row]:
    """On the engine's thread: pieces side by side, or a single one."""
    network = parts.network
    clock.lap()
    mels = [log_mel(piece) for piece in pieces]                                             # (mel_bins, frames)
    clock.mel += clock.lap()
    audio = [network.encode(mel) for mel in mels]                                           # (audio_tokens, hidden)
    for rows in audio:
        network.read(rows[-1])                                                              # waits, so that the stage is timed honestly
    clock.encode += clock.lap()
    prompts = [build_prompt(parts.tokenizer, len(rows), "", language) for rows in audio]
    clock.prompt += clock.lap()
    began = clock.last
    scribes = [_Scribe(StopRule(parts.eos_ids, max_tokens, len(piece) / SAMPLE_RATE)) for piece in pieces]
    padding = padding_of([len(prompt.ids) for prompt in prompts])
    steps: Iterator[int]
    if has_cache:
        embeddings = [network.embed(prompt.ids, rows, prompt.audio_start) for prompt, rows in zip(prompts, audio, strict=True)]
        cache = network.new_cache(padding, max(len(prompt.ids) for prompt in prompts) * 3 // 2)
        steps = decode_rows(network, embeddings, cache, scribes)
    else:
        (prompt,), (rows,), (scribe,) = prompts, audio, scribes
        steps = greedy_uncached(network, prompt.ids, rows, prompt.audio_start, scribe)
    clock.assembly += clock.lap()
    for number, _ in enumerate(steps):
        if number:
            clock.steps += clock.lap()
        else:
            clock.prefill += clock.lap()
        cancel.check()
    share = (clock.last - began) / len(pieces)
    return [_Row(scribe, mel.shape[1], (len(rows), rows.shape[1]), len(prompt.ids), pad, share)
            for scribe, mel, rows, prompt, pad in zip(scribes, mels, audio, prompts, padding, strict=True)]


def _joined(engine: Engine, clip: np.ndarray, rows: Sequence[_Row], language: str | None) -> HeardClip:
    texts = [engine.tokenizer.decode(row.scribe.ids) for row in rows]
    return HeardClip(
        text=texts[0] if len(texts) == 1 else _one_reply(texts, language),
        token_ids=tuple(token_id for row in rows for token_id in row.scribe.written),
        num_samples=len(clip),
        num_frames=tuple(row.num_frames for row in rows),
        audio_lengths=tuple(row.audio_shape[0] for row in rows),
        hidden=rows[0].audio_shape[1],
        prompt_lengths=tuple(row.prompt_length for row in rows),
        left_padding=tuple(row.padding for row in rows),
        stopped_by=next(reason for reason in SEVERITY if reason in {row.scribe.stopped_by for row in rows}),
        decode_seconds=sum(row.seconds for row in rows),
    )


def _one_reply(texts: Sequence[str], language: str | None) -> str:
    """Replies to the pieces of one clip as the model would have written one: a language, the tag, all words."""
    replies = [read_reply(text, language, repair=False) for text in texts]
    words = join_all(reply.text for reply in replies)
    return words if language else f"language {merge_languages([reply.language for reply in replies]) or 'None'}{ASR_TEXT}{words}"
