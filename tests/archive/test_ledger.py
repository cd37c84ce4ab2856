"""The ledger: what is written down is there after any end, and belongs to one process at a time."""

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ossicle.archive import processes
from ossicle.archive.ledger import Ledger
from ossicle.errors import OptionError
from ossicle.results import Chunk, Coverage, Gap, Token, Word
from tests.archive.recorder import transcript_of

CHUNK = Chunk(0, 0.0, 30.0, "Grüß Gott.", "German", "eos", 1, 2, -0.1, (Token(7, "Grüß", -0.1),), 12.5,
              (Word("Grüß", 0.1, 0.5, 0.9, "aligned", "Ann"), Word(" Gott.", 0.6, 0.9)))


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "deep" / "ledger.sqlite") as opened:
        yield opened


def test_chunks_come_back_as_they_were_and_in_order(ledger):
    entry = ledger.enter("content", "options", "a.wav")
    later = Chunk(1, 30.0, 60.0, "", None, "silence")
    for chunk in (later, replace(CHUNK, stopped_by="loop"), CHUNK):
        ledger.add_chunk(entry, chunk)
    assert ledger.chunks(entry) == [CHUNK, later]           # a second try takes the place of the first
    assert ledger.entries()[0].num_decoded == 3


def test_a_transcript_comes_back_and_its_chunks_go(ledger):
    entry = ledger.enter("content", "options", "a.wav")
    ledger.add_chunk(entry, CHUNK)
    whole = transcript_of("Hello there.", chunks=(CHUNK,))
    ledger.finish(entry, whole)
    assert ledger.transcript(entry).text == whole.text
    assert ledger.transcript(entry).segments == whole.segments
    assert ledger.enter("content", "options", "b.wav").state == "done"
    assert ledger.chunks(entry) == []


def test_an_incomplete_one_keeps_its_chunks_for_the_next_try(ledger):
    entry = ledger.enter("content", "options", "a.wav")
    ledger.add_chunk(entry, CHUNK)
    ledger.finish(entry, transcript_of("Hello", coverage=Coverage(2.0, 1.0, 0.0, 1.0, (Gap(1.0, 2.0, "a reason"),))))
    assert ledger.enter("content", "options", "a.wav").state == "incomplete"
    assert ledger.chunks(entry) == [CHUNK]


def test_other_options_are_another_entry(ledger):
    first, second = ledger.enter("content", "one", "a.wav"), ledger.enter("content", "two", "a.wav")
    assert first.id != second.id
    assert ledger.enter("content", "one", "elsewhere.wav").id == first.id


def test_a_failure_is_kept_with_its_reason(ledger):
    entry = ledger.enter("content", "options", "a.wav")
    ledger.fail(entry, ValueError("no sound in it"))
    found = ledger.enter("content", "options", "a.wav")
    assert (found.state, found.error, found.tries) == ("failed", "ValueError: no sound in it", 1)


def test_a_claim_holds_against_a_living_process_only(tmp_path, ledger):
    entry = ledger.enter("content", "options", "a.wav")
    child = subprocess.Popen([sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
    other = f"{processes._host()}:{child.pid}:{processes._started(child.pid)}"
    assert ledger.claim(entry)
    db = sqlite3.connect(ledger.path)
    with db:
        db.execute("UPDATE recordings SET owner = ?", (other,))
    assert not ledger.claim(entry)
    child.kill()
    child.wait()
    assert ledger.claim(entry)                              # a dead process has no claim
    with db:
        db.execute("UPDATE recordings SET owner = ?", (f"{processes._host()}:{os.getpid()}:1",))
    assert ledger.claim(entry)                              # nor has one whose number was given to another
    db.close()


def test_a_process_of_another_machine_counts_as_alive_for_a_while():
    assert processes.is_alive("elsewhere:1:1", heard_of=1e12)
    assert not processes.is_alive("elsewhere:1:1", heard_of=0.0)
    assert processes.is_alive(processes.own_name(), 0.0)


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be one", b""])
def test_a_file_that_is_no_ledger_is_refused_untouched(tmp_path, content):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    if content:
        with pytest.raises(OptionError, match="expected a ledger of ossicle"):
            Ledger(path)
        assert path.read_bytes() == content
    else:
        Ledger(path).close()


def test_a_ledger_that_cannot_be_made_says_what_to_do(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OptionError, match=r"cannot make the folder .*--ledger"):
        Ledger(tmp_path / "out/.ossicle/ledger.sqlite")


def test_a_database_of_somebody_else_is_refused(tmp_path):
    path = tmp_path / "other.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (a)")
    db.close()
    with pytest.raises(OptionError, match="another program"):
        Ledger(Path(path))
