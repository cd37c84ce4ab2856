"""The echo guard: a list must never become the transcript, and whoever says a name of it keeps that name."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import ossicle
from ossicle.audio.load import read_samples
from ossicle.options import EngineOptions, SplitOptions, TranscribeOptions
from ossicle.pipeline.echo import is_echo, is_suspicious
from ossicle.pipeline.transcribe import transcribe
from ossicle.progress import CancelToken

TINY = Path(str(files("ossicle") / "models" / "tiny"))
LIST = "Kubernetes Anja Müller Terraform Prometheus Grafana"
NAMES = "张三丰 王小明 李雷"

ECHOES = {
    "the whole list": (LIST, "Good morning, this is Henry speaking."),
    "with commas": ("Kubernetes, Anja Müller, Terraform, Prometheus, Grafana.", "Good morning, this is Henry speaking."),
    "a part of it": ("Anja Müller Terraform", "Is it twelve forty five already?"),
    "in another order": ("Grafana. Prometheus. Kubernetes.", "The number is nine."),
    "in lower case": ("kubernetes anja muller", "So what?"),
    "behind real speech": ("Good morning, this is Henry. Kubernetes Anja Müller Terraform.", "Good morning, this is Henry."),
    "three names behind much speech": ("I will be there tomorrow at half past ten in the morning. Kubernetes, Anja Müller.",
                                       "I will be there tomorrow at half past ten in the morning."),
    "before real speech": ("Kubernetes Anja Müller. Good morning.", "Good morning."),
    "in place of half": ("Good morning, Anja Müller Terraform Prometheus.", "Good morning, I will be there at half past ten tomorrow."),
    "a single name on nothing": ("Kubernetes.", ""),
    "a list on nothing": (LIST, ""),
    "names in Chinese": ("张三丰王小明李雷", "明天是星期五。"),
    "names in Chinese on nothing": ("张三丰", ""),
}
HEARD = {
    "the same without": ("Hello Anja Müller.", "Hello Anja Müller."),
    "sounds alike": ("Hello Anja Müller.", "Hello Anya Miller."),
    "sounds alike and nothing else": ("Kubernetes.", "Cuba Neddies."),
    "spelled otherwise among words that agree": ("Please look at the Grafana board now", "Please look at the Raffner board now"),
    "a roll call": ("Anja Müller, Terraform, Prometheus, Grafana.", "Anya Mueller, terra form, Promethius, Graphana."),
    "a name in Chinese": ("你好，我是张三丰。", "你好，我是章三峰。"),
    "nothing of the list": ("Good morning.", "Good evening."),
    "one name of ten words": ("We run all of it on Kubernetes these days, you know", "We run all of it on these days, you know"),
}


@pytest.mark.parametrize(("text", "without"), ECHOES.values(), ids=ECHOES)
def test_what_the_sound_does_not_hold_is_an_echo(text, without):
    context = f"{LIST} {NAMES}"
    assert is_suspicious(text, context, 4.0)
    assert is_echo(text, without, context)


def test_two_words_of_a_list_in_a_sentence_are_no_suspicion():
    assert not is_suspicious("then Anja Müller said that it was all right", LIST, 5.0)


@pytest.mark.parametrize(("text", "without"), HEARD.values(), ids=HEARD)
def test_what_is_heard_without_the_list_as_well_is_no_echo(text, without):
    assert not is_echo(text, without, f"{LIST} {NAMES}")


def test_a_page_said_back_is_an_echo_and_sharing_its_small_words_is_no_suspicion():
    page = "The patient came to the hospital in the morning with pain in the left arm. " + "It was seen again later. " * 60
    assert is_suspicious("the patient came to the hospital in the morning", page, 5.0)
    assert is_echo("the patient came to the hospital in the morning", "uh, yes", page)
    assert not is_suspicious("it was the left one, and the other came with it", page, 5.0)


def test_more_than_anybody_can_say_is_suspicious():
    said = "We met Anja Müller and Prometheus in Berlin yesterday evening"
    assert is_suspicious(said, LIST, 1.0)
    assert not is_suspicious(said, LIST, 4.0)


def test_nothing_is_suspicious_without_a_context_or_a_text():
    assert not is_suspicious("Kubernetes", "", 1.0)
    assert not is_suspicious("", LIST, 1.0)
    assert not is_suspicious("...", LIST, 1.0)


@pytest.fixture(scope="module")
def talk() -> tuple[np.ndarray, int]:
    return read_samples(TINY / "samples" / "english_joined.opus"), 16_000


ENGLISH = {"English": 1.0}
WITH_LIST = TranscribeOptions(context=LIST)


def test_a_network_that_says_its_context_back_is_heard_again_without(listening_engine, talk):
    engine = listening_engine(lambda heard: ENGLISH, lambda heard, _: heard.context or "Good morning, Henry.")
    transcript = transcribe(engine, talk, WITH_LIST)
    assert transcript.text == "Good morning, Henry."
    assert [heard.context for heard in engine.parts.network.heard] == [LIST, ""]
    warning, = transcript.warnings
    assert f"the reply said the context back ({LIST!r})" in warning
    assert transcript.chunks[0].num_tokens == len(engine.tokenizer.encode("language English<asr_text>Good morning, Henry."))


def test_a_list_said_into_noise_leaves_no_text(listening_engine, talk):
    engine = listening_engine(lambda heard: ENGLISH if heard.context else {"None": 1.0}, lambda heard, _: heard.context)
    transcript = transcribe(engine, talk, WITH_LIST)
    assert (transcript.text, transcript.language, transcript.segments) == ("", None, ())
    assert "nothing is heard" in transcript.warnings[0]
    assert not transcript.truncated


def test_a_context_that_silences_the_model_is_left_out(listening_engine, talk):
    engine = listening_engine(lambda heard: ENGLISH, lambda heard, _: "" if heard.context else "Good morning, Henry.")
    transcript = transcribe(engine, talk, WITH_LIST)
    assert transcript.text == "Good morning, Henry."
    assert "with its context the model wrote nothing" in transcript.warnings[0]


def test_speech_of_which_nothing_is_written_is_told(listening_engine, talk):
    engine = listening_engine(lambda heard: {"None": 1.0}, lambda heard, _: "")
    transcript = transcribe(engine, talk, TranscribeOptions())
    assert transcript.text == ""
    assert transcript.warnings[0].endswith("speech seems to be heard here, but the model wrote nothing")


def test_only_chunks_that_echo_are_heard_again(listening_engine, talk):
    samples = np.concatenate([talk[0], np.zeros(8000, np.float32), talk[0] * 0.1])
    engine = listening_engine(lambda heard: ENGLISH, lambda heard, _: heard.context if heard.loudness < limit else "All is well.")
    limit = -np.inf
    transcribe(engine, (samples, 16_000), replace(WITH_LIST, split=SplitOptions(max_seconds=10)))
    limit = np.mean([heard.loudness for heard in engine.parts.network.heard])
    engine.parts.network.heard.clear()
    transcript = transcribe(engine, (samples, 16_000), replace(WITH_LIST, split=SplitOptions(max_seconds=10)))
    contexts = [heard.context for heard in engine.parts.network.heard]
    assert contexts.count(LIST) == len(transcript.chunks)
    assert 0 < contexts.count("") < len(transcript.chunks)
    assert transcript.text.count("Kubernetes") == 0
    assert transcript.text.count("All is well.") >= 1


def test_a_speaker_who_says_the_names_keeps_them(listening_engine, talk):
    engine = listening_engine(lambda heard: ENGLISH, lambda heard, _: "Anja Müller, Grafana." if heard.context else "Anya Miller, Raffana.")
    transcript = transcribe(engine, talk, WITH_LIST)
    assert transcript.text == "Anja Müller, Grafana."
    assert transcript.warnings == ()
    assert [heard.context for heard in engine.parts.network.heard] == [LIST, ""]       # it was looked at, and let pass


def test_an_echo_that_loops_is_heard_again_before_it_is_cut(listening_engine, talk):
    engine = listening_engine(lambda heard: ENGLISH, lambda heard, _: "Kubernetes " * 200 if heard.context else "Good morning.")
    transcript = transcribe(engine, talk, WITH_LIST)
    assert transcript.text == "Good morning."
    assert [chunk.tries for chunk in transcript.chunks] == [1]


def test_the_guard_can_be_left_out_and_the_reference_has_none(listening_engine, talk):
    engine = listening_engine(lambda heard: ENGLISH, lambda heard, _: heard.context or "Good morning.")
    for options in (replace(WITH_LIST, echo_guard=False), replace(WITH_LIST, reference=True)):
        assert transcribe(engine, talk, options).text == LIST


def test_what_is_cancelled_in_the_second_look_is_no_list(listening_engine, talk):
    cancel = CancelToken()

    def answer(heard, _):
        if not heard.context:
            cancel.cancel()
        return heard.context or "Good morning, this is Henry."

    transcript = transcribe(listening_engine(lambda heard: ENGLISH, answer), talk, WITH_LIST, cancel=cancel)
    assert "Kubernetes" not in transcript.text
    assert transcript.stopped_by == "cancelled"


PAIRS = {"Steven": "Stephen", "Sarah": "Sara", "John": "Jon", "Katherine": "Catherine", "Eric": "Erik", "Ann": "Anne", "Mark": "Marc",
         "Philip": "Phillip", "Brian": "Bryan", "Jeffrey": "Geoffrey"}


@pytest.mark.parametrize(("first", "second"), PAIRS.items())
def test_the_bundled_models_ten_names_are_alike_enough_alone(first, second):
    assert not is_echo(f"{second}.", f"{first}.", second)


@pytest.fixture(scope="module")
def asr():
    with ossicle.load("tiny", EngineOptions("cpu")) as asr:
        yield asr


def test_a_real_name_comes_through_the_guard(asr):
    clip = TINY / "samples" / "english_context.flac"
    for context in ("Anne", "Oliver, Anne, Emma", " ".join(PAIRS.values()), "Hello Anne how are you today"):
        transcript = asr.transcribe(clip, context=context)
        assert (transcript.text, transcript.warnings) == ("Hello Anne, how are you today?", ()), context
    assert asr.transcribe(clip).text == "Hello Ann, how are you today?"


def test_a_real_list_leaves_real_speech_as_it_is(asr):
    for name, expected in (("english.wav", "Henry saw a small tree near Berlin."), ("noise.wav", "")):
        assert asr.transcribe(TINY / "samples" / name, context=LIST).text == expected
