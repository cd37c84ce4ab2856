"""Mel to audio embeddings in NumPy: the convolution stem, chunk by chunk, and the layers, window by window.

Knows nothing of text. Attribute names are the checkpoint's. The recipe is in docs/model.md under "Audio encoder".
"""

import math

import numpy as np

from ossicle.model.config import EncoderConfig
from ossicle.model.cpu import kernels
from ossicle.model.cpu.modules import Conv2d, LayerNorm, Linear, Weights

STRIDE = 8                   # frames per row: three convolutions of stride 2
NORM_EPS = 1e-5              # LayerNorm's own, the same in every published checkpoint
CHUNKS_AT_ONCE = 4           # convolved together: 25 MB after the first convolution at published sizes
WINDOWS_AT_ONCE = 4          # attended together: products over 416 rows run at full speed, and 32 s fit in 10 MB per array


class Attention:
    """Bidirectional attention inside one window; position is in the rows already."""

    def __init__(self, weights: Weights, path: str, config: EncoderConfig):
        self.num_heads = config.num_heads
        self.q_proj = Linear(weights, f"{path}.q_proj")
        self.k_proj = Linear(weights, f"{path}.k_proj")
        self.v_proj = Linear(weights, f"{path}.v_proj")
        self.out_proj = Linear(weights, f"{path}.out_proj")

    def __call__(self, x: np.ndarray) -> np.ndarray:
        windows, rows, hidden = x.shape
        q, k, v = (
            project(x).reshape(windows, rows, self.num_heads, -1).transpose(0, 2, 1, 3)     # (windows, heads, rows, head_dim)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        x = kernels.attention(q, k, v, is_causal=False)
        return self.out_proj(x.transpose(0, 2, 1, 3).reshape(windows, rows, hidden))


class EncoderLayer:
    def __init__(self, weights: Weights, path: str, config: EncoderConfig):
        self.self_attn = Attention(weights, f"{path}.self_attn", config)
        self.self_attn_layer_norm = LayerNorm(weights, f"{path}.self_attn_layer_norm", NORM_EPS)
        self.fc1 = Linear(weights, f"{path}.fc1")
        self.fc2 = Linear(weights, f"{path}.fc2")
        self.final_layer_norm = LayerNorm(weights, f"{path}.final_layer_norm", NORM_EPS)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        x = x + self.self_attn(self.self_attn_layer_norm(x))
        return x + self.fc2(kernels.gelu(self.fc1(self.final_layer_norm(x))))


class AudioTower:
    """The encoder of one checkpoint."""

    def __init__(self, weights: Weights, path: str, config: EncoderConfig):
        self.conv2d1 = Conv2d(weights, f"{path}.conv2d1")
        self.conv2d2 = Conv2d(weights, f"{path}.conv2d2")
        self.conv2d3 = Conv2d(weights, f"{path}.conv2d3")
        self.conv_out = Linear(weights, f"{path}.conv_out", bias=False)
        self.layers = [EncoderLayer(weights, f"{path}.layers.{index}", config) for index in range(config.num_layers)]
        self.ln_post = LayerNorm(weights, f"{path}.ln_post", NORM_EPS)
        self.proj1 = Linear(weights, f"{path}.proj1")
        self.proj2 = Linear(weights, f"{path}.proj2")
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
            x = kernels.gelu(convolution(x))
        x = x.transpose(0, 2, 3, 1)                                     # feature = channel * 16 + mel bin
        return self.conv_out(x.reshape(*x.shape[:2], -1))

    def _place(self, x: np.ndarray) -> np.ndarray:
        # Positions restart in every chunk.
        return (x + self._positions[: x.shape[1]]).reshape(-1, x.shape[-1])

    def attend(self, rows: np.ndarray) -> np.ndarray:
        """Rows (audio_tokens, hidden) to audio embeddings (audio_tokens, output)."""
        outputs = [self.project(self.transform(group)) for group in self.windows(rows)]             # (windows, rows, output)
        return np.concatenate([output.reshape(-1, output.shape[-1]) for output in outputs])

    def windows(self, rows: np.ndarray) -> list[np.ndarray]:
        """Cut rows (audio_tokens, hidden) into groups (windows, rows, hidden) of equal windows; the last may be short."""
        full = rows.shape[0] - rows.shape[0] % self._window_rows
        step = WINDOWS_AT_ONCE * self._window_rows
        groups = [rows[i : min(i + step, full)].reshape(-1, self._window_rows, rows.shape[1]) for i in range(0, full, step)]
        return groups if full == rows.shape[0] else [*groups, rows[None, full:]]

    def transform(self, x: np.ndarray) -> np.ndarray:
        """The layers, over windows (windows, rows, hidden)."""
        for layer in self.layers:
            x = layer(x)
        return x

    def project(self, x: np.ndarray) -> np.ndarray:
        """To the decoder's width: (..., hidden) gives (..., output)."""
        return self.proj2(kernels.gelu(self.proj1(self.ln_post(x))))


def num_rows(frames: int) -> int:
    """What three convolutions of stride 2 leave of so many frames, or mel bins: each halves and rounds up."""
    return -(-frames // STRIDE)


def sinusoids(positions: int, hidden: int) -> np.ndarray:
    """Table (positions, hidden) in float32: the first half sines, the second cosines, not interleaved."""
    half = hidden // 2
    rates = np.exp(np.arange(half, dtype=np.float32) * np.float32(-math.log(10_000) / (half - 1)))
    angles = np.arange(positions, dtype=np.float32)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
