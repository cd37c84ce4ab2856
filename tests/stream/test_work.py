"""Work is counted as it is done, and what is kept saves most of it."""

import json
from copy import copy

import numpy as np
import pytest

from ossicle.audio.load import read_samples
from ossicle.model.config import ModelConfig
from ossicle.stream.work import Work, multiply_accumulates
from tests import checkpoint_files, checkpoints
from tests.stream.conftest import sample
from tests.stream.hearings import PLAIN, RATE, commit_all_but, hear_one, window_over

HELDOUT = checkpoints.ROOT / "tests" / "data" / "tiny_heldout"


@pytest.fixture(scope="module")
def published() -> ModelConfig:
    """Sizes of the 0.6B."""
    raw = checkpoint_files.config_of("asr", "0.6b", checkpoints.bundled_tokenizer())
    checkpoint_files.set_sizes(raw, checkpoints.SIZES["0.6b"], "bfloat16")
    raw["thinker_config"] |= {"audio_token_id": 1}
    raw["thinker_config"]["text_config"]["vocab_size"] = checkpoints.PUBLISHED_ROWS
    return ModelConfig.from_dict(raw)


def test_sizes_give_the_operations_that_are_known(published):
    second, window, position = Work(), Work(), Work()
    second.convolve(100, 100)
    window.attend(104, 104)
    position.feed(1, 0, 0)
    assert multiply_accumulates(second, published) / 1e9 == pytest.approx(2.2, abs=0.1)      # the study's figures
    assert multiply_accumulates(window, published) / 8e9 == pytest.approx(2.25, abs=0.1)
    assert multiply_accumulates(position, published) / 1e9 == pytest.approx(0.44, abs=0.01)
    position.feed(0, 0, 1)
    assert position.logits == 1
    assert multiply_accumulates(position, published) / 1e9 == pytest.approx(0.44 + 0.156, abs=0.01)


def test_pairs_are_counted_as_they_attend():
    work = Work()
    work.attend(250, 104)
    work.feed(3, 10, 1)
    work.feed(1, 13, 1)
    assert work.row_pairs == 2 * 104**2 + 42**2
    assert (work.positions, work.position_pairs, work.logits) == (4, 11 + 12 + 13 + 14, 2)


def test_what_was_fed_is_what_the_cache_holds(tiny):
    for form in ({}, PLAIN):
        window = window_over(tiny, sample("english.wav"), language="English", **form)
        found = hear_one(window)
        assert window.work.positions == found.num_positions
        assert window.work.positions >= 26 + 15 + len(found.ids)         # rows of the sound, the prompt, the text
        assert window.work.seconds_convolved == 2


def talk() -> np.ndarray:
    """24 s in which about as many tokens are said as people say in those of the published vocabulary, 3.3 a second."""
    clips = [clip for clip in json.loads((HELDOUT / "transcripts.json").read_text("utf-8")) if clip["language"] == "English"]
    pause = np.zeros(round(2.5 * RATE), np.float32)
    return np.concatenate([part for clip in clips[:8] for part in (read_samples(str(HELDOUT / clip["file"])), pause)])[: 24 * RATE]


def test_what_is_kept_costs_a_third_at_most(tiny, published):
    samples, costs, ids = talk(), {}, []
    for name, form in (("kept", {}), ("anew", PLAIN)):
        window = window_over(tiny, samples[: 16 * RATE], language="English", centres=False, **form)
        commit_all_but(4)(window, hear_one(window))
        before = copy(window.work)
        for end in range(round(16.5 * RATE), 24 * RATE + 1, RATE // 2):
            window.add(samples[window.end : end])
            found = hear_one(window)
            commit_all_but(4)(window, found)
        costs[name] = (multiply_accumulates(window.work, published) - multiply_accumulates(before, published)) / 8e9
        ids.append(found.ids)
    assert ids[0] == ids[1]
    assert 60 < len(ids[0]) < 100
    assert costs["anew"] > 3 * costs["kept"], costs


def test_a_draft_saves_nearly_all_steps(tiny):
    samples, steps = sample("english_long.wav")[: 9 * RATE], {}
    for name, form in (("drafts", {}), ("none", {"drafts": False})):
        window = window_over(tiny, samples[:RATE], language="English", **form)
        for end in range(RATE, len(samples) + 1, RATE // 2):
            window.add(samples[window.end : end])
            hear_one(window)
        steps[name] = window.work.steps
        assert window.work.accepted <= window.work.drafted
    assert steps["none"] > 6 * steps["drafts"]
