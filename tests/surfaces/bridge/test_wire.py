"""Standard output belongs to the protocol: whatever else prints, clients read lines of it alone."""

import io
import json
import threading

from ossicle.surfaces.bridge.wire import Wire

NOISY = """
import os, sys, ctypes
from ossicle.surfaces.cli import main
from ossicle import recognizer
import ossicle.recognizer as hall

whole = hall.Recognizer.hear_clips
def noisy(self, *arguments, **kwargs):
    print("python prints")
    sys.stdout.write("and writes\\n"); sys.stdout.flush()
    os.write(1, b"a C library writes\\n")
    os.system("echo a child prints")
    assert sys.stdin.read() == "", "a library reads requests"
    return whole(self, *arguments, **kwargs)
hall.Recognizer.hear_clips = noisy
main.run()
"""


def test_what_libraries_print_goes_to_stderr(open_bridge):
    from tests.surfaces.bridge.conftest import SAID, SAMPLES

    bridge = open_bridge(code=NOISY)
    assert bridge.ask(type="transcribe", audio=str(SAMPLES / "english.wav"))["text"] == SAID["english.wav"]
    assert bridge.ask(type="stop")["type"] == "stopped"
    assert bridge.end() == []
    told = b"".join(bridge.errors).decode()
    for line in ("python prints", "and writes", "a C library writes", "a child prints"):
        assert line in told


def test_many_threads_write_whole_lines():
    sink = io.BytesIO()
    wire = Wire(io.BytesIO(), sink)
    threads = [threading.Thread(target=lambda name=name: [wire.say({"name": name, "text": "你好\u2028\x85" * 50}) for _ in range(50)])
               for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = sink.getvalue().decode("ascii").splitlines()
    assert len(lines) == 400
    assert all(json.loads(line)["text"] == "你好\u2028\x85" * 50 for line in lines)


def test_a_reader_that_went_away_is_no_error():
    class Gone(io.BytesIO):
        def flush(self):
            raise BrokenPipeError
    wire = Wire(io.BytesIO(b'{"a": 1}\n'), Gone())
    wire.say({})
    assert not wire.is_open
    assert list(wire.lines()) == []
