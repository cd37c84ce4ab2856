"""A session kept on disk while it runs: sound, commands and events in, a folder that tells all of it out.

    session.json     what it is: rate, options, model, version; written whole before anything else
    sound.s16le      every sample that came in: 16 kHz, one channel, 16 bits, little-endian, no header
    commands.jsonl   commit, clear, options and close with the sample at which they came; `end` once all is told
    events.jsonl     every event as it was told

The last three only grow, and each piece is handed to the system at once: whatever kills the program, what came before is there, and at
most the last line or sample is torn. Knows nothing of how a session is gone on with: resume.py does.
"""

import dataclasses
import json
import logging
import os
import threading
from collections.abc import Mapping
from datetime import datetime
from itertools import count
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from ossicle._version import __version__
from ossicle.audio.pcm import Samples
from ossicle.audio.resample import SAMPLE_RATE
from ossicle.results import ModelFacts
from ossicle.stream_events import LiveEvent
from ossicle.stream_options import StreamOptions

logger = logging.getLogger(__name__)

HEADER, SOUND, COMMANDS, EVENTS = "session.json", "sound.s16le", "commands.jsonl", "events.jsonl"
END = "end"                          # the command of a session of which all is told
VERSION = 1                          # of this layout


class Recorder:
    """Keeps one session. Any thread may call it; trouble with the disk ends the recording, never the session."""

    def __init__(self, folder: Path, options: StreamOptions, model: ModelFacts | None = None) -> None:
        """folder   gets a folder of its own for this session"""
        self._lock = threading.Lock()
        self._files: dict[str, Any] = {}
        self._problem: str | None = None
        self._num_samples = 0
        self.folder: Path | None = None                 # of this session; None where it could not be made
        try:
            self.folder = _new_folder(Path(folder).expanduser())
            header = {"version": VERSION, "ossicle": __version__, "started": datetime.now().astimezone().isoformat(), "rate": SAMPLE_RATE,
                      "encoding": "s16le", "channels": 1, "model": dataclasses.asdict(model) if model else None,
                      "options": dataclasses.asdict(options)}
            write_whole(self.folder / HEADER, json.dumps(header, default=str, indent=1, ensure_ascii=False).encode())
            for name in (SOUND, COMMANDS, EVENTS):
                self._files[name] = open(self.folder / name, "ab", buffering=0)     # noqa: SIM115  (closed in close)
        except OSError as error:
            self._give_up(error)

    def sound(self, samples: Samples) -> None:
        """Keep the next (n,) float32 samples at 16 kHz, before anybody listens to them."""
        with self._lock:
            self._num_samples += len(samples)
            self._write(SOUND, to_bytes(samples))

    def command(self, name: str, at_sample: int, options: StreamOptions | None = None) -> None:
        """Keep a command that came after so many samples; `options` are those that hold from there on."""
        entry = {"command": name, "at_sample": at_sample} | ({"options": dataclasses.asdict(options)} if options else {})
        with self._lock:
            self._write(COMMANDS, line_of(entry))

    def event(self, event: LiveEvent) -> None:
        """Keep an event."""
        with self._lock:
            self._write(EVENTS, line_of(event.to_dict()))

    def close(self) -> None:
        """All is told. Closing twice changes nothing."""
        with self._lock:
            self._write(COMMANDS, line_of({"command": END, "at_sample": self._num_samples}))
            self._close_files()

    def take_problem(self) -> str | None:
        """What went wrong, once."""
        with self._lock:
            problem, self._problem = self._problem, None
            return problem

    def _write(self, name: str, content: bytes) -> None:
        if name not in self._files:
            return
        try:
            view = memoryview(content)
            while len(view):
                view = view[self._files[name].write(view) :]
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        logger.debug("recording ended", exc_info=error)
        self._problem = (f"this session is no longer recorded, since the folder {self.folder or 'for it'} cannot be written: "
                         f"{error.strerror or error}; it goes on without; make room, or name another folder")
        self._close_files()

    def _close_files(self) -> None:
        files, self._files = self._files, {}
        for file in files.values():
            file.close()


def to_bytes(samples: Samples) -> bytes:
    """Samples as they are kept; those that came as 16 bits stay what they were."""
    whole = np.clip(np.round(np.nan_to_num(samples) * np.float32(32768)), -32768, 32767)
    return whole.astype("<i2").tobytes()


def line_of(plain: Mapping[str, Any]) -> bytes:
    """One line of JSON."""
    return json.dumps(plain, default=str, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def options_from_dict(plain: Mapping[str, Any]) -> StreamOptions:
    """Options back from a header; what this version does not know is left out, what is absent has its default."""
    options: StreamOptions = _from_dict(StreamOptions, plain)
    return options


def _from_dict(kind: Any, plain: Mapping[str, Any]) -> Any:
    hints = get_type_hints(kind)
    values = {}
    for field in dataclasses.fields(kind):
        if field.name not in plain:
            continue
        value, hint = plain[field.name], hints[field.name]
        if dataclasses.is_dataclass(hint):
            value = _from_dict(hint, value)
        elif value is not None and get_origin(hint) is UnionType and Path in get_args(hint):
            value = Path(value)
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def _new_folder(parent: Path) -> Path:
    """A folder named after the moment, counted where there are several of one second."""
    parent.mkdir(parents=True, exist_ok=True)
    moment = f"{datetime.now():%Y-%m-%d-%H%M%S}"
    for number in count(1):
        try:
            (folder := parent / f"{moment}-{number:03d}").mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("numbers do not end")
