"""Mel to audio embeddings in MLX: the convolution stem, chunk by chunk, and the layers, window by window.

Knows nothing of text. Attribute names are the checkpoint's. The recipe is in docs/model.md under "Audio encoder".
"""

import math

import mlx.core as mx
import mlx.nn as nn

from ossicle.model.config import EncoderConfig

STRIDE = 8                   # frames per row: three convolutions of stride 2
NORM_EPS = 1e-5              # LayerNorm's own, the same in every published checkpoint
CHUNKS_AT_ONCE = 16          # convolved together: 49 MB after the first convolution at published sizes in bfloat16
WINDOWS_AT_ONCE = 8          # attended together: 832 rows fill a GPU; the last windows come in groups of 1 to 7
FLOAT16_LIMIT = 65504.0 - 1000.0    # the official code clamps here, in float16 only


@mx.compile
def gelu(x: mx.array) -> mx.array:
    """The exact (erf) form, computed in float32 and rounded once, as PyTorch does."""
    wide = x.astype(mx.float32)
    return (wide * (1 + mx.erf(wide / math.sqrt(2))) / 2).astype(x.dtype)


class Attention(nn.Module):
    """Bidirectional attention inside one window; position is in the rows already."""

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.num_heads = config.num_heads
        self.q_proj = nn.Linear(config.hidden, config.hidden)
        self.k_proj = nn.Linear(config.hidden, config.hidden)
        self.v_proj = nn.Linear(config.hidden, config.hidden)
        self.out_proj = nn.Linear(config.hidden, config.hidden)

    def __call__(self, x: mx.array) -> mx.array:
        windows, rows, hidden = x.shape
        q, k, v = (
            project(x).reshape(windows, rows, self.num_heads, -1).transpose(0, 2, 1, 3)     # (windows, heads, rows, head_dim)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        x = mx.fast.scaled_dot_product_attention(q, k, v, scale=q.shape[-1] ** -0.5)
        return self.out_proj(x.transpose(0, 2, 1, 3).reshape(windows, rows, hidden))


class EncoderLayer(nn.Module):
    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.self_attn = Attention(config)
        self.self_attn_layer_norm = nn.LayerNorm(config.hidden, eps=NORM_EPS)
        self.fc1 = nn.Linear(config.hidden, config.ffn)
        self.fc2 = nn.Linear(config.ffn, config.hidden)
        self.final_layer_norm = nn.LayerNorm(config.hidden, eps=NORM_EPS)

    def __call__(self, x: mx.array) -> mx.array:
        x = x + self.self_attn(self.self_attn_layer_norm(x))
        x = x + self.fc2(gelu(self.fc1(self.final_layer_norm(x))))
        if x.dtype == mx.float16:
            x = mx.clip(x, -FLOAT16_LIMIT, FLOAT16_LIMIT)
        return x


class AudioTower(nn.Module):
    """The encoder of one checkpoint."""

    def __init__(self, config: EncoderConfig):
        super().__init__()
        channels = config.conv_channels
        self.conv2d1 = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.conv2d2 = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.conv2d3 = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.conv_out = nn.Linear(channels * num_rows(config.mel_bins), config.hidden, bias=False)
        self.layers = [EncoderLayer(config) for _ in range(config.num_layers)]
        self.ln_post = nn.LayerNorm(config.hidden, eps=NORM_EPS)
        self.proj1 = nn.Linear(config.hidden, config.hidden)
        self.proj2 = nn.Linear(config.hidden, config.output)
        self._chunk_frames = config.chunk_frames
        self._window_rows = num_rows(config.chunk_frames) * config.chunks_per_window
        self._positions = sinusoids(num_rows(config.chunk_frames), config.hidden)

    def stem(self, mel: mx.array, pad_tail: bool | None = None) -> mx.array:
        """Mel (mel_bins, frames) to rows (audio_tokens, hidden); `pad_tail` as Network.stem says."""
        num_full, tail = divmod(mel.shape[1], self._chunk_frames)
        missing = 0
        if tail and (num_full > 0 if pad_tail is None else pad_tail):
            missing = self._chunk_frames - tail
            mel = mx.pad(mel, [(0, 0), (0, missing)])
        # Each chunk is convolved alone: neither sound nor padding leaks across.
        num_chunks = mel.shape[1] // self._chunk_frames
        split = num_chunks * self._chunk_frames
        chunks = mel[:, :split].reshape(mel.shape[0], num_chunks, self._chunk_frames).transpose(1, 0, 2)
        groups = [chunks[i : i + CHUNKS_AT_ONCE] for i in range(0, num_chunks, CHUNKS_AT_ONCE)]     # (chunks, mel_bins, frames)
        if split < mel.shape[1]:
            groups.append(mel[None, :, split:])
        rows = mx.concatenate([self._place(self.convolve(group)) for group in groups])
        return rows if not missing else rows[: rows.shape[0] - num_rows(self._chunk_frames) + num_rows(tail)]

    def convolve(self, chunks: mx.array) -> mx.array:
        """Chunks (chunks, mel_bins, frames) to (chunks, rows, hidden), positions not yet added."""
        x = chunks[..., None]                                           # (chunks, mel_bins, frames, channels)
        for convolution in (self.conv2d1, self.conv2d2, self.conv2d3):
            x = gelu(convolution(x))
        x = x.transpose(0, 2, 3, 1)                                     # feature = channel * 16 + mel bin
        return self.conv_out(x.reshape(*x.shape[:2], -1))

    def _place(self, x: mx.array) -> mx.array:
        # Positions restart in every chunk; the table is float32 and rounded to the activations.
        x = x + self._positions[: x.shape[1]].astype(x.dtype)
        return x.reshape(-1, x.shape[-1])

    def attend(self, rows: mx.array) -> mx.array:
        """Rows (audio_tokens, hidden) to audio embeddings (audio_tokens, output)."""
        outputs = [self.project(self.transform(group)) for group in self.windows(rows)]             # (windows, rows, output)
        return mx.concatenate([output.reshape(-1, output.shape[-1]) for output in outputs])

    def windows(self, rows: mx.array) -> list[mx.array]:
        """Cut rows (audio_tokens, hidden) into groups (windows, rows, hidden) of equal windows; the last may be short."""
        full = rows.shape[0] - rows.shape[0] % self._window_rows
        step = WINDOWS_AT_ONCE * self._window_rows
        groups = [rows[i : min(i + step, full)].reshape(-1, self._window_rows, rows.shape[1]) for i in range(0, full, step)]
        return groups if full == rows.shape[0] else [*groups, rows[None, full:]]

    def transform(self, x: mx.array) -> mx.array:
        """The layers, over windows (windows, rows, hidden)."""
        for layer in self.layers:
            x = layer(x)
        return x

    def project(self, x: mx.array) -> mx.array:
        """To the decoder's width: (..., hidden) gives (..., output)."""
        return self.proj2(gelu(self.proj1(self.ln_post(x))))


def num_rows(frames: int) -> int:
    """What three convolutions of stride 2 leave of so many frames, or mel bins: each halves and rounds up."""
    return -(-frames // STRIDE)


def sinusoids(positions: int, hidden: int) -> mx.array:
    """Table (positions, hidden) in float32: the first half sines, the second cosines, not interleaved."""
    half = hidden // 2
    rates = mx.exp(mx.arange(half, dtype=mx.float32) * (-math.log(10_000) / (half - 1)))
    angles = mx.arange(positions, dtype=mx.float32)[:, None] * rates
    return mx.concatenate([mx.sin(angles), mx.cos(angles)], axis=1)
