"""The words of edited text, as the page's script parts and merges them: held to the library's own, and to what must hold for any edit."""

import random
import time

import pytest

from ossicle.text.words import split_words
from tests.formats.test_html import PAGE

ALPHABETS = [
    "ab cd e", "äß'’-", "12,.3", " .,!?;:…—–", "\"“”„«»()[]", "明天是，。「」、", "きょうっー々", "カタカナｶﾞ", "วันนี้เแ ะา", "ลาวກຳ", "कखिीं।",
    "ابتَ؟،", "한국어는", "ខ្មែរ", "မြန်", "\u00a0\u3000\u200b\u200d\n\t", "€%&@#¿¡", "😀👍🏽é",
]


@pytest.fixture(scope="module")
def run(browser):
    """Calls a function of words.js with a list of arguments each, in the browser."""
    page = browser.new_page()
    script = (PAGE / "words.js").read_text("utf-8")

    def call(function, arguments):
        return page.evaluate(f"(all) => {{ {script}\nreturn all.map((given) => {function}(...given)); }}", arguments)
    yield call
    page.close()


def texts(count, seed, longest=24):
    """Texts of a few scripts each, well and badly formed."""
    chance = random.Random(seed)
    for _ in range(count):
        letters = "".join(chance.sample(ALPHABETS, chance.randint(1, 4)))
        yield "".join(chance.choice(letters) for _ in range(chance.randint(0, longest)))


def test_words_are_parted_as_the_library_parts_them(run):
    given = list(texts(3000, seed=1))
    parted = run("splitWords", [[text] for text in given])
    assert [words for words in parted if "".join(words)] == [split_words(text) for text in given if text]
    assert any(len(words) > 5 for words in parted)


def edited(text, chance):
    """The text after a few strokes: letters, words and spaces put in, taken out, doubled."""
    for _ in range(chance.randint(1, 4)):
        begin = chance.randint(0, len(text))
        end = min(len(text), begin + chance.choice([0, 0, 1, 2, 7]))
        text = text[:begin] + chance.choice(["", "x", " new ", "，", "新", text[begin:end] * 2, "."]) + text[end:]
    return text


def timed_words(text, chance):
    """The words of a text with times; some edges touch, some words have none."""
    words, at = [], chance.random()
    for place, word in enumerate(split_words(text)):
        start, at = at + chance.choice([0, 0, 0.2]), at + chance.choice([0.3, 0.3, 0.6])
        at = max(at, start)
        is_timed = chance.random() > 0.1
        words.append({"text": word, "start": round(start, 3) if is_timed else None, "end": round(at, 3) if is_timed else None,
                      "confidence": 0.9, "timing": "aligned" if is_timed else None, "speaker": None, "segment": place // 9, "place": place})
    return words


def test_any_edit_gives_its_text_and_keeps_order_and_times(run):
    chance = random.Random(2)
    cases = [(timed_words(text, chance), edited(text, chance)) for text in texts(400, seed=3, longest=60) if text.strip()]
    for (old, text), merged in zip(cases, run("mergeWords", [[old, text] for old, text in cases]), strict=True):
        assert "".join(word["text"] for word in merged) == text
        kept = [word for word in merged if not word.get("isNew")]
        assert [old[word["place"]] for word in kept] == kept        # as they were, with all they know
        assert [word["place"] for word in kept] == sorted({word["place"] for word in kept})
        assert [word["segment"] for word in merged] == sorted(word["segment"] for word in merged)
        assert all(word["confidence"] is None for word in merged if word.get("isNew"))
        known = [word for word in merged if word["start"] is not None]
        assert all(word["start"] <= word["end"] for word in known)
        assert [word["start"] for word in known] == sorted(word["start"] for word in known)


def test_an_untouched_text_keeps_every_word(run):
    chance = random.Random(4)
    cases = [(timed_words(text, chance), text) for text in texts(150, seed=5, longest=60) if text.strip()]
    assert run("mergeWords", [[old, text] for old, text in cases]) == [old for old, _ in cases]


def test_one_stroke_changes_the_words_it_touches_alone(run):
    chance = random.Random(6)
    sentence = "When the wind turned west she would look out of the window and say that they had better go"
    old = timed_words(sentence, chance)
    for place in range(len(sentence)):
        [merged] = run("mergeWords", [[old, f"{sentence[:place]}x{sentence[place:]}"]])
        assert sum(1 for word in merged if word.get("isNew")) <= 2
        assert len(merged) in (len(old), len(old) + 1)


def test_a_paragraph_written_anew_is_merged_while_one_types(run):
    chance = random.Random(7)
    text, other = (" ".join(chance.choice(["the", "of", "river", "boat", "and"]) for _ in range(1500)) for _ in range(2))
    old, began = timed_words(text, chance), time.monotonic()
    [merged] = run("mergeWords", [[old, other]])
    assert "".join(word["text"] for word in merged) == other
    assert time.monotonic() - began < 5             # a fifth of a second on an idle machine
