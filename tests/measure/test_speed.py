"""A report holds what was measured, under the conditions that it names."""

import json
from dataclasses import fields, replace

import pytest

from ossicle import doctor
from ossicle.errors import AudioError
from ossicle.measure import speed
from ossicle.measure.speed import Spread, floor_of, measure_speed, spread
from ossicle.model import machine as machines
from ossicle.model.machine import Machine
from ossicle.options import DecodeOptions, EngineOptions, SourceOptions, SpeedOptions, SplitOptions, TranscribeOptions
from tests import goldens, sounds
from tests.model.conftest import ENGINES
from tests.talk import FACTS

RATE = 16_000
MACHINE = Machine("a processor", "a system", 2, 2, 16_000, None, 20.0, 100.0, None)
CPU = replace(FACTS, engine="cpu", step_bytes=4_000_000)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    return EngineOptions(request.param, "float32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return goldens.build_asr(tmp_path_factory.mktemp("asr"))


@pytest.fixture
def recording(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "talk.wav", sounds.speech(3 * RATE, 7), RATE)
    return tmp_path / "talk.wav"


@pytest.fixture(autouse=True)
def small_probe(monkeypatch):
    monkeypatch.setattr(machines, "PROBE_BYTES", 2**22)
    monkeypatch.setattr(machines, "WIDTH", 64)


def measured(folder, recording, engine, asked, options=None, **more):
    return measure_speed(str(folder), recording, options or TranscribeOptions(), asked, engine, SourceOptions(), **more)


def test_forced_tokens_are_counted_and_every_stage_is_timed(folder, recording, engine):
    heard = []
    report = measured(folder, recording, engine, SpeedOptions(runs=3, warmup=2, new_tokens=9),
                      on_loaded=lambda facts, seconds: heard.append(facts.engine), on_run=lambda number, seconds: heard.append(number))
    assert heard == [engine.engine, 0, 1, 2, 3, 4]
    assert report.tokens == 9
    assert report.conditions.language == "English"
    assert (report.conditions.runs, report.conditions.warmup, report.conditions.new_tokens) == (3, 2, 9)
    for name, figure in report.stages.items():
        assert 0 < figure.min <= figure.median <= figure.max, name
    parts = sum(report.stages[name].min for name in ("read_s", "mel_s", "encode_s", "prefill_s", "decode_s"))
    assert parts <= report.stages["total_s"].max
    assert report.rtf.median == pytest.approx(report.stages["total_s"].median / 3, rel=1e-3)


def test_decoding_is_timed_by_the_step(folder, recording, engine):
    report = measured(folder, recording, engine, SpeedOptions(runs=1, warmup=0, new_tokens=11))
    decode, step = report.stages["decode_s"].median, report.stages["decode_ms_per_token"].median
    assert step == pytest.approx(1000 * decode / 10, rel=1e-3)      # the first token comes with the prompt


def test_a_single_token_takes_no_step(folder, recording, engine):
    report = measured(folder, recording, engine, SpeedOptions(runs=1, warmup=0, new_tokens=1))
    assert (report.tokens, report.stages["decode_ms_per_token"]) == (1, None)
    assert report.floor.ratio is None


def test_each_piece_gets_its_tokens(folder, recording, engine):
    options = TranscribeOptions(split=SplitOptions(max_seconds=1), decode=DecodeOptions(batch_size=2))
    report = measured(folder, recording, engine, SpeedOptions(runs=1, warmup=0, new_tokens=5), options)
    assert (report.tokens % 5, report.tokens >= 15) == (0, True)
    assert (report.conditions.chunk_seconds, report.conditions.batch_size) == (1, 2)


def test_only_the_cpu_engine_has_a_floor(folder, recording, engine):
    report = measured(folder, recording, engine, SpeedOptions(runs=1, warmup=0, new_tokens=4))
    if engine.engine == "cpu":
        least = report.floor.step_bytes / report.machine.read_bandwidth_gbs / 1e6
        assert report.floor.decode_ms_per_token == pytest.approx(least, rel=1e-3)
    else:
        assert (report.floor.decode_ms_per_token, report.floor.ratio) == (None, None)
        assert "engine mlx is not measured" in report.floor.reason


def test_a_report_is_plain_and_names_no_place_of_this_machine(folder, recording, engine):
    report = measured(folder, recording, engine, SpeedOptions(runs=1, warmup=0, new_tokens=2))
    plain = report.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert {"schema", "machine", "conditions", "model", "load_s", "stages", "tokens", "rtf", "peak_memory_mb", "floor"} <= set(plain)
    assert {"mel_s", "encode_s", "prefill_s", "decode_ms_per_token", "first_text_s"} <= set(plain["stages"])
    assert set(plain["machine"]) == {field.name for field in fields(Machine)}
    assert plain["conditions"]["engine"] == {field.name: getattr(engine, field.name) for field in fields(EngineOptions)}
    assert str(folder.parent) not in json.dumps(plain)
    assert (plain["conditions"]["audio"], plain["conditions"]["audio_seconds"]) == ("talk.wav", 3.0)


def test_memory_is_read_before_the_machine_is_measured(folder, recording, engine, monkeypatch):
    order = []
    monkeypatch.setattr(speed, "peak_memory_mb", lambda: order.append("memory") or 1.0)
    monkeypatch.setattr(speed, "measure_machine", lambda threads: order.append("machine") or MACHINE)
    measured(folder, recording, engine, SpeedOptions(runs=1, warmup=0, new_tokens=2))
    assert order == ["memory", "memory", "machine"]


def test_a_recording_without_samples_cannot_be_timed(folder, tmp_path, engine):
    import soundfile

    soundfile.write(tmp_path / "none.wav", sounds.speech(RATE, 7)[:0], RATE)
    with pytest.raises(AudioError, match="nothing to time"):
        measured(folder, tmp_path / "none.wav", engine, SpeedOptions(runs=1, warmup=0))


def test_the_floor_is_what_a_step_reads_over_the_bandwidth():
    floor = floor_of(CPU, MACHINE, Spread(0.5, 0.4, 0.6))
    assert (floor.decode_ms_per_token, floor.ratio, floor.reason) == (0.2, 2.5, None)      # 4 MB at 20 MB a millisecond


def test_a_step_below_the_floor_is_not_called_one():
    floor = floor_of(CPU, MACHINE, Spread(0.1, 0.1, 0.1))
    assert floor.ratio == 0.5
    assert "caches hold the weights" in floor.reason


def test_a_spread_is_over_the_runs_that_have_the_figure():
    assert spread([3.0, None, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert spread([None, None]) is None


def test_memory_only_grows():
    before = speed.peak_memory_mb()
    held = bytearray(64 * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    assert before > 10
    assert speed.peak_memory_mb() >= before


def test_the_doctor_measures_the_machine():
    assert doctor.measure_machine(1).threads == 1
