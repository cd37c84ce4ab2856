"""Words of a chunk to times, by the recogniser's own attention: where it listened when it read each word.

    log_mel -> encode -> build_prompt with the text behind it -> one forward pass, heads captured -> a path -> words

One pass over what was decoded already, with chosen heads captured; their attention over the sound is averaged, and the
likeliest path through it that never goes back places each token. Runs on the engine's thread.
Source: docs/words.md, "Attention"; which heads, and who found them, model/alignment_heads.json.
"""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from ossicle.audio.load import SAMPLE_RATE
from ossicle.audio.loudness import STEP_SECONDS, loud_steps
from ossicle.audio.mel import log_mel
from ossicle.errors import ModelError
from ossicle.model.network import Capture, KVCache, Network
from ossicle.pipeline.engine import Parts
from ossicle.pipeline.spans import Heard, fill, most_seconds
from ossicle.text.normal import normalized
from ossicle.text.prompt import build_prompt
from ossicle.text.scripts import is_spoken
from ossicle.text.words import decode_with_owners

TOKENS_PER_SECOND = 13               # of the encoder: counting begins anew each second, and the 13th is half outside
TOKEN_SECONDS = 0.08
NEAR = 3                             # audio tokens to either side of the path that a token's place is averaged over
FLOOR = 1e-4                         # of attention: a token that looks elsewhere must not bend the path for ever
PAUSE_STEPS = 8                      # of 10 ms: a plosive is closed for less


def attend_words(parts: Parts, samples: np.ndarray, words: Sequence[str], language: str | None = None) -> list[Heard]:
    """When each word is said.

    samples   (n,) float32 at 16 kHz
    words     joined, they are what was recognised in the samples
    language  the name that the reply began with

    Raises ModelError where it is not known which heads point at the sound.
    """
    if not words:
        return []
    text, seconds = "".join(words), len(samples) / SAMPLE_RATE
    attention, owners = attend(parts, samples, text, language)                  # (tokens, audio_tokens)
    spelled, places = normalized(text, "NFC")
    ends = list(accumulate(len(word) for word in words))
    places_of: dict[int, list[int]] = {}                    # of spoken characters, by the token that ends them
    for char, place, tokens in zip(spelled, places, owners):
        if is_spoken(char):
            places_of.setdefault(tokens[-1], []).append(place)
    tokens = sorted(places_of)
    centres = token_centres(attention[tokens]) if tokens else np.zeros(0)
    heard_at: list[list[float]] = [[] for _ in words]
    word = 0
    for token, centre in zip(tokens, centres.tolist()):
        for place in places_of[token]:
            while place >= ends[word]:
                word += 1
            heard_at[word].append(centre)
    return fill(around(heard_at, samples), [max(1, len(found)) for found in heard_at], seconds)


def attend(parts: Parts, samples: np.ndarray, text: str, language: str | None = None) -> tuple[np.ndarray, list[list[int]]]:
    """Attention of the text's tokens over the sound, and for each character of the text (in NFC) the tokens that spell it.

    returns   (tokens, audio_tokens) float32, each row adding up to 1: the mean of all alignment heads
    """
    if parts.heads is None:
        raise ModelError("which attention heads of this checkpoint point at the sound is not known: generation_config.json "
                         "names no alignment_heads, and its sizes are not those of a published model")
    network = parts.network
    audio = network.encode(log_mel(samples))                                    # (audio_tokens, hidden)
    prompt = build_prompt(parts.tokenizer, len(audio), language=language)
    ids = parts.tokenizer.encode_plain(text)
    embeddings = network.embed([*prompt.ids, *ids], audio, prompt.audio_start)  # (tokens, hidden)
    first = len(prompt.ids) - parts.heads.is_predicting
    capture = Capture(parts.heads.heads, range(first, first + len(ids)))
    cache = network.new_cache((0,), len(embeddings))
    queries = network.forward(embeddings, cache, None, capture).queries         # (1, heads, tokens, head_dim)
    attention = attention_of(network, parts.heads.heads, cache, network.read(queries)[0], prompt.audio_start, prompt.audio_end)
    return attention, decode_with_owners(ids, parts.tokenizer)[1]


def attention_of(
    network: Network, heads: Sequence[tuple[int, int]], cache: KVCache, queries: np.ndarray, audio_start: int, audio_end: int
) -> np.ndarray:
    """Attention (tokens, audio_tokens) over the sound alone, each row adding up to 1: the mean of these heads.

    queries   (heads, tokens, head_dim), rotated; `cache` is of one row and holds the sound at these positions
    """
    total = np.zeros((queries.shape[1], audio_end - audio_start), np.float32)
    for (layer, head), rows in zip(heads, queries, strict=True):
        keys = network.read(cache.keys(layer, head, audio_start, audio_end))[0]     # (audio_tokens, head_dim)
        total += _softmax(rows @ keys.T / np.sqrt(keys.shape[-1]))
    return total / len(heads)


def token_centres(attention: np.ndarray) -> np.ndarray:
    """Seconds at which each text token is heard, never going back: (tokens, audio_tokens) gives (tokens,)."""
    audio_tokens = np.arange(attention.shape[1])
    middles = middles_of(audio_tokens)
    path = _rising_path(np.log(attention + FLOOR))
    near = np.abs(audio_tokens - path[:, None]) <= NEAR                         # (tokens, audio_tokens)
    weights = attention * near + np.finfo(np.float32).tiny
    return np.maximum.accumulate((weights * middles).sum(axis=1) / weights.sum(axis=1))


def middles_of(audio_tokens: np.ndarray) -> np.ndarray:
    """Seconds at which the middles of audio tokens lie, exactly."""
    return (_begins(audio_tokens) + _begins(audio_tokens + 1)) / 2


def _begins(audio_tokens: np.ndarray) -> np.ndarray:
    """Seconds at which audio tokens begin, exactly: 13 a second, of which the last is cut short by the next second."""
    return audio_tokens // TOKENS_PER_SECOND + audio_tokens % TOKENS_PER_SECOND * TOKEN_SECONDS


def _rising_path(scores: np.ndarray) -> np.ndarray:
    """The column for each row of scores (rows, columns) with the highest sum, columns never going back."""
    columns = np.arange(scores.shape[1])
    best, came_from = scores[0], np.zeros(scores.shape, np.int32)
    for row in range(1, len(scores)):
        highest = np.maximum.accumulate(best)
        came_from[row] = np.maximum.accumulate(np.where(best == highest, columns, 0))
        best = scores[row] + highest
    path = [int(best.argmax())]
    for row in range(len(scores) - 1, 0, -1):
        path.append(int(came_from[row, path[-1]]))
    return np.array(path[::-1])


def attended(attention: np.ndarray) -> np.ndarray:
    """Seconds at which each text token is heard, taken alone, so it may go back: (tokens, audio_tokens) gives (tokens,)."""
    return middles_of(attention.argmax(axis=1))


def around(heard_at: Sequence[Sequence[float]], samples: np.ndarray) -> list[Heard | None]:
    """Stretches around the places at which words are heard; None for a word that no token spells.

    heard_at   of each word, seconds for each character that is spoken: their mean is its middle, their number its weight

    Between two words the border is a pause, where there is one, else it lies by their lengths.
    """
    loud, seconds = loud_steps(samples), len(samples) / SAMPLE_RATE
    spelled = [(word, sum(found) / len(found), len(found)) for word, found in enumerate(heard_at) if found]
    stretches: list[Heard | None] = [None] * len(heard_at)
    earliest = 0.0
    for i, (word, centre, weight) in enumerate(spelled):
        most = most_seconds(weight)
        if i == 0:
            earliest = _pause(loud, max(0.0, centre - most), centre)[1]
        if i + 1 < len(spelled):
            _, next_centre, next_weight = spelled[i + 1]
            share = centre + (next_centre - centre) * weight / (weight + next_weight)
            end, next_earliest = _pause(loud, centre, next_centre, share)
        else:
            end = next_earliest = _pause(loud, centre, min(seconds, centre + most), seconds)[0]
        stretches[word] = Heard(max(earliest, centre - most), min(end, centre + most, seconds), True)
        earliest = next_earliest
    return stretches


def _pause(loud: np.ndarray, start: float, end: float, otherwise: float | None = None) -> tuple[float, float]:
    """Where sound stops and goes on between two times: the longest quiet stretch. `otherwise` (or `start`) twice where there is none."""
    first, last = int(start / STEP_SECONDS), int(end / STEP_SECONDS)
    edges = np.flatnonzero(np.diff(np.concatenate([[True], loud[first:last], [True]])))       # quiet from the even ones to the odd
    lengths = edges[1::2] - edges[::2]
    if not len(lengths) or lengths.max() < PAUSE_STEPS:
        place = start if otherwise is None else otherwise
        return place, place
    at = 2 * int(lengths.argmax())
    return (first + int(edges[at])) * STEP_SECONDS, (first + int(edges[at + 1])) * STEP_SECONDS


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
