"""The promise of model/network.py, kept on any processor: activations in float32, weights as `load.py` gives them.

Nothing is lazy here: what a method returns is computed. Arrays belong to no thread. `load.py` fills in weights.
"""

from collections.abc import Sequence

import numpy as np

from ossicle.model.config import ModelConfig
from ossicle.model.cpu.arithmetic import Arithmetic, Likeliest
from ossicle.model.cpu.cache import CPUCache
from ossicle.model.cpu.decoder import Decoder
from ossicle.model.cpu.encoder import AudioTower
from ossicle.model.cpu.modules import Weights
from ossicle.model.layout import HEAD
from ossicle.model.machine import processor_name
from ossicle.model.network import Capture, KVCache, Output, Positions

PIECE = 512                  # rows fed at once, all sequences together: enough for full speed, and 20 MB of activations at 0.6B


class Logits(np.ndarray):
    """Logits (batch, vocab) that know the likeliest of each row, which was found while they were computed."""

    likeliest: Likeliest | None = None


class CPUNetwork:
    """A Network (see model/network.py) over NumPy arrays."""

    engine = "cpu"
    dtype = "float32"

    def __init__(self, config: ModelConfig, arithmetic: Arithmetic, tensors: Weights, *, weights: str, num_bytes: int, step_bytes: int,
                 kv_dtype: str = "float32"):
        """tensors  every tensor of the network by canonical name: weights of the form that computes, vectors in float32"""
        self.config, self.arithmetic = config, arithmetic
        self.audio_tower = AudioTower(arithmetic, tensors, "audio_tower", config.encoder)
        self.model = Decoder(arithmetic, tensors, "model", config.decoder)
        # A tied head may be held in other numbers than the table that it is tied to.
        self.lm_head = arithmetic.linear([tensors[f"{HEAD}.weight"]], self.model.norm)
        self.device = f"{processor_name()} (cpu)"
        self.weights, self.num_bytes, self.step_bytes, self.kv_dtype = weights, num_bytes, step_bytes, kv_dtype

    def stem(self, mel: np.ndarray, pad_tail: bool | None = None) -> np.ndarray:
        assert mel.size > 0, "at least one frame is needed"
        return self.audio_tower.stem(np.asarray(mel, np.float32), pad_tail)

    def attend(self, rows: np.ndarray) -> np.ndarray:
        return self.audio_tower.attend(rows)

    def encode(self, mel: np.ndarray) -> np.ndarray:
        return self.attend(self.stem(mel))

    def embed(self, ids: Sequence[int] | np.ndarray, audio: np.ndarray | None = None, audio_start: int = 0) -> np.ndarray:
        ids = np.asarray(ids, np.int64)
        rows = self.arithmetic.embed(self.model.embed_tokens, ids.reshape(-1)).reshape(*ids.shape, -1)
        if audio is None:
            return rows
        assert rows.ndim == 2, "audio takes its place in one row of ids at a time"
        audio_end = audio_start + len(audio)
        assert audio_end <= len(rows), f"audio ends at {audio_end}, the ids at {len(rows)}"
        rows[audio_start:audio_end] = audio
        return rows

    def new_cache(self, padding: Sequence[int] = (0,), capacity: int = 0) -> CPUCache:
        return CPUCache(self.config.decoder, padding, capacity, self.kv_dtype)

    def concatenate(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(list(arrays))

    def join(self, caches: Sequence[KVCache], capacity: int = 0) -> CPUCache:
        held = [cache for cache in caches if isinstance(cache, CPUCache)]
        assert len(held) == len(caches), "caches are joined by the engine that made them"
        return CPUCache.joined(self.config.decoder, held, capacity, self.kv_dtype)

    def forward(
        self,
        embeddings: np.ndarray | Sequence[np.ndarray],
        cache: KVCache,
        logits_at: Positions | None = "last",
        capture: Capture | None = None,
    ) -> Output:
        assert isinstance(cache, CPUCache), "a cache is fed by the engine that made it"
        x = _as_batch(embeddings, cache)                                    # (batch, tokens, hidden)
        tokens = x.shape[1]
        heads = capture.heads if capture else ()
        logits_rows = [] if logits_at is None else _rows(logits_at, tokens)
        query_rows = _rows(capture.positions, tokens) if capture and heads else []
        first = min([*logits_rows, *query_rows, tokens])                    # nothing is asked of the tokens before it
        states, captured = [], []
        step = max(1, PIECE // x.shape[0])
        for start in range(0, tokens, step):
            piece = x[:, start : start + step]
            hidden, some = self.model(piece, cache, heads, min(max(first - start, 0), piece.shape[1]))
            states.append(hidden)
            captured.append(some)
        logits = None
        if logits_at is not None:
            whole = states[0] if len(states) == 1 else np.concatenate(states, axis=1)
            chosen = whole[:, [row - first for row in logits_rows]]                                # (batch, rows, hidden)
            logits = self._logits(chosen[:, 0]) if isinstance(logits_at, str) and logits_at == "last" else self._all_logits(chosen)
        if not query_rows:
            return Output(logits)
        queries = [np.concatenate(parts, axis=1)[:, [row - first for row in query_rows]] for parts in zip(*captured)]
        return Output(logits, np.stack(queries, axis=1))

    def _logits(self, hidden: np.ndarray) -> np.ndarray:
        """States of the last layer (batch, hidden) to logits (batch, vocab)."""
        values, likeliest = self.lm_head.best(np.ascontiguousarray(hidden))
        logits = values.view(Logits)
        logits.flags.writeable = False              # or what was found would no longer be true
        logits.likeliest = likeliest
        return logits

    def _all_logits(self, hidden: np.ndarray) -> np.ndarray:
        """States (batch, rows, hidden) to logits (batch, rows, vocab)."""
        batch, rows, width = hidden.shape
        return self.lm_head(np.ascontiguousarray(hidden).reshape(batch * rows, width)).reshape(batch, rows, -1)

    def greedy(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = logits.likeliest if isinstance(logits, Logits) else None
        found = found or self.arithmetic.greedy(np.asarray(logits).reshape(-1, logits.shape[-1]))
        ids, log_probabilities = found
        return ids.reshape(logits.shape[:-1]), log_probabilities.reshape(logits.shape[:-1])

    def start(self, *arrays: np.ndarray) -> None:
        """Nothing waits here."""

    def read(self, array: np.ndarray) -> np.ndarray:
        return np.asarray(array).astype(np.float32 if np.issubdtype(array.dtype, np.floating) else np.int32)

    def release(self) -> None:
        self.arithmetic.release()


def _as_batch(embeddings: np.ndarray | Sequence[np.ndarray], cache: CPUCache) -> np.ndarray:
    """One (batch, tokens, hidden) of what `forward` takes; rows of unequal length are filled up on the left."""
    if isinstance(embeddings, np.ndarray):
        return embeddings[None] if embeddings.ndim == 2 else embeddings
    tokens = max(len(row) for row in embeddings)
    fill = [tokens - len(row) for row in embeddings]
    shift = cache.padding if cache.length == 0 else [0] * len(fill)
    assert fill == list(shift), f"rows of {[len(row) for row in embeddings]} do not fit padding {list(shift)}"
    return np.stack([np.pad(row, [(left, 0), (0, 0)]) for row, left in zip(embeddings, fill)])


def _rows(positions: Positions, tokens: int) -> list[int]:
    """Positions as indices from the first of so many tokens fed."""
    if isinstance(positions, str):
        return list(range(tokens)) if positions == "all" else [tokens - 1]
    chosen = [int(position) for position in positions]
    assert all(-tokens <= position < tokens for position in chosen), f"positions {chosen} are outside the {tokens} fed"
    return [position % tokens for position in chosen]
