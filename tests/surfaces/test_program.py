"""The program as its own process: it starts fast, answers Ctrl-C, and minds a reader that goes away."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("mlx", "av", "tokenizers", "huggingface_hub", "soundfile", "soxr", "numpy", "httpx")
FAKE = """
import sys, threading, time
from ossicle.surfaces.cli import main, recordings
from ossicle.progress import ChunkDone, Started
from tests.talk import Recogniser, TRANSCRIPT, WHOLE
from dataclasses import replace

class Slow(Recogniser):
    def transcribe(self, source, *, options, on_event, cancel):
        on_event(Started(source, 4.0, 2))
        print("decoding", file=sys.stderr, flush=True)
        while not cancel.is_cancelled:
            time.sleep(0.01)
        if "deaf" in source:
            time.sleep(60)
        return replace(WHOLE, chunks=(WHOLE.chunks[0], replace(WHOLE.chunks[1], stopped_by="cancelled")))

recordings.open_model = lambda run, story: Slow() if "slow" in run.model else Recogniser()
main.run()
"""


@pytest.fixture
def start(tmp_path):
    def started(*arguments, code=FAKE, **kwargs):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OSSICLE_CONFIG": "", "XDG_CONFIG_HOME": str(tmp_path)}
        return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=tmp_path, env=environment, text=True, encoding="utf-8",
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
    for name in ("talk.wav", "deaf.wav"):
        (tmp_path / name).touch()
    return started


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["transcribe", "--help"], ["config", "show"]])
def test_it_starts_without_anything_heavy(start, arguments):
    code = (f"import sys\nfrom ossicle.surfaces.cli.main import run\ntry:\n    run()\nfinally:\n"
            f"    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)")
    out, err = start(*arguments, code=code).communicate(timeout=60)
    assert err.splitlines()[-1] == "[]"
    assert out


def test_ctrl_c_ends_the_work_and_keeps_the_text(start):
    program = start("transcribe", "talk.wav", "-m", "slow")
    _wait_for(program, "decoding")
    program.send_signal(signal.SIGINT)
    out, _ = program.communicate(timeout=30)
    assert (program.returncode, out) == (130, "Grüß Gott. 你好\n")


def test_a_second_ctrl_c_kills(start):
    program = start("transcribe", "deaf.wav", "-m", "slow")
    _wait_for(program, "decoding")
    program.send_signal(signal.SIGINT)
    time.sleep(0.5)
    program.send_signal(signal.SIGINT)
    program.communicate(timeout=30)
    assert program.returncode == -signal.SIGINT


def test_a_reader_that_goes_away_is_no_news(start):
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", FAKE, "languages"], stdout=write, stderr=subprocess.PIPE, env=environment, text=True,
                          timeout=60, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_text_is_utf_8_in_any_locale(start, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", FAKE, "transcribe", "talk.wav", "-q", "-f", "json"], capture_output=True, cwd=tmp_path,
                          env=environment, timeout=60, check=False)
    assert json.loads(done.stdout.decode("utf-8"))["text"] == "Grüß Gott. 你好"


def test_a_terminal_as_standard_input_is_refused(start):
    main, other = os.openpty()
    program = start("transcribe", "-", stdin=other)
    _, err = program.communicate(timeout=30)
    os.close(main)
    os.close(other)
    assert (program.returncode, "which is a terminal; pipe a file into it" in err) == (2, True)


def _wait_for(program, word):
    for line in program.stderr:
        if word in line:
            return
    raise AssertionError(f"the program ended without {word!r}")


def run_closed(redirection, *arguments):
    command = f'exec "$0" -m ossicle "$@" {redirection}'
    return subprocess.run(["sh", "-c", command, sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_brings_no_traceback(redirection):
    done = run_closed(redirection, "transcribe", "-" if redirection == "<&-" else "nothing is here.wav", "--model", "tiny")
    assert done.returncode == (2 if redirection == "<&-" else 1)
    assert "Traceback" not in done.stderr


def test_a_name_that_no_system_takes_is_one_bad_file():
    done = run_closed("", "transcribe", "x" * 300 + ".wav", "--model", "tiny")
    assert done.returncode == 1
    assert done.stderr.count("ossicle: error:") == 1
    assert "Traceback" not in done.stderr


def test_secrets_of_a_url_are_not_shown():
    pytest.importorskip("mlx.core")
    url = "http://user:hidden@127.0.0.1:9/talk.wav?key=hidden"
    for flags in (["--allow-url"], []):
        done = run_closed("", "transcribe", url, "--model", "tiny", "--format", "jsonl", *flags)
        assert done.returncode == 1
        assert "http://127.0.0.1:9/talk.wav" in done.stderr
        assert "hidden" not in done.stdout + done.stderr
