"""Seed in, random checkpoint out: a folder in a published Qwen3-ASR format, the same bytes on every machine.

Knows nothing of how a checkpoint is read; its small files are written by checkpoint_files.py. Needs numpy only. No
library random generator is involved: every element is a pure function of (seed, published tensor name, element index).
"""

import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests import checkpoint_files as files

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = [ROOT / "ossicle" / "models" / "tiny", ROOT.parent / "shared" / "tiny-asr", ROOT / "shared" / "tiny-asr"]
PUBLISHED_ROWS = 151936
# Small embeddings and strong block outputs: with a tied head a large embedding makes greedy decoding repeat its own
# input for ever, and weak attention makes it independent of the sound.
EMBED_NORM = 1.0
SHARD_BYTES = 4_300_000_000


@dataclass(frozen=True)
class Size:
    encoder: tuple[int, int, int, int]  # layers, d_model, heads, feed-forward
    decoder: tuple[int, int, int, int, int, int]  # layers, hidden, heads, kv heads, head_dim, feed-forward
    conv_channels: int
    mrope_section: tuple[int, int, int]


SIZES = {
    "tiny": Size((3, 64, 4, 128), (3, 64, 4, 2, 32, 128), 16, (6, 5, 5)),
    "0.6b": Size((18, 896, 14, 3584), (28, 1024, 16, 8, 128, 3072), 480, (24, 20, 20)),
    "1.7b": Size((24, 1024, 16, 4096), (28, 2048, 16, 8, 128, 6144), 480, (24, 20, 20)),
    "aligner-0.6b": Size((24, 1024, 16, 4096), (28, 1024, 16, 8, 128, 3072), 480, (24, 20, 20)),
}


def build(
    folder: Path,
    kind: str = "asr",
    size: str = "tiny",
    *,
    seed: int = 1234,
    dtype: str = "float32",
    layout: str = "original",
    tokenizer: Path | None = None,
    vocab: str = "whole",
    num_classes: int | None = None,
    vocab_rows: int | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> Path:
    """Write a whole random checkpoint and return its folder.

    kind         "asr" or "aligner"
    dtype        "float32" or "bfloat16"
    layout       "original" (`thinker.` keys, nested config) or "hf" (`model.` keys, flat config, no stored tied head)
    tokenizer    folder of a tokenizer, flat or with one folder of configs per published model; None is our own
    vocab        "whole", or "small": about 900 tokens cut from it, the added ones moved down behind them
    num_classes  classes of the aligner's head; None is the published 5000
    vocab_rows   rows of the embedding; None is the published count, or the next multiple of 64 of a smaller tokenizer
    shard_bytes  more than this makes several weight files with an index
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = tokenizer or bundled_tokenizer()
    files.write_tokenizer(folder, kind, vocab, source)
    ids = files.added_ids(folder)
    config = files.config_of(kind, size, source)
    files.set_sizes(config, SIZES[size], dtype)
    files.set_ids(config, ids)
    thinker = config["thinker_config"]
    if vocab_rows or "vocab_size" not in thinker["text_config"] or vocab == "small":
        thinker["text_config"]["vocab_size"] = vocab_rows or -(-(max(ids.values()) + 1) // 64) * 64
    if kind == "aligner" and num_classes:
        thinker["classify_num"] = num_classes
    plan = tensor_plan(config)
    if layout == "hf":
        files.write_hf_files(folder, config)
        plan = [tensor for tensor in plan if not tensor.tied]
    else:
        (folder / "config.json").write_text(json.dumps(config, indent=2), "utf-8")
    _write_weights(folder, plan, seed, dtype, layout, shard_bytes)
    return folder


def build_full(folder: Path, size: str = "0.6b", tokenizer: Path | None = None, **options) -> Path:
    """A bfloat16 checkpoint of published size; with `tokenizer` under the published vocabulary, else under ours."""
    kind = "aligner" if size.startswith("aligner") else "asr"
    if tokenizer is None:
        options.setdefault("vocab_rows", PUBLISHED_ROWS)  # the head costs what it costs in earnest
    else:
        options["tokenizer"] = tokenizer
    return build(folder, kind, size, **({"dtype": "bfloat16"} | options))


def bundled_tokenizer() -> Path:
    """The folder of our own small tokenizer."""
    for folder in BUNDLED:
        if (folder / "vocab.json").exists():
            return folder
    raise FileNotFoundError(f"vocab.json expected in one of {[str(folder) for folder in BUNDLED]}, found in none")


# ---------------------------------------------------------------- numbers


def unit_noise(seed: int, name: str, count: int) -> np.ndarray:
    """`count` float32 values of zero mean and unit variance, bounded by sqrt(6): the difference of two uniform ones."""
    key = np.uint64(int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "little"))
    out = np.empty(count, np.float32)
    step = 1 << 20
    for begin in range(0, count, step):
        index = np.arange(begin, min(count, begin + step), dtype=np.uint64)
        bits = _mix(index * np.uint64(0x9E3779B97F4A7C15) + key)
        high = (bits >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
        low = (bits & np.uint64(0xFFFFFF)).astype(np.float32) * np.float32(2.0**-24)
        out[begin : begin + len(index)] = (high - low) * np.float32(6.0**0.5)
    return out


def _mix(bits: np.ndarray) -> np.ndarray:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def bfloat16_bits(values: np.ndarray) -> np.ndarray:
    """Round float32 to the nearest bfloat16, ties to even, as uint16 bit patterns."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)


# ---------------------------------------------------------------- tensors


@dataclass(frozen=True)
class Tensor:
    """One stored tensor: its published key, and the mean and deviation of its random numbers."""

    name: str
    shape: tuple[int, ...]
    mean: float
    deviation: float
    tied: bool = False  # a head that repeats the embedding

    def values(self, seed: int) -> np.ndarray:
        name = "thinker.model.embed_tokens.weight" if self.tied else self.name
        out = unit_noise(seed, name, int(np.prod(self.shape)))
        out *= np.float32(self.deviation)
        if self.mean:
            out += np.float32(self.mean)
        return out.reshape(self.shape)


def tensor_plan(config: dict) -> list[Tensor]:
    """Every tensor of a published checkpoint, in file order. Biases are not zero: a leak of padding must show."""
    thinker = config["thinker_config"]
    return _encoder_plan(thinker["audio_config"]) + _decoder_plan(thinker["text_config"], thinker.get("classify_num"))


def _encoder_plan(audio: dict) -> list[Tensor]:
    d_model, feed, conv = audio["d_model"], audio["encoder_ffn_dim"], audio["downsample_hidden_size"]
    rows = (((audio["num_mel_bins"] + 1) // 2 + 1) // 2 + 1) // 2  # mel axis after three strides of two
    at, plan = "thinker.audio_tower.", []
    for i, inputs in ((1, 1), (2, conv), (3, conv)):
        plan.append(Tensor(f"{at}conv2d{i}.weight", (conv, inputs, 3, 3), 0.0, 1.6 / (inputs * 9) ** 0.5))
        plan.append(Tensor(f"{at}conv2d{i}.bias", (conv,), 0.0, 0.2))
    plan += _linear(at + "conv_out", d_model, conv * rows, bias=False, gain=1.5)
    for i in range(audio["encoder_layers"]):
        layer = f"{at}layers.{i}."
        plan += _norm(layer + "self_attn_layer_norm", d_model)
        for name, gain in (("q_proj", 1.6), ("k_proj", 1.6), ("v_proj", 1.0), ("out_proj", 1.0)):
            plan += _linear(f"{layer}self_attn.{name}", d_model, d_model, gain=gain)  # peaky attention
        plan += _norm(layer + "final_layer_norm", d_model)
        plan += _linear(layer + "fc1", feed, d_model)
        plan += _linear(layer + "fc2", d_model, feed)
    plan += _norm(at + "ln_post", d_model)
    plan += _linear(at + "proj1", d_model, d_model, gain=1.5)
    return plan + _linear(at + "proj2", audio["output_dim"], d_model, gain=1.5)


def _decoder_plan(text: dict, num_classes: int | None) -> list[Tensor]:
    hidden, head_dim, feed = text["hidden_size"], text["head_dim"], text["intermediate_size"]
    queries, keys = text["num_attention_heads"] * head_dim, text["num_key_value_heads"] * head_dim
    at, embed = "thinker.model.", (text["vocab_size"], hidden)
    plan = [Tensor(at + "embed_tokens.weight", embed, 0.0, EMBED_NORM / hidden**0.5)]
    for i in range(text["num_hidden_layers"]):
        layer = f"{at}layers.{i}."
        plan.append(Tensor(layer + "input_layernorm.weight", (hidden,), 1.0, 0.1))
        plan += _linear(layer + "self_attn.q_proj", queries, hidden, bias=False)
        plan += _linear(layer + "self_attn.k_proj", keys, hidden, bias=False)
        plan += _linear(layer + "self_attn.v_proj", keys, hidden, bias=False, gain=2.0)
        plan += _linear(layer + "self_attn.o_proj", hidden, queries, bias=False, gain=2.0)
        plan.append(Tensor(layer + "self_attn.q_norm.weight", (head_dim,), 2.2, 0.2))
        plan.append(Tensor(layer + "self_attn.k_norm.weight", (head_dim,), 2.2, 0.2))
        plan.append(Tensor(layer + "post_attention_layernorm.weight", (hidden,), 1.0, 0.1))
        plan += _linear(layer + "mlp.gate_proj", feed, hidden, bias=False)
        plan += _linear(layer + "mlp.up_proj", feed, hidden, bias=False)
        plan += _linear(layer + "mlp.down_proj", hidden, feed, bias=False, gain=4.0)
    plan.append(Tensor(at + "norm.weight", (hidden,), 1.0, 0.1))
    if num_classes:
        return [*plan, Tensor("thinker.lm_head.weight", (num_classes, hidden), 0.0, 3.0 / hidden**0.5)]
    return [*plan, Tensor("thinker.lm_head.weight", embed, 0.0, EMBED_NORM / hidden**0.5, tied=True)]


def _linear(name: str, outputs: int, inputs: int, bias: bool = True, gain: float = 1.0) -> list[Tensor]:
    weight = Tensor(name + ".weight", (outputs, inputs), 0.0, gain / inputs**0.5)
    return [weight, Tensor(name + ".bias", (outputs,), 0.0, 0.1)] if bias else [weight]


def _norm(name: str, width: int) -> list[Tensor]:
    return [Tensor(name + ".weight", (width,), 1.0, 0.1), Tensor(name + ".bias", (width,), 0.0, 0.1)]


# ---------------------------------------------------------------- weight files


HF_PREFIXES = [  # the first that fits is taken
    ("thinker.audio_tower.proj1.", "model.multi_modal_projector.linear_1."),
    ("thinker.audio_tower.proj2.", "model.multi_modal_projector.linear_2."),
    ("thinker.audio_tower.", "model.audio_tower."),
    ("thinker.model.", "model.language_model."),
    ("thinker.lm_head.", "score."),  # only an aligner still has one: the tied head is not stored
]


def stored_name(name: str, layout: str) -> str:
    """The key of a published tensor in the given layout."""
    if layout == "original":
        return name
    return next(new + name[len(old) :] for old, new in HF_PREFIXES if name.startswith(old))


def _write_weights(folder: Path, plan: list[Tensor], seed: int, dtype: str, layout: str, shard_bytes: int) -> None:
    width = 2 if dtype == "bfloat16" else 4
    shards: list[list[Tensor]] = [[]]
    filled = total = 0
    for tensor in plan:
        num_bytes = int(np.prod(tensor.shape)) * width
        if shards[-1] and filled + num_bytes > shard_bytes:
            shards.append([])
            filled = 0
        shards[-1].append(tensor)
        filled += num_bytes
        total += num_bytes
    if len(shards) == 1:
        _write_safetensors(folder / "model.safetensors", plan, seed, width, layout)
        return
    places = {}
    for i, shard in enumerate(shards, 1):
        name = f"model-{i:05d}-of-{len(shards):05d}.safetensors"
        _write_safetensors(folder / name, shard, seed, width, layout)
        places |= {stored_name(tensor.name, layout): name for tensor in shard}
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2, sort_keys=True), "utf-8")


def _write_safetensors(path: Path, plan: list[Tensor], seed: int, width: int, layout: str) -> None:
    header: dict = {}
    end = 0
    for tensor in plan:
        begin, end = end, end + int(np.prod(tensor.shape)) * width
        entry = {"dtype": "BF16" if width == 2 else "F32", "shape": list(tensor.shape), "data_offsets": [begin, end]}
        header[stored_name(tensor.name, layout)] = entry
    header["__metadata__"] = {"format": "pt"}
    blob = json.dumps(header, separators=(",", ":")).encode()
    blob += b" " * (-len(blob) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(blob)) + blob)
        for tensor in plan:
            values = tensor.values(seed)
            file.write((bfloat16_bits(values) if width == 2 else values).tobytes())
