"""A vocabulary small enough to read, with ids of its own, and the published one where it lies beside the checkout."""

import json
import shutil

import pytest
from hypothesis import settings
from tokenizers import pre_tokenizers

from ossicle.text.tokenizer import Tokenizer

# The machine may be busy with something else: an example that takes long is no fault of ours.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

MERGES = [
    "h e", "l l", "ll o", "he llo", "Ġ w", "o r", "Ġw or", "l d", "Ġwor ld", "Ġ t", "Ġt he", "l a", "n g", "u a", "g e",
    "la ng", "lang ua", "langua ge", "s y", "s t", "e m", "sy st", "syst em", "Ċ Ċ", "Ã ©", "ä ½", "ä½ ł",
    "ä½ł å", "ä½łå ¥", "ä½łå¥ ½",  # 你好 as one token
]
ADDED = [
    ("<|endoftext|>", True), ("<|im_end|>", True), ("<|audio_pad|>", True), ("<asr_text>", False),
    ("<|im_start|>", True), ("<|audio_end|>", True), ("<|audio_start|>", True), ("<non_speech>", False),
    ("<timestamp>", False),
]


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory):
    """A tokenizer folder as the published ones are: vocab.json, merges.txt, tokenizer_config.json."""
    folder = tmp_path_factory.mktemp("small")
    tokens = sorted(pre_tokenizers.ByteLevel.alphabet()) + [merge.replace(" ", "") for merge in MERGES]
    added = {
        str(len(tokens) + i): {"content": content, "special": special, "lstrip": False, "rstrip": False,
                               "normalized": False, "single_word": False}
        for i, (content, special) in enumerate(ADDED)
    }
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(MERGES) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added}), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def small(small_folder):
    return Tokenizer.from_folder(small_folder)


@pytest.fixture(scope="session")
def cases(shared):
    """What the official implementation answered."""
    return json.loads((shared / "oracle/golden/text_cases.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def published(shared, tmp_path_factory):
    """The published tokenizer of the aligner, which has every token of the others too."""
    folder = tmp_path_factory.mktemp("published")
    for name in ("vocab.json", "merges.txt", "Qwen3-ForcedAligner-0.6B/tokenizer_config.json"):
        shutil.copy(shared / "tokenizer" / name, folder)
    return Tokenizer.from_folder(folder)
