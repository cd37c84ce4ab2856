"""The clients of examples/clients, as somebody would copy them: each hears a recording, in both versions."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.surfaces.bridge.conftest import ROOT, SAID, SAMPLES

CLIENTS = ROOT / "examples" / "clients"
TEXT = SAID["english.wav"].partition(">")[2]
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


@pytest.mark.parametrize("version", ["--v1", "--v2"])
@pytest.mark.parametrize("client", [[sys.executable, "live.py"], pytest.param(["node", "live.mjs"], marks=needs_node)],
                         ids=["python", "node"])
def test_a_client_prints_what_was_said(client, version, own_settings):
    command = [*client, str(SAMPLES / "english.wav"), *([version] if version == "--v1" else []),
               "--bridge", f"{sys.executable} -m ossicle bridge tiny --engine cpu --quiet"]
    done = subprocess.run(command, cwd=CLIENTS, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
                          encoding="utf-8", timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, f"{'language English' if version == '--v1' else 'English'}: {TEXT}\n"), done.stderr


def test_clients_are_short_enough_to_be_read():
    for client in CLIENTS.iterdir():
        if client.suffix in (".py", ".mjs", ".swift"):
            assert len(client.read_text("utf-8").splitlines()) <= 120, client.name
