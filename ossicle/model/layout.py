"""The tensors a checkpoint has, and the names that its publishers give them.

Canonical names are the original ones without `thinker.`: `audio_tower.*`, `model.*`, `lm_head.weight`. A layout is told
by the stored names alone, never by the name of a folder. Source: docs/model.md, "Published files".
"""

from collections.abc import Iterable, Iterator
from typing import Literal

from ossicle.errors import ModelError
from ossicle.model.config import DecoderConfig, EncoderConfig, ModelConfig
from ossicle.model.tensors import shown

Layout = Literal["original", "hf", "mlx"]
Shape = tuple[int, ...]

HEAD = "lm_head"
CONVOLUTIONS = ("audio_tower.conv2d1", "audio_tower.conv2d2", "audio_tower.conv2d3")

# What the names of an encoder begin with.
MARKS: dict[Layout, str] = {"original": "thinker.audio_tower.", "hf": "model.audio_tower.", "mlx": "audio_tower."}

# (stored, canonical), the first that fits decides. The aligner's head is called `score` by the -hf checkpoints.
PREFIXES: dict[Layout, tuple[tuple[str, str], ...]] = {
    "original": (("thinker.", ""),),
    "hf": (
        ("model.multi_modal_projector.linear_1.", "audio_tower.proj1."),
        ("model.multi_modal_projector.linear_2.", "audio_tower.proj2."),
        ("model.audio_tower.", "audio_tower."),
        ("model.language_model.", "model."),
        ("score.", "lm_head."),
        ("lm_head.", "lm_head."),
    ),
    "mlx": (("audio_tower.", "audio_tower."), ("model.", "model."), ("lm_head.", "lm_head.")),
}


def recognise_layout(stored_names: Iterable[str]) -> Layout:
    """Tell the layout by tensor names. Raises ModelError when they belong to some other model."""
    names = tuple(stored_names)
    for layout, mark in MARKS.items():
        if any(name.startswith(mark) for name in names):
            return layout
    found = ", ".join(shown(name) for name in names[:3]) or "no tensors at all"
    raise ModelError(f"expected the weights of Qwen3-ASR (thinker.audio_tower.*, or the -hf or MLX names), got {found}; "
                     f"is this another model?")


def canonical_name(layout: Layout, stored_name: str) -> str | None:
    """The network's name for a stored tensor; None when this layout knows no such tensor."""
    for prefix, ours in PREFIXES[layout]:
        if stored_name.startswith(prefix):
            return ours + stored_name[len(prefix):]
    return None


def expected_tensors(config: ModelConfig) -> dict[str, Shape]:
    """Every tensor the network needs with its shape, unquantised, convolutions as (out, in, height, width).

    A tied head is left out: it is the embedding table, whether or not a file stores it a second time.
    """
    return dict(walk_tensors(config))


def walk_tensors(config: ModelConfig) -> Iterator[tuple[str, Shape]]:
    """As `expected_tensors`, one at a time: a damaged config may ask for millions of layers."""
    yield from _encoder_tensors(config.encoder)
    yield from _decoder_tensors(config.decoder)
    if config.num_classes is not None:
        yield f"{HEAD}.weight", (config.num_classes, config.decoder.hidden)
    elif not config.decoder.is_tied:
        yield f"{HEAD}.weight", (config.decoder.vocab, config.decoder.hidden)


def linear_modules(config: ModelConfig) -> dict[str, Shape]:
    """Module path -> (out, in) of everything that may be quantised: Linear layers and the embedding table."""
    return {name.removesuffix(".weight"): shape for name, shape in walk_tensors(config) if len(shape) == 2}


def is_of_step(name: str, is_tied: bool) -> bool:
    """Whether a step of the decoder reads this tensor, or this part of a packed one, from end to end: layers, norms, head.

    So does a table that is the head as well; of another table a step reads one row per sequence.
    """
    return name.startswith((f"{HEAD}.", "model.")) and (is_tied or not name.startswith("model.embed_tokens."))


def _encoder_tensors(encoder: EncoderConfig) -> Iterator[tuple[str, Shape]]:
    width, channels = encoder.hidden, encoder.conv_channels
    for path, inputs in zip(CONVOLUTIONS, (1, channels, channels)):
        yield f"{path}.weight", (channels, inputs, 3, 3)
        yield f"{path}.bias", (channels,)
    bins = encoder.mel_bins
    for _ in CONVOLUTIONS:
        bins = (bins + 1) // 2                          # stride 2, padding 1
    yield "audio_tower.conv_out.weight", (width, channels * bins)
    for index in range(encoder.num_layers):
        layer = f"audio_tower.layers.{index}"
        for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from _linear(f"{layer}.self_attn.{projection}", width, width)
        yield from _norm(f"{layer}.self_attn_layer_norm", width)
        yield from _linear(f"{layer}.fc1", encoder.ffn, width)
        yield from _linear(f"{layer}.fc2", width, encoder.ffn)
        yield from _norm(f"{layer}.final_layer_norm", width)
    yield from _norm("audio_tower.ln_post", width)
    yield from _linear("audio_tower.proj1", width, width)
    yield from _linear("audio_tower.proj2", encoder.output, width)


def _decoder_tensors(decoder: DecoderConfig) -> Iterator[tuple[str, Shape]]:
    hidden, ffn, head_dim = decoder.hidden, decoder.ffn, decoder.head_dim
    queries, keys = decoder.num_heads * head_dim, decoder.num_kv_heads * head_dim
    yield "model.embed_tokens.weight", (decoder.vocab, hidden)
    for index in range(decoder.num_layers):
        layer = f"model.layers.{index}"
        yield f"{layer}.input_layernorm.weight", (hidden,)
        yield f"{layer}.self_attn.q_proj.weight", (queries, hidden)
        yield f"{layer}.self_attn.k_proj.weight", (keys, hidden)
        yield f"{layer}.self_attn.v_proj.weight", (keys, hidden)
        yield f"{layer}.self_attn.o_proj.weight", (hidden, queries)
        yield f"{layer}.self_attn.q_norm.weight", (head_dim,)
        yield f"{layer}.self_attn.k_norm.weight", (head_dim,)
        yield f"{layer}.post_attention_layernorm.weight", (hidden,)
        yield f"{layer}.mlp.gate_proj.weight", (ffn, hidden)
        yield f"{layer}.mlp.up_proj.weight", (ffn, hidden)
        yield f"{layer}.mlp.down_proj.weight", (hidden, ffn)
    yield "model.norm.weight", (hidden,)


def _linear(path: str, outputs: int, inputs: int) -> Iterator[tuple[str, Shape]]:
    yield f"{path}.weight", (outputs, inputs)
    yield f"{path}.bias", (outputs,)


def _norm(path: str, width: int) -> Iterator[tuple[str, Shape]]:
    yield f"{path}.weight", (width,)
    yield f"{path}.bias", (width,)
