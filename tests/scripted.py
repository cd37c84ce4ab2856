"""A network that says what a test tells it to: real shapes, no weights.

It keeps the promise of ossicle/model/network.py for greedy decoding in batches. What a row "hears" is the mean of its
mel, and a test answers with token ids for that and the number of audio tokens.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ossicle.model.network import Output

Answer = Callable[[int, float], Sequence[int]]      # (audio_tokens, loudness) -> ids; after the last it repeats the last


class ScriptedCache:
    """One row of state per sequence: what it answers, and how far it has come."""

    def __init__(self, num_rows: int) -> None:
        self.answers: list[Sequence[int]] = [()] * num_rows
        self.steps = 0

    def select(self, rows: Sequence[int]) -> None:
        self.answers = [self.answers[row] for row in rows]


class ScriptedNetwork:
    """Answers by script. `calls` holds the audio tokens of every row of every prefill, in order."""

    engine, device, dtype, weights, num_bytes, step_bytes = "scripted", "none", "float32", "none", 0, 0

    def __init__(self, config, answer: Answer) -> None:
        self.config, self._answer = config, answer
        self.calls: list[list[int]] = []

    def encode(self, mel: np.ndarray) -> np.ndarray:
        tokens = 13 * (mel.shape[1] // 100) + -(-(mel.shape[1] % 100) // 8)
        return np.full((tokens, 2), [tokens, float(mel.mean())], np.float32)

    def embed(self, ids, audio=None, audio_start=0):
        rows = np.zeros((*np.shape(ids), 2), np.float32)
        if audio is not None:
            rows[audio_start : audio_start + len(audio)] = audio
        return rows

    def new_cache(self, padding=(0,), capacity=0) -> ScriptedCache:
        return ScriptedCache(len(padding))

    def forward(self, embeddings, cache, logits_at="last", capture=None) -> Output:
        if isinstance(embeddings, list):
            heard = [rows[rows[:, 0] > 0][0] for rows in embeddings]
            self.calls.append([int(row[0]) for row in heard])
            cache.answers = [self._answer(int(row[0]), float(row[1])) for row in heard]
        ids = [answer[min(cache.steps, len(answer) - 1)] for answer in cache.answers]
        cache.steps += 1
        logits = np.zeros((len(ids), self.config.decoder.vocab), np.float32)
        logits[range(len(ids)), ids] = 30.0
        return Output(logits)

    def greedy(self, logits):
        return logits.argmax(-1).astype(np.int32), np.full(len(logits), -0.1, np.float32)

    def start(self, *arrays) -> None:
        pass

    def read(self, array) -> np.ndarray:
        return np.asarray(array)

    def release(self) -> None:
        pass
