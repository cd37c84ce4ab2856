"""Embeddings to hidden states: Qwen3 decoder layers over a cache that the caller owns.

Attribute names are the checkpoint's, or those of the products that are computed as one. The recipe is in docs/model.md
under "Decoder". Rows are (batch * tokens, features), the tokens of one sequence after the other.
"""

import threading
from collections.abc import Sequence

import numpy as np

from ossicle.model.config import DecoderConfig
from ossicle.model.cpu import kernels
from ossicle.model.cpu.arithmetic import Arithmetic, Layer, Turn
from ossicle.model.cpu.cache import CPUCache
from ossicle.model.cpu.modules import Weights, linear, rms_norm

FEW_ROWS = 64                # of a step, whose room each thread keeps: at 0.6B they take 3 MB


class DecoderLayer:
    def __init__(self, arithmetic: Arithmetic, weights: Weights, path: str, config: DecoderConfig):
        attention, mlp = f"{path}.self_attn", f"{path}.mlp"
        self._attend, self._width = arithmetic.attend, config.num_heads * config.head_dim
        self.rotate = arithmetic.rotation(
            rms_norm(weights, f"{attention}.q_norm", config.norm_eps), rms_norm(weights, f"{attention}.k_norm", config.norm_eps),
            config.num_heads, config.num_kv_heads, config.head_dim)
        self.input_layernorm = rms_norm(weights, f"{path}.input_layernorm", config.norm_eps)
        self.post_attention_layernorm = rms_norm(weights, f"{path}.post_attention_layernorm", config.norm_eps)
        q, k, v = (f"{attention}.{name}_proj" for name in "qkv")
        self.qkv_proj = linear(arithmetic, weights, q, k, v, norm=self.input_layernorm)
        self.q_proj = linear(arithmetic, weights, q, norm=self.input_layernorm)         # where little is asked of the last layer
        self.kv_proj = linear(arithmetic, weights, k, v, norm=self.input_layernorm)
        self.o_proj = linear(arithmetic, weights, f"{attention}.o_proj")
        self.gate_up_proj = linear(arithmetic, weights, f"{mlp}.gate_proj", f"{mlp}.up_proj", norm=self.post_attention_layernorm,
                                   activation="swiglu")
        self.down_proj = linear(arithmetic, weights, f"{mlp}.down_proj")

        self.parts = Layer(self.qkv_proj, self.rotate, self.o_proj, self.gate_up_proj, self.down_proj)

    def __call__(self, x: np.ndarray, turn: Turn, layer: int, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Change x (batch * tokens, hidden) in place; gives it, and the rotated queries (batch * tokens, heads * head_dim).

        With `first`, both are a copy from that token of each sequence on, and nothing else is computed but keys and values.
        """
        qkv, q, width, batch = turn.qkv, turn.q, self._width, len(turn.padding)
        if first == 0:
            self.qkv_proj(x, qkv)
        else:
            self.kv_proj(x, qkv[:, width:])
            x, q[:] = _tail(x, batch, first), 0                                             # zeros are rotated with the rest, and not read
            q.reshape(batch, -1, width)[:, first:] = self.q_proj(x).reshape(batch, len(x) // batch, width)
        keys, values = turn.caches.keys[layer], turn.caches.values[layer]
        self.rotate(qkv, turn.cosines, turn.sines, keys, values, turn.start)
        q = q if first == 0 else _tail(q, batch, first)
        if len(q) == 0:
            return x, q
        length, attended, hidden = turn.start + len(qkv) // batch, turn.attended, turn.hidden
        if first:
            attended, hidden = attended[: len(q)], hidden[: len(q)]
        self._attend(q, keys, values, length, attended, is_causal=True, padding=turn.padding)
        self.o_proj(attended, x, add=True)
        self.gate_up_proj(x, hidden)
        self.down_proj(hidden, x, add=True)
        return x, q


class Decoder:
    """The decoder of one checkpoint, without its head."""

    def __init__(self, arithmetic: Arithmetic, weights: Weights, path: str, config: DecoderConfig):
        self.config, self._empty, self._own = config, arithmetic.empty, threading.local()
        self.embed_tokens = weights[f"{path}.embed_tokens.weight"]                          # (vocab, hidden)
        self.layers = [DecoderLayer(arithmetic, weights, f"{path}.layers.{index}", config) for index in range(config.num_layers)]
        self.norm = rms_norm(weights, f"{path}.norm", config.norm_eps)
        self._rope: tuple[np.ndarray, np.ndarray] = (np.empty((0, 0), np.float32),) * 2
        self.stack = arithmetic.stack([layer.parts for layer in self.layers])

    def __call__(
        self, x: np.ndarray, cache: CPUCache, heads: Sequence[tuple[int, int]] = (), first: int = 0
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Run (batch, tokens, hidden) through the layers, write the cache and advance it; x itself is left as it is.

        Gives the states before the final norm (batch, tokens, hidden), and the rotated queries (batch, tokens, head_dim) of
        each (layer, head), both from token `first` on: the last layer computes no others, as nothing comes of them but keys
        and values.
        """
        batch, tokens, hidden = x.shape
        cache.reserve(tokens)
        turn, rows = self._prepare(x, cache)
        captured: dict[tuple[int, int], np.ndarray] = {}
        last, done = len(self.layers) - 1, 0
        if self.stack is not None and not heads:
            done = last if first else last + 1
            if done:
                self.stack(rows, turn, done)
        for index, layer in enumerate(self.layers[done:], done):
            rows, queries = layer(rows, turn, index, first if index == last else 0)
            for at, head in heads:
                if at == index:
                    split = queries.reshape(batch, len(queries) // batch, self.config.num_heads, self.config.head_dim)
                    captured[at, head] = split[:, 0 if index == last else first :, head].copy()
        cache.advance(tokens)
        rows = rows.copy() if first == 0 else rows                                          # the room is for the next pass
        return rows.reshape(batch, tokens - first, hidden), [captured[head] for head in heads]


    def _tables(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Cosines and sines (positions, head_dim / 2) of as many positions at least, which are kept for the next pass."""
        if len(self._rope[0]) < length:
            positions = np.arange(max(2 * len(self._rope[0]), length))[None]
            cosines, sines = kernels.rope_tables(positions, self.config.head_dim, self.config.rope_theta)
            self._rope = cosines[0, 0], sines[0, 0]
        return self._rope

    def _prepare(self, x: np.ndarray, cache: CPUCache) -> tuple[Turn, np.ndarray]:
        """What all layers of one pass share, and a copy of x (batch, tokens, hidden) as rows."""
        config, (batch, tokens, hidden) = self.config, x.shape
        num_rows, half, width = batch * tokens, config.head_dim // 2, config.num_heads * config.head_dim
        room = self._own.__dict__.get(num_rows) if num_rows <= FEW_ROWS else None
        if room is None:
            widths = (half, half, width + 2 * config.num_kv_heads * config.head_dim, width, config.ffn, hidden)
            cosines, sines, qkv, attended, inside, rows = (self._empty(num_rows, features) for features in widths)
            room = cosines, sines, qkv, qkv[:, :width], attended, inside, rows
            if num_rows <= FEW_ROWS:
                self._own.__dict__[num_rows] = room
        cosines, sines, qkv, q, attended, inside, rows = room
        rows[:] = x.reshape(num_rows, hidden)
        positions = cache.positions(tokens).reshape(-1)
        for target, table in zip((cosines, sines), self._tables(cache.length + tokens)):
            np.take(table, positions, axis=0, out=target, mode="clip")                      # empty positions lie below 0
        return Turn(cosines, sines, qkv, q, attended, inside, cache.layers(), cache.padding, cache.length), rows


def _tail(rows: np.ndarray, batch: int, first: int) -> np.ndarray:
    """Rows (batch * tokens, features) from token `first` of each sequence on, in memory of their own."""
    tail = rows.reshape(batch, len(rows) // batch, rows.shape[1])[:, first:]
    return np.array(tail).reshape(-1, rows.shape[1])
