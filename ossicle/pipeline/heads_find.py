"""A recording to how well each attention head of the decoder points at the sound of the token it reads; adds up over recordings.

    words aligned by a forced aligner -> one forward pass, every head captured -> strongest audio token of each -> hits

Every head is asked at two positions in the same pass: where the token itself is fed, and where it is predicted, one before. Knows
nothing of manifests or files. docs/heads.md says what the figures mean.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ossicle.audio.load import SAMPLE_RATE, read_samples
from ossicle.audio.mel import log_mel
from ossicle.audio.pcm import Samples
from ossicle.errors import Cancelled, ModelError, OptionError, SpeechError
from ossicle.model.network import Capture
from ossicle.options import AudioOptions, TranscribeOptions
from ossicle.pipeline.align import align_units, longest_seconds
from ossicle.pipeline.attention import TOKEN_SECONDS, attention_of, middles_of
from ossicle.pipeline.engine import Engine, Parts
from ossicle.pipeline.spans import Heard, times_of_words
from ossicle.pipeline.timing import units_of
from ossicle.pipeline.transcribe import transcribe
from ossicle.progress import CancelToken
from ossicle.results import source_name
from ossicle.text.languages import find_language
from ossicle.text.prompt import build_prompt
from ossicle.text.scripts import is_spoken
from ossicle.text.units import Unit
from ossicle.text.words import decode_with_owners, split_words

ASKED = ("fed", "predicted")         # where a head is asked: at the token, or one position before it
REACH_TOKENS = 3                     # audio tokens from the middle of the word within which a head has found it; or half the word
LEAST_MEASURED = 0.5                 # of the words: fewer, and the text is not that of the sound


@dataclass(frozen=True)
class HeadScores:
    """What was counted. Arrays are (2, layers, heads): asked where the token is fed, and where it is predicted."""

    hits: np.ndarray                 # tokens whose strongest audio token lies near the middle of their word
    mass: np.ndarray                 # sum over tokens of the share of attention that lies there
    num_tokens: int                  # that were counted
    num_samples: int                 # stretches of sound
    num_kv_heads: int
    aligner: str = ""                # its name
    languages: Counter[str] = field(default_factory=Counter)    # tokens of each
    warnings: tuple[str, ...] = ()

    def __add__(self, other: "HeadScores") -> "HeadScores":
        return HeadScores(
            self.hits + other.hits, self.mass + other.mass, self.num_tokens + other.num_tokens, self.num_samples + other.num_samples,
            self.num_kv_heads, self.aligner or other.aligner, self.languages + other.languages, (*self.warnings, *other.warnings))


def score_heads(
    engine: Engine, source: Any, text: str | None, options: TranscribeOptions, cancel: CancelToken | None = None
) -> HeadScores:
    """Score every head on one recording.

    text      what is said in it; None, or no language in the options, has the model say it
    options   of these count language, aligner, audio and what decoding needs

    Raises what `Recognizer.transcribe` and `Recognizer.align` raise.
    """
    cancel = cancel or CancelToken()
    with engine.in_use():
        if engine.config.is_aligner:
            raise ModelError("this checkpoint is a forced aligner: its heads point at no sound it wrote; load a recogniser such as 0.6b")
        loaded, found, warnings = engine.aligner(options.aligner), _nothing(engine.parts), list[str]()
        aligner = loaded.parts
        samples = read_samples(source, options.audio, on_progress=lambda *_: cancel.check(), on_warning=warnings.append)
        for part, said, language in _stretches(engine, samples, text, options, longest_seconds(aligner), cancel):
            cancel.check()
            units = units_of(said, language, warnings.append)
            try:
                found += engine.run(_score, engine.parts, part, said, language, align_words(engine, aligner, part, said, units, cancel))
            except Cancelled:
                raise
            except SpeechError as error:                # of this stretch: the others count
                warnings.append(f"left out of {source_name(source) or 'the recording'}: {error}")
        return replace(found, aligner=loaded.facts.name, warnings=tuple(warnings))


def align_words(
    engine: Engine, aligner: Parts, samples: Samples, text: str, units: Sequence[Unit], cancel: CancelToken
) -> list[Heard]:
    """When each word is said, by the forced aligner. Raises ModelError where it placed too few of them to be believed."""
    words = split_words(text)
    heard = times_of_words(words, units, engine.run(align_units, aligner, samples, units, cancel), len(samples) / SAMPLE_RATE)
    num_measured = sum(entry.is_measured for entry in heard)
    if num_measured < LEAST_MEASURED * len(words):
        raise ModelError(f"the aligner placed {num_measured} of {len(words)} words; is this the text of the recording?")
    return heard


def near(attention: np.ndarray, spans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each token's strongest audio token is near the middle of its word, and the share of its attention that is.

    attention   (tokens, audio_tokens), each row adding up to 1
    spans       (tokens, 2): seconds at which its word begins and ends
    returns     two (tokens,)
    """
    middle = spans.mean(axis=1)
    reach = np.maximum(REACH_TOKENS * TOKEN_SECONDS, (spans[:, 1] - spans[:, 0]) / 2) + 1e-9
    places = middles_of(np.arange(attention.shape[1]))
    is_near = np.abs(places - middle[:, None]) <= reach[:, None]                # (tokens, audio_tokens)
    return np.take_along_axis(is_near, attention.argmax(axis=1)[:, None], 1)[:, 0], (attention * is_near).sum(axis=1)


def words_of_tokens(owners: Sequence[Sequence[int]], text: str, num_tokens: int) -> list[int | None]:
    """The word that each token spells, by the characters it has a part in; None for one that spells none that is spoken, or two."""
    found: list[set[int]] = [set() for _ in range(num_tokens)]
    place = 0
    for word, spelled in enumerate(split_words(text)):
        for char in spelled:
            for token in owners[place] if is_spoken(char) else ():
                found[token].add(word)
            place += 1
    return [next(iter(words)) if len(words) == 1 else None for words in found]


def _stretches(
    engine: Engine, samples: Samples, text: str | None, options: TranscribeOptions, longest: float, cancel: CancelToken
) -> list[tuple[Samples, str, str]]:
    """Sound short enough for the aligner, with what is said in it, in which language."""
    seconds = len(samples) / SAMPLE_RATE
    if text is not None and seconds > longest:
        raise OptionError(f"a recording with a text must last no longer than the {longest:g} s that the aligner reads at once, "
                          f"got {seconds:.0f} s; cut it, or leave the text out")
    if text is not None and options.language:
        return [(samples, text, find_language(options.language).name)]
    split = replace(options.split, max_seconds=min(options.split.max_seconds, longest))
    heard = transcribe(engine, (samples, SAMPLE_RATE), replace(options, audio=AudioOptions(), words="none", split=split), None, cancel)
    chunks = [chunk for chunk in heard.chunks if chunk.text.strip() and chunk.language]
    if text is not None:
        return [(samples, text, chunks[0].language or "")] if chunks else []
    return [(samples[round(chunk.start * SAMPLE_RATE) : round(chunk.end * SAMPLE_RATE)], chunk.text, chunk.language or "")
            for chunk in chunks]


def _score(parts: Parts, samples: Samples, text: str, language: str, heard: Sequence[Heard]) -> HeadScores:
    """On the engine's thread: every head, over one stretch of sound whose words are aligned."""
    network, decoder = parts.network, parts.config.decoder
    ids = parts.tokenizer.encode_plain(text)
    spelled, owners = decode_with_owners(ids, parts.tokenizer)
    words = split_words(spelled)
    if len(words) != len(heard):
        raise ModelError(f"the tokenizer writes {len(words)} words where the text has {len(heard)}")
    counted = [(token, word) for token, word in enumerate(words_of_tokens(owners, spelled, len(ids)))
               if word is not None and heard[word].is_measured]
    if not counted:
        return _nothing(parts)
    tokens, spans = [token for token, _ in counted], np.array([(heard[word].start, heard[word].end) for _, word in counted])
    audio = network.encode(log_mel(samples))                                    # (audio_tokens, hidden)
    prompt = build_prompt(parts.tokenizer, len(audio), language=language)
    embeddings = network.embed([*prompt.ids, *ids], audio, prompt.audio_start)  # (tokens, hidden)
    heads = tuple((layer, head) for layer in range(decoder.num_layers) for head in range(decoder.num_heads))
    capture = Capture(heads, range(len(prompt.ids) - 1, len(embeddings)))
    cache = network.new_cache((0,), len(embeddings))
    queries = network.read(network.forward(embeddings, cache, None, capture).queries)[0]    # (heads, 1 + tokens, head_dim)
    shape = (len(ASKED), decoder.num_layers, decoder.num_heads)
    hits, mass = np.zeros(shape, np.int64), np.zeros(shape)
    for (layer, head), rows in zip(heads, queries, strict=True):
        attention = attention_of(network, [(layer, head)], cache, rows[None], prompt.audio_start, prompt.audio_end)
        for asked, shift in enumerate((1, 0)):
            is_hit, share = near(attention[[token + shift for token in tokens]], spans)
            hits[asked, layer, head], mass[asked, layer, head] = is_hit.sum(), share.sum()
    return HeadScores(hits, mass, len(tokens), 1, decoder.num_kv_heads, languages=Counter({language: len(tokens)}))


def _nothing(parts: Parts) -> HeadScores:
    decoder = parts.config.decoder
    zeros = np.zeros((len(ASKED), decoder.num_layers, decoder.num_heads))
    return HeadScores(zeros.astype(np.int64), zeros, 0, 0, decoder.num_kv_heads)
