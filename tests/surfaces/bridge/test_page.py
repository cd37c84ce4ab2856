"""docs/bridge.md shows what the bridge does: its conversations are held again, and its lists are whole."""

import json
import re

import pytest

from ossicle.surfaces.bridge.asking import FIELDS, OPEN_OPTIONS
from ossicle.surfaces.bridge.messages import CODES
from ossicle.surfaces.bridge.v1 import MESSAGES
from tests.surfaces.bridge.conftest import ROOT, SAMPLES, encoded

PAGE = (ROOT / "docs" / "bridge.md").read_text("utf-8")
BLOCKS = re.findall(r"```jsonl\n(.*?)```", PAGE, re.DOTALL)
LONG = "…"


def exchanges(block):
    """Each request of a conversation with the lines that answer it."""
    found = []
    for mark, line in (line.split(" ", 1) for line in block.splitlines()):
        if mark == "→":
            found.append((json.loads(line), []))
        else:
            found[-1][1].append(json.loads(line))
    return found


def is_like(shown, real):
    """The same fields and texts; numbers are of that run."""
    if shown == LONG:
        return True
    if isinstance(shown, dict):
        return isinstance(real, dict) and set(shown) == set(real) and all(is_like(value, real[key]) for key, value in shown.items())
    if isinstance(shown, list):
        return isinstance(real, list) and len(shown) == len(real) and all(map(is_like, shown, real))
    if isinstance(shown, int | float) and not isinstance(shown, bool):
        return isinstance(real, int | float) and not isinstance(real, bool)
    return shown == real


@pytest.mark.parametrize("block", BLOCKS, ids=["version 1", "version 2"])
def test_conversations_of_the_page_go_so(open_bridge, pcm, block):
    bridge = open_bridge(cwd=SAMPLES)
    for request, shown in exchanges(block):
        bridge.send(**{name: encoded(pcm) if value == LONG else value for name, value in request.items()})
        last, real = shown[-1], []
        while not real or real[-1]["type"] != last["type"]:
            real.append(bridge.hear())
        assert is_like(last, real[-1]), (last, real[-1])
        left = iter(real[:-1])                          # of events the page shows some
        assert all(any(is_like(line, told) for told in left) for line in shown[:-1]), real


def test_every_request_field_and_code_is_on_the_page():
    first, second = PAGE.split("## Version 2")
    assert [name for name in MESSAGES if f"`{name}`" not in first] == []
    assert [name for name in FIELDS if f"`{name}`" not in second] == []
    names = {name for names in FIELDS.values() for name in names} | set(OPEN_OPTIONS)
    assert [name for name in names if f"`{name}`" not in second] == []
    assert dict(re.findall(r"^\| `(\w+)` \| ([^|`]+) \|$", second, re.MULTILINE)) == CODES


def test_the_page_can_be_read_in_one_go():
    assert len(PAGE.splitlines()) <= 200
