"""Context, language and a count of audio tokens to prompt ids, as the models were trained to read them.

Knows nothing of sound: the rows of the encoder's output take the places between audio_start and audio_end. The
template is in docs/model.md under "Prompt".
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ossicle.errors import ModelError, OptionError
from ossicle.text.languages import canonical_name, lookup_language
from ossicle.text.tokenizer import ASR_TEXT, AUDIO_END, AUDIO_PAD, AUDIO_START, IM_END, IM_START, Tokenizer


@dataclass(frozen=True)
class Prompt:
    """Token ids, and which of their rows the encoder fills."""

    ids: list[int]
    audio_start: int                 # the first audio_pad row
    audio_end: int                   # one past the last


def build_prompt(tokenizer: Tokenizer, num_audio_tokens: int, context: str = "", language: str | None = None) -> Prompt:
    """The prompt for one chunk of sound.

    num_audio_tokens  the row count of the encoder's output
    context           what a person wrote, as it stands; the literals of control tokens in it are taken out
    language          to force, in any form that `find_language` takes, or a name that only this checkpoint knows;
                      None lets the model write it
    """
    # Encoded whole: a context that begins with a newline merges with the one before it.
    text = (f"{IM_START}system\n{neutralise(context, tokenizer)}{IM_END}\n"
            f"{IM_START}user\n{AUDIO_START}{AUDIO_PAD}{AUDIO_END}{IM_END}\n{IM_START}assistant\n")
    if language is not None:
        text += f"language {_model_name(language, tokenizer)}{ASR_TEXT}"
    return _widen(tokenizer.encode(text), tokenizer, num_audio_tokens)


def build_aligner_prompt(tokenizer: Tokenizer, num_audio_tokens: int, words: Iterable[str]) -> Prompt:
    """The forced aligner's input: the sound, then every word with two stamps after it, start and end.

    words  each encoded alone, without a space before it; no words leave one pair of stamps

    Raises ModelError where the checkpoint has no stamps.
    """
    if tokenizer.timestamp is None:
        raise ModelError("a forced aligner's tokenizer must have the token <timestamp>, this one has not; "
                         "load a Qwen3-ForcedAligner checkpoint")
    stamps = [tokenizer.timestamp, tokenizer.timestamp]
    ids = [tokenizer.audio_start, tokenizer.audio_pad, tokenizer.audio_end]
    for word in list(words) or [""]:
        ids += [*tokenizer.encode_plain(word), *stamps]
    return _widen(ids, tokenizer, num_audio_tokens)


def neutralise(text: str, tokenizer: Tokenizer) -> str:
    """`text` without the literal of any added token, also where taking one out would have made another."""
    literals = tokenizer.added_tokens
    longest = max(map(len, literals), default=0)
    kept: list[str] = []             # never holds a literal: each is taken out as its last character arrives
    for char in text:
        kept.append(char)
        tail = "".join(kept[-longest:])
        if tail.endswith(literals):
            literal = next(literal for literal in literals if tail.endswith(literal))
            del kept[-len(literal):]
    return "".join(kept)


def _widen(ids: list[int], tokenizer: Tokenizer, num_audio_tokens: int) -> Prompt:
    """Put num_audio_tokens rows where one audio_pad stands; it is one token wherever it is, so the rest is unmoved."""
    assert num_audio_tokens >= 0
    start = ids.index(tokenizer.audio_pad)
    rows = [ids[start]] * num_audio_tokens
    return Prompt([*ids[:start], *rows, *ids[start + 1:]], start, start + num_audio_tokens)


def _model_name(language: str, tokenizer: Tokenizer) -> str:
    found = lookup_language(language)
    name = found.name if found else canonical_name(language)
    if not name or not name.isprintable() or neutralise(name, tokenizer) != name:
        raise OptionError(f"language must be the name of a language, got {language!r}; `ossicle languages` lists them")
    return name
