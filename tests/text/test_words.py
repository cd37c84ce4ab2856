import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossicle.text.words import join_all, join_texts, seam, split_words, words_with_confidence

# Unicode at large seldom puts a mark after a letter or a bracket beside Han; this alphabet often does.
MIXED = "ab 1.,!?“”\"'«»()（）。，、—…-¿&% \u00a0\u3000\n你好あゃーカสเ็ี้ำក្រ한é\u0301\u200d\u200b🚀👍🏽\u0e46"
DENSE = st.text(alphabet=MIXED, max_size=40)
TEXTS = st.text(max_size=60) | DENSE


@pytest.mark.parametrize("words", [
    "Hello,| world!| It's| Tom's| e-mail:| 3.14| (co-op)| C++| 5:30| $5",
    "Ça| va ?| L’été| arrive;| c'est| l'heure.",
    "你|好，|world！|iPhone15|很|贵。",
    "我|用|iPhone|打|了|2|小|时，|花|了|$5。",
    "他|说|“你|好。”|“再|见！”",
    "他|说|\"你|好\"|吧",
    "（笑）|对|吧？|《红|楼|梦》",
    "こ|ん|に|ち|は、|世|界。",
    "ちょっ|と|待っ|て、|人々|が|タ|ワー|に。",
    "안녕하세요,| 오늘| 날씨가| 좋네요.",
    "ส|วั|ส|ดี|ค|รั|บ| เรา|ไป|เที่|ย|ว|น้ำ",
    "ក្រុ|ម|ខ្ញុំ",
    "नमस्ते| दुनिया,| हिन्दी",
    "العربية،| فارسی",
    "naïve| café —| yes -| no …| ok",
    "yes—|no| wait…|what",
    "« bonjour »| dit-il| 50| % ?",
    "«\u00a0bonjour\u00a0»| dit-il",
    "„Hallo“,| sagte| er| »leise«.",
    "¿Qué?| ¡Sí!",
    "...and| then",
    "rock| &| roll",
    "word(s)| world|（你|好）。",
    "👩‍🚀🚀| 好|👍🏽|吧",
    "  leading|\tand\n|  trailing  ".replace("\n|", "|\n"),
    "5'10\"| tall",
    "…你|好",
    " . ",
    "e\u0301te\u0301| か\u3099|き",
])
def test_words_part_where_a_careful_reader_would(words):
    assert split_words(words.replace("|", "")) == words.split("|")


@given(TEXTS)
def test_joined_words_give_the_text_back(text):
    assert "".join(split_words(text)) == text
    assert "" not in split_words(text)


@given(TEXTS)
def test_no_word_begins_with_a_mark(text):
    for word in split_words(text)[1:]:
        assert not unicodedata.category(word[0]).startswith("M")


@given(DENSE)
def test_every_word_but_a_lonely_one_can_be_said(text):
    words = split_words(text)
    for word in words if len(words) > 1 else []:
        assert any(unicodedata.category(char)[0] in "LNS" or char in "&%" for char in word)


@pytest.mark.parametrize("joined", [
    "Hello.| |And so", "hello| |there", "привет| |мир", "안녕| |하세요", "नमस्ते| |दुनिया", "مرحبا| |بك",
    "你好||世界", "你好。||世界", "こんにちは||元気", "สวัสดี||ครับ", "你好，||world", "OK！||走吧", "world||。好",
    "我用||iPhone", "iPhone||很贵", "2024||年", "好||👍",          # print has a gap here, text has none
    "Hello world.| |你好", "你好.| |Hello", "你好.||世界", "“Hi.”| |你好", "他说“你好”||Hello",
    "สวัสดี| |Hello", "Hello| |ครับ", "안녕| |你好", "日本| |사람",
    "hello||, there", "hello||.", "Hello| |...and", "he said| |“yes”", "he said (||yes", "yes||)", "well—||no",
    "well||—no", "Hello ||there", "Hello|| there", "||Hello", "Hello||", "hello| |- item", "…||你好", "...| |and",
])
def test_the_seam_is_what_a_careful_typesetter_would_set(joined):
    left, between, right = joined.split("|")
    assert seam(left, right) == between
    assert join_texts(left, right) == left + between + right


def test_each_seam_is_judged_alone():
    assert join_all(["你好。", "", "世界", "hello there", "again.", "再见"]) == "你好。世界hello there again. 再见"
    assert join_all([]) == ""


@given(st.lists(TEXTS, max_size=5))
def test_joining_adds_nothing_but_spaces(texts):
    assert join_all(texts).replace(" ", "") == "".join(texts).replace(" ", "")


def test_confidence_is_the_geometric_mean_of_a_words_tokens(small):
    ids = small.encode("hello thezz")
    assert [small.token_bytes(i) for i in ids] == [b"hello", b" the", b"z", b"z"]
    words = words_with_confidence(ids, [math.log(p) for p in (0.5, 0.9, 0.6, 0.4)], small)
    assert [word for word, _ in words] == ["hello", " thezz"]
    assert [confidence for _, confidence in words] == pytest.approx([0.5, (0.9 * 0.6 * 0.4) ** (1 / 3)])


def test_doubt_about_a_comma_is_not_about_the_word(small):
    ids = small.encode("hello,")
    assert words_with_confidence(ids, [math.log(0.9), math.log(0.1)], small) == [("hello,", pytest.approx(0.9))]


def test_a_token_of_two_words_counts_in_both(small):
    ids = small.encode("你好he")
    assert [small.token_bytes(i) for i in ids] == ["你好".encode(), b"he"]
    words = words_with_confidence(ids, [math.log(0.3), 0.0], small)
    assert words == [("你", pytest.approx(0.3)), ("好", pytest.approx(0.3)), ("he", pytest.approx(1.0))]


def test_a_character_of_several_tokens_has_them_all(small):
    ids = small.encode("世")
    assert len(ids) == 3
    assert words_with_confidence(ids, [math.log(0.5)] * 3, small) == [("世", pytest.approx(0.5))]


def test_a_broken_character_takes_no_token_from_the_next(small):
    ids = [*small.encode("世")[:2], *small.encode("世")]
    words = words_with_confidence(ids, [math.log(p) for p in (0.1, 0.1, 0.2, 0.9, 0.9)], small)
    assert words == [("\ufffd", pytest.approx(0.1)), ("世", pytest.approx((0.2 * 0.9 * 0.9) ** (1 / 3)))]


def test_an_end_token_has_no_say(small):
    ids = [*small.encode("he"), small.im_end]
    assert words_with_confidence(ids, [math.log(0.7), math.log(0.1)], small) == [("he", pytest.approx(0.7))]
    assert words_with_confidence([small.im_end], [-1.0], small) == []


@given(st.lists(st.integers(0, 300), max_size=40))
def test_confident_words_join_to_the_decoded_text_even_when_it_is_broken(small, ids):
    words = words_with_confidence(ids, [-0.5] * len(ids), small)
    assert "".join(word for word, _ in words) == small.decode(ids)
    assert all(confidence == pytest.approx(math.exp(-0.5)) for _, confidence in words)
