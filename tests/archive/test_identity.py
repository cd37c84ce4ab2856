"""What shapes a transcript, and nothing else, is in the hash of its options."""

from dataclasses import replace

from ossicle.archive.identity import identity
from ossicle.glossary import parse_glossary
from ossicle.options import EngineOptions, TranscribeOptions

PLAIN = TranscribeOptions()


def of(options: TranscribeOptions) -> str:
    return identity(options, EngineOptions())


def test_a_glossary_counts_by_its_entries_not_by_its_place():
    one = replace(PLAIN, glossary=parse_glossary("Anne: Ann\nHenry", "one.txt"))
    moved = replace(PLAIN, glossary=parse_glossary("# names\n\nAnne: Ann\nHenry", "elsewhere/two.txt"))
    changed = replace(PLAIN, glossary=parse_glossary("Anne: Ann, Ahn\nHenry", "one.txt"))
    assert of(one) == of(moved)
    assert len({of(PLAIN), of(one), of(changed)}) == 3


def test_a_choice_of_languages_and_the_guards_count():
    others = [replace(PLAIN, languages=("en", "de")), replace(PLAIN, smooth_languages=False), replace(PLAIN, echo_guard=False),
              replace(PLAIN, context="Anne")]
    assert len({of(PLAIN), *map(of, others)}) == 5
