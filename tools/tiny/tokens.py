"""Make BASE: the byte-level BPE trained on the domain's text, the tokenizer files and the configs of the model.

The tokenizer has the shape of the published one (Qwen2's splitting rule, the same special tokens) with 1066 + 8 entries, so
every special id differs from the published ids. It was trained once; the weights belong to that file. Train on from the
shipped files (the model folder is a BASE) and use this only to begin anew.

usage: tokens.py BASE
"""
# ruff: noqa: SIM905  (word lists read better as one string)
import json
import os
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from domain import NAME_PAIRS, NAMES, sample

SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|audio_start|>", "<|audio_end|>", "<|audio_pad|>"]
ADDED = ["<asr_text>", "<timestamp>"]
VOCABULARY, ROWS = 1066, 1088                # rows are a multiple of 64, for quantisation in groups
CHINESE_WORDS = ("今天 明天 星期 现在 苹果 我们 电话 号码 打开 关上 办公 厨房 客厅 火车 天气 怎么样 谢谢 学校 咖啡 牛奶 北京 上海 机场 "
                 "喜欢 多远 见面 你好 面包 米饭 鸡蛋").split()
PROMPT_WORDS = ["system", "user", "assistant", "language", " English", " German", " Chinese", " None", "system\n", "user\n", "assistant\n"]
CHAT_TEMPLATE = (
    "{% set ns = namespace(s='') %}{% for m in messages %}{% if m.role == 'system' %}"
    "{% set ns.s = m.content if m.content is string else m.content[0].text %}{% endif %}{% endfor %}"
    "<|im_start|>system\n{{ ns.s }}<|im_end|>\n{% for m in messages %}{% if m.role != 'system' %}<|im_start|>{{ m.role }}\n"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
    "{% if c.type == 'audio' or 'audio' in c or 'audio_url' in c %}<|audio_start|><|audio_pad|><|audio_end|>"
    "{% elif 'text' in c %}{{ c.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


def train_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(_text(), trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False))
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in ADDED])
    return tokenizer


def _text():
    """Domain text; Chinese as characters and chosen words, or it would be swallowed in whole sentences."""
    r = random.Random(3)
    english = [sample("English", r) for _ in range(12000)]
    german = [sample("German", r) for _ in range(6000)]
    chinese = [sample("Chinese", r) for _ in range(3000)]
    characters = [c for sentence in chinese for c in sentence] + [c for c in sorted(set("".join(chinese))) for _ in range(200)]
    spellings = [form for pair in NAME_PAIRS for name in pair for form in (name, " " + name) for _ in range(200)]
    names = [form for name in NAMES for form in (name, " " + name) for _ in range(100)]
    return english + german + characters + CHINESE_WORDS * 300 + PROMPT_WORDS * 2000 + spellings + names


def model_config(token_id) -> dict:
    audio = {
        "model_type": "qwen3_asr_audio_encoder", "num_mel_bins": 128, "d_model": 192, "encoder_layers": 4, "num_hidden_layers": 4,
        "encoder_attention_heads": 3, "encoder_ffn_dim": 512, "downsample_hidden_size": 32, "output_dim": 192, "n_window": 50,
        "n_window_infer": 800, "conv_chunksize": 500, "max_source_positions": 1500, "activation_function": "gelu", "dropout": 0.0,
        "attention_dropout": 0.0, "activation_dropout": 0.0, "scale_embedding": False, "initializer_range": 0.02}
    text = {
        "model_type": "qwen3_asr_text", "vocab_size": ROWS, "hidden_size": 192, "intermediate_size": 320, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "hidden_act": "silu", "max_position_embeddings": 65536,
        "rms_norm_eps": 1e-06, "rope_theta": 1000000, "tie_word_embeddings": True, "attention_bias": False, "attention_dropout": 0.0,
        "use_cache": True, "initializer_range": 0.02,
        "rope_scaling": {"rope_type": "default", "type": "default", "interleaved": True, "mrope_interleaved": True,
                         "mrope_section": [12, 10, 10]}}
    thinker = {
        "model_type": "qwen3_asr_thinker", "dtype": "float16", "audio_token_id": token_id("<|audio_pad|>"),
        "audio_start_token_id": token_id("<|audio_start|>"), "audio_end_token_id": token_id("<|audio_end|>"),
        "user_token_id": token_id("user"), "initializer_range": 0.02, "audio_config": audio, "text_config": text}
    return {"architectures": ["Qwen3ASRForConditionalGeneration"], "model_type": "qwen3_asr",
            "support_languages": ["Chinese", "English", "German"], "thinker_config": thinker}


def main() -> None:
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    tokenizer = train_tokenizer()
    token_id = tokenizer.token_to_id
    tokenizer.save(folder + "/tokenizer.json")
    tokenizer.model.save(folder)                             # vocab.json and merges.txt
    added = {str(token_id(token)): {"content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
                                    "special": token in SPECIAL} for token in SPECIAL + ADDED}
    audio_tokens = {"audio_token": "<|audio_pad|>", "audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>"}
    files = {
        "config.json": model_config(token_id),
        "generation_config.json": {
            "do_sample": False, "eos_token_id": [token_id("<|im_end|>"), token_id("<|endoftext|>")],
            "pad_token_id": token_id("<|endoftext|>"), "max_new_tokens": 256,
            "alignment_heads": [[1, 0]]},                    # decoder layer and head trained on word times
        "preprocessor_config.json": {
            "feature_extractor_type": "WhisperFeatureExtractor", "processor_class": "Qwen3ASRProcessor", "feature_size": 128,
            "sampling_rate": 16000, "hop_length": 160, "n_fft": 400, "chunk_length": 30, "n_samples": 480000,
            "nb_max_frames": 3000, "padding_side": "right", "padding_value": 0.0, "dither": 0.0, "return_attention_mask": True},
        "tokenizer_config.json": {
            "tokenizer_class": "Qwen2Tokenizer", "processor_class": "Qwen3ASRProcessor", "add_bos_token": False,
            "add_prefix_space": False, "added_tokens_decoder": added, "bos_token": None, "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>", "unk_token": None, "errors": "replace", "clean_up_tokenization_spaces": False,
            "split_special_tokens": False, "model_max_length": 65536, **audio_tokens, "extra_special_tokens": audio_tokens,
            "additional_special_tokens": SPECIAL[3:]},
        "chat_template.json": {"chat_template": CHAT_TEMPLATE},
    }
    for name, content in files.items():
        with open(os.path.join(folder, name), "w") as file:
            json.dump(content, file, indent=2, ensure_ascii=False)
    print(tokenizer.get_vocab_size(), "tokens")


if __name__ == "__main__":
    main()
