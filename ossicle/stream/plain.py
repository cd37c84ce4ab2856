"""A window heard with nothing kept from before: the slow form, which the fast one (`kept.py`) must equal id by id.

    log_mel -> encode -> build_prompt and what is committed -> decode greedily -> one more pass for when each id is heard
"""

import time

import numpy as np

from ossicle.audio.mel import log_mel
from ossicle.decode.batched import Choose, decode_rows
from ossicle.decode.phrases import begin_with
from ossicle.model.network import Array, Capture, KVCache
from ossicle.pipeline.engine import Parts
from ossicle.pipeline.recognize import StageClock
from ossicle.stream.boundary import guard
from ossicle.stream.hypothesis import Hypothesis
from ossicle.stream.question import Places, Question, Told, answer, is_too_short, places_of, said_by, silent
from ossicle.stream.work import Work
from ossicle.text.prompt import Prompt, build_prompt


def hear_plainly(parts: Parts, question: Question, clock: StageClock, work: Work) -> Hypothesis:
    """The hypothesis of one hearing."""
    if is_too_short(question):
        return silent(question)
    network, told, writer = parts.network, Told(), question.writer(parts)
    audio = _encode(parts, question, clock, work)
    started = time.perf_counter()
    prompt = build_prompt(parts.tokenizer, len(audio), question.context, question.language)
    embeddings = network.embed([*prompt.ids, *question.committed], audio, prompt.audio_start)
    cache = network.new_cache((0,), len(embeddings) + 64)
    choose = _choose(parts, question, cache, told)
    work.feed(len(embeddings), 0, 1)
    for step, _ in enumerate(decode_rows(network, [embeddings], cache, [writer], choose)):
        now = time.perf_counter()
        if step == 0:
            clock.prefill += now - started
        else:
            clock.decode += now - started
            clock.num_steps += 1
        work.feed(1, len(embeddings) + step, 1)
        work.steps += 1
        started = now
    told.num_positions = cache.length
    said = said_by(question, writer, parts.tokenizer)
    places = None
    if question.wants_centres and parts.heads is not None:
        ids = [*question.committed, *writer.ids[: said.start], *said.ids]
        places = _places(parts, cache, prompt, ids, said.indices(len(question.committed)))
    return answer(question, writer, said, told, places)


def _encode(parts: Parts, question: Question, clock: StageClock, work: Work) -> Array:
    network, config = parts.network, parts.network.config.encoder
    started = time.perf_counter()
    mel = log_mel(question.samples)
    clock.mel += time.perf_counter() - started
    started = time.perf_counter()
    audio = network.encode(mel)
    network.read(audio[-1])
    clock.encode += time.perf_counter() - started
    full, tail = divmod(mel.shape[1], config.chunk_frames)
    work.convolve(config.chunk_frames * (full + (tail > 0)) if full else tail, config.chunk_frames)
    per_chunk = -(-len(audio) // (full + (tail > 0)))
    work.attend(len(audio), per_chunk * config.chunks_per_window)
    return audio


def _choose(parts: Parts, question: Question, cache: KVCache, told: Told) -> Choose:
    """How ids are chosen: the likeliest, with an eye on what the reply begins with."""
    network = parts.network
    if not question.has_header:
        return guard(network, parts.tokenizer, question.committed)
    headers = parts.headers

    def pick(_: int, logprobs: np.ndarray) -> int:
        told.chances = headers.chances(logprobs)
        return headers.names.index(next(iter(headers.chances(logprobs, question.languages))))

    return begin_with(network, cache, headers.phrases, ["held" if question.languages else "seen"], pick)


def _places(parts: Parts, cache: KVCache, prompt: Prompt, ids: list[int], wanted: list[int]) -> Places:
    """Feed the whole reply once more behind the prompt, with its heads captured; the places of these of its ids."""
    assert parts.heads is not None
    if not wanted:
        return Places((), ())
    network, before = parts.network, len(prompt.ids) - 1
    cache.trim(cache.length - before)                       # the last id of the prompt predicts the first one
    capture = Capture(parts.heads.heads, [index + (not parts.heads.is_predicting) for index in wanted])
    queries = network.forward(network.embed([prompt.ids[-1], *ids]), cache, None, capture).queries
    return places_of(parts, cache, network.read(queries)[0], prompt.audio_start, prompt.audio_end)
