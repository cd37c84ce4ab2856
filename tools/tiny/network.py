"""The Qwen3-ASR architecture in torch, for training: mel chunks and token ids in, hidden rows out.

Attribute names are the published checkpoint's, so a state dict is a checkpoint. Attention is written out: on a processor with
bfloat16 it trains 1.5 times as fast as the fused kernel, and a chosen head's weights come for free.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

MASKED = -1e9
CHUNK = 100                                  # frames convolved at a time
TOKENS_PER_CHUNK = 13


def audio_tokens(frames):
    """Audio tokens of a clip of `frames` mel frames (int or tensor)."""
    rest = frames % CHUNK
    for _ in range(3):
        rest = (rest - 1) // 2 + 1
    return rest + frames // CHUNK * TOKENS_PER_CHUNK


class EncoderAttention(nn.Module):
    def __init__(self, hidden, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.k_proj, self.v_proj = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.q_proj, self.out_proj = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)

    def forward(self, x, mask):
        batch, tokens, hidden = x.shape
        q, k, v = (p(x).view(batch, tokens, self.num_heads, -1).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3)               # (batch, heads, tokens, tokens)
        weights = scores.float().masked_fill(~mask, MASKED).softmax(-1)
        return self.out_proj((weights.to(v.dtype) @ v).transpose(1, 2).reshape(batch, tokens, hidden))


class EncoderLayer(nn.Module):
    def __init__(self, hidden, num_heads, inner):
        super().__init__()
        self.self_attn, self.self_attn_layer_norm = EncoderAttention(hidden, num_heads), nn.LayerNorm(hidden)
        self.fc1, self.fc2, self.final_layer_norm = nn.Linear(hidden, inner), nn.Linear(inner, hidden), nn.LayerNorm(hidden)

    def forward(self, x, mask):
        x = x + self.self_attn(self.self_attn_layer_norm(x), mask)
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))


class Encoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, channels = config["d_model"], config["downsample_hidden_size"]
        self.layers = nn.ModuleList(EncoderLayer(hidden, config["encoder_attention_heads"], config["encoder_ffn_dim"])
                                    for _ in range(config["encoder_layers"]))
        self.ln_post = nn.LayerNorm(hidden)
        self.conv2d1 = nn.Conv2d(1, channels, 3, 2, padding=1)
        self.conv2d2 = nn.Conv2d(channels, channels, 3, 2, padding=1)
        self.conv2d3 = nn.Conv2d(channels, channels, 3, 2, padding=1)
        self.conv_out = nn.Linear(channels * 16, hidden, bias=False)
        self.proj1, self.proj2 = nn.Linear(hidden, hidden), nn.Linear(hidden, config["output_dim"])
        inverse = torch.exp(-math.log(10000) / (hidden // 2 - 1) * torch.arange(hidden // 2).float())
        angles = torch.arange(TOKENS_PER_CHUNK)[:, None] * inverse[None]
        self.register_buffer("positions", torch.cat([angles.sin(), angles.cos()], 1), persistent=False)

    def forward(self, mel, frames, window_chunks=8):
        """mel (batch, chunks, 128, 100) with zeros behind each clip, frames (batch,).

        Returns embeddings (batch, tokens, output_dim), hidden rows (batch, tokens, d_model) and token counts (batch,).
        """
        batch, chunks = mel.shape[:2]
        x = mel.reshape(batch * chunks, 1, 128, CHUNK).contiguous(memory_format=torch.channels_last)
        widths = frames.clamp(max=CHUNK).repeat_interleave(chunks)
        for conv in (self.conv2d1, self.conv2d2, self.conv2d3):
            x, widths = F.gelu(conv(x)), (widths - 1) // 2 + 1
            if int(frames.min()) < CHUNK:
                # A clip under one chunk is convolved at its own width: what lies behind it must stay zero.
                x = x * (torch.arange(x.shape[-1])[None] < widths[:, None])[:, None, None]
        x = x.permute(0, 3, 1, 2).reshape(batch * chunks, TOKENS_PER_CHUNK, -1)
        x = self.conv_out(x) + self.positions
        counts = audio_tokens(frames)
        tokens = int(counts.max())
        x = x.view(batch, chunks * TOKENS_PER_CHUNK, -1)[:, :tokens]
        index = torch.arange(tokens)
        inside = (index[None] < counts[:, None])[:, None, None]
        window = index // (TOKENS_PER_CHUNK * window_chunks)
        mask = inside & (window[:, None] == window[None]) | torch.eye(tokens, dtype=torch.bool)
        for layer in self.layers:
            x = layer(x, mask)
        hidden = self.ln_post(x)
        return self.proj2(F.gelu(self.proj1(hidden))), hidden, counts


class RMSNorm(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(hidden))

    def forward(self, x):
        return F.rms_norm(x.float(), x.shape[-1:], self.weight, 1e-6)


def rotate(x, cos, sin):
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


class DecoderAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, self.head_dim = config["hidden_size"], config["head_dim"]
        heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.queries_per_key = heads // kv_heads
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(hidden, n * self.head_dim, bias=False) for n in (heads, kv_heads, kv_heads))
        self.o_proj = nn.Linear(heads * self.head_dim, hidden, bias=False)
        self.q_norm, self.k_norm = RMSNorm(self.head_dim), RMSNorm(self.head_dim)

    def forward(self, x, cos, sin, past=None):
        """past: keys and values of earlier tokens; returns rows, attention weights, keys and values so far."""
        batch, tokens, _ = x.shape
        q, k, v = (p(x).view(batch, tokens, -1, self.head_dim) for p in (self.q_proj, self.k_proj, self.v_proj))
        q = rotate(self.q_norm(q).transpose(1, 2), cos, sin) * self.head_dim ** -0.5
        k, v = rotate(self.k_norm(k).transpose(1, 2), cos, sin), v.transpose(1, 2)
        if past is not None:
            k, v = torch.cat((past[0], k), 2), torch.cat((past[1], v), 2)
        keys, values = (t.repeat_interleave(self.queries_per_key, 1) for t in (k, v))
        causal = torch.full((tokens, keys.shape[2]), MASKED).triu(1 + keys.shape[2] - tokens)
        weights = ((q @ keys.transpose(2, 3)).float() + causal).softmax(-1)
        rows = (weights.to(values.dtype) @ values).transpose(1, 2).reshape(batch, tokens, -1)
        return self.o_proj(rows), weights, (k, v)


class MLP(nn.Module):
    def __init__(self, hidden, inner):
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(hidden, inner, bias=False), nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class DecoderLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden = config["hidden_size"]
        self.self_attn, self.mlp = DecoderAttention(config), MLP(hidden, config["intermediate_size"])
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(hidden), RMSNorm(hidden)

    def forward(self, x, cos, sin, past=None):
        rows, weights, cache = self.self_attn(self.input_layernorm(x), cos, sin, past)
        x = x + rows
        return x + self.mlp(self.post_attention_layernorm(x)), weights, cache


class Decoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed_tokens = nn.Embedding(config["vocab_size"], config["hidden_size"])
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config["num_hidden_layers"]))
        self.norm = RMSNorm(config["hidden_size"])
        self.inverse = 1.0 / (config["rope_theta"] ** (torch.arange(0, config["head_dim"], 2).float() / config["head_dim"]))

    def forward(self, x, past=None, position=0):
        """x (batch, tokens, hidden) -> rows, attention weights of every layer, cache of every layer."""
        rows, weights, caches = zip(*self.layer_by_layer(x, past, position))
        return self.norm(rows[-1]), weights, caches

    def layer_by_layer(self, x, past=None, position=0):
        """As `forward`, after every layer and before the norm."""
        angles = torch.arange(position, position + x.shape[1]).float()[:, None] * self.inverse
        angles = torch.cat((angles, angles), -1)
        cos, sin = angles.cos(), angles.sin()
        for i, layer in enumerate(self.layers):
            x, weights, cache = layer(x, cos, sin, past[i] if past else None)
            yield x, weights, cache


class Thinker(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.audio_tower, self.model = Encoder(config["audio_config"]), Decoder(config["text_config"])


class Recogniser(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config["thinker_config"]
        self.thinker = Thinker(self.config)
        for name, parameter in self.named_parameters():
            if parameter.dim() >= 2:
                gain = 1 if "conv2d" in name else 0.7
                nn.init.normal_(parameter, 0, 0.05 if "embed" in name else gain * (2 / parameter[0].numel()) ** 0.5)
            elif "bias" in name:
                nn.init.zeros_(parameter)

    def embed(self, ids, audio, counts):
        """Token embeddings with the audio rows in the places of the audio tokens."""
        x = self.thinker.model.embed_tokens(ids).clone()
        valid = torch.arange(audio.shape[1])[None] < counts[:, None]
        x[ids == self.config["audio_token_id"]] = audio[valid].to(x.dtype)
        return x

    def logits(self, rows):
        return rows @ self.thinker.model.embed_tokens.weight.T


class Aligner(Recogniser):
    """The same with a head of time classes, read at the <timestamp> tokens."""

    def __init__(self, config):
        super().__init__(config)
        classes, hidden = self.config["classify_num"], self.config["text_config"]["hidden_size"]
        self.thinker.lm_head = nn.Linear(hidden, classes, bias=False)
        with torch.no_grad():
            self.thinker.lm_head.weight.copy_(time_codes(classes, hidden))

    def logits(self, rows):
        return self.thinker.lm_head(rows)


def time_codes(classes, hidden):
    """Rows of sines and cosines: neighbouring classes are alike, so a head that begins so reads a time as a smooth peak."""
    periods = 2 * classes * (4 / classes) ** (torch.arange(hidden // 2) / (hidden // 2 - 1))      # of 8 classes to twice all
    angles = 2 * math.pi * torch.arange(classes)[:, None] / periods[None]
    return torch.cat((angles.sin(), angles.cos()), 1) * (2 / hidden) ** 0.5
