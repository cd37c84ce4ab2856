"""The forced aligner through our pipeline: equal to the official one, and honest about what it could not place."""

import json
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ossicle.audio.mel import log_mel
from ossicle.errors import Cancelled, ModelError
from ossicle.model.checkpoint import open_checkpoint
from ossicle.model.engines import load_network
from ossicle.options import EngineOptions
from ossicle.pipeline.align import align_units, longest_seconds, stamp_classes
from ossicle.pipeline.engine import Parts
from ossicle.pipeline.spans import times_of_words
from ossicle.progress import CancelToken
from ossicle.text.tokenizer import Tokenizer
from ossicle.text.units import split_units
from ossicle.text.words import split_words
from tests import goldens
from tests.model.conftest import ENGINES
from tests.model.sources import HAS_WORKSHOP, Workshop

RATE = 16_000
TEXT = "one two three four five six seven eight nine ten"


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def parts_of(folder, engine: str) -> Parts:
    checkpoint = open_checkpoint(folder)
    network = load_network(checkpoint, EngineOptions(engine, "float32"))
    return Parts(network, Tokenizer.from_folder(folder), checkpoint.config, frozenset())


@pytest.fixture(scope="module", params=ENGINES)
def golden_aligner(request, tmp_path_factory) -> Parts:
    return parts_of(goldens.build_aligner(tmp_path_factory.mktemp("aligner")), request.param)


@pytest.mark.parametrize("name", goldens.aligner_clips())
def test_units_and_their_times_are_the_official_ones(golden_aligner, name):
    said = goldens.manifest()["aligner"]["clips"][name]
    units = split_units(said["text"], said["language"])
    assert [unit.text for unit in units] == said["words"]
    classes = stamp_classes(golden_aligner, goldens.samples(name), units)
    np.testing.assert_array_equal(classes * 80, goldens.load_aligner(name)["raw_ms"])
    heard = align_units(golden_aligner, goldens.samples(name), units)
    official = [(item["start"], item["end"]) for item in said["items"]]
    assert [(round(entry.start, 3), round(entry.end, 3)) for entry in heard] == official


@pytest.mark.skipif(not HAS_WORKSHOP, reason="no workshop beside this checkout")
@pytest.mark.parametrize("engine", ENGINES)
def test_recorded_speech_is_aligned_as_officially(engine, tmp_path):
    workshop = Workshop()
    clips = json.loads((workshop.folder / "aligner_tiny" / "manifest.json").read_text("utf-8"))["clips"]
    parts = parts_of(workshop.build_aligner(tmp_path), engine)
    for name, said in clips.items():
        units = split_units(said["text"], said["language"])
        assert [unit.text for unit in units] == said["words"]
        mel = workshop.mel(name)
        classes = stamps_of_mel(parts, mel, units)
        np.testing.assert_array_equal(classes * 80, workshop.load_aligner(name)["raw_ms"])


def stamps_of_mel(parts: Parts, mel: np.ndarray, units) -> np.ndarray:
    """The classes where only the mel of a clip is stored."""
    with patch("ossicle.pipeline.align.log_mel", lambda samples: mel):
        return stamp_classes(parts, silence(1), units)


def test_the_sound_reaches_the_network_as_its_mel(golden_aligner):
    samples = goldens.samples("c3p6")
    units = split_units("one two", "English")
    np.testing.assert_array_equal(stamp_classes(golden_aligner, samples, units), stamps_of_mel(golden_aligner, log_mel(samples), units))


def test_the_range_of_an_aligner_is_three_minutes_or_its_classes(aligner_of):
    assert longest_seconds(aligner_of(lambda *_: [])) == 180
    assert longest_seconds(aligner_of(lambda *_: [], num_classes=400)) == pytest.approx(32)


def test_a_recogniser_is_no_aligner(engine_of):
    with pytest.raises(ModelError, match="forced aligner"):
        longest_seconds(engine_of(lambda *_: []).parts)


def test_no_units_ask_nothing_of_the_network(aligner_of):
    parts = aligner_of(lambda *_: [])
    assert align_units(parts, silence(3), []) == []
    assert parts.network.calls == []


def test_a_plateau_is_aligned_again_from_the_last_good_word(aligner_of):
    def answer(seconds, units):
        if units == 10:                                 # four words, then stuck at 4 s
            return [0, 10, 12, 20, 25, 30, 35, 48, *[50] * 12]
        return [k for i in range(units) for k in (10 * i + 5, 10 * i + 12)]

    parts = aligner_of(answer)
    heard = align_units(parts, silence(12), split_units(TEXT))
    assert parts.network.calls == [(12.0, 10), (pytest.approx(12 - 48 * 0.08, abs=0.02), 6)]
    assert all(entry.is_measured for entry in heard)
    assert [round(entry.start, 2) for entry in heard] == [0, 0.96, 2, 2.8, *[round(48 * 0.08 + 0.8 * i + 0.4, 2) for i in range(6)]]


def test_a_plateau_that_stays_is_kept_and_not_tried_for_ever(aligner_of):
    parts = aligner_of(lambda seconds, units: [0, 10, *[20] * (2 * units - 2)])
    heard = align_units(parts, silence(12), split_units(TEXT))
    assert len(parts.network.calls) <= 4
    assert len(heard) == 10


def test_a_plateau_from_the_first_word_on_asks_once(aligner_of):
    parts = aligner_of(lambda seconds, units: [7] * (2 * units))
    assert len(align_units(parts, silence(12), split_units(TEXT))) == 10
    assert len(parts.network.calls) == 1


def test_another_pass_is_not_begun_once_cancelled(aligner_of):
    cancel = CancelToken()
    cancel.cancel()
    parts = aligner_of(lambda seconds, units: [0, 10, *[20] * (2 * units - 2)])
    with pytest.raises(Cancelled):
        align_units(parts, silence(12), split_units(TEXT), cancel)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 4999), min_size=20, max_size=20), st.floats(0.1, 30))
def test_whatever_the_network_says_words_are_in_order_inside_and_whole(aligner_of, classes, seconds):
    parts = aligner_of(lambda _, units: classes[-2 * units :])
    words, samples = split_words(TEXT), silence(seconds)
    seconds = len(samples) / RATE
    units = split_units(TEXT)
    times = times_of_words(words, units, align_units(parts, samples, units), seconds)
    assert len(times) == len(words)
    assert all(0 <= one.start < one.end <= seconds for one in times)
    assert all(one.end <= two.start for one, two in pairwise(times))
