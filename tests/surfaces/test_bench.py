"""`ossicle bench` on a small model: the table, the files, the comparison, and what it refuses before any work."""

import json

import pytest
import soundfile

from tests import checkpoints, sounds

RATE = 16_000
FORCED = ("--new-tokens", "5", "--runs", "2", "--warmup", "0", "--engine", "cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return checkpoints.build(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(autouse=True)
def talk(small_machine, tmp_path):
    """A short recording called talk.wav, on a machine that is measured in no time."""
    soundfile.write(tmp_path / "talk.wav", sounds.speech(2 * RATE, 7), RATE)


@pytest.fixture
def bench(ossicle, model):
    return lambda *more: ossicle("bench", "--model", model, "--audio", "talk.wav", *FORCED, *more)


def rows(text):
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line}


def test_the_table_has_conditions_and_every_figure(bench):
    done = bench()
    assert done.exit_code == 0
    shown = rows(done.stdout)
    assert shown["model"][0] == "small,"
    assert shown["sound"][:2] == ["talk.wav,", "2.0"]
    assert "5 tokens, forced from every piece" in done.stdout
    assert shown["FIGURE"] == ["MEDIAN", "MIN", "MAX"]
    assert all(len(shown[name]) == 3 for name in ("mel_s", "encode_s", "prefill_s", "decode_ms_per_token", "first_text_s", "rtf"))
    assert all(float(shown[name][0]) > 0 for name in ("load_s", "peak_memory_mb", "floor.decode_ms_per_token", "floor.ratio"))
    assert "run 2 of 2" in done.stderr
    assert bench("--quiet").stderr == ""


def test_json_goes_to_a_file_whole_and_replaces_none_unasked(bench, tmp_path):
    done = bench("--json", "report.json")
    found = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert (found["schema"], found["tokens"], found["model"]["engine"]) == ("ossicle-bench/1", 5, "cpu")
    assert rows(done.stdout)["FIGURE"]
    again = bench("--json", "report.json")
    assert (again.exit_code, "--overwrite replaces it, another --json leaves it" in again.stderr) == (2, True)
    assert bench("--json", "report.json", "--overwrite").exit_code == 0


def test_a_dash_prints_json_and_nothing_else(bench):
    found = json.loads(bench("--json", "-").stdout)
    assert found["conditions"]["new_tokens"] == 5
    assert "comparison" not in found


def test_a_report_is_divided_by_an_earlier_one(bench, tmp_path):
    bench("--json", "report.json")
    earlier = json.loads((tmp_path / "report.json").read_text("utf-8"))
    earlier["machine"]["threads"] += 1
    earlier["stages"]["mel_s"] = {"median": 1e9, "min": 1e9, "max": 1e9}
    (tmp_path / "earlier.json").write_text(json.dumps(earlier))
    done = bench("--compare", "earlier.json")
    assert "THIS/EARLIER" in done.stdout
    assert float(rows(done.stdout)["mel_s"][3]) < 1e-6
    threads = earlier["machine"]["threads"]
    assert f"differs: machine.threads: {threads - 1}, earlier {threads}" in done.stdout
    found = json.loads(bench("--compare", "earlier.json", "--json", "-").stdout)["comparison"]
    assert found["earlier"] == "earlier.json"
    assert found["ratios"]["floor.decode_ms_per_token"] > 0
    assert found["differences"] == [f"machine.threads: {threads - 1}, earlier {threads}"]


def test_settings_of_the_engine_come_from_the_environment_too(ossicle, model, monkeypatch):
    monkeypatch.setenv("OSSICLE_GROUP_SIZE", "32")
    monkeypatch.setenv("OSSICLE_MODEL", str(model))
    done = ossicle("bench", "--audio", "talk.wav", *FORCED, "--json", "-", "-q")
    assert json.loads(done.stdout)["conditions"]["engine"]["group_size"] == 32


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (("--audio", "none.wav"), 1, "expected a sound file at none.wav, but there is none"),
    (("--audio", "-"), 1, "expected a sound file at -"),
    (("--compare", "none.json"), 2, "cannot read the earlier report none.json"),
    (("--compare", "talk.wav"), 2, "got no JSON"),
    (("--json", "nowhere/report.json"), 2, "--json must name a file in a folder that is there"),
    (("--runs", "0"), 2, "--runs must be between 1 and 1000, got 0"),
    (("--new-tokens", "0"), 2, "--new-tokens must be between 1 and 65536, got 0"),
    (("--group-size", "48"), 2, "--group-size must be one of 32, 64, 128; got 48"),
    (("--language", "Klingon"), 2, "language"),
    (("--model", "no/such/model", "--offline"), 2, "no/such/model"),
])
def test_what_cannot_be_done_is_said_before_any_work(bench, arguments, code, said):
    done = bench(*arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert said in done.stderr
    assert "run 1" not in done.stderr


def test_sound_that_cannot_be_read_is_one_error(ossicle, model, tmp_path):
    (tmp_path / "notes.txt").write_text("this is text")
    done = ossicle("bench", "--model", model, "--audio", "notes.txt", *FORCED)
    assert (done.exit_code, done.stderr.count("ossicle: error:")) == (1, 1)
    assert "notes.txt" in done.stderr
