"""Text to what it is compared by: without upper case and accents, character for character."""

import unicodedata


def fold(text: str) -> str:
    """Places in the result are places in `text`: every character gives one."""
    return "".join(map(_fold_character, text))


def _fold_character(char: str) -> str:
    base = unicodedata.normalize("NFD", char)[0].casefold()
    return base if len(base) == 1 else char
