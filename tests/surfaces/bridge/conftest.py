"""The bridge as its own process, with the bundled model, and someone who talks to it."""

import base64
import json
import os
import queue
import subprocess
import sys
import threading
import wave
from pathlib import Path

import pytest

import ossicle

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = Path(ossicle.__file__).parent / "models" / "tiny" / "samples"
SAID = {name: f"language {language}<asr_text>{text}" for name, language, text in (
    ("english.wav", "English", "Henry saw a small tree near Berlin."),
    ("german.flac", "German", "Die Nummer ist drei sechs zwei sieben neun."),
    ("chinese.flac", "Chinese", "明天是星期五。"))}
WAIT_SECONDS = 60                       # for a reply that is sure to come: only a fault takes so long


class Client:
    """One bridge: `ask` sends a request and gives the next line, `hear` waits for a line."""

    def __init__(self, *arguments, code=None, cwd=None):
        program = ["-c", code] if code else ["-m", "ossicle"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen([sys.executable, *program, "bridge", "tiny", "--engine", "cpu", *arguments], env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd)
        self.lines, self.errors = queue.Queue(), []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def send(self, **request):
        self.send_raw(json.dumps(request).encode())

    def send_raw(self, line):
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def hear(self, timeout=WAIT_SECONDS):
        line = self.lines.get(timeout=timeout)
        assert line is not None, b"".join(self.errors).decode()
        return json.loads(line)

    def ask(self, **request):
        self.send(**request)
        return self.hear()

    def until(self, kind):
        """All lines up to the first of a type, that one included."""
        found = [self.hear()]
        while found[-1]["type"] != kind:
            found.append(self.hear())
        return found

    def is_silent(self):
        return self.lines.empty()

    def end(self):
        """Close its input and give the lines that still come."""
        self.process.stdin.close()
        self.process.wait(WAIT_SECONDS)
        found = []
        while (line := self.lines.get(timeout=WAIT_SECONDS)) is not None:
            found.append(json.loads(line))
        return found

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


@pytest.fixture(scope="session")
def quiet_settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("settings")
    (folder / "config.toml").write_text("")
    return folder


@pytest.fixture
def open_bridge(quiet_settings, monkeypatch, own_settings):
    opened = []

    def start(*arguments, **kwargs):
        opened.append(Client("--quiet", *arguments, **kwargs))
        return opened[-1]
    yield start
    for client in opened:
        client.close()


@pytest.fixture(scope="session")
def pcm():
    """(n,) 16-bit samples of the English sample, as bytes."""
    with wave.open(str(SAMPLES / "english.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        return file.readframes(file.getnframes())


def encoded(pcm):
    return base64.b64encode(pcm).decode()
