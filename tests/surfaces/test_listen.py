"""`ossicle listen`: sound that is piped in, microphones that are not there, and how it ends."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from ossicle.stream_events import event_from_dict
from ossicle.surfaces import microphone
from tests.surfaces.test_stream import ENGLISH, LONG, SAID, program
from tests.tape import Tape


def listen(sound, *arguments):
    running = program("listen", "-", "-m", "tiny", *arguments, stdin=subprocess.PIPE)
    out, complaints = running.communicate(sound, timeout=120)
    return running.returncode, out.decode(), complaints.decode()


@pytest.fixture(scope="module")
def speech():
    """(samples,) int16 at 16 kHz."""
    samples, rate = soundfile.read(ENGLISH, dtype="int16")
    assert rate == 16_000
    return samples


def test_samples_are_piped_in_as_ffmpeg_gives_them(speech):
    assert listen(speech.tobytes(), "-q") == (0, f"{SAID}\n", "")


def test_a_file_on_standard_input_says_itself_what_it_is():
    assert listen(ENGLISH.read_bytes(), "-q") == (0, f"{SAID}\n", "")


def test_samples_in_another_form_are_brought_to_the_same(speech):
    stereo = np.repeat(np.stack([speech, speech], axis=1), 2, axis=0).astype("<f4") / 32768      # 32 kHz
    code, out, _ = listen(stereo.tobytes(), "--raw", "f32le", "--rate", "32000", "--channels", "2", "-q")
    assert (code, out.split()[0]) == (0, "Henry")


def test_sound_that_comes_faster_than_it_is_heard_is_heard_whole(speech):
    """Ten times the sentence with pauses, at once: a pipe waits, nothing is dropped."""
    piece = np.concatenate([speech, np.zeros(16_000, np.int16)])
    code, out, _ = listen(np.tile(piece, 10).tobytes(), "--jsonl", "-q")
    events = [event_from_dict(json.loads(line)) for line in out.splitlines()]
    finals = [event for event in events if event.kind == "final" and event.text]
    assert (code, [event.text for event in finals]) == (0, [SAID] * 10)
    assert finals[-1].audio_seconds == pytest.approx(10 * len(piece) / 16_000, abs=1.0)


def test_no_sound_is_no_text_and_no_error():
    assert listen(b"", "-q") == (0, "", "")
    code, out, complaints = listen(b"")
    assert (code, out) == (0, "")
    assert "no sound came in on standard input" in complaints


def test_a_torn_sample_at_the_end_is_told(speech):
    code, out, complaints = listen(speech.tobytes() + b"x", "-q")
    assert (code, out) == (0, f"{SAID}\n")
    assert "ossicle: warning: 0:0" in complaints
    assert "ends inside a sample" in complaints


def test_a_warning_that_comes_with_the_end_of_the_sound_is_told():
    code, out, complaints = listen(b"x", "-q")
    assert (code, out, "ends inside a sample" in complaints) == (0, "", True)


def test_ctrl_c_ends_the_listening_and_finishes_what_was_said():
    samples, _ = soundfile.read(LONG, dtype="int16")
    running = program("listen", "-", "-m", "tiny", "--jsonl", stdin=subprocess.PIPE)
    running.stdin.write(samples[:48_000].tobytes())
    running.stdin.flush()                                # and it stays open: somebody may go on speaking
    lines = []
    for line in running.stdout:
        lines.append(line)
        if json.loads(line)["type"] == "partial":
            break
    running.send_signal(signal.SIGINT)
    lines += running.stdout.readlines()
    complaints = running.stderr.read()
    running.stdin.close()
    events = [event_from_dict(json.loads(line)) for line in lines]
    assert (running.wait(30), b"Traceback" in complaints, b"Fatal" in complaints) == (0, False, False)
    assert (events[-1].kind, events[-1].reason) == ("final", "close")
    assert events[-1].text.startswith("It is eleven")


@pytest.mark.parametrize(("arguments", "said"), [
    (["talk.wav"], "`ossicle stream` plays a recording"),
    (["--raw", "s16le"], "--raw is of standard input"),
    (["-", "--device", "1"], "give one of them"),
    (["--device", "telephone"], "--device must be the number or a part of the name of one of 1 (Mic); got 'telephone'"),
    (["--record", "file"], "--record must name a folder, got file, which is a file"),
])
def test_wrong_usage_is_said_at_once(ossicle, monkeypatch, tmp_path, arguments, said):
    monkeypatch.setattr(microphone, "open_driver", Tape)
    (tmp_path / "file").touch()
    done = ossicle("listen", "-m", "tiny", *arguments)
    assert (done.exit_code, said in done.stderr, "loading" in done.stderr) == (2, True, False)


@pytest.mark.skipif(os.name != "posix", reason="needs a terminal that a program can make")
def test_a_terminal_shows_the_text_as_it_is_heard_and_cannot_be_listened_to(speech):
    pyte = pytest.importorskip("pyte")
    ours, theirs = os.openpty()
    running = program("listen", "-", "-m", "tiny", "-q", stdin=theirs, stdout=theirs)
    assert (running.wait(60), b"which is a terminal" in running.stderr.read()) == (2, True)

    screen = pyte.Screen(80, 24)
    running = program("listen", "-", "-m", "tiny", "-q", stdin=subprocess.PIPE, stdout=theirs, more={"TERM": "xterm-256color"})
    os.close(theirs)
    running.stdin.write(speech.tobytes())
    running.stdin.close()
    stream, seen = pyte.ByteStream(screen), []
    while got := _read(ours):
        stream.feed(got)
        seen.append([line.rstrip() for line in screen.display if line.strip()])
    os.close(ours)
    assert running.wait(60) == 0
    assert any(len(rows) == 2 and rows[0].startswith("0:00  Henry") and "▕" in rows[1] for rows in seen)
    assert seen[-1] == [f"0:00  {SAID}"]


def _read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:                                       # the program has gone
        return b""


@pytest.mark.parametrize(("arguments", "said"), [(["--rate", "0"], "--rate must be between 1 and 768000 Hz, got 0"),
                                                 (["--channels", "65"], "--channels must be between 1 and 64, got 65")])
def test_a_form_that_no_sound_has_is_said_by_its_flag(arguments, said):
    code, _, complaints = listen(b"", *arguments)
    assert (code, said in complaints, "loading" in complaints) == (2, True, False)


def test_devices_are_listed_with_the_default_and_a_hint_to_what_the_machine_plays(ossicle, monkeypatch):
    monkeypatch.setattr(microphone, "open_driver", Tape)
    done = ossicle("listen", "--list-devices")
    assert done.stdout.splitlines() == ["DEVICE  NAME  CHANNELS  RATE      SYSTEM", "1       Mic   1         48000 Hz  Tape    default"]
    assert "docs/live.md" in done.stderr


def test_without_sounddevice_one_is_told_what_to_install(ossicle, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    done = ossicle("listen", "-m", "tiny")
    assert (done.exit_code, 'pip install "ossicle[mic]"' in done.stderr) == (1, True)


def test_without_portaudio_one_is_told_what_to_install(ossicle, monkeypatch, tmp_path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    done = ossicle("listen", "-m", "tiny")
    assert (done.exit_code, "apt install libportaudio2" in done.stderr) == (1, True)


@pytest.mark.parametrize(("arguments", "said"), [
    (("--rate", "-5"), "--rate must be between 1 and 768000 Hz, got -5"),
    (("--channels", "0"), "--channels must be between 1 and 64, got 0"),
])
def test_a_rate_that_no_microphone_has_is_refused_before_one_is_looked_for(arguments, said):
    running = program("listen", "-m", "tiny", *arguments)
    _, complaints = running.communicate(timeout=120)
    assert (running.returncode, said in complaints.decode()) == (2, True), complaints
