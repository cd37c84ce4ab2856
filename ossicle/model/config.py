"""What a checkpoint's config.json says of the network, in one form for every published layout.

Knows nothing of weights. Every number comes from the file: the official package's own defaults differ from the
published files, so a missing size is an error and never a default. Unknown keys are ignored.
Source: docs/model.md, "Published files".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ossicle.errors import ModelError


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of the audio encoder: mel to audio embeddings."""

    mel_bins: int
    num_layers: int
    hidden: int                     # d_model
    num_heads: int
    ffn: int
    conv_channels: int
    output: int                     # width of an audio embedding, the decoder's hidden size
    chunk_frames: int               # frames convolved together: 2 * n_window
    window_frames: int              # frames that attend to one another: n_window_infer

    @property
    def head_dim(self) -> int:
        return self.hidden // self.num_heads

    @property
    def chunks_per_window(self) -> int:
        return self.window_frames // self.chunk_frames


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the decoder: embeddings to logits."""

    num_layers: int
    hidden: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    ffn: int
    vocab: int                      # rows of the embedding table; more than the tokenizer has tokens
    rope_theta: float
    norm_eps: float
    max_positions: int
    is_tied: bool                   # the head is the embedding table


@dataclass(frozen=True)
class ModelConfig:
    """One checkpoint: a recogniser, or an aligner when `num_classes` is set."""

    encoder: EncoderConfig
    decoder: DecoderConfig
    audio_token_id: int
    audio_start_token_id: int | None
    audio_end_token_id: int | None
    timestamp_token_id: int | None
    timestamp_seconds: float | None     # one class of the aligner
    num_classes: int | None             # of the aligner's own head
    support_languages: tuple[str, ...]  # names the model was trained on; empty when the file does not say
    dtype: str                          # of the stored weights: bfloat16, float16 or float32

    @property
    def is_aligner(self) -> bool:
        return self.num_classes is not None

    @classmethod
    def from_file(cls, path: Path) -> "ModelConfig":
        """Read config.json. Raises ModelError when it is missing, damaged or of another kind."""
        try:
            raw = json.loads(path.read_text("utf-8"))
        except FileNotFoundError as error:
            raise ModelError(f"expected a config.json in {path.parent}, found none; is this a Qwen3-ASR folder?") from error
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError(f"cannot read {path} as JSON: {error}; download the file again") from error
        if not isinstance(raw, dict):
            raise ModelError(f"expected an object in {path}, got {type(raw).__name__}")
        try:
            return cls.from_dict(raw)
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            # A size that is a word, an object that is a list: what JSON allows and a checkpoint never holds.
            raise ModelError(f"{path} holds a value of the wrong kind ({error}); download the file again") from error

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "ModelConfig":
        """Read either published form: nested under `thinker_config`, or flat as in the `-hf` checkpoints."""
        kind = raw.get("model_type")
        if kind not in ("qwen3_asr", "qwen3_forced_aligner"):
            raise ModelError(f"expected model_type qwen3_asr in config.json, got {kind!r}; ossicle runs Qwen3-ASR and its forced aligner")
        thinker = raw.get("thinker_config", raw)
        audio, text = _section(thinker, "audio_config"), _section(thinker, "text_config")
        num_classes = _num_classes(raw, thinker)
        step_ms = raw.get("timestamp_segment_time", thinker.get("timestamp_segment_time", 80))
        config = cls(
            encoder=_encoder(audio),
            decoder=_decoder(text, is_tied=_is_tied(raw, text, num_classes)),
            audio_token_id=int(_need(thinker, "audio_token_id")),
            audio_start_token_id=thinker.get("audio_start_token_id"),
            audio_end_token_id=thinker.get("audio_end_token_id"),
            timestamp_token_id=raw.get("timestamp_token_id", thinker.get("timestamp_token_id")),
            timestamp_seconds=step_ms / 1000 if num_classes else None,
            num_classes=num_classes,
            support_languages=tuple(raw.get("support_languages") or ()),
            dtype=str(thinker.get("dtype") or thinker.get("torch_dtype") or text.get("dtype") or "bfloat16").removeprefix("torch."),
        )
        config.check()
        return config

    def check(self) -> None:
        """Refuse sizes that no network can have, before anything is allocated."""
        encoder, decoder = self.encoder, self.decoder
        rules = (
            (encoder.hidden % encoder.num_heads == 0, f"d_model {encoder.hidden} must be a multiple of its {encoder.num_heads} heads"),
            (encoder.hidden % 2 == 0, f"d_model {encoder.hidden} must be even"),
            (decoder.num_heads % decoder.num_kv_heads == 0,
             f"{decoder.num_heads} query heads must be a multiple of {decoder.num_kv_heads} key/value heads"),
            (decoder.head_dim % 2 == 0, f"head_dim {decoder.head_dim} must be even"),
            (encoder.output == decoder.hidden, f"output_dim {encoder.output} must equal the decoder's hidden_size {decoder.hidden}"),
            (encoder.chunk_frames > 0, f"n_window must be positive, got {encoder.chunk_frames // 2}"),
            (encoder.window_frames % encoder.chunk_frames == 0,
             f"n_window_infer {encoder.window_frames} must be a multiple of {encoder.chunk_frames}"),
            (min(encoder.num_layers, decoder.num_layers, encoder.ffn, decoder.ffn, decoder.vocab, encoder.mel_bins) > 0,
             "every size must be positive"),
        )
        for holds, message in rules:
            if not holds:
                raise ModelError(f"config.json is not a usable Qwen3-ASR configuration: {message}")


def _encoder(audio: Mapping[str, Any]) -> EncoderConfig:
    # The -hf layout may use the general names; where both stand, the encoder's own name decides.
    return EncoderConfig(
        mel_bins=int(_need(audio, "num_mel_bins")),
        num_layers=int(_need(audio, "encoder_layers", "num_hidden_layers")),
        hidden=int(_need(audio, "d_model", "hidden_size")),
        num_heads=int(_need(audio, "encoder_attention_heads", "num_attention_heads")),
        ffn=int(_need(audio, "encoder_ffn_dim", "intermediate_size")),
        conv_channels=int(_need(audio, "downsample_hidden_size")),
        output=int(_need(audio, "output_dim")),
        chunk_frames=2 * int(_need(audio, "n_window")),
        window_frames=int(_need(audio, "n_window_infer")),
    )


def _decoder(text: Mapping[str, Any], is_tied: bool) -> DecoderConfig:
    rope = text.get("rope_parameters") or {}
    heads = int(_need(text, "num_attention_heads"))
    hidden = int(_need(text, "hidden_size"))
    return DecoderConfig(
        num_layers=int(_need(text, "num_hidden_layers")),
        hidden=hidden,
        num_heads=heads,
        num_kv_heads=int(text.get("num_key_value_heads") or heads),
        head_dim=int(text.get("head_dim") or hidden // heads),
        ffn=int(_need(text, "intermediate_size")),
        vocab=int(_need(text, "vocab_size")),
        rope_theta=float(rope["rope_theta"] if "rope_theta" in rope else _need(text, "rope_theta")),
        norm_eps=float(_need(text, "rms_norm_eps")),
        max_positions=int(_need(text, "max_position_embeddings")),
        is_tied=is_tied,
    )


def _num_classes(raw: Mapping[str, Any], thinker: Mapping[str, Any]) -> int | None:
    if "classify_num" in thinker:
        return int(thinker["classify_num"])
    if "ForTokenClassification" in " ".join(raw.get("architectures") or ()):
        return int(raw.get("num_labels") or len(_need(raw, "id2label")))
    return None


def _is_tied(raw: Mapping[str, Any], text: Mapping[str, Any], num_classes: int | None) -> bool:
    if num_classes is not None:
        return False                    # 5000 classes cannot be the embedding of 152064 rows, whatever a flag says
    return bool(text.get("tie_word_embeddings", raw.get("tie_word_embeddings", True)))


def _section(thinker: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = thinker.get(name)
    if not isinstance(section, Mapping):
        raise ModelError(f"expected an object {name} in config.json, got {type(section).__name__}; download the file again")
    return section


def _need(section: Mapping[str, Any], *names: str) -> Any:
    for name in names:
        if section.get(name) is not None:
            return section[name]
    raise ModelError(f"config.json lacks {' or '.join(names)}; this is no complete Qwen3-ASR checkpoint")
