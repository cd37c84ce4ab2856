"""Folders: nothing finished is done twice, nothing is lost, no failure stops the rest."""

import os
from pathlib import Path

import pytest

from ossicle.archive.batch import Job, Style, run_batch
from ossicle.archive.finding import find_recordings
from ossicle.archive.ledger import Ledger
from ossicle.errors import ModelError
from ossicle.options import TranscribeOptions
from ossicle.progress import CancelToken, Started
from tests.archive.recorder import Recorder

TXT = Style("txt", lambda transcript, path: f"{transcript.text}\n", "txt 1")
SRT = Style("srt", lambda transcript, path: f"1 {transcript.source}: {transcript.text}\n", "srt 1")


class Folder:
    """A folder of recordings, one recogniser, and runs over it."""

    def __init__(self, root: Path) -> None:
        self.root, self.recorder, self.num_loads, self.is_loaded = root, Recorder(), 0, False
        for name, words in {"a.wav": "one two three", "deep/b.wav": "four five", "deep/same.wav": "one two three"}.items():
            self.put(name, words)

    def put(self, name: str, words: str) -> None:
        path = self.root / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(words)

    def run(self, *styles: Style, cancel: CancelToken | None = None, on_recording=lambda path, event: None, **changes):
        def load():
            self.num_loads += not self.is_loaded
            self.is_loaded = True
            return self.recorder

        self.is_loaded = False
        out = self.root / "out"
        job = Job(out, styles or (TXT,), TranscribeOptions(), **{"identity": "model and options"} | changes)
        with Ledger(out / ".ossicle" / "ledger.sqlite") as ledger:
            found = find_recordings([str(self.root / "in")], out)
            outcomes = list(run_batch(found, ledger, load, job, on_recording, cancel))
        return {outcome.path.relative_to(self.root / "in").as_posix(): outcome for outcome in outcomes}

    def endings(self, *styles, **changes):
        return {name: outcome.ending for name, outcome in self.run(*styles, **changes).items()}

    def read(self, name: str) -> str:
        return (self.root / "out" / name).read_text()


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_a_tree_becomes_a_tree_and_the_same_sound_is_heard_once(folder):
    assert folder.endings() == {"a.wav": "done", "deep/b.wav": "done", "deep/same.wav": "rewritten"}
    assert [folder.read(name) for name in ("a.txt", "deep/b.txt", "deep/same.txt")] == ["one two three\n", "four five\n", "one two three\n"]
    assert len(folder.recorder.decoded) == 5


def test_the_second_run_loads_no_model(folder):
    folder.run()
    assert set(folder.endings().values()) == {"skipped"}
    assert folder.num_loads == 1


def test_a_missing_or_changed_output_and_a_new_format_are_written_from_the_ledger(folder):
    folder.run()
    (folder.root / "out/a.txt").unlink()
    (folder.root / "out/deep/b.txt").write_text("scribbled over")
    assert folder.endings(TXT, SRT)["deep/same.wav"] == "rewritten"
    assert folder.read("a.txt") == "one two three\n"
    assert folder.read("deep/b.txt") == "four five\n"
    assert folder.read("deep/same.srt") == f"1 {folder.root / 'in/deep/same.wav'}: one two three\n"
    assert folder.num_loads == 1


def test_another_style_of_a_format_writes_it_anew(folder):
    folder.run()
    loud = Style("txt", lambda transcript, path: transcript.text.upper(), "txt 2")
    assert set(folder.endings(loud).values()) == {"rewritten"}
    assert folder.read("a.txt") == "ONE TWO THREE"


def test_what_a_transcript_cannot_be_written_as_is_left_out_once(folder):
    asked = []
    nothing = Style("rttm", lambda transcript, path: asked.append(path), "rttm 1")
    assert folder.endings(TXT, nothing)["a.wav"] == "done"
    assert set(folder.endings(TXT, nothing).values()) == {"skipped"}
    assert len(asked) == 3


def test_other_options_and_other_content_are_new_work(folder):
    folder.run()
    assert folder.endings(identity="another model")["a.wav"] == "done"
    folder.put("deep/b.wav", "four five six")
    assert folder.endings(identity="another model") == {"a.wav": "skipped", "deep/b.wav": "done", "deep/same.wav": "skipped"}
    assert folder.read("deep/b.txt") == "four five six\n"


def test_a_moved_recording_is_not_heard_again(folder):
    folder.run()
    os.rename(folder.root / "in/deep/b.wav", folder.root / "in/moved.wav")
    assert folder.endings()["moved.wav"] == "rewritten"
    assert folder.num_loads == 1


def test_a_moved_recording_is_found_where_it_lies_now(folder):
    folder.run()
    os.rename(folder.root / "in/deep/b.wav", folder.root / "in/moved.wav")
    folder.run()
    with Ledger(folder.root / "out/.ossicle/ledger.sqlite") as ledger:
        assert {Path(entry.path).name for entry in ledger.entries()} == {"a.wav", "moved.wav"}


def test_one_failure_stops_nothing_and_is_tried_again_three_times(folder):
    folder.put("bad.wav", "broken")
    for _ in range(3):
        outcome = folder.run()["bad.wav"]
        assert (outcome.ending, outcome.reason.startswith("expected sound")) == ("failed", True)
    assert folder.endings()["deep/b.wav"] == "skipped"
    loads = folder.num_loads
    assert "--retry-failed" in folder.run()["bad.wav"].reason
    assert folder.num_loads == loads
    assert folder.run(retry=True)["bad.wav"].reason.startswith("expected sound")


def test_a_fault_stops_nothing_either(folder):
    folder.put("deep/aa.wav", "fault")
    assert folder.endings() == {"a.wav": "done", "deep/aa.wav": "failed", "deep/b.wav": "done", "deep/same.wav": "rewritten"}


def test_a_model_that_cannot_be_loaded_leaves_no_claim(folder):
    def refuse():
        raise ModelError("no such model")

    out = folder.root / "out"
    job = Job(out, (TXT,), TranscribeOptions(), "model and options")
    with Ledger(out / ".ossicle" / "ledger.sqlite") as ledger:
        with pytest.raises(ModelError):
            list(run_batch(find_recordings([str(folder.root / "in")], out), ledger, refuse, job))
        assert {entry.state for entry in ledger.entries()} == {"waiting"}


def test_an_incomplete_one_is_written_named_and_tried_again_on_request_only(folder):
    folder.put("loops.wav", "before loop after")
    assert folder.run()["loops.wav"].reason == "1.00 to 2.00 s: it repeated itself"
    assert folder.read("loops.txt") == "before loop after\n"
    num_decoded = len(folder.recorder.decoded)
    assert folder.endings()["loops.wav"] == "incomplete"
    assert len(folder.recorder.decoded) == num_decoded
    folder.run(retry=True)
    assert folder.recorder.decoded[num_decoded:] == [("loops.wav", 1.0)]        # what was whole is not done again


def test_a_stopped_recording_goes_on_where_it_was(folder):
    folder.recorder.break_at = 2.0
    with pytest.raises(KeyboardInterrupt):
        folder.run()
    folder.recorder.break_at = None
    folder.run()
    assert folder.recorder.decoded.count(("a.wav", 0.0)) == 1
    assert folder.read("a.txt") == "one two three\n"


def test_a_cancelled_run_ends_and_the_next_goes_on(folder):
    token = CancelToken()
    token.cancel()
    assert folder.run(cancel=token) == {}
    assert set(folder.endings().values()) == {"done", "rewritten"}


def test_a_file_in_the_way_is_left_alone_unless_asked(folder):
    (folder.root / "out").mkdir()
    (folder.root / "out/a.txt").write_text("mine")
    outcome = folder.run()["a.wav"]
    assert (outcome.ending, folder.read("a.txt")) == ("failed", "mine")
    assert "--overwrite" in outcome.reason
    assert folder.endings(overwrite=True)["a.wav"] != "failed"
    assert folder.read("a.txt") == "one two three\n"


def test_a_recording_that_grows_while_it_is_read_fails_and_is_done_next_time(folder):
    def grow(path, event):
        if path.name == "b.wav" and isinstance(event, Started):
            folder.put("deep/b.wav", "four five six seven")

    assert "changed while it was read" in folder.run(on_recording=grow)["deep/b.wav"].reason
    assert folder.endings()["deep/b.wav"] == "done"
    assert folder.read("deep/b.txt") == "four five six seven\n"


def test_an_unreadable_file_is_named(folder):
    os.symlink(folder.root / "nowhere", folder.root / "in/gone.wav")
    assert folder.run()["gone.wav"].reason.startswith("cannot read it")


def test_an_output_that_cannot_be_written_costs_no_second_hearing(folder):
    (folder.root / "out/deep").mkdir(parents=True)
    (folder.root / "out/deep/b.txt").mkdir()
    assert folder.run(overwrite=True)["deep/b.wav"].ending == "failed"
    (folder.root / "out/deep/b.txt").rmdir()
    num_decoded = len(folder.recorder.decoded)
    assert folder.run()["deep/b.wav"].ending == "rewritten"
    assert len(folder.recorder.decoded) == num_decoded
