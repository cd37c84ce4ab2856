"""kill -9 at any moment, and the next run goes on: the real program, the bundled model, real sound."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ossicle.archive.files import content_hash
from tests.house.source import ROOT

CLIPS = ROOT / "tests" / "data" / "tiny_heldout"
NUM_KILLS = 10
FORMATS = "txt,srt"


def build_folder(folder: Path) -> None:
    """Twenty clips of two seconds, one recording of a minute and a half made of others, one that is broken."""
    clips = sorted(CLIPS.glob("*.opus"))
    long = []
    for number, clip in enumerate(clips):
        samples, rate = soundfile.read(clip, dtype="float32")
        if number < 12:
            path = folder / f"day {number % 3}" / f"{clip.stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, samples, rate)
        elif sum(map(len, long)) < 90 * rate:
            long += [samples, np.zeros(rate // 2, np.float32)]
    soundfile.write(folder / "day 1" / "long.flac", np.concatenate(long), rate)
    (folder / "broken.mp3").write_bytes(b"no sound at all")


def start(folder: Path, out: Path, *more: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "ossicle", "batch", folder, "--out", out, "--model", "tiny", "--engine", "cpu", "-f", FORMATS,
               "--chunk-seconds", "6", "--batch-size", "2", "--words", "estimated", "--quiet", *more]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(out.parent / "data"), "OSSICLE_CONFIG": os.devnull}
    return subprocess.Popen(list(map(str, command)), env=env, stderr=subprocess.PIPE, text=True)


def ask(out: Path, sql: str) -> list[tuple]:
    with sqlite3.connect(out / ".ossicle" / "ledger.sqlite") as db:
        found = db.execute(sql).fetchall()
    db.close()
    return found


def num_decoded(out: Path) -> int:
    try:
        return ask(out, "SELECT coalesce(sum(num_decoded), 0) FROM recordings")[0][0]
    except sqlite3.Error:                                   # not made yet
        return 0


def written(out: Path) -> dict[str, str]:
    return {str(path.relative_to(out)): content_hash(path) for path in out.rglob("*") if ".ossicle" not in path.parts and path.is_file()}


@pytest.mark.timeout(400)
def test_ten_kills_change_nothing_and_no_chunk_is_decoded_twice(tmp_path):
    folder = tmp_path / "in"
    build_folder(folder)
    undisturbed = start(folder, tmp_path / "undisturbed")
    assert undisturbed.wait() == 1, undisturbed.stderr.read()          # the broken one failed, the others are there
    total = num_decoded(tmp_path / "undisturbed")
    expected = written(tmp_path / "undisturbed")
    assert len(expected) == 2 * 13

    out, chance = tmp_path / "out", random.Random()
    kill_after = sorted(chance.sample(range(1, total), NUM_KILLS))     # chunks in the ledger
    inside_long = 0
    for number in kill_after:
        process = start(folder, out)
        while num_decoded(out) < number and process.poll() is None:
            time.sleep(0.005)
        time.sleep(chance.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        stored = ask(out, "SELECT count(*) FROM chunks JOIN recordings ON id = recording WHERE path LIKE '%long.flac'")[0][0]
        inside_long += bool(stored)
        if stored:
            known = stored
    last = start(folder, out, "--report", tmp_path / "report.json")
    assert last.wait() == 1, last.stderr.read()
    assert written(out) == expected, f"killed after {kill_after} chunks"
    assert inside_long, f"no kill of {kill_after} met the long recording"
    long, = (entry for entry in json.loads((tmp_path / "report.json").read_text())["recordings"] if entry["path"].endswith("long.flac"))
    assert long["ending"] == "skipped" or long["num_known"] == known, f"killed after {kill_after} chunks"


def test_two_programs_share_the_work(tmp_path):
    folder = tmp_path / "in"
    build_folder(folder)
    both = [start(folder, tmp_path / "out") for _ in range(2)]
    assert [process.wait() for process in both] == [1, 1], [process.stderr.read() for process in both]
    assert len(written(tmp_path / "out")) == 2 * 13
    rows = ask(tmp_path / "out", "SELECT state, tries FROM recordings WHERE path NOT LIKE '%broken.mp3'")
    assert rows == [("done", 1)] * 13
