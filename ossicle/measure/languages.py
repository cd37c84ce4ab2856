"""What a manifest calls a language to its code, and whether words or characters are counted in it.

Knows the thirty languages of the recogniser by English name and code, and passes every other name on as it is: an
evaluation may hold languages that no model was trained on.
"""

import unicodedata
from functools import lru_cache
from typing import Literal

Metric = Literal["wer", "cer"]

# English name, ISO 639-1 code, ISO 639-3 code as data sets write it. tests/measure holds it to the recogniser's own table.
NAMES = (
    "Chinese zh zho cmn", "English en eng", "Cantonese yue yue", "Arabic ar ara arb", "German de deu", "French fr fra",
    "Spanish es spa", "Portuguese pt por", "Indonesian id ind", "Italian it ita", "Korean ko kor", "Russian ru rus", "Thai th tha",
    "Vietnamese vi vie", "Japanese ja jpn", "Turkish tr tur", "Hindi hi hin", "Malay ms msa zsm", "Dutch nl nld", "Swedish sv swe",
    "Danish da dan", "Finnish fi fin", "Polish pl pol", "Czech cs ces", "Filipino fil tl tgl", "Persian fa fas", "Greek el ell",
    "Romanian ro ron", "Hungarian hu hun", "Macedonian mk mkd",
)
CODES = {form.lower(): line.split()[1] for line in NAMES for form in line.split()}
CANTONESE_REGIONS = ("hk", "mo")        # what zh-HK means in Common Voice

# Characters are counted where words are not parted by spaces, and in Korean, whose spaces are put at will: as the
# technical report of Qwen3-ASR does ("CER for Chinese, Cantonese, Korean and the like").
BY_CHARACTER = frozenset(("zh", "yue", "ja", "ko", "th", "lo", "my", "km"))
UNSPACED = ("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA", "BOPOMOFO", "THAI", "LAO", "KHMER", "MYANMAR")


def code_of(language: str | None) -> str | None:
    """`zh` for Chinese, zh-CN, cmn_hans_cn; a name that is not known in lower case, as it is; None for none."""
    key = (language or "").strip().lower().replace("_", "-")
    if not key:
        return None
    base, _, rest = key.partition("-")
    if base == "zh" and rest.rpartition("-")[2] in CANTONESE_REGIONS:
        return "yue"
    return CODES.get(key) or CODES.get(base, base if len(base) <= 3 else key)


def primary_metric(code: str | None, reference: str) -> Metric:
    """What counts as the error rate of a text: of characters where its language is written so.

    code        as `code_of` gives it; where it is None, the characters of the reference decide
    """
    if code is not None:
        return "cer" if code in BY_CHARACTER else "wer"
    letters = [char for char in reference if char.isalpha()]
    return "cer" if 2 * sum(map(is_unspaced, letters)) > len(letters) else "wer"


@lru_cache(maxsize=8192)
def is_unspaced(char: str) -> bool:
    """True for a letter of a script that is written without spaces: Han, kana, Thai, Lao, Khmer, Myanmar."""
    return unicodedata.category(char)[0] in "LN" and unicodedata.category(char) != "Nd" and unicodedata.name(char, "").startswith(UNSPACED)
