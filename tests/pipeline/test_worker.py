"""The thread that owns an engine: order, errors, and an end that never takes the process with it."""

import gc
import subprocess
import sys
import threading

import pytest

from ossicle.errors import StreamError
from ossicle.pipeline.worker import Worker
from tests import goldens
from tests.model.conftest import ENGINES

ENGINE = ENGINES[-1]                # MLX where it is: its threads are the ones that abort


def test_jobs_run_in_order_on_one_thread():
    worker, seen = Worker("test", lambda: None), []
    futures = [worker.submit(lambda number=number: seen.append((number, threading.get_ident()))) for number in range(50)]
    for future in futures:
        future.result()
    worker.close()
    assert [number for number, _ in seen] == list(range(50))
    assert len({thread for _, thread in seen}) == 1
    assert seen[0][1] != threading.get_ident()


def test_an_error_reaches_whoever_waits_and_the_worker_goes_on():
    worker = Worker("test", lambda: None)
    with pytest.raises(ZeroDivisionError):
        worker.submit(lambda: 1 / 0).result()
    assert worker.submit(lambda: 5).result() == 5
    worker.close()


def test_closing_ends_what_is_queued_then_leaves_on_its_own_thread():
    left = []
    worker = Worker("test", lambda: left.append(threading.get_ident()))
    thread = worker.submit(threading.get_ident).result()
    futures = [worker.submit(lambda: 7) for _ in range(3)]
    worker.close()
    worker.close()
    assert [future.result() for future in futures] == [7, 7, 7]
    assert left == [thread]
    assert not worker.is_open
    with pytest.raises(StreamError, match="closed"):
        worker.submit(lambda: 7)


def test_a_worker_that_nobody_holds_leaves_too():
    left = threading.Event()
    worker = Worker("test", left.set)
    worker.submit(lambda: None).result()
    del worker
    gc.collect()
    assert left.wait(10)


EXITS = {
    "closed": "asr.close()",
    "never closed": "",
    "collected": "del asr",
    "after an error": "raise SystemExit(3)",
    "while at work": """
import contextlib, threading
def work():
    with contextlib.suppress(ossicle.ModelError):           # told that the recogniser was closed, as it was
        while True:
            asr.transcribe((sound, 16_000))
threading.Thread(target=work, daemon=True).start()
""",
}


@pytest.mark.parametrize("end", EXITS)
def test_a_process_that_loaded_a_model_ends_with_its_own_exit_code(end, tmp_path):
    folder = goldens.build_asr(tmp_path)
    code = f"import numpy as np, ossicle; asr = ossicle.load({str(folder)!r}, ossicle.EngineOptions({ENGINE!r}))\n"
    code += "sound = np.full(16_000, 0.1, np.float32)\n"
    code += f"asr.transcribe((sound, 16_000))\n{EXITS[end]}"
    for _ in range(3):                                      # the abort this guards against came in four of five exits
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode, done.stderr) == (3 if end == "after an error" else 0, "")


def test_a_process_that_failed_to_load_ends_with_its_own_exit_code(tmp_path):
    folder = goldens.build_asr(tmp_path)
    code = (f"import ossicle\ntry:\n    ossicle.load({str(folder)!r}, ossicle.EngineOptions({ENGINE!r}, bits=4, group_size=128))\n"
            "except ossicle.OptionError:\n    raise SystemExit(4)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (4, "")
