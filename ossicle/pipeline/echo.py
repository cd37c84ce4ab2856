"""Is a reply heard, or is it only the context said back? Two texts of one sound and the context in, yes or no out.

Knows nothing of networks. A model that is told many names sometimes writes them down although nobody said them. Such a reply is
looked for in two steps: `is_suspicious` costs nothing, and what it finds is decoded again without the context; `is_echo` compares.
Of two alike letters for letter, or of a name among words that both have in the same place, the sound speaks; of the others it
does not.
"""

import re
import unicodedata
from difflib import SequenceMatcher

from ossicle.text.scripts import is_spoken
from ossicle.text.words import split_words

# When a reply is worth a second look. Ordinary speech shares its small words with any page of text, but not many in a row.
MAX_WORDS = 200                     # of a list; a longer context is a page
SHARE = 0.6                         # of its words are words of the list,
RUN = 3                             # or so many follow one another as they do in the list,
RUN_OF_PAGE = 5                     # or on the page
FAST_LETTERS_PER_SECOND = 30.0      # or it says more than anybody can in the time: fast English has 20, Chinese 8
FAST_SHARE = 0.3

ALIKE = 0.5                         # letters of unrelated texts agree to 0.37 at most, of misheard names from 0.43 on (difflib's ratio)
FEW = 2                             # words of the context that may stand in place of as much that sounds otherwise
PLACE_RATIO = 0.5                   # lengths of what stands in one place in both
MAJORITY = 0.5
HEARD_SECONDS = 1.0                 # of speech that cannot be nothing
SHOWN = 80                          # characters of an echo in a warning


def is_suspicious(text: str, context: str, seconds: float) -> bool:
    """Whether a reply may be the context said back.

    seconds   of sound, or better of speech in it
    """
    said, given = _spoken_words(text), _spoken_words(context)
    if not said or not given:
        return False
    known = set(given)
    # The last word may be the beginning of one: a reply that looped or ran out of its budget was cut.
    is_begun = said[-1] not in known and any(word.startswith(said[-1]) for word in known)
    share = (sum(word in known for word in said) + is_begun) / len(said)
    is_list = len(given) <= MAX_WORDS
    if is_list and share >= SHARE:
        return True
    if share >= FAST_SHARE and sum(map(len, said)) > FAST_LETTERS_PER_SECOND * max(seconds, 0.1):
        return True
    places, length = _places(given), RUN if is_list else RUN_OF_PAGE
    return any(_runs_on(said[start : start + length], given, places) for start in range(len(said) - length + 1))


def is_struck_dumb(text: str, speech_seconds: float | None) -> bool:
    """Whether nothing was written where speech is heard: a long context can do that, too. None where nobody listened for speech."""
    return not _spoken_words(text) and (speech_seconds or 0.0) >= HEARD_SECONDS


def is_echo(text: str, without: str, context: str) -> bool:
    """Whether what a reply has of the context is not in the sound.

    text      decoded with the context
    without   decoded from the same sound without it; what is not heard there at all was never said
    """
    said, heard = _spoken_words(text), _spoken_words(without)
    if not heard:
        return bool(said)
    given = set(_spoken_words(context))
    matcher = SequenceMatcher(None, said, heard, autojunk=False)
    num_agreed = sum(block.size for block in matcher.get_matching_blocks())
    unheard = 0
    for kind, said_from, said_to, heard_from, heard_to in matcher.get_opcodes():
        stretch, other = said[said_from:said_to], heard[heard_from:heard_to]
        named = sum(word in given for word in stretch)
        if kind == "equal" or not named:
            continue
        is_in_place = named <= FEW and num_agreed >= len(stretch) and _are_as_long(stretch, other)
        if not is_in_place and not _are_alike(stretch, other):
            unheard += named
    return unheard > FEW or unheard >= MAJORITY * len(said)


def echo_warning(text: str, without: str) -> str:
    """What to say of a reply that was an echo."""
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN].rstrip()} …"
    return f"the reply said the context back ({shown!r}); " + (
        "decoded again without it" if without.strip() else "without it nothing is heard, so there is no text here")


def _spoken_words(text: str) -> list[str]:
    """The words of a text by their letters alone: no case, no accents, no punctuation."""
    spread = unicodedata.normalize("NFKD", text).casefold()
    bare = re.sub("[\u0300-\u036f]", "", spread)
    words = ("".join(char for char in word if is_spoken(char)) for word in split_words(unicodedata.normalize("NFC", bare)))
    return [word for word in words if word]


def _places(words: list[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        found.setdefault(word, []).append(place)
    return found


def _runs_on(run: list[str], words: list[str], places: dict[str, list[int]]) -> bool:
    return any(words[place : place + len(run)] == run for place in places.get(run[0], ()))


def _are_alike(one: list[str], other: list[str]) -> bool:
    return SequenceMatcher(None, "".join(one), "".join(other), autojunk=False).ratio() >= ALIKE


def _are_as_long(one: list[str], other: list[str]) -> bool:
    lengths = sorted((len("".join(one)), len("".join(other))))
    return lengths[0] >= PLACE_RATIO * lengths[1]
