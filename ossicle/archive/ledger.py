"""What has been done with every recording, in one SQLite file that outlives any kill.

A recording is known by the hash of its content and the hash of the options that shape its transcript; its path is only
where it was found. Each finished chunk is stored as it comes, so that a kill loses no more than the chunks in hand.
Two processes may share a ledger: a recording is claimed in one statement, and the claim of a dead process is void.
"""

import json
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ossicle.archive.folding import fold
from ossicle.archive.processes import is_alive, own_name
from ossicle.errors import OptionError
from ossicle.results import Chunk, Segment, Transcript

State = Literal["waiting", "running", "done", "incomplete", "failed"]

FOLDER, FILE = ".ossicle", "ledger.sqlite"      # inside the output folder
VERSION = 1
BUSY_SECONDS = 30.0                             # how long to wait for another process that writes
SCHEMA = """
CREATE TABLE files (path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, content TEXT NOT NULL);
CREATE TABLE recordings (
    id INTEGER PRIMARY KEY, content TEXT NOT NULL, options TEXT NOT NULL, path TEXT NOT NULL, state TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, error TEXT, owner TEXT, heard_of REAL NOT NULL DEFAULT 0,
    audio_seconds REAL, work_seconds REAL, num_decoded INTEGER NOT NULL DEFAULT 0, transcript BLOB,
    UNIQUE (content, options));
CREATE TABLE chunks (recording INTEGER NOT NULL REFERENCES recordings ON DELETE CASCADE, start REAL NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (recording, start));
CREATE TABLE outputs (path TEXT PRIMARY KEY, recording INTEGER NOT NULL REFERENCES recordings ON DELETE CASCADE, style TEXT NOT NULL,
    hash TEXT NOT NULL);
CREATE VIRTUAL TABLE said USING fts5 (folded, text UNINDEXED, recording UNINDEXED, start UNINDEXED, "end" UNINDEXED, speaker UNINDEXED,
    words UNINDEXED, tokenize = 'trigram');
"""


@dataclass(frozen=True)
class Entry:
    """What the ledger says of one recording."""

    id: int
    content: str
    options: str
    path: str                       # where it was found first; of one that was moved, where it was found since
    state: State
    tries: int = 0                  # how often work on it was begun and ended without a transcript
    error: str | None = None        # of the last try
    audio_seconds: float | None = None
    work_seconds: float | None = None
    num_decoded: int = 0            # chunks that were decoded for it, over all runs


class Ledger:
    """One ledger file. Use it on one thread, in a `with` block or with `close`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OptionError(f"cannot make the folder {path.parent} for the ledger: {error.strerror or error}; "
                              "choose an output folder that may be written to, or keep the ledger elsewhere with --ledger") from error
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise OptionError(f"expected a ledger of ossicle at {path}, but SQLite said: {error}; "
                              "name another with --ledger, or move this file away to begin anew") from error

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def known_content(self, path: str, size: int, mtime_ns: int) -> str | None:
        """The content hash of a file that has not changed since it was hashed."""
        row = self._one("SELECT content FROM files WHERE path = ? AND size = ? AND mtime_ns = ?", path, size, mtime_ns)
        return row[0] if row else None

    def note_content(self, path: str, size: int, mtime_ns: int, content: str) -> None:
        """Remember the content hash of a file."""
        self._db.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", (path, size, mtime_ns, content))

    def enter(self, content: str, options: str, path: str) -> Entry:
        """The entry of a recording under these options; made where there is none."""
        self._db.execute("INSERT INTO recordings (content, options, path, state) VALUES (?, ?, ?, 'waiting') ON CONFLICT DO NOTHING",
                         (content, options, path))
        row = self._one(f"SELECT {_COLUMNS} FROM recordings WHERE content = ? AND options = ?", content, options)
        assert row is not None
        return Entry(*row)

    def move(self, entry: Entry, path: str) -> None:
        """A recording lies elsewhere now: `search` names it so."""
        self._db.execute("UPDATE recordings SET path = ? WHERE id = ?", (path, entry.id))

    def entries(self) -> list[Entry]:
        """All entries, in the order they were made."""
        return [Entry(*row) for row in self._db.execute(f"SELECT {_COLUMNS} FROM recordings ORDER BY id")]

    def claim(self, entry: Entry) -> bool:
        """Take a recording to work on it; False where a living process has it, or has finished it meanwhile."""
        row = self._one("SELECT state, owner, heard_of FROM recordings WHERE id = ?", entry.id)
        if row is None or row[0] == "done":
            return False
        state, owner, heard_of = row
        if state == "running" and owner != own_name() and is_alive(owner, heard_of):
            return False
        # Whoever changes what was read a moment ago has it; another process that read the same finds it changed.
        taken = self._db.execute("UPDATE recordings SET state = 'running', owner = ?, heard_of = ? "
                                 "WHERE id = ? AND state = ? AND owner IS ? AND heard_of = ? RETURNING id",
                                 (own_name(), time.time(), entry.id, state, owner, heard_of)).fetchall()
        return bool(taken)

    def chunks(self, entry: Entry) -> list[Chunk]:
        """The finished chunks of a recording that is not done, in order."""
        rows = self._db.execute("SELECT body FROM chunks WHERE recording = ? ORDER BY start", (entry.id,))
        return [Chunk.from_dict(json.loads(zlib.decompress(body))) for body, in rows]

    def add_chunk(self, entry: Entry, chunk: Chunk) -> None:
        """Store a chunk that is final, tokens and words included, in place of one that a failed try left there."""
        body = zlib.compress(json.dumps(asdict(chunk), ensure_ascii=False).encode())
        with self._at_once():
            self._db.execute("INSERT OR REPLACE INTO chunks VALUES (?, ?, ?)", (entry.id, chunk.start, body))
            self._db.execute("UPDATE recordings SET heard_of = ?, num_decoded = num_decoded + 1 WHERE id = ?", (time.time(), entry.id))

    def finish(self, entry: Entry, transcript: Transcript) -> None:
        """A recording has its transcript, complete or not; from now on it is found by `search`."""
        state = "done" if transcript.is_complete else "incomplete"
        body = zlib.compress(json.dumps(transcript.to_dict(with_tokens=True), ensure_ascii=False).encode())
        with self._at_once():
            self._db.execute("UPDATE recordings SET state = ?, transcript = ?, audio_seconds = ?, work_seconds = ?, error = NULL, "
                             "owner = NULL, tries = tries + 1 WHERE id = ?",
                             (state, body, transcript.duration, transcript.timings.total, entry.id))
            # One transcript of a recording can be searched: the newest, whatever its options were.
            self._db.execute("DELETE FROM said WHERE recording IN (SELECT id FROM recordings WHERE content = ?)", (entry.content,))
            self._db.executemany("INSERT INTO said VALUES (?, ?, ?, ?, ?, ?, ?)", _rows(entry.id, transcript.segments))
            if transcript.is_complete:                      # of another, what is there is the start of the next try
                self._db.execute("DELETE FROM chunks WHERE recording = ?", (entry.id,))

    def fail(self, entry: Entry, error: Exception) -> None:
        """A recording gave no transcript."""
        self._db.execute("UPDATE recordings SET state = 'failed', error = ?, owner = NULL, tries = tries + 1 WHERE id = ?",
                         (f"{type(error).__name__}: {error}", entry.id))

    def let_go(self, entry: Entry) -> None:
        """Give a claimed recording back, its chunks kept."""
        self._db.execute("UPDATE recordings SET state = 'waiting', owner = NULL WHERE id = ? AND owner = ?", (entry.id, own_name()))

    def transcript(self, entry: Entry) -> Transcript | None:
        """The stored transcript of a recording, tokens included."""
        row = self._one("SELECT transcript FROM recordings WHERE id = ?", entry.id)
        return Transcript.from_dict(json.loads(zlib.decompress(row[0]))) if row and row[0] else None

    def output_hash(self, path: str, entry: Entry, style: str) -> str | None:
        """The hash of an output as it was written last from this recording in this style; None for anything else."""
        row = self._one("SELECT hash FROM outputs WHERE path = ? AND recording = ? AND style = ?", path, entry.id, style)
        return row[0] if row else None

    def is_ours(self, path: str) -> bool:
        """Whether an output of that name was written by an earlier run."""
        return self._one("SELECT 1 FROM outputs WHERE path = ?", path) is not None

    def note_output(self, path: str, entry: Entry, style: str, hash_: str) -> None:
        """Remember what was written. `style` is everything but the transcript that shapes the file."""
        self._db.execute("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?, ?)", (path, entry.id, style, hash_))

    def query(self, sql: str, *values: Any) -> list[Any]:
        """Rows of a reading statement; archive.py searches with it."""
        return self._db.execute(sql, values).fetchall()

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        """All or nothing of what is done inside, as others see it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _one(self, sql: str, *values: Any) -> Any:
        with closing(self._db.execute(sql, values)) as cursor:
            return cursor.fetchone()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")       # a chunk that was said to be stored survives a power cut, too
        self._db.execute("PRAGMA foreign_keys = ON")
        with self._at_once():
            version = self._one("PRAGMA user_version")[0]
            if version == 0 and self._one("SELECT count(*) FROM sqlite_schema")[0] == 0:
                for statement in SCHEMA.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {VERSION}")
            elif version != VERSION:
                raise OptionError(f"expected a ledger of version {VERSION} at {self.path}, found version {version}; "
                                  "it belongs to another program or another version of this one: name another with --ledger")


_COLUMNS = "id, content, options, path, state, tries, error, audio_seconds, work_seconds, num_decoded"


def _rows(recording: int, segments: Sequence[Segment]) -> Iterator[tuple[Any, ...]]:
    for segment in segments:
        places, at = [], 0                                  # where each word begins in the text, and when
        for word in segment.words:
            if word.start is not None:
                places.append((at, round(word.start, 3)))
            at += len(word.text)
        yield fold(segment.text), segment.text, recording, segment.start, segment.end, segment.speaker, json.dumps(places)
