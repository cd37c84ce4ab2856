"""Where results go: stdout in one format, or a folder with a file for each recording and format.

On stdout several recordings are told apart: text formats put `==> name <==` above each as `head` does, `json` prints one
array with one entry per recording (the object alone when there is one), `jsonl` streams lines that name their source.
"""

import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ossicle.archive.files import write_file
from ossicle.errors import FormatError, OptionError
from ossicle.formats.lines import error_line, event_lines, write_jsonl
from ossicle.formats.registry import ALL, FORMATS, FormatOptions, find_formats
from ossicle.formats.write import write_json_error
from ossicle.options import CueOptions
from ossicle.progress import Event
from ossicle.results import Transcript
from ossicle.surfaces.cli.media import FindMedia, link_recording
from ossicle.surfaces.cli.naming import output_names
from ossicle.surfaces.settings import Settings, cue_options

HERE = Path()


@dataclass(frozen=True)
class Style:
    """Which formats are written, and how."""

    formats: tuple[str, ...]
    with_tokens: bool
    cues: Callable[[str | None], CueOptions]    # for a transcript in this language
    is_all: bool = False                        # asked for as `all`: what a transcript cannot be written in is left out
    media: FindMedia = link_recording           # the recording for a page that plays it

    def write(self, transcript: Transcript, format_name: str, folder: Path = HERE) -> str:
        """A transcript in one of the formats, for a file in `folder`. Raises FormatError where it lacks what the format is about."""
        media = self.media(transcript, folder) if format_name == "html" else None
        return FORMATS[format_name].write(transcript, FormatOptions(self.with_tokens, self.cues(transcript.language), media))


def style_of(settings: Settings, formats: str | None = None) -> Style:
    """What the settings say of the output. Raises OptionError where limits of cues contradict one another."""
    cue_options(settings)                               # told before the work, not after
    names = formats or settings.format
    return Style(find_formats(names), settings.tokens, lambda language: cue_options(settings, language),
                 ALL in [name.strip().lower() for name in names.split(",")])


class Outlet:
    """What takes the results of a run, recording by recording, in order. This one is a text format on stdout."""

    def __init__(self, style: Style, count: int) -> None:
        self._style = style
        self._count, self._num_taken = count, 0

    def refuse(self, number: int) -> None:
        """Raise OptionError when there is no place for recording `number` of the run, before it is worked on."""

    def on_event(self, number: int, source: str, event: Event) -> None:
        """News of a recording, for forms that are written as it goes."""

    def take(self, number: int, source: str, transcript: Transcript) -> str | None:
        """A recording is done, or cut short by a cancel; returns where it went, if not to stdout."""
        text = self._style.write(transcript, self._style.formats[0])
        if self._count > 1:
            _put(f"{chr(10) if self._num_taken else ''}==> {source} <==\n")
        _put(text)
        self._num_taken += 1
        return None

    def fail(self, number: int, source: str, error: Exception) -> None:
        """A recording failed."""

    def close(self) -> None:
        """No more recordings come."""


class JsonOutlet(Outlet):
    """One object, or an array that is closed even after Ctrl-C."""

    def take(self, number: int, source: str, transcript: Transcript) -> str | None:
        self._add(self._style.write(transcript, "json"))
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

    def __init__(self, style: Style, count: int, is_live: bool) -> None:
        super().__init__(style, count)
        self._is_live = is_live

    def on_event(self, number: int, source: str, event: Event) -> None:
        for line in event_lines(event, source, self._style.with_tokens):
            _put(line)

    def take(self, number: int, source: str, transcript: Transcript) -> str | None:
        if not self._is_live:                           # else said line by line already
            _put(write_jsonl(transcript, self._style.with_tokens))
        return None

    def fail(self, number: int, source: str, error: Exception) -> None:
        _put(error_line(error, source))


class FolderOutlet(Outlet):
    """A file per recording and format. Each appears whole or not at all, and replaces none unless asked to."""

    def __init__(self, folder: Path, sources: Sequence[str], style: Style, overwrite: bool, kept: Collection[Path] = ()) -> None:
        super().__init__(style, len(sources))
        self._overwrite = overwrite
        self._kept = {file.resolve() for file in kept}
        by_format = [output_names(sources, FORMATS[name].suffix) for name in style.formats]
        self._files = [dict(zip(style.formats, (folder / name for name in names))) for names in zip(*by_format)]
        counts = Counter(str(file).casefold() for files in self._files for file in files.values())
        if twice := [name for name, count in counts.items() if count > 1]:
            raise OptionError(f"two results would be {twice[0]}; rename one of the recordings, or ask for the formats one by one")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OptionError(f"cannot make the output folder {folder}: {error.strerror}") from error

    def refuse(self, number: int) -> None:
        for file in self._wanted(number).values():
            refuse_if_there(file, self._overwrite)

    def take(self, number: int, source: str, transcript: Transcript) -> str | None:
        written, lacking = [], []
        for name, file in self._wanted(number).items():
            try:
                text = self._style.write(transcript, name, file.parent)
            except FormatError as error:
                lacking.append(error)
                continue
            if transcript.stopped_by == "cancelled":    # must not be taken for the whole, today or later
                write_whole(file := file.with_suffix(f".partial{file.suffix}"), text, overwrite=True)
            else:
                write_whole(file, text, self._overwrite)
            written.append(str(file))
        if lacking and not self._style.is_all:
            raise lacking[0]
        return ", ".join(written) + "".join(f"; left out: {error}" for error in lacking)

    def _wanted(self, number: int) -> dict[str, Path]:
        """The files of a recording but those that it was read from."""
        return {name: file for name, file in self._files[number].items() if file.resolve() not in self._kept}


class FileOutlet(FolderOutlet):
    """One file with a name of the user's, for one recording in one format."""

    def __init__(self, file: Path, style: Style, overwrite: bool) -> None:
        super().__init__(file.parent, [file.name], style, overwrite)
        self._files = [{style.formats[0]: file}]


def open_outlet(
    folder: str | None, sources: Sequence[str], style: Style, *, overwrite: bool = False, is_live: bool = True,
    kept: Collection[Path] = (),
) -> Outlet:
    """The outlet that was asked for. Raises OptionError for a folder that cannot be made, and for several formats without one.

    is_live   events come before each result
    kept      files that the results come from: never written to
    """
    if folder:
        return FolderOutlet(Path(folder).expanduser(), sources, style, overwrite, kept)
    if len(style.formats) > 1:
        raise OptionError(f"several formats need a folder: give --output DIR, or one format instead of {', '.join(style.formats)}")
    if style.formats[0] == "jsonl":
        return LinesOutlet(style, len(sources), is_live)
    return (JsonOutlet if style.formats[0] == "json" else Outlet)(style, len(sources))


def refuse_if_there(file: Path, overwrite: bool, flag: str = "--output") -> None:
    """Raise OptionError when a file of an earlier run would be replaced unasked. `flag` is the one that named it."""
    if file.exists() and not overwrite:
        raise _is_there(file, flag)


def write_whole(file: Path, text: str, overwrite: bool, flag: str = "--output") -> None:
    """Write a file that appears whole or not at all. Raises OptionError when it cannot, or is there already."""
    try:
        write_file(file, text, overwrite)
    except FileExistsError as error:                    # it appeared while we worked
        raise _is_there(file, flag) from error
    except OSError as error:
        raise OptionError(f"cannot write {file}: {error.strerror}") from error


def _is_there(file: Path, flag: str) -> OptionError:
    return OptionError(f"{file} is there already; --overwrite replaces it, another {flag} leaves it")


def _put(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()                                  # whoever reads us has each result when it is final

