"""Embeddings to hidden states in MLX: Qwen3 decoder layers over a cache that the caller owns.

Attribute names are the checkpoint's. The recipe is in docs/model.md under "Decoder".
"""

from collections.abc import Sequence

import mlx.core as mx
import mlx.nn as nn

from ossicle.model.config import DecoderConfig
from ossicle.model.mlx.cache import MLXCache


@mx.compile
def swiglu(gate: mx.array, up: mx.array) -> mx.array:
    """silu(gate) * up; silu in float32 and rounded once, as PyTorch does."""
    wide = gate.astype(mx.float32)
    return (wide * mx.sigmoid(wide)).astype(gate.dtype) * up


class Attention(nn.Module):
    def __init__(self, config: DecoderConfig):
        super().__init__()
        heads, kv_heads, head_dim = config.num_heads, config.num_kv_heads, config.head_dim
        self.head_dim, self.rope_theta = head_dim, config.rope_theta
        self.q_proj = nn.Linear(config.hidden, heads * head_dim, bias=False)
        self.k_proj = nn.Linear(config.hidden, kv_heads * head_dim, bias=False)
        self.v_proj = nn.Linear(config.hidden, kv_heads * head_dim, bias=False)
        self.o_proj = nn.Linear(heads * head_dim, config.hidden, bias=False)
        self.q_norm = nn.RMSNorm(head_dim, eps=config.norm_eps)
        self.k_norm = nn.RMSNorm(head_dim, eps=config.norm_eps)

    def __call__(
        self, x: mx.array, cache: MLXCache, layer: int, position: int | mx.array, mask: str | mx.array | None
    ) -> tuple[mx.array, mx.array]:
        """Gives the output and the rotated queries (batch, heads, tokens, head_dim)."""
        batch, tokens, _ = x.shape
        q = self.q_proj(x).reshape(batch, tokens, -1, self.head_dim)                            # (batch, tokens, heads, head_dim)
        k = self.k_proj(x).reshape(batch, tokens, -1, self.head_dim)                            # (batch, tokens, kv_heads, head_dim)
        v = self.v_proj(x).reshape(batch, tokens, -1, self.head_dim).transpose(0, 2, 1, 3)      # (batch, kv_heads, tokens, head_dim)
        q = self._rotate(self.q_norm(q).transpose(0, 2, 1, 3), position)                        # (batch, heads, tokens, head_dim)
        k = self._rotate(self.k_norm(k).transpose(0, 2, 1, 3), position)                        # (batch, kv_heads, tokens, head_dim)
        k, v = cache.write(layer, k, v)                                                         # (batch, kv_heads, length, head_dim)
        x = mx.fast.scaled_dot_product_attention(q, k, v, scale=self.head_dim**-0.5, mask=mask)
        return self.o_proj(x.transpose(0, 2, 1, 3).reshape(batch, tokens, -1)), q

    def _rotate(self, x: mx.array, position: int | mx.array) -> mx.array:
        # "interleaved" in the config names a mixing of three equal position rows, not pairs of neighbours: the halves are paired.
        return mx.fast.rope(x, self.head_dim, traditional=False, base=self.rope_theta, scale=1.0, offset=position)


class MLP(nn.Module):
    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden, config.ffn, bias=False)
        self.up_proj = nn.Linear(config.hidden, config.ffn, bias=False)
        self.down_proj = nn.Linear(config.ffn, config.hidden, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        return self.down_proj(swiglu(self.gate_proj(x), self.up_proj(x)))


class DecoderLayer(nn.Module):
    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = MLP(config)
        self.input_layernorm = nn.RMSNorm(config.hidden, eps=config.norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden, eps=config.norm_eps)

    def __call__(
        self, x: mx.array, cache: MLXCache, layer: int, position: int | mx.array, mask: str | mx.array | None
    ) -> tuple[mx.array, mx.array]:
        attended, queries = self.self_attn(self.input_layernorm(x), cache, layer, position, mask)
        x = x + attended
        return x + self.mlp(self.post_attention_layernorm(x)), queries


class Decoder(nn.Module):
    """The decoder of one checkpoint, without its head."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab, config.hidden)
        self.layers = [DecoderLayer(config) for _ in range(config.num_layers)]
        self.norm = nn.RMSNorm(config.hidden, eps=config.norm_eps)

    def __call__(self, x: mx.array, cache: MLXCache, heads: Sequence[tuple[int, int]] = ()) -> tuple[mx.array, list[mx.array]]:
        """Run (batch, tokens, hidden) through the layers and write the cache; the caller advances it.

        Gives the states before the final norm, and the rotated queries (batch, tokens, head_dim) of each (layer, head).
        """
        cache.reserve(x.shape[1])
        position, mask = cache.next_position(), cache.mask(x.shape[1])
        captured: dict[tuple[int, int], mx.array] = {}
        for index, layer in enumerate(self.layers):
            x, queries = layer(x, cache, index, position, mask)
            captured |= {(index, head): queries[:, head] for at, head in heads if at == index}
        return x, [captured[head] for head in heads]
