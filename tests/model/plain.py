"""The decoder written out in NumPy, float32, whole sequence at once, no cache: the slow form that fast ones must equal."""

from pathlib import Path

import numpy as np

from ossicle.model.checkpoint import open_checkpoint


class PlainDecoder:
    def __init__(self, folder: Path):
        checkpoint = open_checkpoint(folder)
        self.config = checkpoint.config.decoder
        self.weights = {name: tensor.read() for name, tensor in checkpoint.tensors.items() if name.startswith("model.")}

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings (tokens, hidden) to logits (tokens, vocab) and attention (layers, heads, tokens, tokens)."""
        attention = []
        for layer in range(self.config.num_layers):
            at = f"model.layers.{layer}."
            attended, probabilities = self._attend(self._norm(x, at + "input_layernorm"), at + "self_attn.")
            attention.append(probabilities)
            x = x + attended
            normed = self._norm(x, at + "post_attention_layernorm")
            gate = self._linear(normed, at + "mlp.gate_proj")
            x = x + self._linear(gate / (1 + np.exp(-gate)) * self._linear(normed, at + "mlp.up_proj"), at + "mlp.down_proj")
        return self._norm(x, "model.norm") @ self.weights["model.embed_tokens.weight"].T, np.stack(attention)

    def _attend(self, x: np.ndarray, at: str) -> tuple[np.ndarray, np.ndarray]:
        tokens, head_dim = len(x), self.config.head_dim
        q, k, v = (
            self._linear(x, at + name).reshape(tokens, -1, head_dim).transpose(1, 0, 2) for name in ("q_proj", "k_proj", "v_proj")
        )
        q, k = self._rotate(self._norm(q, at + "q_norm")), self._rotate(self._norm(k, at + "k_norm"))   # (heads, tokens, head_dim)
        k, v = (np.repeat(array, self.config.num_heads // self.config.num_kv_heads, axis=0) for array in (k, v))
        scores = q @ k.transpose(0, 2, 1) * np.float32(head_dim**-0.5)
        scores = np.where(np.tri(tokens, dtype=bool), scores, np.float32(-np.inf))
        probabilities = np.exp(scores - scores.max(-1, keepdims=True))
        probabilities /= probabilities.sum(-1, keepdims=True)                                           # (heads, tokens, tokens)
        return self._linear((probabilities @ v).transpose(1, 0, 2).reshape(tokens, -1), at + "o_proj"), probabilities

    def _rotate(self, x: np.ndarray) -> np.ndarray:
        half = x.shape[-1] // 2
        rates = np.float32(self.config.rope_theta) ** -(np.arange(half, dtype=np.float32) / half)
        angles = np.arange(x.shape[1], dtype=np.float32)[:, None] * rates
        first, second = x[..., :half], x[..., half:]
        cos, sin = np.cos(angles), np.sin(angles)
        return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.config.norm_eps) * self.weights[f"{name}.weight"]

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T
