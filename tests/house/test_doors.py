"""Nothing points up: the table of docs/architecture.md, held over every module."""

import graphlib

import pytest

from tests.house.source import modules

FOUNDATION = {"foundation"}
GROUND = FOUNDATION | {"audio", "model", "text"}
HALL = {"recognizer", "catalog", "doctor"}
DOORS = {
    "foundation": FOUNDATION,
    "audio": FOUNDATION, "text": FOUNDATION, "model": FOUNDATION, "formats": FOUNDATION,
    "decode": FOUNDATION | {"model"},
    "pipeline": GROUND | {"decode"},
    "stream": GROUND | {"decode", "pipeline"},
    "recognizer": FOUNDATION | {"pipeline", "stream"},
    "catalog": GROUND,
    "doctor": GROUND | {"catalog", "recognizer"},
    "archive": FOUNDATION | {"recognizer", "formats"},
    "measure": FOUNDATION | {"recognizer", "doctor", "formats"},
    "surfaces": FOUNDATION | HALL | {"stream", "formats", "archive", "measure"},
    "front door": FOUNDATION | {"recognizer"},
    "__main__": {"surfaces"},
}
ENGINES = ("ossicle.model.mlx", "ossicle.model.cpu")
KNOWN = {module.name for module in modules()}
ROOM_OF = {module.name: module.room for module in modules()}


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_a_room_imports_only_through_its_doors(module):
    allowed = DOORS[module.room] | {module.room}
    wrong = {name for name in module.imports(KNOWN) if ROOM_OF[name] not in allowed}
    assert not wrong, f"{module.name} ({module.room}) may not import {', '.join(sorted(wrong))}"


def test_the_foundation_stands_in_its_own_order():
    of = {module.name.removeprefix("ossicle."): module.imports(KNOWN) for module in modules() if module.room == "foundation"}
    assert of["errors"] == of["results"] == of["_version"] == set()
    assert of["glossary"] == of["checks"] == {"ossicle.errors"}
    assert of["options"] == {"ossicle.errors", "ossicle.checks", "ossicle.glossary"}
    assert of["stream_options"] == {"ossicle.errors", "ossicle.checks"}
    assert of["stream_events"] == {"ossicle.results"}
    assert of["progress"] <= {"ossicle.errors", "ossicle.results"}


def test_engines_do_not_know_each_other_and_are_imported_by_the_chooser_only():
    for module in modules():
        own = next((engine for engine in ENGINES if module.name.startswith(engine)), None)
        met = {name for name in module.imports(KNOWN) for engine in ENGINES if name.startswith(engine) and engine != own}
        assert not met or module.name == "ossicle.model.engines", module.name


def test_there_is_no_cycle():
    graph = {module.name: module.imports_at_once(KNOWN) - {module.name} for module in modules()}
    list(graphlib.TopologicalSorter(graph).static_order())


def test_the_package_is_never_imported_from_inside():
    assert [module.name for module in modules() if "ossicle" in module.imports(KNOWN) and module.room != "front door"] == []


def test_every_room_has_a_door_in_the_table():
    assert {module.room for module in modules()} <= set(DOORS)
