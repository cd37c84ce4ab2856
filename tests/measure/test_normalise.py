"""What two texts are compared as: case, marks, numbers, spellings, by the rules that the report names."""

import sys

import pytest

from ossicle.errors import MissingExtra, OptionError
from ossicle.measure.languages import CODES, code_of, primary_metric
from ossicle.measure.normalise import NORMALISERS, find_normaliser
from ossicle.measure.tokens import characters, mixed, words
from ossicle.text.languages import all_languages


@pytest.mark.parametrize(("name", "language", "text", "expected"), [
    ("none", "en", "  Hello,  World! ", "Hello, World!"),
    ("basic", "en", "Don’t pay $3.50, or 10,000!", "don't pay 3.50 or 10,000"),
    ("basic", "de", "„Grüß Gott“ – sagte er.", "grüß gott sagte er"),
    ("basic", "zh", "你好，世界！ＡＢＣ", "你好 世界 abc"),
    ("basic", "hi", "नमस्ते, दुनिया।", "नमस्ते दुनिया"),
    ("basic", "en", "co\u00adop\ufeff", "coop"),
    ("whisper", "en", "Mr. Smith's colour isn't twenty one dollars, uh.", "mister smith is color is not $21"),
    ("whisper", "de", "Zwanzig Äpfel (laut)!", "zwanzig äpfel"),
    ("whisper", None, "Don't", "don t"),
    ("leaderboard", "en", "The B. B. C. has the 5 G mast, and I am.", "the bbc has the 5g mast and i am"),
    ("leaderboard", "en", "plan a b of", "plan a b of"),
    ("leaderboard", "en", "vitamins a b c", "vitamins abc"),
    ("leaderboard", "de", "Es kostet 10 000 Euro.", "es kostet zehntausend euro"),
    ("leaderboard", "fr", "Il a 21 ans.", "il a vingt et un ans"),
    ("leaderboard", "hi", "नमस्ते, दुनिया।", "नमस्ते दुनिया"),
    ("leaderboard", "mk", "чини 5", "чини 5"),                        # no words of that language: digits stay
    ("leaderboard", None, "5 apples", "5 apples"),
])
def test_a_text_is_compared_as(name, language, text, expected):
    assert find_normaliser(name)(text, language) == expected


def test_each_normaliser_says_which_rules_it_has():
    found = [find_normaliser(name).to_dict() for name in NORMALISERS]
    assert [entry["name"] for entry in found] == list(NORMALISERS)
    assert len({entry["version"] + entry["name"] for entry in found}) == 4
    assert all(entry["about"] for entry in found)
    assert "approximation" in find_normaliser("leaderboard").version
    assert "whisper-normalizer 0." in find_normaliser("whisper").version


def test_references_without_a_word_are_left_out_of_the_leaderboard_only():
    assert [find_normaliser(name).is_scored(" ... ", "en") for name in NORMALISERS] == [True, True, True, False]
    assert not find_normaliser("leaderboard").is_scored("<unk> ignore time segment in scoring", "en")
    assert find_normaliser("leaderboard").is_scored("Hello.", "en")


def test_an_unknown_normaliser_is_refused_with_the_known_ones():
    with pytest.raises(OptionError, match="normaliser must be one of none, basic, whisper, leaderboard; got 'whispr'"):
        find_normaliser("whispr")


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "whisper_normalizer.english", None)
    find_normaliser.cache_clear()
    with pytest.raises(MissingExtra, match=r'pip install "ossicle\[eval\]"; the normaliser basic needs nothing'):
        find_normaliser("whisper")


def test_the_languages_are_those_of_the_recogniser():
    known = {form: language.code for language in all_languages() for form in (language.name.lower(), language.code, language.code3)}
    assert known.items() <= CODES.items()


@pytest.mark.parametrize(("written", "code"), [
    ("English", "en"), ("en_us", "en"), ("zh-CN", "zh"), ("zh-TW", "zh"), ("zh-HK", "yue"), ("cmn_hans_cn", "zh"), ("sv-SE", "sv"),
    ("yue_hant_hk", "yue"), ("Esperanto", "esperanto"), ("eo", "eo"), ("nan-tw", "nan"), ("", None), (None, None), ("  ", None),
])
def test_a_language_is_known_in_every_form_of_a_manifest(written, code):
    assert code_of(written) == code


@pytest.mark.parametrize(("code", "reference", "metric"), [
    ("zh", "x", "cer"), ("yue", "x", "cer"), ("ja", "x", "cer"), ("ko", "x", "cer"), ("th", "x", "cer"), ("en", "你好", "wer"),
    ("vi", "x", "wer"), (None, "你好 ok", "wer"), (None, "你好世界 ok", "cer"), (None, "hello", "wer"), (None, "", "wer"),
])
def test_characters_are_counted_where_words_are_not_parted(code, reference, metric):
    assert primary_metric(code, reference) == metric


@pytest.mark.parametrize(("text", "expected"), [
    ("hello world", ["hello", "world"]),
    ("你好 world 世界", ["你", "好", "world", "世", "界"]),
    ("用iPhone拍照", ["用", "iphone", "拍", "照"]),
    ("カメラを3台", ["カ", "メ", "ラ", "を", "3", "台"]),
    ("ที่นี่", ["ที่", "นี่"]),
    ("안녕 하세요", ["안녕", "하세요"]),
    ("cafe\u0301", ["café"]),
    ("२०२४ साल", ["२०२४", "साल"]),
    ("", []),
])
def test_mixed_tokens_are_words_or_characters_by_script(text, expected):
    assert mixed(text.lower()) == expected


def test_words_and_characters():
    assert words(" a  b\u3000c ") == ["a", "b", "c"]
    assert characters("a b\u3000你 é") == ["a", "b", "你", "é"]
    assert characters("e\u0301") == ["é"]
