"""The glossary's file: read line by line, refused with its lines."""

import re

import pytest

from ossicle.errors import OptionError
from ossicle.glossary import Glossary, Replacement, Term, parse_glossary, read_glossary

FILE = """\
# people
Anja Müller: Anya Miller, Anja Mueller   # twice misheard
  Kubernetes

"Star Wars: Andor"
C#
10:30 meeting
"Smith, John": "john, smith"
"say \\"cheese\\""
gonna, gunna => going to
Müller & Co => "Müller => Co"
"""


def test_a_file_is_read_line_by_line():
    glossary = parse_glossary(FILE, "names.txt")
    assert glossary.terms == (
        Term("Anja Müller", ("Anya Miller", "Anja Mueller")), Term("Kubernetes"), Term("Star Wars: Andor"), Term("C#"),
        Term("10:30 meeting"), Term("Smith, John", ("john, smith",)), Term('say "cheese"'))
    assert glossary.replacements == (Replacement(("gonna", "gunna"), "going to"), Replacement(("Müller & Co",), "Müller => Co"))
    assert [term.line for term in glossary.terms] == [2, 3, 5, 6, 7, 8, 9]
    assert glossary.spellings == {"Anya Miller": "Anja Müller", "Anja Mueller": "Anja Müller", "john, smith": "Smith, John",
                                  "gonna": "going to", "gunna": "going to", "Müller & Co": "Müller => Co"}


def test_an_empty_file_is_an_empty_glossary():
    assert parse_glossary("\n  # nothing\n") == Glossary()


BROKEN = {
    "Kubernetes, Terraform": "line 1: expected one term a line, got 2",
    "Kubernetes:": "line 1: expected 'term: sounds like, sounds like', got an empty place",
    "Kubernetes: a, , b": "line 1: expected 'term: sounds like, sounds like', got an empty place",
    ": kuber": "line 1: expected 'term: sounds like, sounds like', got no single term before ':'",
    "a, b: c": "line 1: expected 'term: sounds like, sounds like', got no single term before ':'",
    "a =>": "line 1: expected 'wrong => right'",
    "=> a": "line 1: expected 'wrong => right'",
    "a => b, c": "line 1: expected 'wrong => right' or 'wrong, wrong => right', got an empty or a doubled side",
    "a: b => c": "line 1: expected one ':' or '=>', got : and =>",
    'Kubernetes "k8s"': "line 1: expected quotes around the whole of an entry",
    "ok\n+++": r"line 2: expected a word, got '\+\+\+'",
    "x" * 201: "line 1: expected at most 200 characters, got 201",
    "a\x07b": "line 1: expected printable characters",
    "Anja: Anja": "line 1: 'Anja' would become itself",
    "Anja: Ann\nEve: ann": r"line 2: 'ann' would become 'Eve', and also 'Anja' \(line 1\)",
    "Anja: Anya\nAnya": r"line 1: 'Anya' would become 'Anja', but it is a term itself \(line 2\)",
}


@pytest.mark.parametrize(("text", "expected"), BROKEN.items())
def test_what_cannot_be_meant_is_refused_with_its_line(text, expected):
    with pytest.raises(OptionError, match=f"^names.txt: .*{expected}"):
        parse_glossary(text, "names.txt")


def test_all_broken_lines_are_named_as_far_as_they_can_be_read():
    with pytest.raises(OptionError) as raised:
        parse_glossary("\n".join(["a =>"] * 7), "names.txt")
    assert [line for line in range(1, 9) if f"line {line}:" in str(raised.value)] == [1, 2, 3, 4, 5]
    assert str(raised.value).endswith("and 2 more")


def test_another_case_of_a_term_may_be_its_misheard_form():
    assert parse_glossary("GitHub: Github, github").spellings == {"Github": "GitHub", "github": "GitHub"}


def test_remarks_name_what_may_not_be_meant():
    glossary = parse_glossary("Anja\nBert\nAnja: Anya\nfoo => bar\nbar => baz")
    again, chain = glossary.remarks
    assert again == "line 3: the term 'Anja' stands here again"
    assert re.match(r"'foo' becomes 'bar', which itself is replaced elsewhere.*'bar' stays", chain)
    assert parse_glossary("Anja: Anya\nBert").remarks == ()


def test_a_file_that_is_no_glossary_says_why(tmp_path):
    with pytest.raises(OptionError, match=r"cannot read the glossary .*nowhere.txt: No such file"):
        read_glossary(tmp_path / "nowhere.txt")
    (tmp_path / "latin.txt").write_bytes("Müller".encode("latin-1"))
    with pytest.raises(OptionError, match="must be text in UTF-8"):
        read_glossary(tmp_path / "latin.txt")
    (tmp_path / "big.txt").write_bytes(b"a\n" * 600_000)
    with pytest.raises(OptionError, match=r"at most 1,000,000 bytes, got 1,200,000"):
        read_glossary(tmp_path / "big.txt")
    (tmp_path / "mark.txt").write_text("Anja", "utf-8-sig")
    assert read_glossary(tmp_path / "mark.txt").terms == (Term("Anja"),)
    with pytest.raises(OptionError, match="cannot read the glossary"):
        read_glossary(tmp_path)


def test_a_glossary_made_in_python_is_held_to_the_same():
    with pytest.raises(OptionError, match=r"^glossary: 'Anya' would become 'Anja', but it is a term itself; keep one"):
        Glossary((Term("Anja", ("Anya",)), Term("Anya")))
