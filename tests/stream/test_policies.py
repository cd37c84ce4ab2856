"""Every policy commits whole words only, never takes one back, and commits when its rule says so."""

import json
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.stream.hypothesis import live_words
from ossicle.stream.policies import Look, policy_of
from ossicle.stream_options import POLICIES, PolicyOptions
from ossicle.text.words import split_words
from tests.growing import continuations, heard, rising, texts, tokenizers, word

EAGER = PolicyOptions(border_seconds=0, rewind_seconds=30, agreements=1, hold_tokens=0, cold_steps=0, gate_seconds=0, sure=0)
OPTIONS = [PolicyOptions(name=name) for name in POLICIES] + [
    PolicyOptions("agreement", agreements=3, hold_words=1),
    *(PolicyOptions(**{**vars(EAGER), "name": name}) for name in POLICIES),     # nothing holds them but what holds for all
]


@pytest.fixture(scope="module", params=OPTIONS, ids=lambda options: f"{options.name}-{options.agreements}-{options.border_seconds:g}")
def options(request):
    return request.param


def walk(tokenizer, text, options, seed, is_honest):
    """A live session over `text`, checked as it goes: what was committed each time, and the words that are left at the end."""
    policy, committed, said = policy_of(options, has_times=True), [], []
    for step, ids in enumerate(continuations(tokenizer, text, seed, is_honest=is_honest)):
        ids = [*committed, *ids[len(committed) :]]                  # those committed are forced
        end = 0.5 * (step + 1)
        centres = [(seed + 7 * place) % 13 / 13 * 0.4 + end * (place + 1) / len(ids) - 0.2 for place in range(len(ids))]
        hypothesis = heard(ids, len(committed), end=end, centres=centres, logprob=-0.04 * ((seed + step) % 4))
        words = [timed(one, end) for one in live_words(hypothesis, tokenizer)]
        count = policy.commit(Look(words, end, step))
        whole = tokenizer.decode(ids)
        assert "".join(said) + "".join(one.text for one in words) == whole
        assert 0 <= count <= max(0, len(words) - 1)
        if count:
            said.append("".join(one.text for one in words[:count]))
            committed = ids[: len(committed) + words[count - 1].num_ids]
            assert len("".join(said)) in {0, *accumulate(map(len, split_words(whole)))}, "a word was split"
        assert "".join(said) == tokenizer.decode(committed)         # no space comes in between, and nothing is taken back
        assert "\ufffd" not in "".join(said)
    return said


def timed(one, end):
    if one.centre is None:
        return one
    return word(one.text, min(end, one.centre + 0.05), centre=one.centre, least=one.least, num_ids=one.num_ids)


@pytest.mark.parametrize("name", list(tokenizers()))
def test_a_breaking_off_network_is_committed_at_the_words_of_the_text(options, name):
    tokenizer = tokenizers()[name]
    for text in texts():
        written = tokenizer.decode(tokenizer.encode_plain(text))
        said = walk(tokenizer, text, options, len(text), is_honest=True)
        assert written.startswith("".join(said))
        assert {0, *accumulate(map(len, split_words(written)))} >= set(accumulate(map(len, said)))
        if options.name == "none":
            assert said == []
        elif options.border_seconds == 0 and len(split_words(written)) > 2:
            assert said, "a policy that nothing holds commits something"


@settings(deadline=None)
@given(st.sampled_from(sorted(tokenizers())), st.sampled_from(texts()), st.integers(0, 10_000), st.sampled_from(OPTIONS))
def test_whatever_a_network_writes_no_word_is_split_and_none_taken_back(name, text, seed, options):
    walk(tokenizers()[name], text, options, seed, is_honest=False)


def commits(policy, *looks):
    """How many words are committed at each look: words parted by bars, behind those committed, or looks of a test's own."""
    found = []
    for step, look in enumerate(looks):
        found.append(policy.commit(look if isinstance(look, Look) else Look(rising(look), 10.0, step)))
    return found


def test_agreement_needs_the_word_and_one_behind_it_in_both():
    assert commits(policy_of(PolicyOptions("agreement"), False), "a| b| c", "a| b| d", " d| e", " d| e| f") == [0, 2, 0, 1]
    assert commits(policy_of(PolicyOptions("agreement"), False), "a| b", "a| b| c", " b| c| d") == [0, 1, 1]
    assert commits(policy_of(PolicyOptions("agreement"), False), "a", "a| b| c") == [0, 0]


def test_agreement_is_to_the_character():
    assert commits(policy_of(PolicyOptions("agreement"), False), "a| b| c", "a,| b| c", "A,| b| c", "A,| b| c") == [0, 0, 0, 2]


def test_agreement_of_one_trusts_each_hypothesis_and_of_three_waits():
    assert commits(policy_of(PolicyOptions("agreement", agreements=1), False), "a| b| c", " c| d") == [2, 1]
    three = policy_of(PolicyOptions("agreement", agreements=3), False)
    assert commits(three, "a| b| c", "a| b| c", "a| b| c", " c| d| e", " c| d| e", " c| d| e") == [0, 0, 2, 0, 0, 2]


def test_agreement_can_hold_words():
    assert commits(policy_of(PolicyOptions("agreement", hold_words=3), False), "a| b| c| d| e", "a| b| c| d| e") == [0, 2]


def test_none_waits_for_ever():
    assert commits(policy_of(PolicyOptions("none"), True), *["a| b| c| d"] * 5) == [0] * 5


def test_prefix_holds_tokens_once_it_is_warm():
    policy = policy_of(PolicyOptions("prefix", hold_tokens=2, cold_steps=2), False)
    assert commits(policy, "a| b| c| d", "a| b| c| d", " c| d", " c| d| e| f") == [0, 2, 0, 2]


def test_prefix_forces_what_the_official_code_does_down_to_a_word(shared):
    tokenizer = tokenizers()["published"]
    streams = json.loads((shared / "oracle/golden/text_cases.json").read_text("utf-8"))["streaming"]
    compared = 0
    for stream in streams.values():
        cold, hold = stream["init"].get("unfixed_chunk_num", 2), stream["init"].get("unfixed_token_num", 5)
        raws = {entry["chunk_id"]: entry["raw"] for entry in stream["after_each_piece_and_finish"]}
        for step, call in enumerate(stream["calls"][:-1]):          # the last one is the finish, which keeps one token at least
            raw = raws.get(step, "")
            text, forced = raw.split("<asr_text>")[-1], call["prompt"].removeprefix(stream["base_prompt"]).split("<asr_text>")[-1]
            if step == 0 or not text or "<asr_text>" not in (raw + stream["base_prompt"]):
                continue
            words = live_words(heard(tokenizer.encode_plain(text)), tokenizer)
            count = policy_of(PolicyOptions("prefix", hold_tokens=hold, cold_steps=cold), False).commit(Look(words, 1.0, step - 1))
            ends = [0, *accumulate(len(one.text) for one in words)]
            assert ends[count] == max(end for end in ends[:-1] if forced.startswith(text[:end]))
            compared += 1
    assert compared >= 5


def at(*words, end=2.0, step=0):
    return Look(list(words), end, step)


def test_alignatt_holds_what_is_heard_near_the_end_whatever_the_length_of_the_sound():
    for end in (2.0, 200.0):
        words = [word("a", end - 0.6, centre=end - 0.7), word(" b", end - 0.4, centre=end - 0.5), word(" c", end, centre=end - 0.1),
                 word(" d", end, centre=end - 0.1)]
        assert commits(policy_of(PolicyOptions("alignatt", border_seconds=0.48), True), at(*words, end=end)) == [2]
        assert commits(policy_of(PolicyOptions("alignatt", border_seconds=0.55), True), at(*words, end=end)) == [1]


def test_alignatt_stops_where_attention_jumps_back():
    words = [word(text, 1.0, centre=centre) for text, centre in (("a", 0.9), (" b", 0.5), (" c", 0.3), (" d", 0.4))]
    assert commits(policy_of(PolicyOptions("alignatt", rewind_seconds=0.3), True), at(*words, end=9.0)) == [1]
    assert commits(policy_of(PolicyOptions("alignatt", rewind_seconds=0.5), True), at(*words, end=9.0)) == [3]


def test_alignatt_compares_with_the_last_committed_word():
    policy = policy_of(PolicyOptions("alignatt", rewind_seconds=0.3), True)
    assert commits(policy, at(word("a", 5, centre=5), word(" b", 5, centre=1), end=9.0),
                   at(word(" a", 1, centre=1), word(" b", 5, centre=1), end=9.0)) == [1, 0]


def test_aligner_gates_the_last_moments():
    words = [word(text, end, timing="aligned") for text, end in (("a", 1.0), (" b", 1.7), (" c", 1.8), (" d", 1.9))]
    assert commits(policy_of(PolicyOptions("aligner", gate_seconds=0.25), True), at(*words)) == [2]


def test_auto_wants_distance_and_a_second_hearing_or_certainty():
    early = [word("a", 0.5), word(" b", 0.8), word(" c", 1.0)]
    assert commits(policy_of(PolicyOptions(), True), at(*early), at(*early)) == [0, 2]
    sure = [word("a", 0.5, least=0.95), word(" b", 0.8, least=0.89), word(" c", 1.0, least=0.95)]
    assert commits(policy_of(PolicyOptions(), True), at(*sure), at(*sure[1:])) == [1, 1]
    late = [word("a", 1.6, least=1.0), word(" b", 1.8), word(" c", 1.9)]
    assert commits(policy_of(PolicyOptions(), True), at(*late), at(*late), at(*late, end=2.3)) == [0, 0, 2]


@pytest.mark.parametrize("name", ["auto", "alignatt", "aligner"])
@pytest.mark.parametrize("has_times", [True, False])
def test_without_measured_times_two_hearings_decide(name, has_times):
    estimated = [word(text, 0.5, least=1.0, timing="estimated") for text in ("a", " b", " c")]
    for words in (estimated, rising("a| b| c")):
        assert commits(policy_of(PolicyOptions(name), has_times), at(*words), at(*words)) == [0, 2]


def test_a_word_whose_ids_reach_into_the_next_waits_for_it():
    words = [word("a", num_ids=1), word("b", num_ids=None), word("c", num_ids=None), word("d", num_ids=3), word("e", num_ids=4)]
    policy = policy_of(PolicyOptions("agreement", agreements=1), False)
    assert commits(policy, at(*words[:3]), at(*words[1:4]), at(*words[1:])) == [1, 0, 3]


def test_a_broken_character_waits_and_all_behind_it_and_the_word_before_whose_mark_it_may_become():
    assert commits(policy_of(PolicyOptions("agreement", agreements=1), False), "a| b| c\ufffd| d| e", " c\ufffd| d") == [2, 0]
    assert commits(policy_of(PolicyOptions("agreement", agreements=1), False), "a| b| \ufffd| d| e") == [1]
    assert commits(policy_of(PolicyOptions("agreement", agreements=1), False), "a|b|\ufffd|d|e", "\ufffd|d|e") == [1, 0]


@pytest.mark.parametrize("name", POLICIES)
def test_no_words_are_no_trouble(name):
    assert commits(policy_of(PolicyOptions(name), True), at(), at(word("a", 0.1)), at()) == [0, 0, 0]
