"""Mel to audio embeddings: the convolution stem, chunk by chunk, and the layers, window by window.

Knows nothing of text. Attribute names are the checkpoint's. The recipe is in docs/model.md under "Audio encoder".
"""

import math

import numpy as np

from ossicle.model.config import EncoderConfig
from ossicle.model.cpu.arithmetic import Arithmetic
from ossicle.model.cpu.modules import Weights, layer_norm, linear

STRIDE = 8                   # frames per row: three convolutions of stride 2
NORM_EPS = 1e-5              # LayerNorm's own, the same in every published checkpoint
CHUNKS_AT_ONCE = 4           # convolved together: 25 MB after the first convolution at published sizes
WINDOWS_AT_ONCE = 4          # attended together: products over 416 rows run at full speed, and 32 s fit in 10 MB per array


class EncoderLayer:
    """Bidirectional attention inside each window, then an MLP; position is in the rows already."""

    def __init__(self, arithmetic: Arithmetic, weights: Weights, path: str, config: EncoderConfig):
        attention = f"{path}.self_attn"
        self._attend, self._num_heads = arithmetic.attend, config.num_heads
        self.self_attn_layer_norm = layer_norm(weights, f"{path}.self_attn_layer_norm", NORM_EPS)
        self.final_layer_norm = layer_norm(weights, f"{path}.final_layer_norm", NORM_EPS)
        self.qkv_proj = linear(arithmetic, weights, *(f"{attention}.{name}_proj" for name in "qkv"), norm=self.self_attn_layer_norm,
                               has_bias=True)
        self.out_proj = linear(arithmetic, weights, f"{attention}.out_proj", has_bias=True)
        self.fc1 = linear(arithmetic, weights, f"{path}.fc1", norm=self.final_layer_norm, has_bias=True, activation="gelu")
        self.fc2 = linear(arithmetic, weights, f"{path}.fc2", has_bias=True)

    def __call__(self, x: np.ndarray, windows: int, qkv: np.ndarray, attended: np.ndarray, hidden: np.ndarray) -> None:
        """Change x (windows * rows, hidden) in place; the others are room for what lies between."""
        rows, width = len(x) // windows, x.shape[1]
        self.qkv_proj(x, qkv)
        keys, values = (part.reshape(windows, rows, self._num_heads, -1).transpose(0, 2, 1, 3)    # (windows, heads, rows, head_dim)
                        for part in (qkv[:, width : 2 * width], qkv[:, 2 * width :]))
        self._attend(qkv[:, :width], keys, values, rows, attended, is_causal=False)
        self.out_proj(attended, x, add=True)
        self.fc2(self.fc1(x, hidden), x, add=True)


class AudioTower:
    """The encoder of one checkpoint."""

    def __init__(self, arithmetic: Arithmetic, weights: Weights, path: str, config: EncoderConfig):
        self._empty, self._ffn = arithmetic.empty, config.ffn
        self.conv2d1, self.conv2d2, self.conv2d3 = (
            arithmetic.convolution(weights[f"{path}.conv2d{n}.weight"], weights[f"{path}.conv2d{n}.bias"]) for n in (1, 2, 3))
        self.conv_out = linear(arithmetic, weights, f"{path}.conv_out")
        self.layers = [EncoderLayer(arithmetic, weights, f"{path}.layers.{index}", config) for index in range(config.num_layers)]
        self.ln_post = layer_norm(weights, f"{path}.ln_post", NORM_EPS)
        self.proj1 = linear(arithmetic, weights, f"{path}.proj1", norm=self.ln_post, has_bias=True, activation="gelu")
        self.proj2 = linear(arithmetic, weights, f"{path}.proj2", has_bias=True)
        self._chunk_frames = config.chunk_frames
        self._window_rows = num_rows(config.chunk_frames) * config.chunks_per_window
        self._positions = sinusoids(num_rows(config.chunk_frames), config.hidden)

    def stem(self, mel: np.ndarray, pad_tail: bool | None = None) -> np.ndarray:
        """Mel (mel_bins, frames) to rows (audio_tokens, hidden); `pad_tail` as Network.stem says."""
        num_full, tail = divmod(mel.shape[1], self._chunk_frames)
        missing = 0
        if tail and (num_full > 0 if pad_tail is None else pad_tail):
            missing = self._chunk_frames - tail
            mel = np.pad(mel, [(0, 0), (0, missing)])
        # Each chunk is convolved alone: neither sound nor padding leaks across.
        num_chunks = mel.shape[1] // self._chunk_frames
        split = num_chunks * self._chunk_frames
        chunks = mel[:, :split].reshape(mel.shape[0], num_chunks, self._chunk_frames).transpose(1, 0, 2)
        groups = [chunks[i : i + CHUNKS_AT_ONCE] for i in range(0, num_chunks, CHUNKS_AT_ONCE)]     # (chunks, mel_bins, frames)
        if split < mel.shape[1]:
            groups.append(mel[None, :, split:])
        rows = np.concatenate([self._place(self.convolve(group)) for group in groups])
        return rows if not missing else rows[: rows.shape[0] - num_rows(self._chunk_frames) + num_rows(tail)]

    def convolve(self, chunks: np.ndarray) -> np.ndarray:
        """Chunks (chunks, mel_bins, frames) to (chunks, rows, hidden), positions not yet added."""
        x = chunks[..., None]                                           # (chunks, mel_bins, frames, channels)
        for convolution in (self.conv2d1, self.conv2d2, self.conv2d3):
            x = convolution(x)
        x = x.transpose(0, 2, 3, 1)                                     # feature = channel * 16 + mel bin
        chunks, rows = x.shape[:2]
        return self.conv_out(x.reshape(chunks * rows, -1)).reshape(chunks, rows, -1)

    def _place(self, x: np.ndarray) -> np.ndarray:
        # Positions restart in every chunk.
        return (x + self._positions[: x.shape[1]]).reshape(-1, x.shape[-1])

    def attend(self, rows: np.ndarray) -> np.ndarray:
        """Rows (audio_tokens, hidden) to audio embeddings (audio_tokens, output)."""
        return np.concatenate([self.project(self.transform(group)) for group in self.windows(rows)])

    def windows(self, rows: np.ndarray) -> list[np.ndarray]:
        """Cut rows (audio_tokens, hidden) into groups (windows, rows, hidden) of equal windows; the last may be short."""
        full = rows.shape[0] - rows.shape[0] % self._window_rows
        step = WINDOWS_AT_ONCE * self._window_rows
        groups = [rows[i : min(i + step, full)].reshape(-1, self._window_rows, rows.shape[1]) for i in range(0, full, step)]
        return groups if full == rows.shape[0] else [*groups, rows[None, full:]]

    def transform(self, x: np.ndarray) -> np.ndarray:
        """The layers, over windows (windows, rows, hidden): gives (windows * rows, hidden)."""
        windows, rows, hidden = x.shape
        states, qkv, attended, inside = (self._empty(windows * rows, width) for width in (hidden, 3 * hidden, hidden, self._ffn))
        states[:] = x.reshape(windows * rows, hidden)
        for layer in self.layers:
            layer(states, windows, qkv, attended, inside)
        return states

    def project(self, x: np.ndarray) -> np.ndarray:
        """To the decoder's width: (rows, hidden) gives (rows, output)."""
        return self.proj2(self.proj1(x))


def num_rows(frames: int) -> int:
    """What three convolutions of stride 2 leave of so many frames, or mel bins: each halves and rounds up."""
    return -(-frames // STRIDE)


def sinusoids(positions: int, hidden: int) -> np.ndarray:
    """Table (positions, hidden) in float32: the first half sines, the second cosines, not interleaved."""
    half = hidden // 2
    rates = np.exp(np.arange(half, dtype=np.float32) * np.float32(-math.log(10_000) / (half - 1)))
    angles = np.arange(positions, dtype=np.float32)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
