"""Pieces of sound to what was said in them: the six stages, in order. Start reading here.

    log_mel -> encode -> build_prompt -> embed -> decode under a stop rule -> read_reply

Runs on the engine's thread, over a batch of pieces at a time. Knows nothing of files, of long recordings or of retries.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ossicle.audio.load import SAMPLE_RATE
from ossicle.audio.mel import log_mel
from ossicle.decode.batched import Choose, decode_rows
from ossicle.decode.penalty import loop_penalty
from ossicle.decode.phrases import Begin, begin_with
from ossicle.decode.sampling import sampler
from ossicle.decode.stopping import StopRule, Writer
from ossicle.errors import Cancelled
from ossicle.model.network import Array, KVCache
from ossicle.options import DecodeOptions
from ossicle.pipeline.echo import echo_warning, is_echo, is_struck_dumb, is_suspicious
from ossicle.pipeline.engine import Parts
from ossicle.pipeline.languages import outside
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
    languages: tuple[str, ...] = ()     # such names to choose from, where the choice is not the model's alone
    echo_guard: bool = False            # a reply that may only repeat the context is decoded again without it


@dataclass(frozen=True)
class Sound:
    """One piece to recognise."""

    samples: np.ndarray                 # (samples,) mono float32 at 16 kHz
    max_tokens: int                     # end token included
    loop_guard: bool = True
    seed: tuple[int, ...] = (0,)        # of its own draws, where a temperature is asked for
    loop_penalty: bool = False          # it looped before: make what repeats a little less likely, where tokens are not drawn
    language: str | None = None         # forced for this piece alone
    is_speech: bool = True              # otherwise it never gets the context
    speech_seconds: float | None = None     # of it; None where nobody listened for speech

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
    chances: Mapping[str, float] = field(default_factory=dict)     # of each language, likeliest first; empty where it was forced
    warnings: tuple[str, ...] = ()
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
    rows = [Row(sound, sound.language or ask.language, ask.context if sound.is_speech else "", _writer(sound, eos_ids))
            for sound in sounds]
    try:
        audio = listen(parts, sounds, clock, cancel)
        _write(parts, audio, rows, ask, clock, cancel)
        if ask.echo_guard and ask.context:
            _write_without_echo(parts, audio, rows, ask, eos_ids, clock, cancel)
    except Cancelled:
        for row in rows:
            row.writer.cancel()
    return [_recognition(parts, row, ask) for row in rows]


@dataclass
class Row:
    """One sequence while it is decoded."""

    sound: Sound
    language: str | None
    context: str
    writer: Writer
    chances: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    num_penalised: int = 0


def listen(parts: Parts, sounds: Sequence[Sound], clock: StageClock, cancel: CancelToken) -> list[Array]:
    """Sounds to audio embeddings, each (audio_tokens, hidden)."""
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
    return audio


def _write(parts: Parts, audio: Sequence[Array], rows: Sequence[Row], ask: Ask, clock: StageClock, cancel: CancelToken) -> None:
    """Run the writers of all rows to their ends. Raises Cancelled between two tokens."""
    def has_text(row: Row) -> bool:
        return bool(row.writer.ids) if row.language else tag in row.writer.ids[:-1]

    cancel.check()
    tag = parts.tokenizer.asr_text
    started = time.perf_counter()
    prompts = [build_prompt(parts.tokenizer, len(heard), row.context, row.language) for row, heard in zip(rows, audio, strict=True)]
    room = max(len(prompt.ids) for prompt in prompts) * 3 // 2      # 13 positions a second of sound, about 5 of text
    cache, embeddings = parts.turns.begin(parts.network, prompts, audio, room)
    choose = _choose(parts, rows, cache, ask)
    for step, _ in enumerate(decode_rows(parts.network, embeddings, cache, [row.writer for row in rows], choose)):
        now = time.perf_counter()
        if step == 0:
            clock.prefill += now - started
        else:
            clock.decode += now - started
            clock.num_steps += 1
        started = now
        if clock.first_text_at is None and any(map(has_text, rows)):
            clock.first_text_at = now
        cancel.check()


def _write_without_echo(
    parts: Parts, audio: Sequence[Array], rows: list[Row], ask: Ask, eos_ids: frozenset[int], clock: StageClock, cancel: CancelToken
) -> None:
    """Write the rows that may only say their context back once more without it, and keep those where that was so."""
    first = {place: _recognition(parts, row, ask).reply.text for place, row in enumerate(rows) if row.context}
    again = {place: Row(row.sound, row.language, "", _writer(row.sound, eos_ids)) for place, row in enumerate(rows)
             if place in first and (is_suspicious(first[place], ask.context, row.sound.speech_seconds or row.sound.seconds)
                                    or is_struck_dumb(first[place], row.sound.speech_seconds))}
    if not again:
        return
    try:
        _write(parts, [audio[place] for place in again], list(again.values()), ask, clock, cancel)
    except Cancelled:
        for place, row in again.items():                    # what nobody could look at is not handed out
            row.writer.cancel()
            rows[place] = row
        raise
    for place, row in again.items():
        text = _recognition(parts, row, ask).reply.text
        if text.strip() and not first[place].strip():
            row.warnings += ("with its context the model wrote nothing; the piece was decoded again without it",)
            rows[place] = row
        elif is_echo(first[place], text, ask.context):
            row.warnings += (echo_warning(first[place], text),)
            rows[place] = row


def _writer(sound: Sound, eos_ids: frozenset[int]) -> Writer:
    return Writer(StopRule(eos_ids, sound.max_tokens, sound.seconds, sound.loop_guard))


def _choose(parts: Parts, rows: Sequence[Row], cache: KVCache, ask: Ask) -> Choose | None:
    """How ids are chosen: the likeliest, or by chance; and at the beginning of a reply with an eye on its language."""
    temperature, headers = ask.decode.temperature, parts.headers

    def penalised(index: int) -> None:
        rows[index].num_penalised += 1

    choose: Choose | None = None
    if temperature > 0:
        choose = sampler(parts.network, temperature, [row.sound.seed for row in rows])
    elif any(row.sound.loop_penalty for row in rows):
        choose = loop_penalty(parts.network, [row.sound.loop_penalty for row in rows], penalised)
    if ask.decode.fill_budget:
        return choose

    def pick(index: int, logprobs: np.ndarray) -> int:
        rows[index].chances = headers.chances(logprobs)
        picked = next(iter(headers.chances(logprobs, ask.languages)))
        if ask.languages:
            rows[index].warnings += outside(rows[index].chances, picked)
        return headers.names.index(picked)

    begin: Begin = "held" if ask.languages else "seen"
    begins: list[Begin] = ["free" if row.language else begin for row in rows]
    return begin_with(parts.network, cache, headers.phrases, begins, pick, choose)


def _recognition(parts: Parts, row: Row, ask: Ask) -> Recognition:
    writer = row.writer
    stopped_by = writer.stopped_by or "cancelled"
    text = parts.tokenizer.decode(writer.ids if ask.official else writer.readable_ids)
    if ask.official or row.language or ASR_TEXT in text:
        reply = read_reply(text, row.language, repair=ask.official or stopped_by in ("loop", "budget"))
    else:
        reply = read_untagged(text, is_cut=stopped_by != "eos")
    return Recognition(reply, tuple(writer.ids), tuple(writer.logprobs), stopped_by, row.chances, row.warnings, row.num_penalised)
