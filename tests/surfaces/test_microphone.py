"""A microphone: what is recorded arrives whole. The real driver over a device made of a pipe, where PortAudio and ALSA are there."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from ossicle.errors import AudioError, OptionError
from ossicle.surfaces import microphone
from ossicle.surfaces.feeding import microphone_blocks
from ossicle.surfaces.microphone import Device, Microphone, find_device, input_devices
from tests.tape import Tape

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "ossicle" / "models" / "tiny" / "samples" / "english.wav"
DEVICES = [Device(0, "MacBook Microphone", "Core Audio", 1, 48_000, True), Device(1, "BlackHole 2ch", "Core Audio", 2, 44_100),
           Device(4, "Desk Microphone", "Core Audio", 1, 16_000)]


@pytest.mark.parametrize(("wanted", "index"), [(None, 0), ("1", 1), ("4", 4), ("blackhole", 1), ("Desk", 4), ("desk microphone", 4)])
def test_a_device_is_found_by_number_or_name(wanted, index):
    assert find_device(wanted, DEVICES).index == index


@pytest.mark.parametrize(("wanted", "said"), [
    ("telephone", "--device must be the number or a part of the name of one of 0 (MacBook Microphone), 1 (BlackHole 2ch), 4 (Desk Micro"),
    ("2", "4 (Desk Microphone); got '2'"),
    ("microphone", "'microphone' fits 0 (MacBook Microphone), 4 (Desk Microphone); give its number")])
def test_a_device_that_is_not_there_names_those_that_are(wanted, said):
    with pytest.raises(OptionError) as raised:
        find_device(wanted, DEVICES)
    assert said in str(raised.value)


def test_without_any_device_one_is_told_what_to_do():
    with pytest.raises(OptionError, match="ossicle listen -"):
        find_device(None, [])


def test_what_the_machine_plays_is_known_by_its_name():
    names = ["BlackHole 16ch", "Monitor of Built-in Audio", "alsa_output.pci.analog-stereo.monitor", "Stereo Mix (Realtek)"]
    assert all(Device(0, name, "", 2, 48_000).is_loopback for name in names)
    assert not DEVICES[0].is_loopback


def test_devices_that_only_play_are_left_out():
    assert input_devices(Tape()) == [Device(1, "Mic", "Tape", 1, 48_000, True)]


def test_a_slow_consumer_drops_nothing():
    tape, device = Tape(), Device(1, "Mic", "Tape", 1, 16_000)
    with Microphone(tape, device) as recording:
        playing = tape.play(range(1, 501))
        got = []
        for block in recording.blocks():
            got.append(block[0, 0])
            if len(got) == 1:
                playing.join()                           # all is recorded before the second block is taken
                recording.stop()
    assert got == list(range(1, 501))
    assert tape.calls == ["start", "stop", "close"]
    assert (tape.options["samplerate"], tape.options["channels"], tape.options["blocksize"]) == (16_000, 1, 800)


def test_what_the_driver_lost_is_counted_and_told_less_and_less_often():
    tape, warnings = Tape(), []
    with Microphone(tape, Device(1, "Mic", "Tape", 1, 16_000)) as recording:
        tape.play(range(1, 101), overflow_at=range(100)).join()
        recording.stop()
        assert len(list(microphone_blocks(recording, warnings))) == 100
    assert recording.num_overruns == 100
    assert len(warnings) == 1
    assert "lost sound of Mic, 100 times so far" in warnings[0]


def test_nothing_but_zeros_is_told_once_and_speech_after_it_is_no_fault():
    tape, warnings = Tape(), []
    with Microphone(tape, Device(1, "Mic", "Tape", 1, 16_000)) as recording:
        tape.play([0] * 61).join()
        recording.stop()
        assert len(list(microphone_blocks(recording, warnings))) == 61
    assert len(warnings) == 1
    assert "may this program use the microphone" in warnings[0]


def test_a_device_that_falls_silent_for_good_is_an_error(monkeypatch):
    monkeypatch.setattr(microphone, "STALL_SECONDS", 0.05)
    with Microphone(Tape(), Device(1, "Mic", "Tape", 1, 16_000)) as recording, pytest.raises(AudioError, match="was it unplugged"):
        list(recording.blocks())


def test_a_form_that_the_device_refuses_is_told_with_its_own():
    with pytest.raises(AudioError, match="at 7 Hz with 1 channel, but the driver said: Invalid sample rate; its own rate is 48000 Hz"):
        Microphone(Tape(refuses=True), Device(1, "Mic", "Tape", 1, 48_000), rate=7).__enter__()


class Tube:
    """A device of ALSA's that records what is written into a pipe."""

    def __init__(self, folder):
        self.home, pipe = folder, folder / "tube"
        os.mkfifo(pipe)
        self.file = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)      # held open, or whoever looks at the devices would wait for a writer
        (folder / ".asoundrc").write_text(
            f'pcm.tube {{ type file slave.pcm {{ type null }} file "/dev/null" infile "{pipe}" format "raw" '
            'hint { show on description "a tube" } }\npcm.!default { type null }\n')
        self.is_open = True

    def run(self, *arguments, **kwargs):
        environment = {**os.environ, "HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        return subprocess.Popen([sys.executable, "-m", "ossicle", *arguments], env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, encoding="utf-8", **kwargs)

    def speak(self, samples):
        """The samples, then silence until nobody listens, in whole blocks as the driver takes them."""
        samples = np.pad(samples.astype("<f4"), (0, -len(samples) % 800))
        blocks = [samples[at : at + 800].tobytes() for at in range(0, len(samples), 800)]
        while self.is_open:
            try:
                os.write(self.file, blocks[0] if blocks else bytes(3200))
            except BlockingIOError:                       # full: nobody listens so fast, or at all
                time.sleep(0.01)
                continue
            time.sleep(0 if blocks else 0.02)
            blocks = blocks[1:]


@pytest.fixture
def tube(tmp_path):
    """Skips where the real driver, or ALSA under it, is not there."""
    if not sys.platform.startswith("linux"):
        pytest.skip("needs ALSA")
    try:
        import sounddevice  # noqa: F401
    except (ImportError, OSError):
        pytest.skip("needs sounddevice and PortAudio")
    made = Tube(tmp_path)
    listed, _ = made.run("listen", "--list-devices").communicate(timeout=60)
    if "tube" not in listed:
        pytest.skip("needs ALSA's file plugin")
    made.listed = listed
    yield made
    made.is_open = False
    os.close(made.file)


def test_devices_are_listed(tube):
    rows = [line.split() for line in tube.listed.splitlines()]
    assert rows[0] == ["DEVICE", "NAME", "CHANNELS", "RATE", "SYSTEM"]
    assert any("tube" in row and "ALSA" in row for row in rows[1:])
    assert sum("default" in row[-1:] for row in rows) == 1


def test_a_real_driver_is_listened_to_until_ctrl_c_and_what_was_said_is_finished(tube):
    import soundfile

    samples, _ = soundfile.read(SAMPLE, dtype="float32")
    program = tube.run("listen", "--device", "tube", "--rate", "16000", "--channels", "1", "-m", "tiny", "--jsonl")
    told = []
    for line in program.stderr:
        told.append(line)
        if "listening to tube" in line:
            break
    speaker = threading.Thread(target=tube.speak, args=(samples,), daemon=True)
    speaker.start()
    assert '"speech_started"' in program.stdout.readline()
    for line in program.stdout:
        if '"type": "final"' in line:
            break
    program.send_signal(signal.SIGINT)
    rest, complaints = program.communicate(timeout=60)
    tube.is_open = False
    speaker.join()
    assert "Henry saw a small tree near Berlin." in line + rest
    assert (program.returncode, "Traceback" in complaints) == (0, False)
