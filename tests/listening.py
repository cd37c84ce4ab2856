"""A network that reads its prompt: what it answers depends on the context, on the sound, and on what it was made to say.

It keeps the promise of ossicle/model/network.py with lists for a cache, so every misbehaviour can be written as a function. A
row of an embedding is (token id, loudness): the id is -1 where there is sound.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ossicle.model.network import Output
from ossicle.text.tokenizer import Tokenizer

SURE, NEVER = 0.0, -25.0            # logits


@dataclass(frozen=True)
class Heard:
    """What the network has before it when it is asked for the next token."""

    context: str
    loudness: float                 # mean of the mel, about -0.5 for silence
    audio_tokens: int
    ids: tuple[int, ...]            # of its reply so far, a forced beginning included


Languages = Callable[[Heard], Mapping[str, float]]      # names, "None" among them, to probabilities
Text = Callable[[Heard, str], str]                      # what is heard, and the language that the reply names, to its words


class ListeningCache:
    """One list of rows per sequence."""

    def __init__(self, padding: Sequence[int]) -> None:
        self.rows: list[list[tuple[float, float]]] = [[] for _ in padding]
        self.padding = tuple(padding)

    @property
    def length(self) -> int:
        return len(self.rows[0])

    def trim(self, num_positions: int) -> None:
        self.rows = [row[: len(row) - num_positions] for row in self.rows]

    def select(self, rows: Sequence[int]) -> None:
        self.rows = [list(self.rows[row]) for row in rows]
        self.padding = tuple(self.padding[row] for row in rows)

    def spread(self, padding: Sequence[int], capacity: int = 0) -> "ListeningCache":
        other = ListeningCache(padding)
        other.rows = [([(0.0, 0.0)] * shift + self.rows[0])[: self.length] for shift in padding]
        return other


class ListeningNetwork:
    """Answers by functions of what it has before it. `heard` holds what stood in every prompt, in order."""

    engine, device, dtype, weights, num_bytes, step_bytes = "listening", "none", "float32", "none", 0, 0

    def __init__(self, config, tokenizer: Tokenizer, languages: Languages, text: Text) -> None:
        self.config, self._tokenizer, self._languages, self._text = config, tokenizer, languages, text
        self.heard: list[Heard] = []
        self.num_passes, self.num_positions = 0, 0
        names = [*(config.support_languages), "None"]
        self._headers = {name: tuple(tokenizer.encode(f"language {name}<asr_text>")) for name in names}

    def encode(self, mel: np.ndarray) -> np.ndarray:
        tokens = 13 * (mel.shape[1] // 100) + -(-(mel.shape[1] % 100) // 8)
        return np.full((tokens, 2), [-1.0, float(mel.mean())], np.float32)

    def stem(self, mel: np.ndarray, pad_tail=None) -> np.ndarray:
        return np.concatenate([self.encode(mel[:, start : start + 100]) for start in range(0, mel.shape[1], 100)])

    def attend(self, rows: np.ndarray) -> np.ndarray:
        return rows

    def concatenate(self, arrays) -> np.ndarray:
        return np.concatenate(list(arrays))

    def join(self, caches, capacity=0) -> ListeningCache:
        length = max(cache.length for cache in caches)
        joined = ListeningCache([length - cache.length for cache in caches])
        joined.rows = [[(0.0, 0.0)] * shift + cache.rows[0] for shift, cache in zip(joined.padding, caches)]
        return joined

    def embed(self, ids, audio=None, audio_start=0):
        ids = np.asarray(ids)
        rows = np.stack([ids, np.zeros_like(ids)], axis=-1).astype(np.float32)
        if audio is not None:
            rows[audio_start : audio_start + len(audio)] = audio
        return rows

    def new_cache(self, padding=(0,), capacity=0) -> ListeningCache:
        return ListeningCache(padding)

    def forward(self, embeddings, cache, logits_at="last", capture=None) -> Output:
        embeddings = [embeddings] if isinstance(embeddings, np.ndarray) and embeddings.ndim == 2 else list(embeddings)
        tokens = max(map(len, embeddings))
        for row, fed in zip(cache.rows, embeddings, strict=True):
            row += [(0.0, 0.0)] * (tokens - len(fed)) + [tuple(entry) for entry in fed.tolist()]
        self.num_passes += 1
        self.num_positions += tokens * len(embeddings)
        if logits_at is None:
            return Output(None)
        places = [tokens - 1] if isinstance(logits_at, str) else [place % tokens for place in logits_at]
        heard = [[self._hear(row[shift : len(row) - tokens + place + 1]) for place in places]
                 for row, shift in zip(cache.rows, cache.padding, strict=True)]
        if tokens > 8:
            self.heard += [of_row[0] for of_row in heard]
        logits = np.stack([np.stack([self._answer(one) for one in of_row]) for of_row in heard])     # (batch, positions, vocab)
        return Output(logits[:, 0] if isinstance(logits_at, str) else logits)

    def _hear(self, row: list[tuple[float, float]]) -> Heard:
        sound = [place for place, (token_id, _) in enumerate(row) if token_id < 0]
        before, after = ([int(token_id) for token_id, _ in part] for part in (row[: sound[0]], row[sound[-1] + 1 :]))
        opening = self._tokenizer.encode("<|audio_end|><|im_end|>\n<|im_start|>assistant\n")
        assert after[: len(opening)] == opening, "after the sound the assistant speaks"
        context = self._tokenizer.decode(before, skip_special=False).removeprefix("<|im_start|>system\n")
        loudness = float(np.mean([row[place][1] for place in sound]))
        return Heard(context.split("<|im_end|>")[0], loudness, len(sound), tuple(after[len(opening) :]))

    def _answer(self, heard: Heard) -> np.ndarray:
        """Logits (vocab,) of the next token."""
        logits = np.full(self.config.decoder.vocab, NEVER, np.float32)
        written = {name for name, header in self._headers.items() if heard.ids[: len(header)] == header}
        if written:
            name = written.pop()
            script = (*self._headers[name], *self._tokenizer.encode(self._text(heard, name)), self._tokenizer.im_end)
            is_on_it = len(heard.ids) < len(script) and heard.ids == script[: len(heard.ids)]
            logits[script[len(heard.ids)] if is_on_it else self._tokenizer.im_end] = SURE
            return logits
        for name, chance in self._languages(heard).items():
            header = self._headers[name]
            if heard.ids == header[: len(heard.ids)]:
                logits[header[len(heard.ids)]] = np.logaddexp(logits[header[len(heard.ids)]], np.log(max(chance, 1e-9)))
        return logits

    def greedy(self, logits):
        ids = logits.argmax(-1)
        top = np.take_along_axis(logits, ids[..., None], -1)[..., 0]
        return ids.astype(np.int32), (top - np.log(np.exp(logits).sum(-1))).astype(np.float32)

    def start(self, *arrays) -> None:
        pass

    def read(self, array) -> np.ndarray:
        return np.asarray(array)

    def release(self) -> None:
        pass
