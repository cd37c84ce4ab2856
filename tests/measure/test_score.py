"""Error rates of a set: by hand and by jiwer; what is left out, what is worst, how sure of it one can be."""

import json

import jiwer
import pytest

from ossicle.measure.calibration import calibrate, judge_words
from ossicle.measure.errors import Counts
from ossicle.measure.normalise import find_normaliser
from ossicle.measure.score import Difference, Utterance, differences, primary_rate, score

BASIC = find_normaliser("basic")
SET = (
    Utterance("a", "The cat sat on the mat.", "the cat sat on a mat", "English", 2.0),
    Utterance("b", "Hello, world!", "Hello world", "en", 1.0),
    Utterance("c", "你好，世界。", "你好时间", "zh-CN", 3.0),
    Utterance("d", "Wir lernen gerne.", "Wir gerne lernen", "de", 4.0),
)


def test_the_rate_of_the_whole_is_of_the_corpus():
    found = score(SET, BASIC)
    assert found.total.wer == Counts(9, 2, 2, 1)                    # "你好 世界" is two words
    english = found.languages["en"]
    assert (english.files, english.duration, english.wer, english.perfect, english.primary) == (2, 3.0, Counts(7, 1), 1, "wer")
    assert english.wer.rate == pytest.approx(jiwer.wer(["the cat sat on the mat", "hello world"], ["the cat sat on a mat", "hello world"]))
    assert found.languages["zh"].cer == Counts(2, 2)
    assert found.languages["zh"].cer.rate == jiwer.cer("你好世界", "你好时间")
    assert list(found.languages) == ["de", "en", "zh"]
    assert found.macro == pytest.approx((1 / 8 + 2 / 4 + 2 / 3) / 3)


def test_a_set_of_several_kinds_has_the_mixed_rate():
    found = score(SET, BASIC)
    assert found.total.primary is None
    assert primary_rate(found.total) == found.total.mer.rate
    assert found.total.mer.reference == 6 + 2 + 4 + 3
    assert primary_rate(found.languages["zh"]) == 0.5


def test_characters_are_jiwers_without_spaces():
    file, = score([Utterance("a", "Good morning all", "god mourning al", "en")], BASIC).files
    assert file.cer.rate == pytest.approx(jiwer.cer("goodmorningall", "godmourningal"))


def test_the_worst_come_first_and_what_is_right_is_not_among_them():
    found = score(SET, BASIC)
    assert [file.utterance.id for file in found.worst(9)] == ["d", "c", "a"]
    assert [file.utterance.id for file in found.worst(1)] == ["d"]


def test_differences_are_in_the_tokens_that_count():
    files = {file.utterance.id: file for file in score(SET, BASIC).files}
    assert differences(files["a"], BASIC) == [
        Difference("hit", "the cat sat on", "the cat sat on"), Difference("sub", "the", "a"), Difference("hit", "mat", "mat")]
    assert differences(files["c"], BASIC) == [Difference("hit", "你好", "你好"), Difference("sub", "世界", "时间")]


def test_sound_without_words_counts_what_was_heard_in_it():
    found = score([Utterance("a", "", "you know", "en"), Utterance("b", "", "", "en"), Utterance("c", "yes", "yes", "en")], BASIC)
    assert found.total.wer == Counts(1, 0, 0, 2)
    assert (found.total.empty_references, found.total.false_alarms) == (2, 1)
    assert found.files[0].wer.rate is None
    assert [file.utterance.id for file in found.worst(3)] == ["a"]


def test_what_the_method_does_not_score_is_listed():
    found = score([Utterance("a", "[noise]", "you", "en"), Utterance("b", "yes", "yes", "en")], find_normaliser("leaderboard"))
    assert (found.total.files, found.left_out) == (1, ("a",))


def test_compounds_are_equal_for_the_leaderboard_only():
    pair = [Utterance("a", "Die Auf nahme läuft", "die Aufnahme läuft", "de")]
    assert score(pair, BASIC).total.wer.errors == 2
    assert score(pair, find_normaliser("leaderboard")).total.wer.errors == 0


def test_an_empty_set_has_no_rate():
    found = score([], BASIC)
    assert (found.total.files, found.total.wer.rate, found.total.interval, found.macro) == (0, None, None, None)


def test_the_report_names_the_method_and_is_json():
    plain = json.loads(json.dumps(score(SET, find_normaliser("whisper")).to_dict()))
    assert plain["method"]["normaliser"]["name"] == "whisper"
    assert plain["method"]["scorer"].startswith("kaldialign ")
    assert plain["total"]["wer"]["reference"] == sum(file["wer"]["reference"] for file in plain["files"])
    assert plain["files"][2]["primary"] == "cer"


def test_words_are_right_where_they_stand_in_the_reference():
    words = [("The", 0.9), (" cat", 0.8), (" sat,", 0.7), (" down", 0.4), (" -", 0.5), (" here", None)]
    assert judge_words(words, "the hat sat here", BASIC, "en") == [(0.9, True), (0.8, False), (0.7, True), (0.4, False)]


def test_a_number_is_right_however_it_is_written():
    words = [("Twenty", 0.9), (" one", 0.8), (" can't", 0.7), (" go.", 0.6)]
    assert judge_words(words, "21 can not go", find_normaliser("whisper"), "en") == [(0.9, True), (0.8, True), (0.7, True), (0.6, True)]
    assert judge_words([("你", 0.5), ("号", 0.4)], "你好", BASIC, "zh") == [(0.5, True), (0.4, False)]


def test_the_reliability_of_confidence_by_hand():
    found = calibrate([(0.95, True), (0.95, True), (0.95, False), (0.15, False), (1.0, True)])
    assert found.words == 5
    assert found.accuracy == pytest.approx(0.6)
    assert found.bins[9].words == 4
    assert found.bins[9].accuracy == pytest.approx(0.75)
    assert found.bins[1].confidence == pytest.approx(0.15)
    assert found.ece == pytest.approx((4 * abs(0.9625 - 0.75) + 0.15) / 5)
    assert (found.bins[5].words, found.bins[5].accuracy) == (0, None)
    assert calibrate([]) is None


def test_a_perfect_match_of_confidence_and_truth_has_no_error():
    assert calibrate([(1.0, True)] * 3 + [(0.0, False)] * 2).ece == 0
