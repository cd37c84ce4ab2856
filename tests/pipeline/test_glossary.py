"""A glossary through the pipeline: words keep their times, terms reach the context, everything written otherwise is counted."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

import ossicle
from ossicle.audio.load import read_samples
from ossicle.errors import OptionError
from ossicle.glossary import Glossary, Term, parse_glossary
from ossicle.options import EngineOptions, SplitOptions, TranscribeOptions
from ossicle.pipeline.respelling import respell
from ossicle.pipeline.transcribe import transcribe
from ossicle.results import Chunk, Respelling, Transcript, Word
from ossicle.text.glossary import Speller
from ossicle.text.words import split_words

TINY = Path(str(files("ossicle") / "models" / "tiny"))


def chunk(*words: Word) -> Chunk:
    return Chunk(0, 0.0, 9.0, "".join(word.text for word in words), "English", "eos", words=words)


def word(text: str, start: float, end: float, confidence: float | None = 0.5, timing="aligned", speaker: str | None = None) -> Word:
    return Word(text, start, end, confidence, timing, speaker)


def rewritten(glossary: str, *words: Word) -> Chunk:
    found = respell(chunk(*words), Speller(parse_glossary(glossary)))
    assert "".join(one.text for one in found.words) == found.text
    return found


def test_one_word_for_one_keeps_everything_but_its_letters():
    found = rewritten("Anja: Anya", word("Hello", 0, 1), word(" Anya,", 1, 2, 0.25, "attention", "1"), word(" you", 2, 3))
    assert found.words == (word("Hello", 0, 1), word(" Anja,", 1, 2, 0.25, "attention", "1"), word(" you", 2, 3))
    assert found.respellings == (Respelling("Anya", "Anja"),)


def test_several_words_become_one_from_the_first_to_the_last():
    found = rewritten("Kubernetes: cuba neddies", word("in", 0, 1), word(" Cuba", 1, 2, 0.25), word(" Neddies.", 3, 4, 1.0, "interpolated"))
    assert found.text == "in Kubernetes."
    assert found.words[1] == word(" Kubernetes.", 1, 4, pytest.approx(0.5), "interpolated")


def test_one_word_becomes_several_that_share_its_time():
    found = rewritten("gonna => going to", word("Gonna", 1, 2), word(" go", 2, 3))
    assert [(one.text, one.start, one.end, one.timing) for one in found.words] == [
        ("Going", 1, 1.625, "interpolated"), (" to", 1.625, 2, "interpolated"), (" go", 2, 3, "aligned")]


def test_as_many_words_as_before_keep_their_own_times():
    found = rewritten("Anja Müller: Anya Miller", word("Anya", 0, 1, 0.25), word(" Miller", 1.5, 2, 0.75))
    assert found.words == (word("Anja", 0, 1, 0.25), word(" Müller", 1.5, 2, 0.75))


def test_words_without_times_or_confidence_stay_without():
    found = rewritten("Kubernetes: cuba neddies", Word("Cuba"), Word(" neddies"))
    assert found.words == (Word("Kubernetes"),)


def test_names_in_chinese_merge_their_characters():
    found = rewritten("王小明: 汪小名", word("我", 0, 1), word("是", 1, 2), word("汪", 2, 3), word("小", 3, 4), word("名。", 4, 5))
    assert found.text == "我是王小明。"
    assert [(one.text, one.start) for one in found.words] == [("我", 0), ("是", 1), ("王", 2), ("小", 3), ("明。", 4)]


def test_every_change_is_counted_and_the_tokens_stay():
    found = rewritten("Anja: Anya, Ania", word("Anya", 0, 1), word(" Ania", 1, 2), word(" Anya", 2, 3))
    assert found.respellings == (Respelling("Anya", "Anja", 2), Respelling("Ania", "Anja", 1))
    plain = chunk(word("Hello", 0, 1))
    assert respell(plain, Speller(parse_glossary("Anja: Anya"))) is plain


BITS = ["Anya", "cuba", "neddies", "gonna", "don't", "章三峰", "你", "-", ",", ".", " ", "'s", "소울에서"]
PIECES = some.lists(some.sampled_from(BITS), max_size=12)


@settings(deadline=None, max_examples=200)
@example(["Anya"] * 2 + ["neddies"] * 2 + ["gonna"] * 3 + ["-"] * 4 + ["Anya"])        # its parts add up to a bit less than the whole
@given(PIECES)
def test_joined_words_are_the_text_and_times_never_go_back(pieces):
    texts = split_words("".join(pieces).strip())
    words = [word(text, place, place + 1) for place, text in enumerate(texts)]
    found = rewritten("Anja Lea: Anya\nKubernetes: cuba neddies\ngonna => going to\n张三丰: 章三峰\n서울: 소울", *words)
    times = [time for one in found.words for time in (one.start, one.end)]
    assert times == sorted(times)
    assert not words or (times[0], times[-1]) == (0, len(words))
    assert sum(one.count for one in found.respellings) == 0 or found.text != "".join(texts)


@pytest.fixture(scope="module")
def talk() -> tuple[np.ndarray, int]:
    return read_samples(TINY / "samples" / "english_joined.opus"), 16_000


def with_glossary(text: str, **options) -> TranscribeOptions:
    return TranscribeOptions(glossary=parse_glossary(text, "names.txt"), **options)


ENGLISH = {"English": 1.0}


def test_terms_reach_the_context_separated_by_spaces_behind_what_was_given(listening_engine, talk):
    engine = listening_engine(lambda heard: ENGLISH, lambda heard, _: "Good morning.")
    for context, expected in (("", "Anja Müller Kubernetes"), ("a meeting", "a meeting Anja Müller Kubernetes")):
        transcribe(engine, talk, with_glossary("Anja Müller: Anya\nKubernetes\ngonna => going to", context=context))
        assert engine.parts.network.heard[-1].context == expected


def test_what_was_misheard_is_written_right_and_told(listening_engine, talk):
    engine = listening_engine(lambda heard: ENGLISH, lambda heard, _: "Anya met Anya.")
    transcript = transcribe(engine, talk, with_glossary("Anja: Anya", echo_guard=False))
    assert transcript.text == "Anja met Anja."
    assert transcript.respellings == (Respelling("Anya", "Anja", 2),)
    assert "".join(one.text for segment in transcript.segments for one in segment.words) == transcript.text
    assert "".join(token.text for token in transcript.chunks[0].tokens).endswith("Anya met Anya.")
    again = Transcript.from_dict(transcript.to_dict(with_tokens=True))
    assert again.respellings == transcript.respellings


def test_counts_of_all_chunks_are_one(listening_engine, talk):
    engine = listening_engine(lambda heard: ENGLISH, lambda heard, _: "So Anya said.")
    samples = np.concatenate([talk[0], np.zeros(8000, np.float32), talk[0]])
    transcript = transcribe(engine, (samples, 16_000), with_glossary("Anja: Anya", split=SplitOptions(max_seconds=10)))
    assert len(transcript.chunks) >= 2
    assert transcript.respellings == (Respelling("Anya", "Anja", len(transcript.chunks)),)


def test_terms_without_room_are_named_for_every_recording(listening_engine, talk):
    engine = listening_engine(lambda heard: ENGLISH, lambda heard, _: "Yes, Anya.")
    options = with_glossary("Steven\nAnja: Anya", glossary_tokens=len(engine.tokenizer.encode(" Steven")))
    transcript = transcribe(engine, talk, options)
    assert engine.parts.network.heard[0].context == "Steven"
    assert transcript.text == "Yes, Anja."
    warning, = transcript.warnings
    assert warning.startswith("the terms of names.txt take more than")
    assert "1 of them are not in the context: Anja (" in warning


def test_a_glossary_is_a_glossary():
    with pytest.raises(OptionError, match="glossary must be a Glossary, as read_glossary gives it; got str"):
        TranscribeOptions(glossary="names.txt")
    assert TranscribeOptions(glossary=Glossary((Term("Anja"),))).glossary.terms[0].text == "Anja"


def test_a_context_that_leaves_no_room_for_sound_is_refused(listening_engine, talk):
    engine = listening_engine(lambda heard: ENGLISH, lambda heard, _: "Yes.")
    with pytest.raises(OptionError, match=r"context must have at most \d+ tokens with this model, got \d+"):
        transcribe(engine, talk, TranscribeOptions(context="zxq " * 30_000))


@pytest.fixture(scope="module")
def asr():
    with ossicle.load("tiny", EngineOptions("cpu")) as asr:
        yield asr


def test_a_real_name_is_spelled_by_context_or_afterwards(asr):
    clip = TINY / "samples" / "english_context.flac"
    by_context = asr.transcribe(clip, options=with_glossary("Anne\nOliver"))
    assert (by_context.text, by_context.respellings) == ("Hello Anne, how are you today?", ())
    after = asr.transcribe(clip, options=with_glossary("Anne: Ann", glossary_tokens=0))
    assert (after.text, after.respellings) == ("Hello Anne, how are you today?", (Respelling("Ann", "Anne"),))
    timed = asr.transcribe(clip, options=replace(with_glossary("Hello Annabelle: hello ann", glossary_tokens=0), words="estimated"))
    assert [one.text for one in timed.words][:2] == ["Hello", " Annabelle,"]
    assert all(one.start is not None for one in timed.words)
