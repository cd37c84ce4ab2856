"""A Korean word to its stem and its ending, as the official aligner parts them. Knows nothing of spaces or punctuation.

The rule is that of a "left" tokenizer over a list of words that all score the same: the longest beginning of two or more
characters that stands in the list, and the whole word where none does.
Source: official package, which gives its word list to soynlp's LTokenizer; docs/words.md, "Korean".
"""

import gzip
from functools import cache
from importlib.resources import files

MIN_LEFT = 2                         # characters of a stem


def split_stem(word: str) -> tuple[str, str]:
    """The stem and the ending of one word, which join to it; the ending may be empty."""
    known = _words()
    end = next((end for end in range(len(word), MIN_LEFT - 1, -1) if word[:end] in known), len(word))
    return word[:end], word[end:]


@cache
def _words() -> frozenset[str]:
    packed = files("ossicle") / "text" / "data" / "korean_words.txt.gz"
    return frozenset(gzip.decompress(packed.read_bytes()).decode("utf-8").split("\n"))
