import json
import random
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossicle.errors import MissingExtra
from ossicle.text import japanese, korean
from ossicle.text.normal import normalized
from ossicle.text.units import split_units
from ossicle.text.words import split_words

KOREAN = json.loads((Path(__file__).parents[1] / "golden" / "korean_units.json").read_text("utf-8"))
MIXED = "ab 1'.,-$—你好あゃカﾞｶﾞ가나é\u0301หวัด हिन्\u3099！１İ²½\u00a0\u3000\n"
TEXTS = st.text(max_size=60) | st.text(alphabet=MIXED, max_size=40)
LANGUAGES = st.sampled_from([None, "English", "Chinese", "Korean", "Thai"])


def spell(text, language=None, **options):
    return [unit.text for unit in split_units(text, language, **options)]


def test_units_are_the_official_ones(cases):
    for case in cases["words"]:
        if case["language"] == "Japanese":
            pytest.importorskip("nagisa")
        assert spell(case["text"], case["language"]) == case["words"]


@pytest.mark.parametrize("case", KOREAN, ids=[case["text"][:12] for case in KOREAN])
def test_korean_units_are_the_official_ones(case):
    assert spell(case["text"], "Korean") == case["units"]


def test_a_korean_word_is_parted_as_soynlp_does():
    tokenizer = pytest.importorskip("soynlp.tokenizer").LTokenizer(scores=dict.fromkeys(korean._words(), 1.0))
    chance, words = random.Random(7), sorted(korean._words())
    for _ in range(2000):
        word = "".join(chance.choices(words, k=2))[: chance.randint(1, 9)]
        assert [part for part in korean.split_stem(word) if part] == tokenizer.tokenize(word)


@pytest.mark.parametrize(("text", "units"), [
    ("well-known, 3.14 and $5 at 5:30; C++ don’t", ["wellknown", "314", "and", "5", "at", "530", "C", "dont"]),
    ("हिन्दी สวัสดี", ["हनद", "สวสด"]),
    ("hello,world", ["helloworld"]),
])
def test_what_the_aligner_is_given_lacks_marks_and_the_places_lead_back(text, units):
    found = split_units(text)
    assert [unit.text for unit in found] == units
    for unit in found:
        assert unit.text == "".join(text[place] for place in unit.places)


@given(TEXTS, LANGUAGES)
def test_units_hold_every_letter_and_digit_once_in_order(text, language):
    found = split_units(text, language, with_dictionary=False)
    places = [place for unit in found for place in unit.places]
    assert places == sorted(places)
    if language is not None:
        kept = [i for i, char in enumerate(text) if char == "'" or unicodedata.category(char)[0] in "LN"]
        assert places == kept
    assert all(unit.text and len(unit.text) == len(unit.places) for unit in found)


@given(TEXTS)
def test_japanese_units_lead_back_to_the_text(text):
    pytest.importorskip("nagisa")
    for unit in split_units(text, "Japanese"):
        for char, place in zip(unit.text, unit.places):
            spread = unicodedata.normalize("NFKC", "".join(text[max(0, place - 4) : place + 5]))
            assert char in unicodedata.normalize("NFKD", spread) + spread + "I"


@given(TEXTS, st.sampled_from(["NFC", "NFKC"]))
def test_a_normal_form_keeps_the_way_back(text, form):
    spelled, places = normalized(text, form)
    assert spelled == unicodedata.normalize(form, text)
    assert len(places) == len(spelled)
    assert places == sorted(places)
    assert all(0 <= place < len(text) for place in places)


def test_half_width_kana_join_with_their_marks():
    assert normalized("aｶﾞbか\u3099", "NFKC") == ("aガbが", [0, 1, 3, 4])


def test_full_width_forms_become_what_nagisa_reads():
    pytest.importorskip("nagisa")
    text = "２０２４年、ｽｰﾊﾟｰが！"
    units = split_units(text, "Japanese")
    assert "".join(unit.text for unit in units) == "2024年スーパーが"
    assert text[units[-1].places[0]] == "が"


def test_without_nagisa_japanese_is_parted_by_script(monkeypatch):
    def refuse(text):
        raise MissingExtra("no nagisa here")

    monkeypatch.setattr("ossicle.text.units.split_japanese", refuse)
    with pytest.raises(MissingExtra):
        split_units("東京タワー", "Japanese")
    assert spell("東京タワーに行きたい！iPhone15", "Japanese", with_dictionary=False) == [
        "東京", "タワー", "に", "行", "きたい", "iPhone15"]


def test_a_missing_nagisa_names_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "nagisa", None)
    with pytest.raises(MissingExtra, match=r"ossicle\[ja\]"):
        japanese.split_japanese("東京")


def test_without_a_language_the_script_decides():
    assert spell("저는 학교에 갑니다") == spell("저는 학교에 갑니다", "Korean")
    pytest.importorskip("nagisa")
    assert spell("今日はいい天気") == spell("今日はいい天気", "Japanese")
    assert spell("今日天气") == ["今", "日", "天", "气"]


@given(TEXTS)
def test_every_place_lies_in_a_word(text):
    words = split_words(text)
    assert "".join(words) == text
    assert all(place < sum(map(len, words)) for unit in split_units(text, "English") for place in unit.places)
