"""The small files of a random checkpoint: config, tokenizer and processor, in the original and in the -hf layout.

Knows nothing of weights. A tokenizer folder comes in one of two forms: flat (ours, or any checkpoint's), or a common
vocab.json and merges.txt beside one folder of published configs per model.
"""

import itertools
import json
import shutil
from pathlib import Path

FIRST_ADDED = 151643  # first added token of the published tokenizer
SMALL_WORDS = ["system", "user", "assistant", "language"]
SMALL_WORDS += [" Chinese", " English", " German", " Korean", " None", " Japanese"]
IDS = {  # where the config keeps the id of an added token
    "audio_token_id": "<|audio_pad|>",
    "audio_start_token_id": "<|audio_start|>",
    "audio_end_token_id": "<|audio_end|>",
}
# Ours, to the same effect as the published one: system text, one audio, then the model's turn.
TEMPLATE = (
    "{% set ns = namespace(system='', audio='') %}{% for m in messages %}{% if m.role == 'system' %}"
    "{% set ns.system = ns.system + m.content %}{% elif m.content is not string %}{% for c in m.content %}"
    "{% if c.type == 'audio' %}{% set ns.audio = ns.audio + '<|audio_start|><|audio_pad|><|audio_end|>' %}{% endif %}"
    "{% endfor %}{% endif %}{% endfor %}{{ '<|im_start|>system\\n' + ns.system + '<|im_end|>\\n<|im_start|>user\\n' + "
    "ns.audio + '<|im_end|>\\n' }}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
EXTRACTOR = {
    "feature_extractor_type": "WhisperFeatureExtractor",
    "processor_class": "Qwen3ASRProcessor",
    "feature_size": 128,
    "hop_length": 160,
    "n_fft": 400,
    "chunk_length": 30,
    "n_samples": 480000,
    "nb_max_frames": 3000,
    "padding_side": "right",
    "padding_value": 0.0,
    "dither": 0.0,
    "return_attention_mask": True,
}


# ---------------------------------------------------------------- tokenizer


def write_tokenizer(folder: Path, kind: str, vocab: str, source: Path) -> None:
    """Write tokenizer, chat template and processor files, and the generation config that names the last ids."""
    named = source / ("Qwen3-ForcedAligner-0.6B" if kind == "aligner" else "Qwen3-ASR-0.6B")
    named = named if named.is_dir() else source
    for name, ours in (("chat_template.json", {"chat_template": TEMPLATE}), ("preprocessor_config.json", EXTRACTOR)):
        if named != source:
            shutil.copyfile(named / name, folder / name)
        else:
            (folder / name).write_text(json.dumps(ours, indent=2), "utf-8")
    config = json.loads((named / "tokenizer_config.json").read_text("utf-8"))
    if vocab == "small":
        tokens, merges = small_vocabulary(source)
        (folder / "vocab.json").write_text(json.dumps(tokens, ensure_ascii=False), "utf-8")
        (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", "utf-8")
        shift = len(tokens) - FIRST_ADDED
        config["added_tokens_decoder"] = {str(int(i) + shift): t for i, t in config["added_tokens_decoder"].items()}
    else:
        for name in ("vocab.json", "merges.txt"):
            shutil.copyfile(source / name, folder / name)
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False), "utf-8")
    ids = added_ids(folder)
    generation = json.loads((named / "generation_config.json").read_text("utf-8")) if named != source else {}
    generation["eos_token_id"] = [ids["<|endoftext|>"], ids["<|im_end|>"]]
    generation["pad_token_id"] = ids["<|endoftext|>"]
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2), "utf-8")


def added_ids(folder: Path) -> dict[str, int]:
    """The id of every added token, by its text."""
    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    return {token["content"]: int(i) for i, token in config["added_tokens_decoder"].items()}


def small_vocabulary(source: Path, num_merges: int = 640) -> tuple[dict[str, int], list[str]]:
    """All 256 byte tokens, the commonest merges, and the merges that the words of the prompt need."""
    text = (source / "merges.txt").read_text("utf-8")
    lines = [line for line in text.split("\n") if line and not line.startswith("#version")]
    rank = {tuple(line.split(" ")): i for i, line in enumerate(lines)}
    letters = byte_letters()
    wanted = set(range(num_merges))
    for word in SMALL_WORDS:
        parts = [letters[byte] for byte in word.encode()]
        while len(parts) > 1:
            pairs = list(itertools.pairwise(parts))
            best = min(range(len(pairs)), key=lambda i: rank.get(pairs[i], len(lines)))
            if pairs[best] not in rank:
                break
            wanted.add(rank[pairs[best]])
            parts[best : best + 2] = ["".join(pairs[best])]
    tokens = {letter: i for i, letter in enumerate(sorted(letters.values()))}
    merges = []
    for i in sorted(wanted):
        left, right = lines[i].split(" ")
        if left in tokens and right in tokens:
            merges.append(lines[i])
            tokens.setdefault(left + right, len(tokens))
    return tokens, merges


def byte_letters() -> dict[int, str]:
    """The printable letter that byte-level BPE writes for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


# ---------------------------------------------------------------- config


def config_of(kind: str, size: str, source: Path) -> dict:
    """The published config where `source` has it, else one of ours with the same fields of meaning."""
    name = {"asr": "Qwen3-ASR-1.7B" if size == "1.7b" else "Qwen3-ASR-0.6B"}.get(kind, "Qwen3-ForcedAligner-0.6B")
    if (source / name / "config.json").exists():
        return json.loads((source / name / "config.json").read_text("utf-8"))
    audio = {
        "model_type": "qwen3_asr_audio_encoder",
        "num_mel_bins": 128,
        "n_window": 50,
        "n_window_infer": 800,
        "conv_chunksize": 500,
        "max_source_positions": 1500,
        "activation_function": "gelu",
        "scale_embedding": False,
    }
    text = {
        "model_type": "qwen3",
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000,
        "rope_scaling": {"interleaved": True, "mrope_interleaved": True, "rope_type": "default", "type": "default"},
        "max_position_embeddings": 8192 if kind == "aligner" else 65536,
        "tie_word_embeddings": kind == "asr",
        "attention_bias": False,
    }
    thinker = {"model_type": "qwen3_asr", "audio_config": audio, "text_config": text, "initializer_range": 0.02}
    config = {"architectures": ["Qwen3ASRForConditionalGeneration"], "model_type": "qwen3_asr"}
    if kind == "aligner":
        config |= {"timestamp_token_id": 0, "timestamp_segment_time": 80}
        thinker |= {"model_type": "qwen3_forced_aligner", "classify_num": 5000}
    return config | {"support_languages": ["Chinese", "English", "German"], "thinker_config": thinker}


def set_sizes(config: dict, size, dtype: str) -> None:
    """Write the geometry of `size` into a published config."""
    thinker = config["thinker_config"]
    audio, text = thinker["audio_config"], thinker["text_config"]
    layers, d_model, heads, feed = size.encoder
    audio |= {"encoder_layers": layers, "num_hidden_layers": layers, "d_model": d_model}
    audio |= {"encoder_attention_heads": heads, "encoder_ffn_dim": feed}
    audio |= {"downsample_hidden_size": size.conv_channels, "output_dim": size.decoder[1]}
    names = ("num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim")
    text |= dict(zip((*names, "intermediate_size"), size.decoder, strict=True))
    text["rope_scaling"]["mrope_section"] = list(size.mrope_section)
    thinker["dtype"] = dtype


def set_ids(config: dict, ids: dict[str, int]) -> None:
    """Write the ids of the added tokens into a published config."""
    config["thinker_config"] |= {key: ids[token] for key, token in IDS.items()}
    if "timestamp_token_id" in config:
        config["timestamp_token_id"] = ids["<timestamp>"]


# ---------------------------------------------------------------- the -hf layout


def write_hf_files(folder: Path, config: dict) -> None:
    """Turn the small files of the original layout, already in `folder`, into those of the -hf layout."""
    ids = added_ids(folder)
    (folder / "config.json").write_text(json.dumps(hf_config(config, ids), indent=2), "utf-8")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(folder), ensure_ascii=False), "utf-8")
    template = json.loads((folder / "chat_template.json").read_text("utf-8"))["chat_template"]
    (folder / "chat_template.jinja").write_text(template, "utf-8")
    extractor = json.loads((folder / "preprocessor_config.json").read_text("utf-8"))
    extractor |= {"feature_extractor_type": "Qwen3ASRFeatureExtractor", "n_window": 50, "min_length": 8000}
    extractor.pop("processor_class", None)
    processor = {"feature_extractor": extractor, "processor_class": "Qwen3ASRProcessor", "timestamp_segment_time": 80}
    (folder / "processor_config.json").write_text(json.dumps(processor, indent=2), "utf-8")
    generation = json.loads((folder / "generation_config.json").read_text("utf-8")) | {"max_new_tokens": 512}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2), "utf-8")
    for name in ("vocab.json", "merges.txt", "chat_template.json", "preprocessor_config.json"):
        (folder / name).unlink()


def hf_config(config: dict, ids: dict[str, int]) -> dict:
    """The flat config of the -hf layout; rope theta moves into `rope_parameters`, the mrope fields go."""
    thinker = config["thinker_config"]
    audio, text = thinker["audio_config"], thinker["text_config"]
    kept = ("num_mel_bins", "d_model", "encoder_layers", "encoder_ffn_dim", "output_dim", "n_window", "n_window_infer")
    flat_audio = {"model_type": "qwen3_asr_encoder"} | {key: audio[key] for key in kept}
    flat_audio |= {"downsample_hidden_size": audio["downsample_hidden_size"], "activation_function": "gelu"}
    flat_audio |= {"encoder_attention_heads": audio["encoder_attention_heads"], "max_position_embeddings": 13}
    kept = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "head_dim")
    kept += ("num_key_value_heads", "hidden_act", "rms_norm_eps", "max_position_embeddings", "tie_word_embeddings")
    flat_text = {"model_type": "qwen3"} | {key: text[key] for key in kept}
    flat_text["rope_parameters"] = {"rope_type": "default", "rope_theta": float(text["rope_theta"])}
    flat = {
        "architectures": ["Qwen3ASRForConditionalGeneration"],
        "model_type": "qwen3_asr",
        "dtype": thinker["dtype"],
        "audio_config": flat_audio,
        "text_config": flat_text,
        "audio_token_id": ids["<|audio_pad|>"],
        # The published ASR tokenizer has no such token: the id behind its last one is named all the same.
        "timestamp_token_id": ids.get("<timestamp>", max(ids.values()) + 1),
        "pad_token_id": ids["<|im_end|>"],
        "eos_token_id": [ids["<|endoftext|>"], ids["<|im_end|>"]],
        "tie_word_embeddings": text["tie_word_embeddings"],
    }
    if "classify_num" in thinker:
        labels = {str(i): f"LABEL_{i}" for i in range(thinker["classify_num"])}
        flat |= {"architectures": ["Qwen3ASRForTokenClassification"], "id2label": labels}
        flat["label2id"] = {label: int(i) for i, label in labels.items()}
    return flat


SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def tokenizer_json(folder: Path) -> dict:
    """The one-file form of a byte-level tokenizer, from its vocab.json, merges.txt and tokenizer_config.json."""
    lines = (folder / "merges.txt").read_text("utf-8").split("\n")
    merges = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    added = [{"id": int(i)} | token for i, token in config["added_tokens_decoder"].items()]
    split = {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False}
    letters = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": ""}
    model |= {"end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False}
    model |= {"vocab": json.loads((folder / "vocab.json").read_text("utf-8")), "merges": merges}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": sorted(added, key=lambda token: token["id"]),
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, letters]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": model,
    }
