"""Texts in many languages, and hypotheses over them that grow, change their mind and break off: what commit policies are held to."""

import json
import random
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import ossicle
from ossicle.stream.hypothesis import Hypothesis, LiveWord
from ossicle.text.tokenizer import Tokenizer
from tests.conftest import SHARED

TEXTS = (
    "And so, my fellow Americans: ask not what your country can do for you - ask what you can do for your country.",
    "Hello, world! It's Tom's e-mail: 3.14 (co-op), “yes” she said, \"no\" and 'maybe'—$5.",
    "Ça va ? L’été arrive; c'est « l'heure » de naïves façades.",
    "Zürich, Ångström, Straße; \u00a0nbsp\u2009thin.",
    "你好，world！iPhone15很贵。他说“我们去东京”。龘靐齉爩𠀀𠀁",
    "こんにちは、世界。東京タワーに行きたいです！ちょっと待って。",
    "안녕하세요, 오늘 날씨가 좋네요. 2024년!",
    "สวัสดีครับ เราไปเที่ยวน้ำตกกันเถอะ",
    "ក្រុមខ្ញុំទៅផ្សារ",
    "नमस्ते दुनिया, हिन्दी अच्छी है।",
    "العربية، هل أنت بخير؟ فارسی",
    "Привет, мир-2024! Ελληνικά; Ναι.",
    "👩‍🚀🚀 好👍🏽吧 🏴‍☠️ ok 🦖🦕 fine",
    "e\u0301te\u0301 caf\u00e9 \U0002F800x Ⅳ ² ½",
    "我用 iPhone 打了2小时，花了$5。 OK！走吧",
    "...and then — well… no 50 % ?",
)


@cache
def tokenizers() -> dict[str, Tokenizer]:
    """The bundled tokenizer, and the published one where it lies beside the checkout."""
    found = {"tiny": Tokenizer.from_folder(Path(ossicle.__file__).parent / "models" / "tiny")}
    if (SHARED / "tokenizer").is_dir():
        with tempfile.TemporaryDirectory() as folder:
            for name in ("vocab.json", "merges.txt", "Qwen3-ASR-0.6B/tokenizer_config.json"):
                shutil.copy(SHARED / "tokenizer" / name, folder)
            found["published"] = Tokenizer.from_folder(folder)
    return found


@cache
def texts() -> tuple[str, ...]:
    """All texts, with the official test cases where they are there."""
    golden = SHARED / "oracle/golden/text_cases.json"
    more = [case["text"] for case in json.loads(golden.read_text("utf-8"))["words"]] if golden.is_file() else []
    return (*TEXTS, *(text for text in more if text))


def heard(
    ids: Sequence[int], num_committed: int = 0, *, end: float = 1.0, centres: Sequence[float] | None = None, logprob: float = -0.01,
    logprobs: Sequence[float] | None = None, language: str | None = "English", start: float = 0.0,
) -> Hypothesis:
    """A hypothesis of these ids, the first of which are committed."""
    return Hypothesis(tuple(ids), tuple(logprobs or [logprob] * len(ids)), num_committed, 0, language, "eos", start, end,
                      None if centres is None else tuple(centres))


def word(text: str, end: float | None = None, *, centre: float | None = None, least: float = 0.5, num_ids: int | None = 1,
         timing: str | None = "attention") -> LiveWord:
    """A word that ends where it is said to."""
    start = None if end is None else end - 0.1
    return LiveWord(text, num_ids, least, least, centre, start, end, timing if end is not None else None)


def rising(texts_of_words: str, **options) -> list[LiveWord]:
    """Words of one id each, parted by bars."""
    return [word(text, num_ids=place, **options) for place, text in enumerate(texts_of_words.split("|"), start=1)]


def continuations(tokenizer: Tokenizer, text: str, seed: int, num_steps: int = 12, is_honest: bool = False) -> list[list[int]]:
    """What a network might write at each step, in full: ids that begin the text, then ids that may be of something else.

    is_honest   it only ever writes the beginning of the text, broken off anywhere, characters included
    """
    dice = random.Random(seed)
    ids = tokenizer.encode_plain(text)
    steps = []
    for step in range(num_steps):
        known = min(len(ids), max(0, len(ids) * (step + 1) // num_steps + dice.randint(-2, 2)))
        written = ids[:known]
        if not is_honest and dice.random() < 0.6:
            other = tokenizer.encode_plain(dice.choice(texts()))
            first = dice.randrange(len(other))
            written = written[: dice.randint(max(0, known - 6), known)] + other[first : first + dice.randint(1, 8)]
        steps.append(written)
    return [*steps, ids]
