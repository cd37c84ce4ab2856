"""Watching: a recording is taken when it has come to rest, once, and again when it changes."""

import threading
import time

import pytest

from ossicle.archive.finding import find_recordings
from ossicle.archive.watching import watch
from ossicle.progress import CancelToken

PATIENCE = 20.0                     # seconds; a loaded machine is slow to tell of changes


class Watcher:
    """Watches a folder on a thread of its own and keeps what is handed out."""

    def __init__(self, folder, poll, quiet_seconds):
        self.given, self.cancel = [], CancelToken()
        ready = watch(lambda: find_recordings([str(folder)], folder / "out"), [folder], quiet_seconds, self.cancel, poll)
        self.thread = threading.Thread(target=lambda: [self.given.append([found.path.name for found in batch]) for batch in ready])
        self.thread.start()

    def wait_for(self, expected):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self.given != expected:
            time.sleep(0.02)
        assert self.given == expected

    def stop(self):
        self.cancel.cancel()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@pytest.mark.parametrize("poll", [True, False])
def test_a_recording_is_handed_out_once_it_rests_and_again_when_it_changes(tmp_path, poll):
    (tmp_path / "old.wav").write_bytes(b"sound")
    watcher = Watcher(tmp_path, poll, quiet_seconds=0.5)
    try:
        watcher.wait_for([["old.wav"]])
        for _ in range(8):                                  # somebody still records
            with open(tmp_path / "new.wav", "ab") as file:
                file.write(b"sound")
            time.sleep(0.1)
            assert watcher.given == [["old.wav"]]
        watcher.wait_for([["old.wav"], ["new.wav"]])
        with open(tmp_path / "old.wav", "ab") as file:
            file.write(b"more")
        watcher.wait_for([["old.wav"], ["new.wav"], ["old.wav"]])
    finally:
        watcher.stop()
