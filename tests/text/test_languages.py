from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossicle.errors import OptionError
from ossicle.text.languages import (
    all_dialects,
    all_languages,
    canonical_name,
    code_of,
    find_language,
    merge_languages,
)

PUBLISHED = (
    "Chinese zh · English en · Cantonese yue · Arabic ar · German de · French fr · Spanish es · Portuguese pt · "
    "Indonesian id · Italian it · Korean ko · Russian ru · Thai th · Vietnamese vi · Japanese ja · Turkish tr · "
    "Hindi hi · Malay ms · Dutch nl · Swedish sv · Danish da · Finnish fi · Polish pl · Czech cs · Filipino fil · "
    "Persian fa · Greek el · Romanian ro · Hungarian hu · Macedonian mk"
)
TINY = ["Chinese", "English", "German"]


def test_names_and_merging_equal_the_official_ones(cases):
    for case in cases["normalize_language"]:
        assert canonical_name(case["in"]) == case["out"]
    for case in cases["merge_languages"]:
        assert merge_languages(case["in"]) == case["out"]


def test_the_thirty_languages_are_the_published_ones_in_order():
    assert [f"{language.name} {language.code}" for language in all_languages()] == PUBLISHED.split(" · ")
    assert sum(language.can_align for language in all_languages()) == 11


def test_the_22_dialects_are_reported_as_chinese_or_cantonese():
    assert len({language.dialect for language in all_dialects()}) == 22
    assert {language.name for language in all_dialects()} == {"Chinese", "Cantonese"}


@pytest.mark.parametrize("language", all_languages(), ids=lambda language: language.name)
def test_every_language_is_found_by_every_name_it_has(language):
    for text in (language.name, language.native_name, language.code, language.code3):
        for form in (text, text.upper(), text.lower(), f"  {text} ", text.title()):
            assert find_language(form) == language, form
    assert find_language(f"{language.code}-001") == language
    assert code_of(language.name.upper()) == language.code


@pytest.mark.parametrize("language", all_dialects(), ids=lambda language: language.dialect)
def test_every_dialect_is_found_and_remembered(language):
    assert find_language(language.dialect.lower()) == language
    assert find_language(f"{language.dialect} dialect") == language


@pytest.mark.parametrize(("text", "name"), [
    ("zh-CN", "Chinese"), ("zh-TW", "Chinese"), ("zh-Hans", "Chinese"), ("zh_Hant_TW", "Chinese"), ("cmn", "Chinese"),
    ("cmn-Hans-CN", "Chinese"), ("Mandarin", "Chinese"), ("普通话", "Chinese"), ("zh-cmn", "Chinese"),
    ("cmn-HK", "Chinese"),
    ("zh-HK", "Cantonese"), ("zh-Hant-HK", "Cantonese"), ("zh-MO", "Cantonese"), ("yue", "Cantonese"),
    ("yue-Hant-HK", "Cantonese"), ("zh-yue", "Cantonese"), ("广东话", "Cantonese"), ("pt-BR", "Portuguese"),
    ("Português", "Portuguese"), ("fil-PH", "Filipino"), ("tl", "Filipino"), ("Tagalog", "Filipino"),
    ("fa-IR", "Persian"), ("Farsi", "Persian"), ("en-US", "English"), ("en_GB.UTF-8", "English"),
    ("EN-us", "English"), ("ja-JP", "Japanese"),
    ("es-419", "Spanish"), ("de-CH-1996", "German"), ("de_DE@euro", "German"), ("ms-zsm", "Malay"),
    ("espanol", "Spanish"),
    ("TURKCE", "Turkish"), ("हिंदी", "Hindi"), ("en-u-ca-gregory", "English"), ("en-x-lab", "English"),
])
def test_other_forms_are_understood(text, name):
    assert find_language(text).name == name


@pytest.mark.parametrize(("text", "dialect"), [
    ("Sichuanese", "Sichuan"), ("sichuan", "Sichuan"), ("四川话", "Sichuan"), ("Wu", "Wu"), ("wuu", "Wu"),
    ("Shanghainese", "Wu"),
    ("zh-min-nan", "Minnan"), ("Hokkien", "Minnan"), ("闽南话", "Minnan"), ("Northeastern Mandarin", "Dongbei"),
    ("Hong Kong Cantonese", "Hong Kong"), ("zh", None),
])
def test_dialects_have_other_forms_too(text, dialect):
    assert find_language(text).dialect == dialect


@pytest.mark.parametrize("text", [
    "", " ", "Klingon", "he", "no", "Hebrew", "x-klingon", "en-deu", "zh-gan", "Chinese,English", "None", "auto",
    "e", "-", "en-",
])
def test_what_is_not_understood_is_refused_and_never_english(text):
    with pytest.raises(OptionError, match="ossicle languages"):
        find_language(text)


@pytest.mark.parametrize(("text", "near"), [("Portugese", "Portuguese"), ("Englisch", "English"), ("jp", "Japanese"),
                                            ("spansh", "Spanish"), ("Sichuanes", "Sichuan")])
def test_near_names_are_offered(text, near):
    with pytest.raises(OptionError, match=rf"did you mean .*{near}"):
        find_language(text)


def test_a_checkpoint_refuses_what_it_was_not_taught_and_says_what_it_knows():
    assert find_language("de-AT", TINY).name == "German"
    with pytest.raises(OptionError, match=r"Chinese, English, German.*French"):
        find_language("fr", TINY)
    with pytest.raises(OptionError, match="knows Chinese, English, German"):
        find_language("Klingon", TINY)


def test_a_checkpoint_may_know_a_language_of_its_own():
    language = find_language("ukrainian", [*TINY, "Ukrainian"])
    assert (language.name, language.code) == ("Ukrainian", None)


def test_code_of_other_text_is_none():
    assert code_of("Chinese,English") is None
    assert code_of("") is None


@given(st.lists(st.sampled_from(["", "Chinese", "English"])))
def test_merged_languages_have_no_empties_and_no_repeats_in_a_row(names):
    merged = merge_languages(names).split(",") if merge_languages(names) else []
    assert "" not in merged
    assert all(one != next_one for one, next_one in pairwise(merged))
    assert set(merged) == set(names) - {""}


@given(st.text(max_size=12))
def test_no_text_raises_anything_but_an_option_error(text):
    with suppress(OptionError):
        assert find_language(text) in (*all_languages(), *all_dialects())
