"""Text to words that join to it again, chunk texts to one text, and log-probabilities to a confidence for each word.

Knows nothing of time or of languages: what to do is read off the characters, so a line may hold several scripts.
There is no dictionary; scripts without spaces are parted by character or cluster, and punctuation stays in place.
"""

import codecs
import math
from collections.abc import Iterable, Sequence
from functools import reduce

from ossicle.text.scripts import JOINERS, Kind, is_east_asian, is_spoken, is_wide, kind_of
from ossicle.text.tokenizer import Tokenizer

DASHES = frozenset("—―…⋯")           # a word may begin after these though no space stands there
TIGHT_DASHES = frozenset("—―")       # set without spaces on either side
STRAIGHT_QUOTE = '"'                 # opens and closes alike; which, its place tells
CLOSERS = ",.;:!?)]}»”’…،؛؟।"


def split_words(text: str) -> list[str]:
    """The words of `text`, each with the space before it; joined, they give `text` back.

    Han, kana, Thai, Lao, Khmer and Myanmar are parted by character or cluster, all else at spaces. Marks stay on their
    letter, punctuation on the word before it, opening quotes and brackets on the word after.
    """
    kinds = _kinds(text)
    starts = [0]
    base: Kind | None = None         # the last letter's kind, through the punctuation after it
    spoken = False                   # whether the word so far can be said
    for i in range(len(text)):
        if i and _begins(text, kinds, i, base, spoken):
            starts.append(i)
            spoken = False
        if kinds[i] in (Kind.UNSPACED, Kind.TRAILER, Kind.SPACED):
            base, spoken = kinds[i], True
        elif kinds[i] is Kind.SPACE:
            base = None
    pieces = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)])]
    return _attach_unspoken(pieces) if text else []


def join_texts(left: str, right: str) -> str:
    """Two neighbouring texts as one, with the space between them that their scripts ask for."""
    return left + seam(left, right) + right


def join_all(texts: Iterable[str]) -> str:
    """Successive texts as one; see `seam`."""
    return reduce(join_texts, texts, "")


def seam(left: str, right: str) -> str:
    """What to write between two texts: a space or nothing, by what stands at the seam.

    Never a space beside a wide mark, which brings its own, nor inside Chinese, Japanese or Thai. None between a letter
    and a Han or kana character either: the gap seen there in print is made by the typesetter, and the model writes
    none. A narrow full stop after a letter does get its space, whatever follows.
    """
    last, first = left[-1:], right[:1]
    if not last or not first or Kind.SPACE in (kind_of(last), kind_of(first)):
        return ""
    if any(is_wide(char) and not is_spoken(char) for char in (last, first)):
        return ""
    if kind_of(last) is Kind.OPEN or last in TIGHT_DASHES or first in TIGHT_DASHES or _is_stray(right):
        return ""
    before = next((char for char in reversed(left) if is_spoken(char)), "")
    after = next((char for char in right if is_spoken(char)), "")
    if all(map(_is_spaced, before + after)):
        return " "
    if not any(map(_is_spaced, before + after)):
        return ""
    if not (is_east_asian(before) or is_east_asian(after)) or _is_hangul(before) or _is_hangul(after):
        return " "                   # Thai sets foreign words apart; Korean has spaces between words
    return " " if kind_of(last) is Kind.CLOSE and (last.isascii() or _is_spaced(before)) else ""


def words_with_confidence(
    token_ids: Sequence[int], logprobs: Sequence[float], tokenizer: Tokenizer
) -> list[tuple[str, float]]:
    """The words of a decoded text and how sure the model was of each; joined, they give the text of `token_ids`.

    logprobs  natural logarithms, one for each id
    returns   (word, confidence from 0 to 1): the geometric mean over the tokens that spell the word. Tokens that only
              bring a space or punctuation count where there is nothing else: doubt about a comma is not about the word.
              A token that spans two words counts in both.
    """
    text, owners = decode_with_owners(token_ids, tokenizer)
    result = []
    start = 0
    for word in split_words(text):
        end = start + len(word)
        said = [i for i in range(start, end) if is_spoken(text[i])] or range(start, end)
        tokens = sorted({token for i in said for token in owners[i]})
        mean = sum(logprobs[token] for token in tokens) / len(tokens)
        result.append((word, min(1.0, math.exp(mean))))
        start = end
    return result


def _kinds(text: str) -> list[Kind]:
    """Every character's part, with quotes that could open or close settled by their neighbours."""
    kinds = [kind_of(char) for char in text]
    quotes = 0
    for i in reversed(range(len(text))):               # from the right: an opener before an opener still opens
        following = kinds[i + 1] if i + 1 < len(text) else Kind.SPACE
        can_open = following not in (Kind.SPACE, Kind.CLOSE, Kind.EXTEND)
        if kinds[i] is Kind.OPEN and not can_open:      # German closes with the mark that English opens with
            kinds[i] = Kind.CLOSE
    for i, char in enumerate(text):
        if char == STRAIGHT_QUOTE:
            following = kinds[i + 1] if i + 1 < len(text) else Kind.SPACE
            leads = i == 0 or kinds[i - 1] in (Kind.SPACE, Kind.OPEN)
            if following not in (Kind.SPACE, Kind.CLOSE, Kind.EXTEND) and (leads or quotes % 2 == 0):
                kinds[i] = Kind.OPEN
            quotes += 1
    return kinds


def _begins(text: str, kinds: list[Kind], i: int, base: Kind | None, spoken: bool) -> bool:
    """Whether a word begins at i, given the last letter's kind and whether the word so far can be said."""
    kind, previous = kinds[i], kinds[i - 1]
    if kind is Kind.SPACE:
        return previous is not Kind.SPACE
    if previous is Kind.SPACE or not spoken or text[i - 1] in JOINERS:
        return False
    if kind is Kind.UNSPACED:
        return previous is not Kind.OPEN
    if kind is Kind.OPEN:
        if previous is Kind.OPEN or base is not Kind.SPACED:
            return previous is not Kind.OPEN
        coming = next((j for j in range(i, len(kinds)) if kinds[j] is not Kind.OPEN), i)
        return kinds[coming] is Kind.UNSPACED
    if kind is Kind.SPACED and previous is not Kind.OPEN:
        parted = previous is Kind.CLOSE and (text[i - 1] in DASHES or is_wide(text[i - 1]))
        return base is not Kind.SPACED or parted
    return False                     # marks, closing punctuation, small kana


def _attach_unspoken(pieces: list[str]) -> list[str]:
    """Give pieces that nobody can say, such as a dash between spaces, to the word before; opening ones to the next."""
    words: list[str] = []
    held = ""
    for piece in pieces:
        piece = held + piece
        held = ""
        if any(map(is_spoken, piece)):
            words.append(piece)
        elif words and kind_of(piece[-1]) is not Kind.OPEN:
            words[-1] += piece
        else:
            held = piece
    if held and words:
        words[-1] += held
    elif held:
        words.append(held)
    return words


def _is_spaced(char: str) -> bool:
    return kind_of(char) is Kind.SPACED


def _is_hangul(char: str) -> bool:
    return "\uac00" <= char <= "\ud7a3" or "\u1100" <= char <= "\u11ff" or "\u3131" <= char <= "\u318e"


def _is_stray(text: str) -> bool:
    """True for text whose first mark closes what stood before: `, and` or `.`, but not `...and`."""
    rest = text.lstrip(CLOSERS)
    return len(rest) < len(text) and (not rest or kind_of(rest[0]) is Kind.SPACE)


def decode_with_owners(token_ids: Sequence[int], tokenizer: Tokenizer) -> tuple[str, list[list[int]]]:
    """The text of token_ids without special ones, and for each of its characters the places of the tokens that spell it."""
    kept = [(place, tokenizer.token_bytes(i)) for place, i in enumerate(token_ids) if i not in tokenizer.special_ids]
    places = [place for place, spelt in kept for _ in spelt]            # of each byte
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = ""
    owners: list[list[int]] = []
    start = 0                        # the first byte of the character now in the making
    for end, byte in enumerate(b"".join(spelt for _, spelt in kept), start=1):
        chars = decoder.decode(bytes((byte,)), final=end == len(places))
        for left in reversed(range(len(chars))):       # a broken character comes out with the whole one after it
            stop = end - len(decoder.getstate()[0]) - left
            owners.append(places[start:stop])
            start = stop
        text += chars
    return text, owners
