"""The log that other tools read: by hand, and through omnisteval where that is installed."""

import json

import pytest

from ossicle.measure.lagging import Piece, assign, long_yaal, stream_laal
from ossicle.measure.simuleval import Emission, emissions, instance_line, tokens_of
from ossicle.measure.told import items_told
from tests.measure.told_events import utterance

TOLD = items_told([*utterance("a", [(1.0, 1.1, "The", " cat"), (2.0, 2.1, " cat s", "")], (3.0, 3.2, "at.")),
                   *utterance("b", [(5.0, 5.1, "A dog", "")], (6.0, 6.1, " ran."), start=4.0)])


def test_a_word_is_emitted_when_it_is_complete():
    assert emissions(TOLD) == [Emission("The", 1.0, 1.1), Emission("cat", 2.0, 2.1), Emission("sat.", 3.0, 3.2), Emission("A", 5.0, 5.1),
                               Emission("dog", 5.0, 5.1), Emission("ran.", 6.0, 6.1)]


def test_characters_where_there_are_no_spaces():
    items = items_told(utterance("a", [(1.0, 1.0, "你", "")], (2.0, 2.0, "好 吗")))
    assert emissions(items, by_character=True) == [Emission("你", 1.0, 1.0), Emission("好", 2.0, 2.0), Emission("吗", 2.0, 2.0)]
    assert tokens_of("你好 a", True) == ["你", "好", "a"]


def test_a_line_of_the_log():
    line = json.loads(instance_line(0, "talk", emissions(TOLD)[:2], "the cat", 6.5, is_paced=True))
    assert line == {"index": 0, "prediction": "The cat", "delays": [1000, 2000], "elapsed": [1100, 2100], "prediction_length": 2,
                    "reference": "the cat", "source": ["talk"], "source_length": 6500}
    assert "elapsed" not in json.loads(instance_line(0, "talk", emissions(TOLD), "the cat", 6.5, is_paced=False))


def test_omnisteval_reads_the_log_and_finds_the_same_lags(tmp_path):
    pytest.importorskip("omnisteval")
    from omnisteval.io import load_resegmentation_inputs
    from omnisteval.resegment import resegment
    from omnisteval.scoring import evaluate_instances

    references, bounds = ["the cat sat", "a dog ran"], [(0.0, 3.5), (4.0, 2.5)]
    (tmp_path / "instances.log").write_text(instance_line(0, "talk.wav", emissions(TOLD), " ".join(references), 6.5, is_paced=True))
    (tmp_path / "segments.json").write_text(json.dumps([{"wav": "talk.wav", "offset": at, "duration": seconds} for at, seconds in bounds]))
    (tmp_path / "references.txt").write_text("\n".join(references))
    said, written, segments, sentences = load_resegmentation_inputs(
        str(tmp_path / "segments.json"), None, str(tmp_path / "references.txt"), str(tmp_path / "instances.log"))
    instances, _ = resegment(said, written, segments, sentences)
    scores, *_ = evaluate_instances(instances, compute_quality=False, compute_latency=True, is_longform=True)

    owners = assign([sentence.split() for sentence in references], [word.text for word in emissions(TOLD)])
    for clock, prefix in (("audio", ""), ("wall", "ca_")):
        pieces = [Piece(at, seconds, 3, tuple(word.at(clock) for word, owner in zip(emissions(TOLD), owners) if owner == place), 6.5)
                  for place, (at, seconds) in enumerate(bounds)]
        assert 1000 * long_yaal(pieces) == pytest.approx(scores[f"{prefix}long_yaal"])
        assert 1000 * stream_laal(pieces) == pytest.approx(scores[f"{prefix}long_laal"])
