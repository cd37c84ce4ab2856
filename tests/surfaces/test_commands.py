"""The smaller commands: languages, models, convert, config, doctor."""

import json

import pytest

from ossicle._version import __version__
from ossicle.surfaces.settings import Settings
from tests import checkpoints


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return checkpoints.build(tmp_path_factory.mktemp("models") / "small")


def test_version_is_said(ossicle):
    assert ossicle("--version").stdout == f"ossicle {__version__}\n"


def test_no_command_shows_help_and_a_near_miss_is_asked_about(ossicle):
    assert "transcribe" in ossicle().output
    done = ossicle("transcrib")
    assert (done.exit_code, "transcribe" in done.stderr) == (2, True)


@pytest.mark.parametrize(("typed", "offered"), [
    ("ossicle mod", ["models"]),
    ("ossicle transcribe --language Ger", ["German"]),
    ("ossicle transcribe --format js", ["json", "jsonl"]),
    ("ossicle transcribe --model 1", ["1.7b"]),
])
def test_a_shell_completes_commands_and_values(ossicle, typed, offered):
    asked = {"_OSSICLE_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    assert ossicle(env=asked, prog_name="ossicle").stdout.split() == offered


def test_languages_are_listed_with_code_and_own_name(ossicle):
    lines = ossicle("languages").stdout.splitlines()
    assert lines[0].split() == ["LANGUAGE", "CODE", "NATIVE", "NAME"]
    assert "German      de    Deutsch" in lines
    assert any(line.startswith("Dialects heard and reported as Cantonese") for line in lines)


def test_languages_as_json_have_all_thirty(ossicle):
    found = json.loads(ossicle("languages", "--json").stdout)
    assert len(found) == 30
    assert found[0] == {"name": "Chinese", "native_name": "中文", "code": "zh", "code3": "zho", "can_align": True,
                        "dialects": found[0]["dialects"]}
    assert "Sichuan" in found[0]["dialects"]


def test_config_show_says_what_is_in_force_and_whence(ossicle, monkeypatch, tmp_path):
    (tmp_path / "config.toml").write_text('model = "tiny"\n')
    monkeypatch.setenv("OSSICLE_BITS", "4")
    monkeypatch.setenv("OSSICLE_ENCODER_BITS", "none")
    monkeypatch.setenv("OSSICLE_THREADS", "2")
    monkeypatch.setenv("OSSICLE_BITTS", "4")
    done = ossicle("config", "show")
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert rows["model"] == ['"tiny"', f"{tmp_path}/config.toml:", "model"]
    assert (rows["bits"], rows["seed"]) == (["4", "OSSICLE_BITS"], ["0", "default"])
    assert (rows["encoder_bits"], rows["threads"]) == (['"none"', "OSSICLE_ENCODER_BITS"], ["2", "OSSICLE_THREADS"])
    assert (rows["kv_dtype"], rows["group_size"]) == (['"auto"', "default"], ["64", "default"])
    assert "OSSICLE_BITTS is in the environment, but no setting is called so" in done.stderr


def test_config_show_as_json_has_every_setting(ossicle, tmp_path):
    found = json.loads(ossicle("config", "show", "--json").stdout)
    assert list(found["settings"]) == list(Settings.model_fields)
    assert found["settings"]["model"]["from"] == "default"
    assert found["file"] == str(tmp_path / "config.toml")


def test_config_path_is_the_file_that_counts(ossicle, tmp_path):
    assert ossicle("config", "path").stdout == f"{tmp_path}/config.toml\n"
    assert ossicle("config", "path", "--config", "mine.toml").stdout == "mine.toml\n"


def test_models_list_says_what_is_missing(ossicle, tmp_path):
    done = ossicle("models", "list", "--cache-dir", tmp_path / "hub")
    assert done.exit_code == 0
    assert "0.6b (Qwen/Qwen3-ASR-0.6B)" in done.stderr
    assert isinstance(json.loads(ossicle("models", "list", "--json", "--cache-dir", tmp_path / "hub").stdout), list)


def test_models_path_is_the_folder(ossicle, checkpoint):
    assert ossicle("models", "path", checkpoint).stdout == f"{checkpoint}\n"
    done = ossicle("models", "path", "0.6b", "--cache-dir", "empty")
    assert (done.exit_code, "is not on this machine" in done.stderr) == (1, True)


def test_models_verify_finds_damage(ossicle, checkpoint, tmp_path):
    assert ossicle("models", "verify", checkpoint).exit_code == 0
    assert json.loads(ossicle("models", "verify", checkpoint, "--json").stdout)["is_intact"] is True
    broken = checkpoints.build(tmp_path / "broken")
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    done = ossicle("models", "verify", broken)
    assert (done.exit_code, done.stderr.startswith("ossicle: error:")) == (1, True)


def test_models_remove_asks_first_and_spares_folders(ossicle, checkpoint):
    assert "needs --yes where nobody can be asked" in ossicle("models", "remove", "org/name").stderr
    done = ossicle("models", "remove", checkpoint, "--yes")
    assert (done.exit_code, "only downloaded models can be removed" in done.stderr) == (2, True)


def test_models_download_needs_a_network(ossicle, monkeypatch):
    monkeypatch.setenv("OSSICLE_OFFLINE", "1")
    done = ossicle("models", "download", "0.6b", "--cache-dir", "empty")
    assert (done.exit_code, "cannot be downloaded offline" in done.stderr) == (2, True)


def test_convert_writes_a_checkpoint_that_verifies(ossicle, checkpoint, tmp_path):
    pytest.importorskip("mlx.core")
    done = ossicle("convert", checkpoint, "--bits", "8", "--group-size", "32", "-o", tmp_path / "out")
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path}/out\n")
    assert "of weights became" in done.stderr
    assert ossicle("models", "verify", tmp_path / "out").exit_code == 0
    again = ossicle("convert", checkpoint, "--bits", "4", "-o", tmp_path / "out")
    assert (again.exit_code, "which is in use" in again.stderr) == (2, True)
    assert ossicle("convert", checkpoint, "--bits", "7", "-o", tmp_path / "x").exit_code == 2


def test_doctor_shows_each_check_with_its_fix(ossicle, monkeypatch):
    from ossicle import doctor

    report = doctor.Report((doctor.Check("one", "ok", "fine"), doctor.Check("two", "fail", "not fine", "mend it")))
    monkeypatch.setattr(doctor, "examine", lambda source, ask_network: report)
    done = ossicle("doctor")
    assert (done.exit_code, done.stdout) == (1, "ok    one: fine\nfail  two: not fine\n      mend it\n")
    found = json.loads(ossicle("doctor", "--json").stdout)
    assert (found["is_well"], found["checks"][1]["fix"]) == (False, "mend it")
