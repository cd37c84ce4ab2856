"""The promise of model/network.py, kept with MLX: on Apple and NVIDIA GPUs, and on MLX's CPU backend for tests.

Graphs are built here; who reads a result, or starts one, decides when they are computed. `load.py` fills in weights.
"""

from collections.abc import Sequence

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from ossicle.model.config import ModelConfig
from ossicle.model.mlx.cache import MLXCache
from ossicle.model.mlx.decoder import Decoder
from ossicle.model.mlx.encoder import AudioTower
from ossicle.model.network import Capture, KVCache, Output, Positions

FEW = 8                      # so many positions are fed as they are: products with few rows cost by the row
TILE = 32                    # more are filled up to whole tiles, which they would fill anyway: fewer shapes, same cost
PIECE = 2048                 # positions fed at once; bounds what a prompt of twenty minutes needs beside its cache

Heads = Sequence[tuple[int, int]]


class Modules(nn.Module):
    """The weights of one checkpoint under their own names."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.audio_tower = AudioTower(config.encoder)
        self.model = Decoder(config.decoder)
        if not config.decoder.is_tied:
            self.lm_head = nn.Linear(config.decoder.hidden, config.num_classes or config.decoder.vocab, bias=False)

    def head(self, hidden: mx.array) -> mx.array:
        """States of the last layer (..., hidden) to logits (..., vocab)."""
        hidden = self.model.norm(hidden)
        return self.lm_head(hidden) if "lm_head" in self else self.model.embed_tokens.as_linear(hidden)


class MLXNetwork:
    """A Network (see model/network.py) over MLX modules whose weights are loaded."""

    engine = "mlx"

    def __init__(self, config: ModelConfig, modules: Modules, dtype: mx.Dtype, weights: str, num_bytes: int, step_bytes: int):
        self.config = config
        self.modules = modules
        self.device = _device_name()
        self.dtype = str(dtype).removeprefix("mlx.core.")
        self.weights = weights
        self.num_bytes, self.step_bytes = num_bytes, step_bytes
        self._dtype = dtype

    def stem(self, mel: np.ndarray, pad_tail: bool | None = None) -> mx.array:
        assert mel.size > 0, "at least one frame is needed"
        return self.modules.audio_tower.stem(mx.array(mel).astype(self._dtype), pad_tail)

    def attend(self, rows: mx.array) -> mx.array:
        return self.modules.audio_tower.attend(rows)

    def encode(self, mel: np.ndarray) -> mx.array:
        return self.attend(self.stem(mel))

    def embed(self, ids: Sequence[int] | np.ndarray | mx.array, audio: mx.array | None = None, audio_start: int = 0) -> mx.array:
        index = ids if isinstance(ids, mx.array) else mx.array(np.asarray(ids, np.int32))
        rows = self.modules.model.embed_tokens(index).astype(self._dtype)   # some quantised tables answer in their own dtype
        if audio is None:
            return rows
        assert rows.ndim == 2, "audio takes its place in one row of ids at a time"
        audio_end = audio_start + audio.shape[0]
        assert audio_end <= rows.shape[0], f"audio ends at {audio_end}, the ids at {rows.shape[0]}"
        return mx.concatenate([rows[:audio_start], audio, rows[audio_end:]])

    def new_cache(self, padding: Sequence[int] = (0,), capacity: int = 0) -> MLXCache:
        return MLXCache(self.config.decoder, self._dtype, padding, capacity)

    def concatenate(self, arrays: Sequence[mx.array]) -> mx.array:
        return mx.concatenate(list(arrays))

    def join(self, caches: Sequence[KVCache], capacity: int = 0) -> MLXCache:
        held = [cache for cache in caches if isinstance(cache, MLXCache)]
        assert len(held) == len(caches), "caches are joined by the engine that made them"
        return MLXCache.joined(held, capacity)

    def forward(
        self,
        embeddings: mx.array | Sequence[mx.array],
        cache: KVCache,
        logits_at: Positions | None = "last",
        capture: Capture | None = None,
    ) -> Output:
        assert isinstance(cache, MLXCache), "a cache is fed by the engine that made it"
        x = _as_batch(embeddings, cache)                                    # (batch, tokens, hidden)
        heads = capture.heads if capture else ()
        hidden, queries = self._feed(x, cache, heads)
        if logits_at is None and not heads:
            # Nothing is handed out that could set this going, so it starts here.
            mx.async_eval(cache.arrays)
        return Output(
            logits=None if logits_at is None else self.modules.head(_at(logits_at, hidden)),
            queries=mx.stack([_at(capture.positions, states, keep=True) for states in queries], axis=1) if capture and heads else None,
        )

    def _feed(self, x: mx.array, cache: MLXCache, heads: Heads) -> tuple[mx.array, list[mx.array]]:
        """States before the final norm (batch, tokens, hidden), and rotated queries (batch, tokens, head_dim) per head."""
        if x.shape[1] <= PIECE:
            return self._feed_piece(x, cache, heads)
        pieces = []
        for start in range(0, x.shape[1], PIECE):
            hidden, queries = self._feed_piece(x[:, start : start + PIECE], cache, heads)
            mx.eval(hidden, queries, cache.arrays)      # one piece's intermediate states at a time
            pieces.append([hidden, *queries])
        hidden, *queries = [mx.concatenate(list(parts), axis=1) for parts in zip(*pieces)]
        return hidden, queries

    def _feed_piece(self, x: mx.array, cache: MLXCache, heads: Heads) -> tuple[mx.array, list[mx.array]]:
        tokens = x.shape[1]
        if tokens > FEW:
            # Attention is causal, so what stands behind changes nothing; the cache does not count it.
            x = mx.pad(x, [(0, 0), (0, -tokens % TILE), (0, 0)])
        hidden, queries = self.modules.model(x, cache, heads)
        cache.advance(tokens)
        return hidden[:, :tokens], [states[:, :tokens] for states in queries]

    def greedy(self, logits: mx.array) -> tuple[mx.array, mx.array]:
        ids = mx.argmax(logits, axis=-1)
        logits = logits.astype(mx.float32)
        best = mx.take_along_axis(logits, ids[..., None], axis=-1)[..., 0]
        return ids, best - mx.logsumexp(logits, axis=-1)

    def start(self, *arrays: mx.array | np.ndarray) -> None:
        mx.async_eval(*[array for array in arrays if isinstance(array, mx.array)])

    def read(self, array: mx.array | np.ndarray) -> np.ndarray:
        if isinstance(array, np.ndarray):
            return array.astype(np.float32 if np.issubdtype(array.dtype, np.floating) else np.int32)
        return np.array(array.astype(mx.float32 if mx.issubdtype(array.dtype, mx.floating) else mx.int32))

    def release(self) -> None:
        mx.clear_cache()


def _as_batch(embeddings: mx.array | Sequence[mx.array], cache: MLXCache) -> mx.array:
    """One (batch, tokens, hidden) of what `forward` takes; rows of unequal length are filled up on the left."""
    if isinstance(embeddings, mx.array):
        return embeddings[None] if embeddings.ndim == 2 else embeddings
    tokens = max(row.shape[0] for row in embeddings)
    fill = [tokens - row.shape[0] for row in embeddings]
    shift = cache.padding if cache.length == 0 else [0] * len(fill)
    assert fill == list(shift), f"rows of {[row.shape[0] for row in embeddings]} do not fit padding {list(shift)}"
    return mx.stack([mx.pad(row, [(left, 0), (0, 0)]) for row, left in zip(embeddings, fill)])


def _at(positions: Positions, states: mx.array, keep: bool = False) -> mx.array:
    """Choose among the tokens of (batch, tokens, width); "last" drops their axis unless told to `keep` it."""
    if positions == "all":
        return states
    if positions == "last":
        return states[:, -1:] if keep else states[:, -1]
    tokens = states.shape[1]
    chosen = [int(position) for position in positions]
    assert all(-tokens <= position < tokens for position in chosen), f"positions {chosen} are outside the {tokens} fed"
    return states[:, mx.array(chosen, mx.int32)]


def leave_thread() -> None:
    """End this thread's streams and compiled functions; without it MLX aborts the process when the thread ends.

    Source: github.com/ml-explore/mlx/pull/4373. Before 0.32 there is no such call, and no need of it.
    """
    if hasattr(mx, "clear_streams"):
        mx.clear_streams()


def _device_name() -> str:
    device = mx.default_device()
    return f"{mx.device_info(device).get('device_name', 'unknown')} ({device.type.name})"
