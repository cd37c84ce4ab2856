"""Where sentences end, by the characters alone."""

import pytest

from ossicle.pipeline.sentences import ends_clause, ends_sentence

ENDS = [
    ("done.", " Then"), (" why?", " Because"), (" stop!”", " He"), (' it."', " We"), (" yes.)", " No"), (" was...", " Then"),
    (" well…", " Then"),
    (" No.", " I"), (" 1999.", " Then"), (" p.m.", " Then"), (" do I.", " Then"), (" end.", " 5"), (" done.", " «So"), (" done.", " “And"),
    ("了。", "我"), ("吗？", "是"), ("す。」", "彼"), ("た！", "そ"), ("了。", "iPhone"), ("다.", " 그"), (" है।", " वह"), (" است؟", " بله"),
    (" है।”", " वह"),
    (" ہے۔", " وہ"), ("ဘူး။", "ဒါ"), (" ist.", " Das"), (" за.", " Он"),
]
GOES_ON = [
    (" done", " Then"), (" done,", " then"), (" Dr.", " Smith"), (" Mrs.", " Jones"), (" No.", " 5"),
    (" Fig.", " 3"), (" e.g.", " the"),
    (" e.g.", " Paris"), (" U.S.", " Senate"), (" z.B.", " Köln"), (" J.", " Smith"), (" Why?”", " she"), (" 3.5", " million"),
    (" 3.", " times"),
    (" etc.", " and"), (" wait...", " what"), (" (Mr.", " X"), ("，", "我"), (" wow!", " she"),
]


@pytest.mark.parametrize(("word", "following"), ENDS)
def test_a_sentence_ends(word, following):
    assert ends_sentence(word, following)


@pytest.mark.parametrize(("word", "following"), GOES_ON)
def test_a_sentence_goes_on(word, following):
    assert not ends_sentence(word, following)


def test_the_last_word_ends_the_last_sentence():
    assert ends_sentence(" and", None)


@pytest.mark.parametrize(("language", "ends"), [("German", False), ("Danish", False), ("English", True), (None, True)])
def test_a_number_with_a_full_stop_is_an_ordinal_where_it_is_written_so(language, ends):
    assert ends_sentence(" 3.", " Oktober", language) is ends
    assert ends_sentence(" 1999.", " Dann", language)


@pytest.mark.parametrize("word", [" so,", " that;", " this:", " end.", "了，", "и、", " نعم،", " well —", " oh,”"])
def test_a_clause_ends(word):
    assert ends_clause(word)


@pytest.mark.parametrize("word", [" so", "了", " don't", " 3,5", ""])
def test_a_clause_goes_on(word):
    assert not ends_clause(word)
