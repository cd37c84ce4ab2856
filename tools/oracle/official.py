"""Checkpoint folder in, every stage of the official implementation out, as numpy arrays.

Runs the authors' qwen-asr package on its transformers backend, in float32 on the CPU, opened up with hooks. Needs the
environment of requirements.txt beside this file; knows nothing of what is kept or where.
"""

import itertools
import json
from pathlib import Path

import numpy as np
import torch
from qwen_asr.core.transformers_backend import Qwen3ASRConfig, Qwen3ASRForConditionalGeneration, Qwen3ASRProcessor
from qwen_asr.inference.qwen3_forced_aligner import Qwen3ForceAlignProcessor
from transformers import AttentionInterface, AutoConfig, AutoModel, AutoProcessor

AutoConfig.register("qwen3_asr", Qwen3ASRConfig, exist_ok=True)
AutoModel.register(Qwen3ASRConfig, Qwen3ASRForConditionalGeneration, exist_ok=True)
AutoProcessor.register(Qwen3ASRConfig, Qwen3ASRProcessor, exist_ok=True)


class Official:
    """The official model with its processor."""

    def __init__(self, folder: Path):
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        # The flag `fix_mistral_regex` stays off: the vocabulary was trained with the Qwen2 split.
        self.processor = AutoProcessor.from_pretrained(folder)
        self.tower = self.model.thinker.audio_tower
        self.decoder = self.model.thinker.model
        self.last_ids = json.loads((folder / "generation_config.json").read_text("utf-8"))["eos_token_id"]
        AttentionInterface.register("oracle_windows", _attend_per_window)
        self.use_windows(True)

    def use_windows(self, on: bool) -> None:
        """Attend per window, as flash attention does, or over the whole clip, as the package does without it."""
        self.tower.config._attn_implementation = "oracle_windows" if on else "sdpa"

    def prompt(self, context: str = "", language: str | None = None) -> str:
        """The text before the answer."""
        messages = [
            {"role": "system", "content": context},
            {"role": "user", "content": [{"type": "audio", "audio": ""}]},
        ]
        text = self.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return text + (f"language {language}<asr_text>" if language else "")

    def inputs(self, text: str, samples: np.ndarray) -> dict:
        """What the network takes: ids, mel and masks of one clip."""
        return self.processor(text=[text], audio=[samples], return_tensors="pt", padding=True)

    def encode(self, mel: torch.Tensor) -> dict[str, np.ndarray]:
        """Every stage of the encoder; mel is (mel_bins, frames) of one clip."""
        kept: dict[str, np.ndarray] = {}
        handles = [
            self.tower.conv_out.register_forward_hook(_keep(kept, "conv_out_padded")),
            self.tower.layers[0].register_forward_pre_hook(_keep_input(kept, "enc_in"), with_kwargs=True),
            self.tower.ln_post.register_forward_hook(_keep(kept, "ln_post")),
        ]
        for i, layer in enumerate(self.tower.layers):
            handles.append(layer.register_forward_hook(_keep(kept, f"enc_layer_{i}")))
        with torch.no_grad():
            out = self.tower(mel, feature_lens=torch.tensor([mel.shape[1]]))
        _remove(handles)
        return kept | {"audio_embeds": out.last_hidden_state.numpy()}

    def window_edges(self) -> list[int]:
        """Edges of the attention windows of the last encoded clip, in audio tokens."""
        return self.tower.layers[0].self_attn.last_edges

    def prefill(self, inputs: dict) -> dict[str, np.ndarray]:
        """Logits and hidden states of the whole prompt: (tokens, vocab or hidden)."""
        kept: dict[str, np.ndarray] = {}
        handles = [self.decoder.norm.register_forward_hook(_keep(kept, "final_norm"))]
        for i, layer in enumerate(self.decoder.layers):
            handles.append(layer.register_forward_hook(_keep(kept, f"dec_layer_{i}")))
        logits = self._forward(inputs)
        _remove(handles)
        return {"prefill_logits": logits} | {key: value[0] for key, value in kept.items()}

    def greedy(self, inputs: dict, max_tokens: int) -> tuple[np.ndarray, np.ndarray]:
        """The ids of a plain argmax decoding, and the logits of every step: (steps,), (steps, vocab)."""
        out = self.model.thinker.generate(
            **inputs,
            max_new_tokens=max_tokens,
            do_sample=False,
            eos_token_id=self.last_ids,
            pad_token_id=self.last_ids[0],
            return_dict_in_generate=True,
            output_logits=True,
        )
        ids = out.sequences[0, inputs["input_ids"].shape[1] :]
        return ids.numpy(), torch.cat(out.logits, 0).numpy()

    def attention(self, inputs: dict, answer: np.ndarray) -> np.ndarray:
        """Attention probabilities over prompt and answer in one pass: (layers, heads, tokens, tokens)."""
        kept: dict[str, np.ndarray] = {}
        handles = []
        for i, layer in enumerate(self.decoder.layers):
            handles.append(layer.self_attn.register_forward_hook(_keep(kept, str(i), which=1)))
        ids = torch.cat([inputs["input_ids"], torch.from_numpy(answer)[None]], 1)
        before = self.decoder.config._attn_implementation
        self.decoder.config._attn_implementation = "eager"
        self._forward({**inputs, "input_ids": ids, "attention_mask": torch.ones_like(ids)})
        self.decoder.config._attn_implementation = before
        _remove(handles)
        return np.stack([kept[str(i)][0] for i in range(len(self.decoder.layers))])

    def decode(self, ids: np.ndarray) -> str:
        """The text of an answer."""
        return self.processor.tokenizer.decode(ids, skip_special_tokens=True)

    def _forward(self, inputs: dict) -> np.ndarray:
        self.model.thinker.rope_deltas = None
        with torch.no_grad():
            logits = self.model.thinker(**inputs).logits[0].numpy()
        self.model.thinker.rope_deltas = None
        return logits


def align(official: Official, samples: np.ndarray, text: str, language: str) -> tuple[dict[str, np.ndarray], dict]:
    """Arrays of one alignment (prompt ids, logits and milliseconds at the stamps), and its words and times."""
    words_of = Qwen3ForceAlignProcessor()
    words, prompt = words_of.encode_timestamp(text, language)
    inputs = official.inputs(prompt, samples)
    ids = inputs["input_ids"][0].numpy()
    config = official.model.config
    logits = official._forward(inputs)[ids == int(config.timestamp_token_id)]
    times = logits.argmax(-1) * float(config.timestamp_segment_time)
    items = [
        {"text": i["text"], "start": round(i["start_time"] / 1000.0, 3), "end": round(i["end_time"] / 1000.0, 3)}
        for i in words_of.parse_timestamp(words, times)
    ]
    arrays = {"prompt_ids": ids, "stamp_logits": logits, "raw_ms": times}
    return arrays, {"text": text, "language": language, "words": words, "items": items}


def _attend_per_window(module, query, key, value, attention_mask=None, scaling=None, cu_seq_lens_q=None, **_):
    edges = cu_seq_lens_q.tolist()
    module.last_edges = edges
    parts = [
        torch.nn.functional.scaled_dot_product_attention(
            query[:, :, begin:end], key[:, :, begin:end], value[:, :, begin:end], scale=scaling
        )
        for begin, end in itertools.pairwise(edges)
    ]
    return torch.cat(parts, 2).transpose(1, 2).contiguous(), None


def _keep(kept: dict, name: str, which: int = 0):
    def hook(_module, _inputs, output):
        kept[name] = (output[which] if isinstance(output, tuple) else output).detach().numpy()

    return hook


def _keep_input(kept: dict, name: str):
    def hook(_module, inputs, named):
        kept[name] = (inputs[0] if inputs else named["hidden_states"]).detach().numpy()

    return hook


def _remove(handles: list) -> None:
    for handle in handles:
        handle.remove()
