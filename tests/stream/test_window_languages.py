"""How the language of a window is chosen, by a network that hears several: the fast form as the slow one, and as recordings do."""

from dataclasses import replace

import numpy as np
import pytest

from ossicle.model.config import ModelConfig
from ossicle.pipeline.engine import Parts
from ossicle.pipeline.recognize import StageClock
from ossicle.pipeline.system_turn import SystemTurns
from ossicle.stream.window import Ask, hear
from ossicle.text.tokenizer import Tokenizer
from tests.listening import ListeningNetwork
from tests.stream.hearings import PLAIN, RATE, TINY, hear_one, window_over

TOKENIZER = Tokenizer.from_folder(TINY)
# Macedonian and Malay begin alike in this vocabulary, so phrases part twice.
CHANCES = {"Macedonian": 0.5, "Malay": 0.3, "English": 0.15, "None": 0.05}


def parts_of(languages, text=lambda heard, name: f"so {name} it is"):
    network = ListeningNetwork(ModelConfig.from_file(TINY / "config.json"), TOKENIZER, languages, text)
    names = tuple(CHANCES)[:-1]
    network.config = replace(network.config, support_languages=names)
    network._headers |= {name: tuple(TOKENIZER.encode(f"language {name}<asr_text>")) for name in names}
    return Parts(network, TOKENIZER, network.config, frozenset([TOKENIZER.im_end]), None, SystemTurns(min_positions=1))


def noise(seconds, loudness=0.1):
    return (loudness * np.random.default_rng(1).standard_normal(round(seconds * RATE))).astype(np.float32)


@pytest.mark.parametrize("form", [{}, PLAIN, {"drafts": False}], ids=["fast", "slow", "without drafts"])
@pytest.mark.parametrize(("allowed", "expected"), [((), "Macedonian"), (("Malay", "English"), "Malay"), (("English",), "English")])
def test_the_likeliest_that_is_allowed_is_written(form, allowed, expected):
    parts = parts_of(lambda heard: CHANCES)
    window = window_over(parts, noise(2.0), languages=allowed, **form)
    for seconds in (0.5, 9.0):
        found = hear_one(window)
        assert (found.language, TOKENIZER.decode(found.ids)) == (expected, f"so {expected} it is")
        assert found.chances == pytest.approx(CHANCES, abs=1e-3)
        assert found.centres is None
        window.add(noise(seconds))


@pytest.mark.parametrize("form", [{}, PLAIN], ids=["fast", "slow"])
def test_a_language_that_changes_takes_its_own_text(form):
    loud = {"English": 0.9, "Malay": 0.1}
    parts = parts_of(lambda heard: CHANCES if heard.audio_tokens < 20 else loud)
    window = window_over(parts, noise(1.0), **form)
    assert hear_one(window).language == "Macedonian"
    window.add(noise(1.0))
    found = hear_one(window)
    assert (found.language, TOKENIZER.decode(found.ids), found.num_drafted) == ("English", "so English it is", 0)


def test_no_speech_is_no_language_and_no_text():
    parts = parts_of(lambda heard: {"None": 0.8, "English": 0.2}, lambda heard, name: "" if name == "None" else "and so it is")
    for form in ({}, PLAIN):
        for allowed in ((), ("English",)):
            found = hear_one(window_over(parts, noise(1.0), languages=allowed, **form))
            assert (found.ids, found.language) == ((), None)


def test_windows_with_their_own_contexts_and_languages_go_side_by_side():
    parts = parts_of(lambda heard: CHANCES, lambda heard, name: f"{heard.context} in {name} " + "and on " * heard.audio_tokens)
    options = [{"context": "one"}, {"context": "two", "language": "English"}, {"context": "three", "languages": ("Malay",)}]
    windows = [window_over(parts, noise(0.4 + 0.3 * place), **some) for place, some in enumerate(options)]
    found = hear(parts, [Ask(window, window.end, 200) for window in windows], StageClock())
    for one, name, context, window in zip(found, ("Macedonian", "English", "Malay"), ("one", "two", "three"), windows):
        alone = hear_one(window_over(parts, window.samples(0, window.end), **PLAIN, **options[windows.index(window)]))
        assert one.ids == alone.ids
        assert TOKENIZER.decode(one.ids).startswith(f"{context} in {name} and on")
