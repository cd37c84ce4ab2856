"""What the documents show is there and works."""

import json
import re
import shlex
import shutil
from dataclasses import fields
from importlib.metadata import version

import pytest
import typer
from typer.testing import CliRunner

from ossicle.options import EngineOptions
from ossicle.surfaces.cli.main import app
from ossicle.surfaces.settings import Settings, variable_of
from tests.house.source import PACKAGE, ROOT
from tools import cli_reference

README = ROOT / "README.md"
SAMPLES = PACKAGE / "models" / "tiny" / "samples"
SKIP = "# needs"                                # marks an example that cannot run everywhere: "# needs a network"
COMMANDS = cli_reference.walk(typer.main.get_command(app), "ossicle")

# Older ones run the program as well, but describe arguments in another way.
described = pytest.mark.skipif(tuple(map(int, version("typer").split(".")[:2])) < (0, 29), reason="needs typer 0.29 or newer")


def examples():
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text("utf-8"), re.DOTALL) if README.is_file() else []
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("ossicle ") and SKIP not in line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where someone who reads the README might stand: with a recording called talk.wav, what is said in it, and more of them."""
    folder = tmp_path_factory.mktemp("reader")
    said = "Henry saw a small tree near Berlin."
    shutil.copy(SAMPLES / "english.wav", folder / "talk.wav")
    (folder / "talk.txt").write_text(f"{said}\n", "utf-8")
    (folder / "manifest.jsonl").write_text(json.dumps({"audio": "talk.wav", "text": said}), "utf-8")
    (folder / "interviews").mkdir()
    shutil.copy(SAMPLES / "english.wav", folder / "interviews" / "henry.wav")
    return folder


@described
def test_the_reference_is_what_the_program_says():
    assert cli_reference.PAGE.read_text("utf-8") == cli_reference.reference(), "run: python tools/cli_reference.py"


@described
@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_and_option_says_what_it_is_for(name, command):
    assert command.help
    assert [param.name for param in command.params if not getattr(param, "help", None)] == []


def test_every_setting_is_a_flag_of_transcribe_and_a_line_of_the_reference():
    page = cli_reference.PAGE.read_text("utf-8")
    params = {param.name for name, command in COMMANDS if name == "ossicle transcribe" for param in command.params}
    assert set(Settings.model_fields) <= params
    assert all(f"`--{name.replace('_', '-')}" in page for name in Settings.model_fields)


def test_every_setting_of_the_engine_is_a_flag_of_bench_too():
    params = {param.name for name, command in COMMANDS if name == "ossicle bench" for param in command.params}
    assert {field.name for field in fields(EngineOptions)} <= params


def test_the_configuration_page_names_only_what_exists():
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    known = {variable_of(name) for name in Settings.model_fields} | {"OSSICLE_CONFIG", "OSSICLE_"}
    assert set(re.findall(r"OSSICLE_[A-Z_]*", page)) <= known
    example = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert set(re.findall(r"^(\w+) =", example.group(1), re.MULTILINE)) <= set(Settings.model_fields)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the bundled model is not part of this checkout")
@pytest.mark.parametrize("line", examples())
def test_every_example_of_the_readme_runs(line, folder, monkeypatch):
    pytest.importorskip("mlx.core")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OSSICLE_CONFIG", str(folder / "none.toml"))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    (folder / "none.toml").touch()
    arguments = shlex.split(line, comments=True)[1:]
    assert not set("|><$`*;") & set("".join(arguments)), f"examples are plain commands, got {line}"
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output


def test_the_readme_has_examples():
    if not README.is_file():
        pytest.skip("no README yet")
    assert examples()
