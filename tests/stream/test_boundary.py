"""The first id behind committed text lets the last committed word be."""

import numpy as np
import pytest

from ossicle.stream.boundary import ends_in_a_word, goes_on, guard
from tests.stream.conftest import sample
from tests.stream.hearings import PLAIN, hear_one, window_over


class Words:
    """A tokenizer with these tokens, bytes by id; the last one is special."""

    def __init__(self, *tokens):
        self.tokens = [token if isinstance(token, bytes) else token.encode() for token in tokens]
        self.special_ids = frozenset([len(tokens) - 1])

    def token_bytes(self, token_id):
        return self.tokens[token_id] if token_id < len(self.tokens) else b""

    def decode(self, ids):
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", "replace")


@pytest.mark.parametrize(("token", "expected"), [
    ("quietude", True), ("é", True), ("7", True), ("\u0301", True), ("ा", True), ("я", True), ("한", True),
    (" quiet", False), (".", False), ("'s", False), ("-", False), ("你", False), ("の", False), ("ก", False), ("\n", False), ("…", False),
    ("é".encode()[1:], True), ("é".encode()[:1], True), ("한".encode()[:2], True), ("你".encode()[:1], False), ("“".encode()[:1], False),
])
def test_letters_digits_and_marks_go_on_with_a_word(token, expected):
    assert goes_on(0, Words(token, "<|im_end|>")) is expected


def test_end_tokens_and_rows_without_a_token_go_on_with_nothing():
    words = Words("a", "im_end")
    assert not goes_on(1, words)
    assert not goes_on(2, words)


@pytest.mark.parametrize(("text", "expected"), [
    ("dis", True), ("it is 7", True), ("caf\u0065\u0301", True), ("क्या", True), ("다", True), ("done.", False), ("done ", False),
    ("你好", False), ("สวัสดี", False), ("", False), ("“", False),
])
def test_words_end_in_letters_and_digits_of_scripts_with_spaces(text, expected):
    assert ends_in_a_word(list(range(len(text))), Words(*text, "<|im_end|>")) is expected


class Greedy:
    """A network that only chooses."""

    def read(self, array):
        return np.asarray(array)

    def greedy(self, logits):
        wide = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        return logits.argmax(-1), wide.max(-1)


def test_the_likeliest_id_that_lets_the_word_be_is_taken_once():
    words = Words("dis", "quiet", " quiet", ".", "<|im_end|>")
    logits = np.array([[0.0, 5.0, 2.0, 1.0, 1.5]])
    choose = guard(Greedy(), words, [0])
    ids, logprobs = choose(logits, [0])
    assert ids.tolist() == [2]
    assert logprobs[0] == pytest.approx(2 - np.log(np.exp(logits).sum()), abs=1e-6)
    assert choose(logits, [0])[0].tolist() == [1]                   # the next one may go on with its own word
    assert guard(Greedy(), words, [3])(logits, [0])[0].tolist() == [1]
    assert guard(Greedy(), words, [])(logits, [0])[0].tolist() == [1]


@pytest.mark.parametrize("form", [{}, PLAIN, {"drafts": False}], ids=["fast", "slow", "without drafts"])
def test_a_word_that_was_committed_in_half_does_not_grow(tiny, form):
    window = window_over(tiny, sample("english.wav"), language="English", **form)
    first = hear_one(window)
    half = next(place for place, token_id in enumerate(first.ids) if place and goes_on(token_id, tiny.tokenizer))
    window.commit(half)
    text = tiny.tokenizer.decode(window.committed)
    found = hear_one(window)
    assert tiny.tokenizer.decode(found.ids).startswith(text)
    assert not goes_on(found.ids[half], tiny.tokenizer)
    assert found.logprobs[half] < first.logprobs[half]

