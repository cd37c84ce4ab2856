"""Two texts word by word, as they were written, and which of their words mean the same under a normaliser.

A normaliser may make two words of one (can't) and one of two (twenty one), so words are grouped: a group is as small as it
can be and still holds whole words of both texts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ossicle.measure.errors import align
from ossicle.measure.normalise import Normaliser
from ossicle.measure.tokens import mixed


@dataclass(frozen=True, slots=True)
class Group:
    """Words of both texts that stand for one another, as [begin, end) of each."""

    is_same: bool
    reference: tuple[int, int]
    hypothesis: tuple[int, int]


def group_words(reference: Sequence[str], hypothesis: Sequence[str], normaliser: Normaliser, language: str | None) -> list[Group]:
    """Groups in order; together they hold every word of both texts once.

    A group of the same words is a pair where that can be; a group of different ones reaches from one of these to the next.
    Words that normalise to nothing, such as a dash, belong to the group before.
    """
    tokens, owners = _tokens(reference, normaliser, language)
    other_tokens, other_owners = _tokens(hypothesis, normaliser, language)
    groups: list[Group] = []
    for step in align(tokens, other_tokens, normaliser.merges_compounds):
        words = (owners[step.reference[0]], owners[step.reference[1] - 1] + 1) if step.kind != "ins" else None
        others = (other_owners[step.hypothesis[0]], other_owners[step.hypothesis[1] - 1] + 1) if step.kind != "del" else None
        _add(groups, step.kind == "hit", words, others)
    return list(_named_anew(_filled(groups, len(reference), len(hypothesis)), reference, hypothesis, normaliser, language))


def split_written(text: str) -> list[str]:
    """The words of a text as written: between spaces, and character by character in scripts without them."""
    return mixed(text)


def _tokens(words: Sequence[str], normaliser: Normaliser, language: str | None) -> tuple[list[str], list[int]]:
    """What is compared, and the word that each token comes from."""
    tokens: list[str] = []
    owners: list[int] = []
    known: dict[str, list[str]] = {}                        # an hour of speech has few words that it does not repeat
    for place, word in enumerate(words):
        found = known[word] if word in known else known.setdefault(word, mixed(normaliser(word, language)))
        tokens += found
        owners += [place] * len(found)
    return tokens, owners


def _add(groups: list[Group], is_hit: bool, words: tuple[int, int] | None, others: tuple[int, int] | None) -> None:
    """Put a step into the last group where it shares a word with it, or where both are different; else into one of its own."""
    last = groups[-1] if groups else Group(True, (0, 0), (0, 0))
    words, others = words or (last.reference[1],) * 2, others or (last.hypothesis[1],) * 2
    shares = words[0] < last.reference[1] or others[0] < last.hypothesis[1]
    if groups and (shares or (not is_hit and not last.is_same)):
        groups[-1] = Group(last.is_same and is_hit, (last.reference[0], max(words[1], last.reference[1])),
                           (last.hypothesis[0], max(others[1], last.hypothesis[1])))
        if len(groups) > 1 and not groups[-1].is_same and not groups[-2].is_same:
            late = groups.pop()
            groups[-1] = Group(False, (groups[-1].reference[0], late.reference[1]), (groups[-1].hypothesis[0], late.hypothesis[1]))
    else:
        groups.append(Group(is_hit, words, others))


def _filled(groups: Sequence[Group], num_words: int, num_others: int) -> Iterator[Group]:
    """Groups without room between them, from the first word to the last."""
    if not groups and (num_words or num_others):
        yield Group(True, (0, num_words), (0, num_others))
    begin = (0, 0)
    for place, group in enumerate(groups):
        is_last = place + 1 == len(groups)
        following = groups[place if is_last else place + 1]
        end = (num_words, num_others) if is_last else (following.reference[0], following.hypothesis[0])
        yield Group(group.is_same, (begin[0], end[0]), (begin[1], end[1]))
        begin = end


def _named_anew(
    groups: Iterator[Group], reference: Sequence[str], hypothesis: Sequence[str], normaliser: Normaliser, language: str | None
) -> Iterator[Group]:
    """The same groups; those are the same, too, whose words mean the same together: `twenty one` and `21`."""
    for group in groups:
        if not group.is_same:
            one, other = ("".join(normaliser(" ".join(words), language).split()) for words in (
                reference[slice(*group.reference)], hypothesis[slice(*group.hypothesis)]))
            group = replace(group, is_same=one == other)
        yield group
