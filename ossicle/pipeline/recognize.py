"""Pieces of sound to what was said in them: the six stages, in order. Start reading here.

    log_mel -> encode -> build_prompt -> embed -> decode under a stop rule -> read_reply

Runs on the engine's thread, over a batch of pieces at a time. Knows nothing of files, of long recordings or of retries.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ossicle.audio.load import SAMPLE_RATE
from ossicle.audio.mel import log_mel
from ossicle.decode.batched import Choose, decode_rows, padding_of
from ossicle.decode.penalty import loop_penalty
from ossicle.decode.sampling import sampler
from ossicle.decode.stopping import StopRule, Writer
from ossicle.errors import Cancelled
from ossicle.model.network import Array
from ossicle.options import DecodeOptions
from ossicle.pipeline.engine import Parts
from ossicle.progress import CancelToken
from ossicle.results import StoppedBy
from ossicle.text.prompt import build_prompt
from ossicle.text.reply import Reply, read_reply, read_untagged
from ossicle.text.tokenizer import ASR_TEXT


@dataclass(frozen=True)
class Ask:
    """What is the same for every piece of one recording."""

    language: str | None = None         # the name the model knows, when it is forced
    context: str = ""
    decode: DecodeOptions = field(default_factory=DecodeOptions)
    official: bool = False              # read every reply exactly as the official code does


@dataclass(frozen=True)
class Sound:
    """One piece to recognise."""

    samples: np.ndarray                 # (samples,) mono float32 at 16 kHz
    max_tokens: int                     # end token included
    loop_guard: bool = True
    seed: tuple[int, ...] = (0,)        # of its own draws, where a temperature is asked for
    loop_penalty: bool = False          # it looped before: make what repeats a little less likely, where tokens are not drawn

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True)
class Recognition:
    """What was said in one piece, and how decoding went."""

    reply: Reply
    ids: tuple[int, ...]                # every generated id, the end token left out
    logprobs: tuple[float, ...]
    stopped_by: StoppedBy
    num_penalised: int = 0              # choices that the loop penalty changed


@dataclass
class StageClock:
    """Seconds of work by stage, and how many steps the last one took; each stage adds its own."""

    mel: float = 0.0
    encode: float = 0.0
    prefill: float = 0.0
    decode: float = 0.0
    num_steps: int = 0                  # inside `decode`; the first step of a batch is waited for inside `prefill` on engine cpu
    first_text_at: float | None = None  # on the clock of time.perf_counter


def recognize(
    parts: Parts,
    sounds: Sequence[Sound],
    ask: Ask,
    clock: StageClock,
    cancel: CancelToken | None = None,
) -> list[Recognition]:
    """Recognise sounds side by side; gives one Recognition each, in order.

    A cancelled one holds what was written until then. Adds to `clock` what each stage took.
    """
    cancel = cancel or CancelToken()
    eos_ids: frozenset[int] = frozenset() if ask.decode.fill_budget else parts.eos_ids
    writers = [Writer(StopRule(eos_ids, sound.max_tokens, sound.seconds, sound.loop_guard)) for sound in sounds]
    num_penalised = [0] * len(sounds)
    try:
        embeddings = _listen(parts, sounds, ask, clock, cancel)
        _write(parts, embeddings, writers, _choose(parts, sounds, ask, num_penalised), ask, clock, cancel)
    except Cancelled:
        for writer in writers:
            writer.cancel()
    return [_recognition(parts, writer, ask, changed) for writer, changed in zip(writers, num_penalised, strict=True)]


def _choose(parts: Parts, sounds: Sequence[Sound], ask: Ask, num_penalised: list[int]) -> Choose | None:
    """How the next token is picked; None is the most likely one."""
    if ask.decode.temperature > 0:
        return sampler(parts.network, ask.decode.temperature, [sound.seed for sound in sounds])
    if any(sound.loop_penalty for sound in sounds):
        return loop_penalty(parts.network, [sound.loop_penalty for sound in sounds], num_penalised)
    return None


def _listen(parts: Parts, sounds: Sequence[Sound], ask: Ask, clock: StageClock, cancel: CancelToken) -> list[Array]:
    """Sounds to prompts with the sound inside, each (tokens, hidden)."""
    network, mels, audio = parts.network, [], []
    started = time.perf_counter()
    for sound in sounds:
        cancel.check()
        mels.append(log_mel(sound.samples))                                  # (mel_bins, frames)
    clock.mel += time.perf_counter() - started

    started = time.perf_counter()
    for mel in mels:
        cancel.check()
        audio.append(network.encode(mel))                                    # (audio_tokens, hidden)
        network.start(audio[-1])
    for rows in audio:
        cancel.check()
        network.read(rows[-1])                                               # waits, so that the stage is timed honestly
    clock.encode += time.perf_counter() - started
    return [_prompt(parts, rows, ask) for rows in audio]


def _prompt(parts: Parts, audio: Array, ask: Ask) -> Array:
    prompt = build_prompt(parts.tokenizer, len(audio), ask.context, ask.language)
    return parts.network.embed(prompt.ids, audio, prompt.audio_start)


def _write(
    parts: Parts,
    embeddings: list[Array],
    writers: list[Writer],
    choose: Choose | None,
    ask: Ask,
    clock: StageClock,
    cancel: CancelToken,
) -> None:
    """Run the writers to their ends. Raises Cancelled between two tokens."""
    def has_text(writer: Writer) -> bool:
        return bool(writer.ids) if ask.language else tag in writer.ids[:-1]

    cancel.check()
    tag = parts.tokenizer.asr_text
    lengths = [len(rows) for rows in embeddings]
    room = max(lengths) * 3 // 2            # 13 positions a second of sound, about 5 of text; growing would copy them all
    cache = parts.network.new_cache(padding_of(lengths), room)
    started = time.perf_counter()
    for step, _ in enumerate(decode_rows(parts.network, embeddings, cache, writers, choose)):
        now = time.perf_counter()
        if step == 0:
            clock.prefill += now - started
        else:
            clock.decode += now - started
            clock.num_steps += 1
        started = now
        if clock.first_text_at is None and any(map(has_text, writers)):
            clock.first_text_at = now
        cancel.check()


def _recognition(parts: Parts, writer: Writer, ask: Ask, num_penalised: int) -> Recognition:
    stopped_by = writer.stopped_by or "cancelled"
    text = parts.tokenizer.decode(writer.ids if ask.official else writer.readable_ids)
    if ask.official or ask.language or ASR_TEXT in text:
        reply = read_reply(text, ask.language, repair=ask.official or stopped_by in ("loop", "budget"))
    else:
        reply = read_untagged(text, is_cut=stopped_by != "eos")
    return Recognition(reply, tuple(writer.ids), tuple(writer.logprobs), stopped_by, num_penalised)
