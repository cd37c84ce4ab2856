"""The penalty on repetition: it breaks a loop, leaves honest repeats that the sound supports, and touches no other row."""

import numpy as np
import pytest

from ossicle.decode.batched import decode_rows
from ossicle.decode.penalty import loop_penalty
from ossicle.decode.stopping import LoopDetector, StopRule, Writer
from ossicle.model.config import ModelConfig
from tests.pipeline.conftest import TINY
from tests.scripted import ScriptedNetwork

WAY_OUT, EOS = 7, 8


class Torn(ScriptedNetwork):
    """Says its script, but has another word on its tongue: WAY_OUT until it was said, then the end."""

    margin = 3.0

    def forward(self, embeddings, cache, logits_at="last", capture=None):
        found = super().forward(embeddings, cache, logits_at, capture)
        ids = found.logits.argmax(-1)
        found.logits[:] = -20.0
        found.logits[range(len(ids)), ids] = 10.0
        found.logits[:, WAY_OUT] = np.maximum(found.logits[:, WAY_OUT], 10.0 - self.margin)
        return found


def write(scripts, is_penalised, margin=3.0, num_tokens=300):
    """What is written of each script; and how often the penalty changed a choice."""
    network = Torn(ModelConfig.from_file(TINY / "config.json"), lambda tokens, loudness: scripts[tokens - 1])
    network.margin = margin
    writers = [Writer(StopRule({WAY_OUT, EOS}, num_tokens, 1000.0)) for _ in scripts]
    changed = []
    prompts = [np.full((3, 2), row + 1, np.float32) for row in range(len(scripts))]
    choose = loop_penalty(network, is_penalised, changed.append) if any(is_penalised) else None
    for _ in decode_rows(network, prompts, network.new_cache((0,) * len(scripts)), writers, choose):
        pass
    return writers, changed


LOOP = [*range(20, 30), *[50, 51, 52] * 100]
HONEST = {
    "a phrase said four times": [*range(100, 106)] * 4,
    "no, no, no, no, no": [60, 11] * 5,
    "counting": [token for number in range(200, 240) for token in (number, 11)],
    "a line of seven tokens seven times": [*range(100, 107)] * 7,
}


def test_a_loop_is_left_by_the_way_out():
    (writer,), changed = write([LOOP], [True])
    assert writer.stopped_by == "eos"
    assert writer.ids[:13] == LOOP[:13]
    assert len(writer.ids) < 60
    assert changed == [0]


def test_without_the_penalty_it_goes_on():
    (writer,), changed = write([LOOP], [False])
    assert (writer.stopped_by, len(writer.ids), changed) == ("budget", 300, [])


@pytest.mark.parametrize("name", HONEST)
def test_what_is_said_often_is_written_as_often(name):
    (writer,), changed = write([[*HONEST[name], EOS]], [True])
    assert (writer.ids, writer.stopped_by, changed) == (HONEST[name], "eos", [])


def test_the_surer_the_model_the_longer_it_may_repeat():
    lengths = [len(write([LOOP], [True], margin)[0][0].ids) for margin in (0.2, 2.0, 5.0, 10.0)]
    assert lengths == sorted(set(lengths))


def test_only_the_rows_that_are_named_are_touched():
    scripts = [LOOP, [*range(30, 60), EOS], LOOP]
    alone = [write([script], [False])[0][0].ids for script in scripts]
    writers, changed = write(scripts, [True, False, False])
    assert [writer.ids for writer in writers[1:]] == alone[1:]
    assert writers[0].ids != alone[0]
    assert changed == [0]


def test_the_log_probability_is_the_models_own():
    (writer,), _ = write([[*[50, 51, 52] * 30]], [True], margin=1.0)
    network = Torn(ModelConfig.from_file(TINY / "config.json"), lambda tokens, loudness: [50])
    network.margin = 1.0
    logits = network.forward([np.ones((1, 2), np.float32)], network.new_cache()).logits[0].astype(np.float64)
    assert writer.stopped_by == "eos"
    assert all(logprob == pytest.approx(-0.1) for logprob in writer.logprobs)           # of the ids that greedy chose
    choose = loop_penalty(network, [True], lambda row: None)
    for _ in range(40):
        ids, logprobs = choose(logits[None].astype(np.float32), [0])
        if ids[0] == WAY_OUT:
            break
    assert logprobs[0] == pytest.approx(logits[WAY_OUT] - np.log(np.exp(logits).sum()), abs=1e-4)


def test_the_detector_expects_what_would_go_on():
    detector = LoopDetector()
    for token in [1, 2, 3] * 4:
        assert detector.expected(4, 12) is None
        detector.sees(token)
    assert detector.expected(4, 12) == (1, 4)
    detector.sees(1)
    assert detector.expected(4, 12) == (2, 4)
    detector.sees(9)
    assert detector.expected(4, 12) is None
