"""Embeddings to hidden states in NumPy: Qwen3 decoder layers over a cache that the caller owns.

Attribute names are the checkpoint's. The recipe is in docs/model.md under "Decoder".
"""

from collections.abc import Sequence

import numpy as np

from ossicle.model.config import DecoderConfig
from ossicle.model.cpu import kernels
from ossicle.model.cpu.cache import CPUCache
from ossicle.model.cpu.modules import Linear, RMSNorm, Weights

Tables = tuple[np.ndarray, np.ndarray]              # cosines and sines (batch, 1, tokens, head_dim / 2)


class Attention:
    def __init__(self, weights: Weights, path: str, config: DecoderConfig):
        self.head_dim = config.head_dim
        self.q_proj = Linear(weights, f"{path}.q_proj", bias=False)
        self.k_proj = Linear(weights, f"{path}.k_proj", bias=False)
        self.v_proj = Linear(weights, f"{path}.v_proj", bias=False)
        self.o_proj = Linear(weights, f"{path}.o_proj", bias=False)
        self.q_norm = RMSNorm(weights, f"{path}.q_norm", config.norm_eps)
        self.k_norm = RMSNorm(weights, f"{path}.k_norm", config.norm_eps)

    def __call__(self, x: np.ndarray, cache: CPUCache, layer: int, tables: Tables, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Gives the output and the rotated queries (batch, heads, tokens, head_dim), both from token `first` on."""
        cosines, sines = tables
        k = kernels.rope(self.k_norm(self._heads(self.k_proj(x))), cosines, sines)      # (batch, kv_heads, tokens, head_dim)
        k, v = cache.write(layer, k, self._heads(self.v_proj(x)))                       # (batch, kv_heads, length, head_dim)
        q = self.q_norm(self._heads(self.q_proj(x[:, first:])))
        q = kernels.rope(q, cosines[:, :, first:], sines[:, :, first:])                 # (batch, heads, tokens, head_dim)
        x = kernels.attention(q, k, v, is_causal=True, padding=cache.padding)
        batch, heads, tokens, head_dim = x.shape
        return self.o_proj(x.transpose(0, 2, 1, 3).reshape(batch, tokens, heads * head_dim)), q

    def _heads(self, x: np.ndarray) -> np.ndarray:
        """(batch, tokens, width) to (batch, heads, tokens, head_dim)."""
        return x.reshape(*x.shape[:2], x.shape[2] // self.head_dim, self.head_dim).transpose(0, 2, 1, 3)


class MLP:
    def __init__(self, weights: Weights, path: str):
        self.gate_proj = Linear(weights, f"{path}.gate_proj", bias=False)
        self.up_proj = Linear(weights, f"{path}.up_proj", bias=False)
        self.down_proj = Linear(weights, f"{path}.down_proj", bias=False)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.down_proj(kernels.swiglu(self.gate_proj(x), self.up_proj(x)))


class DecoderLayer:
    def __init__(self, weights: Weights, path: str, config: DecoderConfig):
        self.self_attn = Attention(weights, f"{path}.self_attn", config)
        self.mlp = MLP(weights, f"{path}.mlp")
        self.input_layernorm = RMSNorm(weights, f"{path}.input_layernorm", config.norm_eps)
        self.post_attention_layernorm = RMSNorm(weights, f"{path}.post_attention_layernorm", config.norm_eps)

    def __call__(self, x: np.ndarray, cache: CPUCache, layer: int, tables: Tables, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
        attended, queries = self.self_attn(self.input_layernorm(x), cache, layer, tables, first)
        x = x[:, first:] + attended
        return x + self.mlp(self.post_attention_layernorm(x)), queries


class Decoder:
    """The decoder of one checkpoint, without its head."""

    def __init__(self, weights: Weights, path: str, config: DecoderConfig):
        self.config = config
        self.embed_tokens = weights[f"{path}.embed_tokens.weight"]                      # (vocab, hidden)
        self.layers = [DecoderLayer(weights, f"{path}.layers.{index}", config) for index in range(config.num_layers)]
        self.norm = RMSNorm(weights, f"{path}.norm", config.norm_eps)

    def __call__(
        self, x: np.ndarray, cache: CPUCache, heads: Sequence[tuple[int, int]] = (), first: int = 0
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Run (batch, tokens, hidden) through the layers, write the cache and advance it.

        Gives the states before the final norm, and the rotated queries (batch, tokens, head_dim) of each (layer, head),
        both from token `first` on: the last layer computes no others, as nothing comes of them but keys and values.
        """
        tokens = x.shape[1]
        cache.reserve(tokens)
        tables = kernels.rope_tables(cache.positions(tokens), self.config.head_dim, self.config.rope_theta)
        captured: dict[tuple[int, int], np.ndarray] = {}
        last = len(self.layers) - 1
        for index, layer in enumerate(self.layers):
            x, queries = layer(x, cache, index, tables, first if index == last else 0)
            captured |= {(index, head): queries[:, head, 0 if index == last else first :] for at, head in heads if at == index}
        cache.advance(tokens)
        return x, [captured[head] for head in heads]
