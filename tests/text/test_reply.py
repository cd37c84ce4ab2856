import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossicle.text.reply import Reply, read_reply, repair_repetitions, split_reply


def test_replies_are_read_as_officially(cases):
    for case in cases["parse"]:
        reply = read_reply(case["raw"], case["forced"])
        assert [reply.language, reply.text] == case["out"], case


def test_loops_are_repaired_as_officially(cases):
    for case in cases["repetitions"]:
        assert repair_repetitions(case["in"]) == case["out"], case["in"]


@pytest.mark.parametrize(("text", "forced", "reply"), [
    ("language German<asr_text> Guten Tag ", None, Reply("German", "Guten Tag")),
    ("LANGUAGE german<asr_text>x", None, Reply("German", "x")),
    ("noise\nlanguage Greek<asr_text>t", None, Reply("Greek", "t")),
    ("language None<asr_text>", None, Reply("", "")),
    ("language None<asr_text>hm", None, Reply("", "hm")),
    ("language French<asr_text>Salut <asr_text> encore", None, Reply("French", "Salut <asr_text> encore")),
    ("no tag", None, Reply("", "no tag")),
    ("language Chinese,English<asr_text>mix", None, Reply("Chinese,english", "mix")),
    (" Hi ", "English", Reply("English", "Hi")),
    ("", "English", Reply("", "")),
    (None, None, Reply("", "")),
])
def test_the_header_gives_the_language_and_the_rest_is_text(text, forced, reply):
    assert read_reply(text, forced) == reply


@pytest.mark.parametrize(("text", "repaired"), [
    ("a" * 20, "a" * 20),
    ("a" * 21, "a"),
    ("ab" * 19, "ab" * 19),
    ("ab" * 20 + "tail", "abtail"),
    ("ab" * 20 + "cd" * 30, "abcd"),
    ("x" + "\n" * 30 + "y", "x\ny"),
    ("abcdefghijklmnopqrstu" * 25, "abcdefghijklmnopqrstu" * 25),
])
def test_only_what_nobody_says_is_repaired(text, repaired):
    assert repair_repetitions(text) == repaired


@given(st.text(max_size=39))
def test_short_text_loses_nothing_but_runs(text):
    if not any(char * 21 in text for char in set(text)):
        assert repair_repetitions(text) == text


@given(st.lists(st.sampled_from(["a", "b", "ab" * 20, "la " * 25, "好" * 22]), max_size=8).map("".join))
def test_repair_only_shortens_and_keeps_the_first_character(text):
    repaired = repair_repetitions(text)
    assert len(repaired) <= len(text)
    assert repaired[:1] == text[:1]


def test_the_header_ends_with_its_tag(small):
    ids = [*small.encode("language German<asr_text>hello world"), small.im_end]
    parts = split_reply(ids, small)
    assert parts.header + parts.text == ids
    assert parts.header[-1] == small.asr_text
    assert small.decode(parts.text) == "hello world"


def test_only_the_first_tag_ends_the_header(small):
    parts = split_reply(small.encode("x<asr_text>a<asr_text>b"), small)
    assert small.decode(parts.text) == "a<asr_text>b"


def test_a_tag_spelt_in_letters_ends_the_header_too(small):
    ids = small.encode_plain("language German<asr_text>hello")
    assert small.asr_text not in ids
    assert small.decode(split_reply(ids, small).text) == "hello"


@pytest.mark.parametrize(("text", "forced"), [("hello", None), ("language x<asr_text>hello", "German"), ("", None)])
def test_without_a_tag_or_with_a_forced_language_all_is_text(small, text, forced):
    parts = split_reply(small.encode(text), small, forced)
    assert parts.header == []
    assert parts.text == small.encode(text)


@given(st.text(max_size=20), st.text(max_size=20))
def test_the_parts_agree_with_the_reading(small, header, words):
    ids = [*small.encode_plain(header), small.asr_text, *small.encode_plain(words)]
    parts = split_reply(ids, small)
    assert read_reply(small.decode(ids)).text == repair_repetitions(small.decode(parts.text).strip())
