"""Where results go: stdout in one of three forms, or a folder with one file per recording.

On stdout several recordings are told apart: `txt` puts `==> name <==` above each as `head` does, `json` prints one array
with one entry per recording (the object alone when there is one), `jsonl` streams lines that name their source.
"""

import contextlib
import os
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path

from ossicle.errors import OptionError
from ossicle.formats.lines import error_line, event_lines
from ossicle.formats.write import FORMATS, write_json_error
from ossicle.progress import Event
from ossicle.results import Transcript
from ossicle.surfaces.cli.naming import output_names


class Outlet:
    """What takes the results of a run, recording by recording, in order. This one is `txt` on stdout."""

    def __init__(self, format_name: str, with_tokens: bool, count: int) -> None:
        self._write, self._with_tokens = FORMATS[format_name], with_tokens
        self._count, self._num_taken = count, 0

    def refuse(self, number: int) -> None:
        """Raise OptionError when there is no place for recording `number` of the run, before it is worked on."""

    def on_event(self, number: int, source: str, event: Event) -> None:
        """News of a recording, for forms that are written as it goes."""

    def take(self, number: int, source: str, transcript: Transcript) -> str | None:
        """A recording is done, or cut short by a cancel; returns where it went, if not to stdout."""
        if self._count > 1:
            _put(f"{chr(10) if self._num_taken else ''}==> {source} <==\n")
        _put(self._write(transcript, self._with_tokens))
        self._num_taken += 1
        return None

    def fail(self, number: int, source: str, error: Exception) -> None:
        """A recording failed."""

    def close(self) -> None:
        """No more recordings come."""


class JsonOutlet(Outlet):
    """One object, or an array that is closed even after Ctrl-C."""

    def take(self, number: int, source: str, transcript: Transcript) -> str | None:
        self._add(self._write(transcript, self._with_tokens))
        return None

    def fail(self, number: int, source: str, error: Exception) -> None:
        if self._count > 1:
            self._add(write_json_error(error, source))

    def close(self) -> None:
        if self._count > 1:
            _put("\n]\n" if self._num_taken else "[]\n")

    def _add(self, text: str) -> None:
        if self._count > 1:
            text = ("[\n" if not self._num_taken else ",\n") + textwrap.indent(text.rstrip("\n"), "  ")
        _put(text)
        self._num_taken += 1


class LinesOutlet(Outlet):
    """A line as soon as it is final; `done` or `error` ends each recording."""

    def on_event(self, number: int, source: str, event: Event) -> None:
        for line in event_lines(event, source, self._with_tokens):
            _put(line)

    def take(self, number: int, source: str, transcript: Transcript) -> str | None:
        return None                                     # said line by line already

    def fail(self, number: int, source: str, error: Exception) -> None:
        _put(error_line(error, source))


class FolderOutlet(Outlet):
    """One file per recording. A file appears whole or not at all, and replaces none unless asked to."""

    def __init__(self, folder: Path, sources: Sequence[str], format_name: str, with_tokens: bool, overwrite: bool) -> None:
        super().__init__(format_name, with_tokens, len(sources))
        self._overwrite = overwrite
        self._files = [folder / name for name in output_names(sources, format_name)]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OptionError(f"cannot make the output folder {folder}: {error.strerror}") from error

    def refuse(self, number: int) -> None:
        refuse_if_there(self._files[number], self._overwrite)

    def take(self, number: int, source: str, transcript: Transcript) -> str | None:
        file, overwrite = self._files[number], self._overwrite
        if transcript.stopped_by == "cancelled":        # must not be taken for the whole, today or later
            file, overwrite = file.with_suffix(f".partial{file.suffix}"), True
        write_whole(file, self._write(transcript, self._with_tokens), overwrite)
        return str(file)


def open_outlet(
    folder: str | None, sources: Sequence[str], format_name: str, *, with_tokens: bool = False, overwrite: bool = False
) -> Outlet:
    """The outlet that was asked for. Raises OptionError for a folder that cannot be made."""
    if folder:
        return FolderOutlet(Path(folder).expanduser(), sources, format_name, with_tokens, overwrite)
    kind = {"json": JsonOutlet, "jsonl": LinesOutlet}.get(format_name, Outlet)
    return kind(format_name, with_tokens, len(sources))


def refuse_if_there(file: Path, overwrite: bool, flag: str = "--output") -> None:
    """Raise OptionError when a file of an earlier run would be replaced unasked. `flag` is the one that named it."""
    if file.exists() and not overwrite:
        raise _is_there(file, flag)


def write_whole(file: Path, text: str, overwrite: bool, flag: str = "--output") -> None:
    """Write a file that appears whole or not at all. Raises OptionError when it cannot, or is there already."""
    try:
        _write(file, text, overwrite)
    except FileExistsError as error:                    # it appeared while we worked
        raise _is_there(file, flag) from error
    except OSError as error:
        raise OptionError(f"cannot write {file}: {error.strerror}") from error


def _is_there(file: Path, flag: str) -> OptionError:
    return OptionError(f"{file} is there already; --overwrite replaces it, another {flag} leaves it")


def _put(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()                                  # whoever reads us has each result when it is final


def _write(file: Path, text: str, overwrite: bool) -> None:
    handle, name = tempfile.mkstemp(prefix=".ossicle.", dir=file.parent)   # short: the name may be as long as one can be
    try:
        with open(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as temporary:
            temporary.write(text)
        os.chmod(name, 0o666 & ~_umask())
        if overwrite:
            os.replace(name, file)
        else:
            _place(name, file)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _place(name: str, file: Path) -> None:
    """Give a written file its name; unlike os.replace, fails where a file is."""
    try:
        os.link(name, file)
    except FileExistsError:
        raise
    except OSError:                                     # a disk without links
        if file.exists():
            raise FileExistsError(file) from None
        os.replace(name, file)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
