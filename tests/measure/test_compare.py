"""One report beside another: ratios of figures, and what else is different."""

import copy
import json

import pytest

from ossicle.errors import OptionError
from ossicle.measure.compare import compare, figures, read_report

REPORT = {
    "schema": "ossicle-bench/1",
    "machine": {"processor": "one", "cores": 2, "threads": 2, "read_bandwidth_gbs": 20.0, "fma_gflops": 100.0, "int8_gops": None},
    "conditions": {"audio": "talk.wav", "audio_seconds": 3.0, "language": None, "new_tokens": None, "chunk_seconds": 30.0,
                   "batch_size": 8, "engine": {"engine": "auto", "dtype": "auto", "bits": None, "group_size": 64}},
    "model": {"name": "tiny", "engine": "cpu", "device": "one (cpu)", "dtype": "float32", "weights": "float32"},
    "load_s": 0.5,
    "stages": {"mel_s": {"median": 0.25, "min": 0.2, "max": 0.3}, "decode_ms_per_token": {"median": 4.0, "min": 3.0, "max": 5.0},
               "first_text_s": None},
    "tokens": 12,
    "rtf": {"median": 0.125, "min": 0.1, "max": 0.15},
    "loaded_memory_mb": 100.0,
    "peak_memory_mb": 120.0,
    "floor": {"step_bytes": 4_000_000, "decode_ms_per_token": 0.2, "ratio": 20.0, "reason": None},
}


def changed(**places):
    report = copy.deepcopy(REPORT)
    for place, value in places.items():
        *way, last = place.split("__")
        part = report
        for name in way:
            part = part[name]
        part[last] = value
    return report


def test_a_report_beside_itself_is_all_ones():
    found = compare(REPORT, REPORT)
    assert set(found.ratios.values()) == {1.0}
    assert found.differences == ()
    assert set(found.ratios) == set(figures(REPORT)) - {"first_text_s", "machine.int8_gops"}


def test_twice_the_time_is_two_and_half_is_a_half():
    now = changed(load_s=1.0, stages__mel_s={"median": 0.5, "min": 0.4, "max": 0.6}, peak_memory_mb=60.0)
    ratios = compare(now, REPORT).ratios
    assert (ratios["load_s"], ratios["mel_s"], ratios["peak_memory_mb"], ratios["rtf"]) == (2.0, 2.0, 0.5, 1.0)


def test_what_one_of_them_lacks_has_no_ratio():
    earlier = changed(stages={}, load_s=0.0, floor={})
    assert {"mel_s", "load_s", "floor.ratio"} & set(compare(REPORT, earlier).ratios) == set()
    assert {"mel_s", "load_s", "floor.ratio"} & set(compare(earlier, REPORT).ratios) == {"load_s"}


@pytest.mark.parametrize(("change", "said"), [
    ({"model__name": "0.6b"}, "model.name: 0.6b, earlier tiny"),
    ({"model__engine": "mlx"}, "model.engine: mlx, earlier cpu"),
    ({"model__weights": "8-bit"}, "model.weights: 8-bit, earlier float32"),
    ({"conditions__audio": "other.wav"}, "audio: other.wav, earlier talk.wav"),
    ({"conditions__new_tokens": 30}, "new_tokens: 30, earlier none"),
    ({"conditions__engine__bits": 8}, "engine.bits: 8, earlier none"),
    ({"conditions__engine__new": "x"}, "engine.new: x, earlier none"),
    ({"machine__threads": 1}, "machine.threads: 1, earlier 2"),
    ({"tokens": 13}, "tokens: 13, earlier 12"),
])
def test_conditions_that_differ_are_named(change, said):
    assert compare(changed(**change), REPORT).differences == (said,)


def test_another_way_to_ask_for_the_same_engine_is_no_difference():
    assert compare(changed(conditions__engine__engine="cpu"), REPORT).differences == ()


@pytest.mark.parametrize(("text", "said"), [
    ("not json", "got no JSON"), ("[1, 2]", "got None"), ('{"schema": "ossicle-transcript/1"}', "got 'ossicle-transcript/1'")])
def test_a_file_that_is_no_report_is_named(tmp_path, text, said):
    (tmp_path / "old.json").write_text(text)
    with pytest.raises(OptionError, match=r"expected a report of `ossicle bench --json` in .*old\.json") as caught:
        read_report(tmp_path / "old.json")
    assert said in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(OptionError, match=r"cannot read the earlier report .*none\.json: No such file"):
        read_report(tmp_path / "none.json")
    with pytest.raises(OptionError, match="cannot read the earlier report"):
        read_report(tmp_path)


def test_a_written_report_is_read_back(tmp_path):
    (tmp_path / "old.json").write_text(json.dumps(REPORT))
    assert read_report(tmp_path / "old.json") == REPORT
