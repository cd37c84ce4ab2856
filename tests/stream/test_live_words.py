"""Words of a hypothesis: joined they are its text, and each says where it may be parted from the next."""

import math
from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.stream.hypothesis import live_words, spelled_words, whole_characters
from ossicle.text.words import split_words, words_with_confidence
from tests.growing import heard, texts, tokenizers


@pytest.fixture(scope="module", params=list(tokenizers()))
def tokenizer(request):
    return tokenizers()[request.param]


@pytest.mark.parametrize("text", texts())
def test_words_join_to_the_text_and_part_where_words_do(tokenizer, text):
    ids = tokenizer.encode_plain(text)
    words = live_words(heard(ids), tokenizer)
    written = tokenizer.decode(ids)
    assert [word.text for word in words] == split_words(written)
    for word, end in zip(words, accumulate(len(word.text) for word in words)):
        if word.num_ids is not None:
            assert tokenizer.decode(ids[: word.num_ids]) == written[:end]
    assert words[-1].num_ids == len(ids)


@pytest.mark.parametrize("text", texts())
def test_words_behind_committed_ones_are_those_of_the_whole(tokenizer, text):
    ids = tokenizer.encode_plain(text)
    words = live_words(heard(ids), tokenizer)
    for place, word in enumerate(words, start=1):
        if word.num_ids is not None:
            behind = live_words(heard(ids, word.num_ids), tokenizer)
            assert [other.text for other in behind] == [other.text for other in words[place:]]
            assert all(one.num_ids is None or one.num_ids == two.num_ids - word.num_ids for one, two in zip(behind, words[place:]))


@settings(deadline=None)
@given(st.sampled_from(sorted(tokenizers())), st.data())
def test_any_ids_give_words_that_join(name, data):
    tokenizer = tokenizers()[name]
    pool = [token for text in texts() for token in tokenizer.encode_plain(text)]
    ids = data.draw(st.lists(st.sampled_from(pool), max_size=30))
    words = live_words(heard(ids), tokenizer)
    assert "".join(word.text for word in words) == tokenizer.decode(ids)
    assert "" not in [word.text for word in words]
    assert "\ufffd" not in "".join(word.text for word in whole_characters(words))


def test_a_changed_mind_behind_a_committed_word_is_a_word_of_its_own(tokenizer):
    first, behind = tokenizer.encode_plain(" work"), tokenizer.encode_plain("ing late")
    assert [word.text for word in live_words(heard([*first, *behind], len(first)), tokenizer)] == ["ing", " late"]


def test_bare_punctuation_behind_a_committed_word_goes_to_the_next_one_if_there_is_one(tokenizer):
    first = tokenizer.encode_plain(" work")
    for behind, words in ((", late", [", late"]), (",", [","]), (" - late now", [" - late", " now"])):
        ids = [*first, *tokenizer.encode_plain(behind)]
        assert [word.text for word in live_words(heard(ids, len(first)), tokenizer)] == words


def test_a_quotation_mark_closes_what_was_committed(tokenizer):
    ids = tokenizer.encode_plain('她说"好"吧"是"的')
    whole = live_words(heard(ids), tokenizer)
    place = next(place for place, word in enumerate(whole) if "好" in word.text)
    behind = live_words(heard(ids, whole[place].num_ids), tokenizer)
    assert [word.text for word in behind] == [word.text for word in whole[place + 1 :]] == ["吧", '"是"', "的"]


def test_confidence_is_that_of_the_spoken_and_the_least_counts_punctuation(tokenizer):
    ids = tokenizer.encode_plain("Hello there, Ann.")
    logprobs = [-0.1 * (place + 1) for place in range(len(ids))]
    words = live_words(heard(ids, logprobs=logprobs), tokenizer)
    assert [(word.text, word.confidence) for word in words] == words_with_confidence(ids, logprobs, tokenizer)
    assert words[-1].least == pytest.approx(math.exp(logprobs[-1]))             # of the full stop


def test_a_word_is_heard_in_the_middle_of_its_letters(tokenizer):
    ids = tokenizer.encode_plain("Hello there …")
    centres = [0.1 * place for place in range(len(ids))]
    words = live_words(heard(ids, centres=centres), tokenizer)
    for word, spelled in zip(words, spelled_words(heard(ids), tokenizer)):
        assert word.centre == pytest.approx(sum(centres[tokens[-1]] for tokens in spelled.said) / len(spelled.said))
    assert live_words(heard(tokenizer.encode_plain("…"), centres=[1.0] * 9), tokenizer)[0].centre is None
    assert words[0].centre < words[1].centre
    assert all(word.centre is None for word in live_words(heard(ids), tokenizer))


def test_where_attention_was_strongest_goes_before_its_path(tokenizer):
    ids = tokenizer.encode_plain("Hello there")
    hypothesis = replace(heard(ids, centres=[1.0] * len(ids)), attended=tuple([0.5] * len(ids)))
    assert [word.centre for word in live_words(hypothesis, tokenizer)] == [0.5, 0.5]


def test_nothing_committed_beyond_the_text_gives_no_words(tokenizer):
    ids = tokenizer.encode_plain("Hello")
    assert live_words(heard(ids, len(ids)), tokenizer) == live_words(heard([]), tokenizer) == []
