"""`ossicle stream`: a recording through a live session, over the bundled model."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from ossicle.results import Transcript
from ossicle.stream_events import Failure, Final, LiveTimings, Partial, event_from_dict
from ossicle.stream_options import EndpointOptions, PolicyOptions, StreamOptions
from ossicle.surfaces.cli.live import trouble_of
from ossicle.surfaces.cli.live_flags import FLAGS, SHARED
from ossicle.surfaces.feeding import Feeder, at_pace

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "ossicle" / "models" / "tiny" / "samples"
ENGLISH, LONG = SAMPLES / "english.wav", SAMPLES / "english_long.wav"
SAID = "Henry saw a small tree near Berlin."


def program(*arguments, more=None, stdout=subprocess.PIPE, **kwargs):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(more or {})}
    return subprocess.Popen([sys.executable, "-m", "ossicle", *map(str, arguments)], env=environment, stdout=stdout,
                            stderr=subprocess.PIPE, **kwargs)


def without_speed(event):
    event = replace(event, lag_seconds=0.0)
    return replace(event, timings=LiveTimings()) if isinstance(event, Final) else event


def test_the_text_is_a_line_for_each_utterance(ossicle):
    done = ossicle("stream", ENGLISH, "-m", "tiny")
    assert (done.exit_code, done.stdout) == (0, f"{SAID}\n")
    assert "english.wav: English, 2." in done.stderr


def test_events_are_lines_that_read_back_add_up_and_are_the_same_each_time(ossicle):
    runs = [ossicle("stream", ENGLISH, "-m", "tiny", "-f", "jsonl", "-q") for _ in range(2)]
    first, second = ([without_speed(event_from_dict(json.loads(line))) for line in run.stdout.splitlines()] for run in runs)
    assert first == second
    assert first[0].kind == "speech_started"
    final = first[-1]
    assert isinstance(final, Final)
    assert "".join(event.committed_delta for event in first if isinstance(event, Partial | Final)) == final.text == SAID


def test_subtitles_are_read_back_with_their_times(ossicle):
    srt = pytest.importorskip("srt")
    done = ossicle("stream", LONG, "-m", "tiny", "-f", "srt", "-q")
    cues = list(srt.parse(done.stdout))
    ends = [cue.end.total_seconds() for cue in cues]
    assert " ".join(cue.content.replace("\n", " ") for cue in cues).startswith("It is eleven forty five. Good morning, this is Henry")
    assert ends == sorted(ends)
    assert ends[-1] <= 22
    assert len(cues) > 5


def test_json_is_the_transcript_of_any_recording(ossicle):
    done = ossicle("stream", ENGLISH, "-m", "tiny", "-f", "json", "-q")
    found = Transcript.from_dict(json.loads(done.stdout))
    assert (found.text, found.language, found.source) == (SAID, "English", str(ENGLISH))
    assert found.model.name == "tiny"
    assert found.coverage.audio_seconds == found.duration


def test_a_part_of_a_recording_in_any_container_can_be_asked_for(ossicle):
    done = ossicle("stream", SAMPLES / "english_joined.opus", "-m", "tiny", "--start", "0", "--end", "1.5", "-f", "json", "-q")
    assert json.loads(done.stdout)["duration"] == pytest.approx(1.5)


def test_the_log_says_when_each_piece_was_committed_on_both_clocks(ossicle, tmp_path):
    done = ossicle("stream", LONG, "-m", "tiny", "--log", "log.jsonl", "-q")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert "".join(line["text"] for line in lines) == done.stdout.rstrip("\n").replace("\n", " ")
    for name in ("emission_time", "audio_time", "end"):
        times = [line[name] for line in lines]
        assert times == sorted(times)
    assert all(line["end"] <= line["audio_time"] + 0.001 for line in lines)      # times of words are rounded to milliseconds
    assert [line["is_final"] for line in lines].count(True) == done.stdout.count("\n")
    assert {line["status"] for line in lines} == {"COMPLETE"}
    again = ossicle("stream", LONG, "-m", "tiny", "--log", "log.jsonl", "-q")
    assert (again.exit_code, "--overwrite replaces it" in again.stderr) == (2, True)


def test_at_the_pace_of_speech_nothing_is_said_before_it_was_spoken(ossicle, tmp_path):
    done = ossicle("stream", ENGLISH, "-m", "tiny", "--pace", "1.0", "--log", "log.jsonl", "-q")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert done.stdout == f"{SAID}\n"
    # The clock begins with the first block of 0.1 s, which is there when its last sample was spoken.
    assert all(line["emission_time"] >= line["audio_time"] - 0.2 for line in lines)
    assert len(lines) > 1


def test_blocks_come_when_their_last_sample_would_have_been_spoken():
    import numpy as np

    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    paced = at_pace([(np.zeros(1600), 16_000), (np.zeros(3200), 16_000), (np.zeros((480, 2)), 48_000)], 2.0, lambda: now[0], sleep)
    times = [now[0] for _ in paced]
    assert times == pytest.approx([100.05, 100.15, 100.155])
    assert len(slept) == 3


@pytest.mark.parametrize(("arguments", "said", "code"), [
    (["--pace", "fast"], "--pace must be max or a number between 0.01 and 1000, got 'fast'", 2),
    (["--pace", "0"], "--pace must be max", 2),
    (["-f", "srt,vtt"], "stream writes one format", 2),
    (["--step", "0.01"], "--step must be between 0.08 and 10 s, got 0.01", 2),
    (["--endpoint-silence", "100"], "--endpoint-silence must be between 0.03 and 60 s, got 100", 2),
    (["--vad-stop-threshold", "0.9"], "--vad-stop-threshold must be at most --vad-threshold (0.5), got 0.9", 2),
    (["--hold-tokens", "-1"], "--hold-tokens must be between 0 and 1000, got -1", 2),
    (["--rate", "16000", "--raw", "s16le", "--channels", "0"], "--channels must be between 1 and 64, got 0", 2),
    (["-l", "Finnish"], "must be one that this checkpoint knows", 2),
    (["--log", "nowhere/log.jsonl"], "--log must name a file in a folder that is there", 2),
    (["--log", ".", "--overwrite"], "--log must name a file, got ., which is a folder", 2),
    (["--record", ENGLISH], "which is a file", 2),
    (["--record", ENGLISH / "deeper"], "--record must name a folder that can be written", 2),
])
def test_what_cannot_be_is_said_by_the_name_of_its_flag(ossicle, arguments, said, code):
    done = ossicle("stream", ENGLISH, "-m", "tiny", *arguments)
    assert (done.exit_code, said in done.stderr, done.stdout) == (code, True, "")


def test_bytes_without_a_container_are_to_be_given_with_flags():
    running = program("stream", "-", "-m", "tiny", stdin=subprocess.PIPE)
    _, complaints = running.communicate(b"\1\2" * 20_000, timeout=120)
    assert (running.returncode, b"give --raw and --rate" in complaints) == (1, True), complaints


def test_a_start_behind_the_end_is_told(ossicle):
    done = ossicle("stream", ENGLISH, "-m", "tiny", "--start", "5")
    assert (done.exit_code, "ends before --start 5 s" in done.stderr) == (0, True), done.stderr


def test_without_a_stderr_the_text_comes_all_the_same():
    done = subprocess.run(["sh", "-c", 'exec "$0" "$@" 2>&-', sys.executable, "-m", "ossicle", "stream", ENGLISH, "-m", "tiny"],
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, timeout=120)
    assert (done.returncode, done.stdout.decode()) == (0, f"{SAID}\n")


def test_on_a_terminal_the_last_line_names_the_recording():
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    with subprocess.Popen([sys.executable, "-m", "ossicle", "stream", ENGLISH, "-m", "tiny"], env=environment, stdin=theirs,
                          stdout=theirs, stderr=theirs):
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65_536):
                shown += piece
        except OSError:                                  # Linux says so where the other end is closed
            pass
    os.close(ours)
    assert "english.wav: English, 2." in shown.decode()


def test_what_is_no_sound_fails_before_the_model_is_loaded(ossicle, tmp_path):
    (tmp_path / "notes.txt").write_text("this is text")
    for name in ("notes.txt", "missing.wav"):
        done = ossicle("stream", name, "-m", "tiny")
        assert (done.exit_code, name in done.stderr, "loading" in done.stderr) == (1, True, False)


def test_sound_that_breaks_off_leaves_the_text_before_it_and_exit_code_1(ossicle, tmp_path):
    import numpy as np
    import soundfile

    samples, rate = soundfile.read(ENGLISH, dtype="float32")
    samples = np.concatenate([samples, np.zeros(rate, np.float32), np.full(10, np.nan, np.float32)])
    (tmp_path / "broken.raw").write_bytes(samples.tobytes())
    done = ossicle("stream", "broken.raw", "--raw", "f32le", "--rate", rate, "-m", "tiny", "-f", "srt")
    assert (done.exit_code, SAID.split()[0] in done.stdout) == (1, True)
    assert "samples must be finite numbers" in done.stderr


def test_ctrl_c_finishes_what_was_heard():
    running = program("stream", LONG, "-m", "tiny", "--pace", "1.0", "-f", "jsonl")
    lines = []
    for line in running.stdout:
        lines.append(line)
        if json.loads(line)["type"] == "partial":
            break
    running.send_signal(signal.SIGINT)
    rest, complaints = running.communicate(timeout=60)
    events = [event_from_dict(json.loads(line)) for line in [*lines, *rest.splitlines()]]
    assert (running.returncode, b"Traceback" in complaints) == (130, False)
    assert events[-1].kind == "final"
    assert events[-1].reason == "close"
    assert events[-1].text.startswith("It is")
    assert events[-1].end < 15


def test_every_field_of_the_options_has_a_flag():
    described = {(flag.owner, flag.field) for flag in FLAGS}
    known = {(owner, field.name) for owner in (StreamOptions, PolicyOptions, EndpointOptions) for field in fields(owner)}
    assert known - described == {(StreamOptions, name) for name in (*SHARED, "policy", "endpoint")}
    assert described <= known


class Slow:
    """A session that takes its time, and remembers."""

    def __init__(self, fails_after=None):
        self.fed, self.is_closed, self.num_waits, self.fails_after = [], False, 0, fails_after

    def wait(self, queued_seconds, timeout):
        self.num_waits += 1
        return self.num_waits % 3 == 0

    def feed(self, samples, rate):
        self.fed.append((samples, rate))

    def close(self):
        self.is_closed = True


def blocks(count, error=None):
    import numpy as np

    for number in range(count):
        yield np.full(160, number / 100, np.float32), 16_000
    if error is not None:
        raise error


def test_a_slow_session_gets_every_block_in_order_and_is_waited_for():
    session = Slow()
    feeder = Feeder(session, blocks(50))
    feeder.start()
    feeder._thread.join(30)
    assert [float(samples[0]) for samples, _ in session.fed] == pytest.approx([number / 100 for number in range(50)])
    assert session.num_waits == 150
    assert session.is_closed
    assert feeder.level_dbfs() == pytest.approx(-6.2, abs=0.1)       # of the loudest block, 0.49
    assert feeder.level_dbfs() == float("-inf")                       # since then, nothing


def test_what_ended_the_sound_is_kept_and_the_session_closed():
    session, error = Slow(), RuntimeError("the cable")
    feeder = Feeder(session, blocks(2, error), None)
    feeder.start()
    feeder._thread.join(30)
    assert (feeder.error, session.is_closed, len(session.fed), session.num_waits) == (error, True, 2, 0)
    assert trouble_of([], feeder) is error
    assert str(trouble_of([Failure(message="out of memory", code="ModelError")], feeder)) == "ModelError: out of memory"
