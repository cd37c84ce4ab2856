"""A glossary at work: whole words in every script, and terms within their budget."""

import pytest

from ossicle.glossary import parse_glossary
from ossicle.text.glossary import Speller, fit_terms

CASES = {
    "a word": ("Anja: Anya", "Hello Anya, how are you?", "Hello Anja, how are you?"),
    "never inside a word": ("Anja: Anya", "Anyamore Tanya Anya2 Anya_", "Anyamore Tanya Anya2 Anja_"),
    "any case": ("Kubernetes: cuba neddies", "Cuba Neddies and CUBA NEDDIES", "Kubernetes and Kubernetes"),
    "across spaces of any kind": ("Kubernetes: cuba neddies", "cuba  neddies, cuba\u00a0neddies", "Kubernetes, Kubernetes"),
    "not across punctuation": ("Kubernetes: cuba neddies", "in Cuba. Neddies", "in Cuba. Neddies"),
    "possessive": ("Anja: Anya", "Anya's and Anya’s", "Anja's and Anja’s"),
    "elision": ("Anja: Anya", "l'Anya d’Anya", "l'Anja d’Anja"),
    "a contraction is a word": ("Don => Dawn", "Don don't Don's", "Dawn don't Dawn's"),
    "hyphens part": ("Kubernetes: Kubernetis", "der Kubernetis-Cluster", "der Kubernetes-Cluster"),
    "the longest first": ("Anja Müller: Anya Miller\nAnja: Anya", "Anya Miller and Anya", "Anja Müller and Anja"),
    "a term keeps what it says": ("Anya Taylor\nAnja: Anya", "Anya Taylor and Anya", "Anya Taylor and Anja"),
    "a capital at the beginning": ("gonna => going to", "Gonna go, gonna stay", "Going to go, going to stay"),
    "a name keeps its small letter": ("iPhone: eye phone", "Eye phone", "iPhone"),
    "each place once": ("foo => bar\nbar => baz", "foo bar", "bar baz"),
    "accents count": ("Müller: Mueller", "Mueller Muller Müller", "Müller Muller Müller"),
    "decomposed letters are the same": ("Anja: Zoe\u0308", "Zoë", "Anja"),
    "German": ("Straße: Strasse", "die Strasse, die Strassen", "die Straße, die Strassen"),
    "symbols": ("C++: see plus plus\nC#: see sharp", "see plus plus and see sharp.", "C++ and C#."),
    "Chinese": ("张三丰: 章三峰", "你好，我是章三峰。", "你好，我是张三丰。"),
    "Chinese, the longer one stays": ("章三\n章三峰 => 张三丰", "章三和章三峰", "章三和张三丰"),
    "Latin in Chinese": ("Kubernetes: kubernetis", "用kubernetis部署", "用Kubernetes部署"),
    "katakana is one word": ("アンナ: アン", "アンはハンアンと", "アンナはハンアンと"),
    "kana and Han": ("田中さん: 棚加さん", "棚加さんです", "田中さんです"),
    "Korean with a particle": ("서울: 소울", "소울에서 소울은 소울", "서울에서 서울은 서울"),
    "Korean inside a word": ("서울: 소울", "소울메이트", "소울메이트"),
    "one Korean syllable is no stem": ("너: 나", "나이 나", "나이 너"),
    "Thai": ("สมชาย: ซมชาย", "คุณซมชายมา", "คุณสมชายมา"),
    "Thai, never before a vowel of the cluster": ("กก: กา", "กาแฟ กำ", "กกแฟ กำ"),
    "Hindi": ("राम: रम", "रम रमा", "राम रमा"),
    "Arabic": ("أحمد: احمد", "قال احمد", "قال أحمد"),
    "Russian": ("Анна: Ана", "Ана и Анатолий", "Анна и Анатолий"),
    "nothing to do": ("Anja: Anya", "", ""),
}


def rewritten(glossary: str, text: str) -> str:
    parts, at = [], 0
    for place in Speller(parse_glossary(glossary)).places(text):
        parts += [text[at : place.start], place.written]
        at = place.end
    return "".join([*parts, text[at:]])


@pytest.mark.parametrize(("glossary", "text", "expected"), CASES.values(), ids=CASES)
def test_whole_words_are_written_as_the_glossary_has_them(glossary, text, expected):
    assert rewritten(glossary, text) == expected


@pytest.mark.parametrize(("glossary", "text", "expected"), CASES.values(), ids=CASES)
def test_writing_it_again_changes_no_term(glossary, text, expected):
    if "=>" not in glossary:
        assert rewritten(glossary, expected) == expected


def test_what_stands_there_already_is_no_place():
    assert Speller(parse_glossary("GitHub: github")).places("GitHub GitHub") == []


def test_terms_are_a_context_separated_by_spaces(small):
    assert fit_terms(parse_glossary("Anja Müller: Anya\nKubernetes\ngonna => going to"), small, 1000) == ("Anja Müller Kubernetes", ())


def test_terms_that_find_no_room_are_named_and_shorter_ones_behind_them_still_enter(small):
    sizes = {term: len(small.encode_plain(f" {term}")) for term in ("Kubernetes", "Terraform", "ab")}
    glossary = parse_glossary("Kubernetes\nTerraform\nab\nKubernetes")
    kept, left_out = fit_terms(glossary, small, sizes["Kubernetes"] + sizes["ab"])
    assert (kept, left_out) == ("Kubernetes ab", ("Terraform",))
    assert fit_terms(glossary, small, 0) == ("", ("Kubernetes", "Terraform", "ab"))
