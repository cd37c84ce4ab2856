"""Where lines may part, how wide text is, and how good a place is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossicle.formats.columns import columns, script_of
from ossicle.formats.pieces import cut_piece, plain_spaces, split_pieces
from ossicle.formats.places import CLAUSE, INSIDE, LEANING, PHRASE, SENTENCE, WORD, ends_sentence, place_cost
from tests.formats.speech import TEXTS


@pytest.mark.parametrize(("text", "wide"), [
    ("plain", 5), ("你好，世界。", 12), ("カレー", 6), ("ｶﾚｰ", 3), ("한국어", 6), ("हिन्दी", 5), ("สวัสดี", 4), ("é", 1), ("e\u0301", 1),
    ("مرحبًا", 5), ("👍", 2), ("👍🏽", 2), ("👩‍👩‍👧", 2), ("\u1112\u1161\u11ab", 2), ("a\u200bb", 2), ("ＡＢ", 4)])
def test_a_text_takes_the_columns_of_a_terminal(text, wide):
    assert columns(text) == wide


def test_scripts_without_spaces_are_known_and_digits_are_of_none():
    assert [script_of(char) for char in "漢々〇かカｶー"] == ["HAN"] * 3 + ["KANA"] * 4
    assert [script_of(char) for char in "ไกຂកမ"] == ["THAI", "THAI", "LAO", "KHMER", "MYANMAR"]
    assert [script_of(char) for char in "a9१๑한。ﾡ"] == [""] * 7


@given(st.text() | st.text(alphabet="我们，。“”（）カレー「」ๆกเา \t\u200bab-.,!3$€한हिन्दी\u00a0—…"))
def test_pieces_join_to_their_text(text):
    assert "".join(split_pieces(text)) == text


@pytest.mark.parametrize(("text", "pieces"), [
    ("Hello, well-known world — it's $5.30!", ["Hello,", " well-known", " world —", " it's", " $5.30!"]),
    ("«\u00a0Bonjour\u00a0!\u00a0» dit-il !", ["«\u00a0Bonjour\u00a0!\u00a0»", " dit-il !"]),
    ("“你好”，他说——好", ["“你", "好”，", "他", "说——", "好"]),
    ("「ちょっと」とカレー", ["「ちょっ", "と」", "と", "カ", "レー"]),
    ("2026年iPhone手机", ["2026", "年", "iPhone", "手", "机"]),
    ("คุณมาที่นี่ แล้ว", ["คุ", "ณ", "มา", "ที่", "นี่", " แล้", "ว"]),
    ("word—word", ["word—", "word"]), ("안녕하세요 여러분.", ["안녕하세요", " 여러분."]), ("हिन्दी में", ["हिन्दी", " में"])])
def test_lines_may_part_here_and_nowhere_else(text, pieces):
    assert split_pieces(text) == pieces


def test_a_wide_word_parts_behind_hyphens_or_between_letters_without_spaces():
    assert cut_piece("Kapitäns-Mütze", 10) == ["Kapitäns-", "Mütze"]
    assert cut_piece("1939-1945", 5) == ["1939-1945"]
    assert cut_piece("没有空格的中文字", 6) == ["没有空", "格的中", "文字"]
    assert cut_piece("unbreakable", 4) == ["unbreakable"]


def test_runs_of_spaces_become_one_and_unbroken_ones_stay():
    assert plain_spaces("  a \n\t b\u00a0! ") == "a b\u00a0!"
    assert plain_spaces("\u3000今日は\u3000晴れ") == "今日は\u3000晴れ"


@pytest.mark.parametrize(("left", "right"), [
    ("end.", "The"), ("end!", "the"), ("再见。", "我"), ('"Yes."', "He"), ("है।", "मैं"), ("؟ماذا؟", "نعم"), ("wait…", "Then"), ("last.", ""),
    ("said no.", "Then"), ("1990.", "Then")])
def test_a_sentence_ends_here(left, right):
    assert ends_sentence(left, right)


@pytest.mark.parametrize(("left", "right"), [
    ("Dr.", "Smith"), ("U.S.", "Army"), ("J.", "Bach"), ("3.", "Mai"), ("so…", "anyway"), ("comma,", "The"), ("e.g.", "A"), ("word", "The"),
    ("z.B.", "Hier")])
def test_no_sentence_ends_here(left, right):
    assert not ends_sentence(left, right)


@pytest.mark.parametrize(("left", "right", "has_space", "language", "cost"), [
    ("end.", "The", True, "English", SENTENCE), ("well,", "the", True, "English", CLAUSE), ("cat", "and", True, "English", PHRASE),
    ("cat", "sat", True, "English", WORD), ("the", "cat", True, "English", LEANING), ("the", "cat", True, "German", WORD),
    ("der", "Hund", True, "German", LEANING), ("Dr.", "Smith", True, "English", LEANING), ("गंगा", "की", True, "Hindi", INSIDE),
    ("カ", "レ", False, "Japanese", INSIDE), ("を", "食", False, "Japanese", PHRASE), ("食", "べ", False, "Japanese", INSIDE),
    ("我们", "的", False, "Chinese", INSIDE), ("ครับ", "วัน", True, "Thai", PHRASE)])
def test_places_are_told_apart(left, right, has_space, language, cost):
    assert place_cost(left, right, has_space, language) == cost


@pytest.mark.parametrize("language", TEXTS)
def test_pieces_of_real_sentences_fit_a_short_line(language):
    longest = max((piece.strip() for text in TEXTS[language] for piece in split_pieces(text)), key=columns)
    assert columns(longest) <= (40 if language == "German" else 12)
