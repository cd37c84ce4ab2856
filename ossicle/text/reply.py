"""What the model wrote to a language and a text; knows nothing of how it was decoded.

A reply is `language X<asr_text>the words`; with a forced language it is the words alone. Source: official
`parse_asr_output` and `detect_and_fix_repetitions`, equal on every stored case.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ossicle.text.languages import all_languages, canonical_name
from ossicle.text.tokenizer import ASR_TEXT, Tokenizer

MAX_COPIES = 20                      # official: nobody says a thing more often, a looping model does
NO_SPEECH = "None"                   # the name that the model gives to silence and noise
MAX_PATTERN = 20                     # characters; a longer pattern stays however often it comes


@dataclass(frozen=True)
class Reply:
    """One chunk's answer. An empty language is the model's word for no speech, or none given."""

    language: str
    text: str


@dataclass(frozen=True)
class ReplyIds:
    """The generated ids in two parts that join to the whole, so log-probabilities can be cut at the same place."""

    header: list[int]                # `language X<asr_text>`; empty where the reply has none
    text: list[int]                  # the rest, a closing end token included


def read_reply(text: str | None, forced_language: str | None = None, repair: bool = True) -> Reply:
    """The language and the words of one reply.

    text             the decoded new tokens, special tokens left out
    forced_language  the name that the prompt forced; it is then the answer's language, and tags are left in the text
    repair           write long repetitions once, as the official code always does
    """
    text = (text or "").strip()
    if not text:
        return Reply("", "")
    text = repair_repetitions(text) if repair else text
    if forced_language:
        return Reply(forced_language, text)
    header, tag, words = text.partition(ASR_TEXT)
    if not tag:
        return Reply("", text)
    return Reply(_header_language(header), words.strip())


def read_untagged(text: str, is_cut: bool) -> Reply:
    """A reply that has no tag, read so that its header is not taken for speech: our addition to `read_reply`.

    is_cut   the model was stopped: what is left may be a header that never reached its tag
    """
    text = text.strip()
    for name in (NO_SPEECH, *(language.name for language in all_languages())):
        header = f"language {name}"
        if is_cut and header.startswith(text):
            return Reply("", "")
        if text.startswith(header):
            return Reply("" if name == NO_SPEECH else name, text[len(header):].strip())
    return Reply("", text)


def split_reply(ids: Sequence[int], tokenizer: Tokenizer, forced_language: str | None = None) -> ReplyIds:
    """Which generated ids name the language and which are the text, by the rules of `read_reply`.

    The cut is looked for in the bytes: now and then a model spells the tag in ordinary tokens.
    """
    ids = list(ids)
    tag = ASR_TEXT.encode()
    tail = b""
    for count, token_id in enumerate(ids if not forced_language else (), start=1):
        if token_id not in tokenizer.special_ids:
            tail = tail[-len(tag):] + tokenizer.token_bytes(token_id)
        if tag in tail:
            return ReplyIds(ids[:count], ids[count:])
    return ReplyIds([], ids)


def repair_repetitions(text: str) -> str:
    """`text` with every loop written once: a character more than 20 times in a row, a pattern of up to 20 characters
    20 times or more in a row."""
    text = re.sub(rf"(.)\1{{{MAX_COPIES},}}", r"\1", text, flags=re.DOTALL)
    kept: list[str] = []
    start = 0
    while len(text) - start >= 2 * MAX_COPIES:
        pattern = _looping_pattern(text, start)
        if pattern:
            kept.append(pattern)
            while text.startswith(pattern, start):
                start += len(pattern)
        else:
            kept.append(text[start])
            start += 1
    return "".join(kept) + text[start:]


def _looping_pattern(text: str, start: int) -> str:
    for length in range(1, MAX_PATTERN + 1):
        pattern = text[start:start + length]
        if text.startswith(pattern, start + length) and text.startswith(pattern * MAX_COPIES, start):
            return pattern
    return ""


def _header_language(header: str) -> str:
    if "language none" in header.lower():
        return ""
    for line in map(str.strip, header.splitlines()):
        if line.lower().startswith("language "):
            return canonical_name(line[len("language "):])
    return ""
