"""A list of recordings with what is said in them, in the forms data sets come in; items out, in order.

Reads JSON lines (NeMo and its kin), LibriSpeech folders, Common Voice TSV, CSV and TSV with a header. Opens no sound.
"""

import csv
import json
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ossicle.errors import OptionError

AUDIO_KEYS = ("audio", "audio_filepath", "path", "wav", "file")         # the first that is there counts
TEXT_KEYS = ("text", "sentence", "reference", "transcript", "transcription")
START_KEYS = ("start", "offset")
LANGUAGE_KEYS = ("language", "locale", "lang")
CLIPS = "clips"                             # where Common Voice keeps its sound, beside the table
LIBRISPEECH = "*.trans.txt"                 # a line per recording: its id, then what is said in capitals
SOUNDS = (".flac", ".wav", ".opus", ".ogg", ".mp3", ".m4a")
FORMS = ("JSON lines (.jsonl), a LibriSpeech folder, a folder of recordings with a .txt beside each, a Common Voice table (.tsv), or .csv "
         "with a header")


@dataclass(frozen=True)
class Item:
    """One recording, or a part of one, and what is said in it."""

    id: str
    audio: Path
    text: str
    language: str | None = None             # as the manifest writes it
    start: float = 0.0                      # of the part, in seconds
    end: float | None = None                # None is the end of the recording
    duration: float | None = None           # as the manifest says; measured again when the sound is read
    context: str | None = None


@dataclass(frozen=True)
class Manifest:
    """The items of one manifest."""

    name: str                               # of the file or folder
    form: str                               # "jsonl", "librispeech", "sidecar", "common voice", "csv"
    items: tuple[Item, ...]


def read_manifest(path: Path, limit: int | None = None, shuffle_seed: int | None = None) -> Manifest:
    """Read a manifest whole; nothing in it is passed over in silence.

    limit          no more than so many items
    shuffle_seed   in an order that only this number decides, before the limit is applied; None leaves it as written

    Raises OptionError with the file and the line for what cannot be read, for an id that stands twice, and for no items.
    """
    try:
        form, found = _open(path)
        items = list(found)
    except UnicodeDecodeError as error:
        raise OptionError(f"{path} is no UTF-8 text: {error}") from error
    except csv.Error as error:
        raise OptionError(f"{path} cannot be read as a table: {error}") from error
    if not items:
        raise OptionError(f"{path} has no recordings; expected {FORMS}")
    _refuse_twice(items, path)
    if shuffle_seed is not None:
        random.Random(shuffle_seed).shuffle(items)
    return Manifest(path.name or str(path), form, tuple(items[:limit]))


def _open(path: Path) -> tuple[str, Iterator[Item]]:
    if path.is_dir():
        texts = sorted(path.rglob(LIBRISPEECH))
        if not texts:
            return "sidecar", _sidecars(path)
        return "librispeech", (item for text in texts for item in _librispeech(text))
    if not path.is_file():
        raise OptionError(f"expected a manifest at {path}, but there is none; check name and folder")
    match path.suffix.lower():
        case ".jsonl" | ".json" | ".ndjson":
            return "jsonl", _json_lines(path)
        case ".tsv" | ".csv":
            columns = _columns(path)
            is_common_voice = {"client_id", "path", "sentence"} <= set(columns)
            return "common voice" if is_common_voice else "csv", _table(path, columns, is_common_voice)
        case ".txt" if path.name.endswith(LIBRISPEECH[1:]):
            return "librispeech", _librispeech(path)
    raise OptionError(f"{path} is no manifest by its name; expected {FORMS}")


def _json_lines(path: Path) -> Iterator[Item]:
    for number, line in _lines(path):
        try:
            entry = json.loads(line)
        except ValueError as error:
            hint = "; a JSON array is no manifest, each line is an object of its own" if line.startswith("[") else ""
            raise OptionError(f"{path}, line {number}: expected a JSON object, got {line[:60]!r} ({error}){hint}") from error
        if not isinstance(entry, dict):
            raise OptionError(f"{path}, line {number}: expected a JSON object with {AUDIO_KEYS[0]} and {TEXT_KEYS[0]}, got {line[:60]!r}")
        yield _item(entry, path.parent, f"{path}, line {number}")


def _columns(path: Path) -> list[str]:
    with _opened(path) as file:
        header = file.readline().rstrip("\r\n").split("\t" if path.suffix.lower() == ".tsv" else ",")
    columns = [name.strip().strip('"').lower() for name in header]
    for keys in (AUDIO_KEYS, TEXT_KEYS):
        if not set(keys) & set(columns):
            raise OptionError(f"{path}, line 1: expected a header with one of {', '.join(keys)}; got {', '.join(columns)[:200]}")
    return columns


def _table(path: Path, columns: list[str], is_common_voice: bool) -> Iterator[Item]:
    folder = path.parent / CLIPS if is_common_voice and (path.parent / CLIPS).is_dir() else path.parent
    with _opened(path) as file:
        # Common Voice quotes nothing: a sentence may begin with a quotation mark that nothing closes.
        form: Mapping[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if path.suffix.lower() == ".tsv" else {}
        rows = csv.reader(file, **form)
        next(rows)
        for row in rows:
            if not any(row):
                continue
            where = f"{path}, line {rows.line_num}"
            if len(row) != len(columns):
                raise OptionError(f"{where}: expected {len(columns)} columns as in the header, got {len(row)}")
            yield _item({name: value for name, value in zip(columns, row, strict=True) if value != ""}, folder, where,
                        stem_is_id=is_common_voice, may_be_empty=True)


def _librispeech(path: Path) -> Iterator[Item]:
    for number, line in _lines(path):
        name, _, text = line.strip().partition(" ")
        sounds = [sound for suffix in SOUNDS if (sound := path.parent / f"{name}{suffix}").is_file()]
        if not sounds:
            raise OptionError(f"{path}, line {number}: expected {name}.flac beside it, but there is no such file")
        yield Item(name, sounds[0], text.strip(), "en")


def _sidecars(folder: Path) -> Iterator[Item]:
    """Recordings with what is said in them in a .txt of the same name, on any number of lines."""
    sounds = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in SOUNDS]
    told = [(sound, sound.with_suffix(".txt")) for sound in sounds if sound.with_suffix(".txt").is_file()]
    if not told:
        raise OptionError(f"{folder} is a folder without {LIBRISPEECH} files, so it is no LibriSpeech folder, and without recordings that "
                          f"have a .txt beside them; expected {FORMS}")
    missing = [sound.name for sound in sounds if not sound.with_suffix(".txt").is_file()]
    if missing:
        raise OptionError(f"{folder}: expected a .txt beside every recording, but there is none beside {', '.join(missing[:3])}")
    for sound, file in told:
        with _opened(file) as text:
            yield Item(str(sound.relative_to(folder).with_suffix("")), sound, " ".join(text.read().split()))


def _item(entry: Mapping[str, Any], folder: Path, where: str, stem_is_id: bool = False, may_be_empty: bool = False) -> Item:
    audio, text = _first(entry, AUDIO_KEYS), _first(entry, TEXT_KEYS)
    if not isinstance(audio, str) or not audio:
        raise OptionError(f"{where}: expected the recording under one of {', '.join(AUDIO_KEYS)}; got {', '.join(entry) or 'nothing'}")
    if text is None and may_be_empty:               # a table writes an empty text as nothing
        text = ""
    if not isinstance(text, str):
        raise OptionError(f"{where}: expected what is said under one of {', '.join(TEXT_KEYS)}; got {', '.join(entry)}")
    start = _seconds(entry, START_KEYS, where) or 0.0
    end, duration = _seconds(entry, ("end",), where), _seconds(entry, ("duration",), where)
    if end is None and duration is not None and _first(entry, START_KEYS) is not None:
        end = start + duration                      # NeMo's way to say which part
    if end is not None and end <= start:
        raise OptionError(f"{where}: expected an end later than the start ({start:g} s), got {end:g} s")
    name = str(_first(entry, ("id", "utt_id", "key")) or (Path(audio).stem if stem_is_id else _part(audio, start, end)))
    language, context = _text_of(entry, LANGUAGE_KEYS, where), _text_of(entry, ("context",), where)
    return Item(name, folder / audio, text, language, start, end, duration, context)


def _part(audio: str, start: float, end: float | None) -> str:
    """An id where none is given: the path as it is written, and which part."""
    return audio if not start and end is None else f"{audio}#{start:g}-{'' if end is None else f'{end:g}'}"


def _first(entry: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((entry[key] for key in keys if entry.get(key) is not None), None)


def _text_of(entry: Mapping[str, Any], keys: tuple[str, ...], where: str) -> str | None:
    value = _first(entry, keys)
    if value is not None and not isinstance(value, str):
        raise OptionError(f"{where}: {keys[0]} must be text, got {value!r}")
    return value or None


def _seconds(entry: Mapping[str, Any], keys: tuple[str, ...], where: str) -> float | None:
    value = _first(entry, keys)
    if value is None:
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise OptionError(f"{where}: {keys[0]} must be seconds, 0 or more; got {value!r}")
    return seconds


def _refuse_twice(items: list[Item], path: Path) -> None:
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise OptionError(f"{path}: the id {item.id!r} stands twice; ids tell recordings apart, so each must be its own")
        seen.add(item.id)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not empty, with their numbers."""
    with _opened(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line


def _opened(path: Path) -> Any:
    try:
        return open(path, encoding="utf-8-sig", newline="")
    except OSError as error:
        raise OptionError(f"cannot read the manifest {path}: {error.strerror}") from error
