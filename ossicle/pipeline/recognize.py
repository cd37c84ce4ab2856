"""Pieces of sound to what was said in them: the six stages, in order. Start reading here.

    log_mel -> encode -> build_prompt -> embed -> decode under a stop rule -> read_reply

Runs on the engine's thread, over a batch of pieces at a time. Knows nothing of files, of long recordings or of retries.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ossicle.audio.mel import log_mel
from ossicle.decode.batched import decode_rows, padding_of
from ossicle.decode.sampling import sampler
from ossicle.decode.stopping import StopRule, Writer
from ossicle.model.network import Array
from ossicle.options import DecodeOptions
from ossicle.pipeline.engine import Parts
from ossicle.progress import CancelToken
from ossicle.results import StoppedBy
from ossicle.text.prompt import build_prompt
from ossicle.text.reply import Reply, read_reply

SAMPLE_RATE = 16_000


@dataclass(frozen=True)
class Ask:
    """What is the same for every piece of one recording."""

    language: str | None = None         # the name the model knows, when it is forced
    context: str = ""
    decode: DecodeOptions = field(default_factory=DecodeOptions)
    repair: bool = False                # collapse long repetitions in every reply, as the official code does


@dataclass(frozen=True)
class Sound:
    """One piece to recognise."""

    samples: np.ndarray                 # (samples,) mono float32 at 16 kHz
    max_tokens: int                     # end token included
    loop_guard: bool = True

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


@dataclass
class StageClock:
    """Seconds of work by stage; each stage adds what it took."""

    mel: float = 0.0
    encode: float = 0.0
    prefill: float = 0.0
    decode: float = 0.0
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
    started = time.perf_counter()
    mels = [log_mel(sound.samples) for sound in sounds]                      # each (mel_bins, frames)
    clock.mel += time.perf_counter() - started

    network, started = parts.network, time.perf_counter()
    audio = [network.encode(mel) for mel in mels]                            # each (audio_tokens, hidden)
    network.start(*audio)
    for rows in audio:
        network.read(rows[-1])                                               # waits, so that the stage is timed honestly
    clock.encode += time.perf_counter() - started

    embeddings = [_prompt(parts, rows, ask) for rows in audio]               # each (tokens, hidden)
    writers = [Writer(StopRule(parts.eos_ids, sound.max_tokens, sound.seconds, sound.loop_guard)) for sound in sounds]
    _decode(parts, embeddings, writers, ask, clock, cancel)
    return [_recognition(parts, writer, ask) for writer in writers]


def _prompt(parts: Parts, audio: Array, ask: Ask) -> Array:
    prompt = build_prompt(parts.tokenizer, len(audio), ask.context, ask.language)
    return parts.network.embed(prompt.ids, audio, prompt.audio_start)


def _decode(
    parts: Parts,
    embeddings: list[Array],
    writers: list[Writer],
    ask: Ask,
    clock: StageClock,
    cancel: CancelToken | None,
) -> None:
    """Run the writers to their ends, or until cancelled."""
    def has_text(writer: Writer) -> bool:
        return bool(writer.ids) if ask.language else tag in writer.ids[:-1]

    tag, options = parts.tokenizer.asr_text, ask.decode
    lengths = [len(rows) for rows in embeddings]
    cache = parts.network.new_cache(padding_of(lengths), max(lengths))
    choose = sampler(parts.network, options.temperature, options.seed) if options.temperature > 0 else None
    started = time.perf_counter()
    for step, _ in enumerate(decode_rows(parts.network, embeddings, cache, writers, choose)):
        now = time.perf_counter()
        if step == 0:
            clock.prefill += now - started
            started = now
        if clock.first_text_at is None and any(map(has_text, writers)):
            clock.first_text_at = now
        if cancel is not None and cancel.is_cancelled:
            for writer in writers:
                writer.cancel()
            break
    clock.decode += time.perf_counter() - started


def _recognition(parts: Parts, writer: Writer, ask: Ask) -> Recognition:
    text = parts.tokenizer.decode(writer.ids)
    reply = read_reply(text, ask.language, repair=ask.repair or writer.stopped_by in ("loop", "budget"))
    return Recognition(reply, tuple(writer.ids), tuple(writer.logprobs), writer.stopped_by or "cancelled")
