"""A normalised text to what is counted in it: words, characters, or words and characters mixed.

Knows nothing of languages; what is no letter should be gone before, which is the normaliser's business.
"""

import unicodedata

from ossicle.measure.languages import is_unspaced


def words(text: str) -> list[str]:
    """What stands between spaces: the tokens of WER."""
    return text.split()


def characters(text: str) -> list[str]:
    """Every code point but spaces: the tokens of CER. Spaces do not count, as scripts without them differ in nothing else."""
    return [char for char in unicodedata.normalize("NFC", text) if not char.isspace()]


def mixed(text: str) -> list[str]:
    """Words where scripts have spaces, characters where they have none: the tokens of MER, for speech that changes between them.

    A character of Han, kana, Thai and their kin is one token with the marks on it; all else is parted at spaces.
    """
    tokens: list[str] = []
    is_open = False                                         # whether the next letter of a spaced script goes on with the last token
    for char in unicodedata.normalize("NFC", text):
        if char.isspace():
            is_open = False
        elif unicodedata.category(char)[0] == "M" and tokens:
            tokens[-1] += char
        elif is_unspaced(char):
            tokens.append(char)
            is_open = False
        elif is_open:
            tokens[-1] += char
        else:
            tokens.append(char)
            is_open = True
    return tokens
