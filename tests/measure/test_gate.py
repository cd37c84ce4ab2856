"""A report beside a stored one: what holds, what fell and why; and the baseline of the bundled model."""

import copy
import json

import pytest

from ossicle.errors import OptionError
from ossicle.measure.gate import GateOptions, judge, read_stored
from ossicle.measure.yardstick import MIN_PROBES, Yardstick
from ossicle.model import machine as machines


def total(rate, primary="wer"):
    return {"primary": primary, "false_alarms": 0, **{name: {"rate": rate} for name in ("wer", "cer", "mer")}}


REPORT = {
    "schema": "ossicle-eval/1",
    "manifest": {"name": "set.jsonl", "hash": "abc"},
    "method": {"normaliser": {"name": "basic", "version": "1"}, "scorer": "kaldialign 0.12.0"},
    "model": {"name": "tiny", "engine": "cpu", "weights": "float16", "path": "tiny", "versions": {"numpy": "2.0"}},
    "conditions": {"told_language": False, "options": {"decode": {"batch_size": 8, "seed": 0}}},
    "machine": {"processor": "one", "threads": 2, "instruction_set": "avx2", "fma_gflops": 100.0},
    "total": total(0.1, None), "languages": {"en": total(0.1), "zh": total(0.05, "cer")},
    "failures": {}, "coverage": {"incomplete_files": []},
    "speed": {"reused_files": 0, "rtfx": 20.0, "yardstick_s": 0.01},
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


def fallen(report, options=None):
    return [verdict.reason for verdict in judge(report, REPORT, options).verdicts if not verdict.is_passed]


def test_a_report_beside_itself_holds():
    found = judge(REPORT, REPORT)
    assert found.is_passed
    assert found.differences == ()
    assert [verdict.metric for verdict in found.verdicts] == [
        "en wer", "zh cer", "all mer", "failures", "incomplete", "false alarms", "speed"]


@pytest.mark.parametrize(("change", "said"), [
    ({"languages__en": total(0.103)}, "en: WER 10.30 %, stored 10.00 %; 10.20 % is allowed"),
    ({"languages__zh": total(0.06, "cer")}, "zh: CER 6.00 %, stored 5.00 %; 5.20 % is allowed"),
    ({"languages": {"en": total(0.1)}}, "zh: no figure now, 5.00 % stored"),
    ({"total": total(0.2, None)}, "all: MER 20.00 %, stored 10.00 %; 10.20 % is allowed"),
    ({"failures": {"a": "broken"}}, "failures: 1, stored 0"),
    ({"coverage__incomplete_files": ["a"]}, "incomplete: 1, stored 0"),
    ({"total__false_alarms": 2}, "false alarms: 2, stored 0"),
    ({"speed__rtfx": 10.0}, "speed: 0.50 of the stored one, each over its yardstick (RTFx 10 here, 20 stored); 0.6 is allowed"),
])
def test_what_falls_is_named_with_its_limit(change, said):
    assert fallen(changed(**change)) == [said]


def test_what_rises_and_what_is_within_the_limit_holds():
    assert fallen(changed(languages__en=total(0.102), total=total(0.0, None), speed__rtfx=100.0)) == []
    assert fallen(changed(languages__en=total(0.11)), GateOptions(max_increase=0.01)) == []


def test_a_busy_machine_is_no_fault():
    assert fallen(changed(speed__rtfx=5.0, speed__yardstick_s=0.04)) == []
    assert len(fallen(changed(speed__rtfx=5.0, speed__yardstick_s=0.01))) == 1


@pytest.mark.parametrize(("change", "said"), [
    ({"speed__reused_files": 3}, "as this result was not computed in one run"),
    ({"speed__yardstick_s": None}, "as this result was not computed in one run"),
    ({"machine__processor": "two"}, "as machine.processor is two here and one in the stored result"),
    ({"model__engine": "mlx"}, "as model.engine is mlx here and cpu in the stored result"),
])
def test_speed_is_not_judged_where_it_cannot_be(change, said):
    verdict = judge(changed(**({"speed__rtfx": 0.1} | change)), REPORT).verdicts[-1]
    assert verdict.is_passed
    assert said in verdict.reason


def test_conditions_that_differ_are_named_and_what_only_one_knows_is_none():
    found = judge(changed(conditions__options__decode={"batch_size": 8, "seed": 3, "new": 1}, model__versions={"numpy": "3.0"},
                          machine__fma_gflops=50.0, method__scorer="kaldialign 1.0"), REPORT)
    assert found.differences == ("method.scorer: kaldialign 1.0, stored kaldialign 0.12.0", "conditions.options.decode.seed: 3, stored 0")


@pytest.mark.parametrize("change", [{"manifest__hash": "xyz"}, {"method__normaliser__version": "2"}, {"method__normaliser__name": "none"}])
def test_another_task_is_refused(change):
    with pytest.raises(OptionError, match="the stored result is of another task"):
        judge(changed(**change), REPORT)


def test_limits_are_checked():
    with pytest.raises(OptionError, match="max_increase must be between 0 and 1, got 2"):
        GateOptions(max_increase=2)
    with pytest.raises(OptionError, match="min_speed_ratio must be between 0 and 1, got -1"):
        GateOptions(min_speed_ratio=-1)


@pytest.mark.parametrize(("text", "said"), [
    ("no", "got no JSON"), ('{"schema": "ossicle-bench/1"}', "got 'ossicle-bench/1'"), ("[]", "got None")])
def test_a_file_that_is_no_report_is_named(tmp_path, text, said):
    (tmp_path / "old.json").write_text(text)
    with pytest.raises(OptionError, match=r"expected a report of `ossicle eval --out` in .*old\.json") as caught:
        read_stored(tmp_path / "old.json")
    assert said in str(caught.value)
    with pytest.raises(OptionError, match="cannot read the stored result"):
        read_stored(tmp_path / "none.json")


def test_a_yardstick_is_timed_now_and_then(monkeypatch):
    yardstick = Yardstick()
    for _ in range(50):
        yardstick.probe()
    assert len(yardstick) == 1
    assert yardstick.seconds is None                        # too few to speak for a run
    monkeypatch.setattr("ossicle.measure.yardstick.EVERY_SECONDS", 0.0)
    for _ in range(MIN_PROBES):
        yardstick.probe()
    assert 0 < yardstick.seconds < 10


def test_the_bundled_model_holds_its_baseline(monkeypatch):
    script = pytest.importorskip("benchmarks.gate", reason="the stored results are not part of this copy")
    monkeypatch.setattr(machines, "PROBE_BYTES", 2**22)
    monkeypatch.setattr(machines, "WIDTH", 64)
    report = json.loads(json.dumps(script.run().to_dict(worst=0)))
    found = judge(report, read_stored(script.newest()), GateOptions(min_speed_ratio=0.0))
    assert found.is_passed, "\n".join(verdict.reason for verdict in found.verdicts)
    assert len(report["files"]) == 60
