"""The code keeps its shape: docstrings, names, no globals, no constants that belong to a checkpoint."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

import ossicle
from tests.house.source import PACKAGE, ROOT, modules

FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
PUBLISHED_IDS = range(151_000, 152_101)          # of the published tokenizer; another checkpoint has others
# Folders of one machine, and where packages come from on it. Written apart, so that this file does not find itself.
HOSTS = ["index" + "-url", "://py" + r"pi\.", "python" + "hosted", "artif" + "actory"]
FOREIGN = re.compile("|".join([r"/(?:work|root|home|Users)/\w", *HOSTS]), re.ASCII)
TEXTS = {".py", ".md", ".toml", ".txt", ".json", ".cfg", ".yml", ".yaml", ".sh", ".c", ".h", ".cmake"}
LAYERS = {"Attention", "MLP", "DecoderLayer", "EncoderLayer"}     # of the network: the checkpoint gave them their names
each_module = pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)


@each_module
def test_a_module_says_what_it_is_for(module):
    assert ast.get_docstring(module.tree), module.name


@each_module
def test_what_others_may_use_is_documented(module):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    public = [node for node in module.tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    assert {node.name for node in public if not ast.get_docstring(node)} <= LAYERS


@each_module
def test_no_global_statement(module):
    assert not [node for node in ast.walk(module.tree) if isinstance(node, ast.Global)]


@each_module
def test_a_file_holds_one_subject(module):
    assert len(module.path.read_text("utf-8").splitlines()) <= 400
    assert not FORBIDDEN_NAMES & set(module.name.split("."))


@each_module
def test_no_id_of_a_token_is_a_constant(module):
    numbers = [node.value for node in ast.walk(module.tree) if isinstance(node, ast.Constant) and type(node.value) is int]
    assert not [number for number in numbers if number in PUBLISHED_IDS]


@each_module
def test_the_library_never_prints(module):
    if module.room not in ("surfaces", "__main__"):
        calls = [node for node in ast.walk(module.tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        assert not [call.lineno for call in calls if call.func.id == "print"]


def test_all_is_what_is_exported():
    own = {name for name, value in vars(ossicle).items()
           if not name.startswith("_") and getattr(value, "__module__", "").startswith("ossicle.")}
    assert set(ossicle.__all__) == own | {"Recognizer", "load", "__version__", "Event"}
    assert list(ossicle.__all__) == sorted(ossicle.__all__)
    assert all(getattr(ossicle, name) is not None for name in ossicle.__all__)
    with pytest.raises(AttributeError):
        _ = ossicle.nothing_of_this_name


def test_types_are_shipped():
    assert (PACKAGE / "py.typed").is_file()


def test_no_file_names_a_place_of_one_machine():
    try:
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    texts = [ROOT / name for name in listed if Path(name).suffix in TEXTS]
    found = {str(path.relative_to(ROOT)) for path in texts if path.is_file() and path != ROOT / "tests/house/test_shape.py"
             and FOREIGN.search(path.read_text("utf-8", "replace"))}
    assert not found
