"""The tokens of a decoded chunk to its words with confidence. Knows nothing of time: others measure that."""

from collections.abc import Sequence
from dataclasses import replace

from ossicle.results import Token, Word
from ossicle.text.reply import split_reply
from ossicle.text.tokenizer import Tokenizer
from ossicle.text.words import split_words, words_with_confidence


def spell_words(tokens: Sequence[Token], text: str, tokenizer: Tokenizer) -> tuple[Word, ...]:
    """The words of a chunk; joined they give `text`. Confidence is known where the text is what the tokens spell."""
    ids = [token.id for token in tokens]
    num_header = len(split_reply(ids, tokenizer).header)
    logprobs = [token.logprob for token in tokens[num_header:]]
    found = words_with_confidence(ids[num_header:], logprobs, tokenizer)
    spelled = "".join(word for word, _ in found)
    if spelled.strip() != text.strip():                             # repaired, or without a header that can be told apart
        return tuple(Word(word) for word in split_words(text))
    before, after = len(spelled) - len(spelled.lstrip()), len(spelled.rstrip())
    words, place = [], 0
    for word, confidence in found:                                  # the model's space at either end is not the text's
        kept = word[max(0, before - place) : max(0, after - place)]
        place += len(word)
        if kept:
            words.append(Word(kept, confidence=confidence))
    return after_space(words, text[: len(text) - len(text.lstrip())])


def after_space(words: Sequence[Word], space: str) -> tuple[Word, ...]:
    """The same words with `space` before the first."""
    return (replace(words[0], text=space + words[0].text), *words[1:]) if words and space else tuple(words)
