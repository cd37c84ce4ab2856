"""What other tools wrote, and what should have been written: texts by their ids, and the two matched.

Nothing is dropped in silence: an id on one side only is an error, or is listed.
"""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from ossicle.errors import OptionError
from ossicle.measure.manifest import AUDIO_KEYS, LANGUAGE_KEYS, LIBRISPEECH, SOUNDS, TEXT_KEYS, read_manifest
from ossicle.measure.score import Utterance
from ossicle.measure.transcripts import SUFFIXES, read_transcript

Role = Literal["expected", "predictions"]
Missing = Literal["error", "skip", "empty"]     # what becomes of a reference without a prediction
MISSING: tuple[str, ...] = get_args(Missing)
ID_KEYS = ("id", "utt_id", "key", "name", *AUDIO_KEYS)
PREDICTION_KEYS = ("pred_text", "prediction", "hypothesis", "hyp", "predicted", *TEXT_KEYS)
TRN = re.compile(r"(.*)\(([^()\s]+)\)\s*")      # a line of sclite: the words, then the id in brackets
SHOWN = 5                                       # ids that an error names


@dataclass(frozen=True)
class Text:
    """One text and what is known of it."""

    text: str
    language: str | None = None
    duration: float | None = None


@dataclass(frozen=True)
class Texts:
    """The texts of one side, by id."""

    by_id: Mapping[str, Text]
    is_document: bool = False                   # one recording in one file: there is nothing to match it by
    is_lines: bool = False                      # lines without ids: matched by their place


@dataclass(frozen=True)
class Matched:
    """Pairs to score, and ids that have no partner."""

    utterances: tuple[Utterance, ...]
    missing: tuple[str, ...]                    # references without a prediction
    unexpected: tuple[str, ...]                 # predictions without a reference


def read_texts(path: Path, role: Role) -> Texts:
    """Read JSON lines, CSV, TSV, lines, sclite's .trn, one transcript, or a folder of transcripts or of LibriSpeech.

    Raises OptionError with the file and line for what cannot be read, and for an id that stands twice.
    """
    if path.is_dir():
        return Texts(_unique(_folder(path, role), path))
    if not path.is_file():
        raise OptionError(f"expected the {role} at {path}, but there is no such file or folder; check the name")
    try:
        match path.suffix.lower():
            case ".jsonl" | ".ndjson":
                return Texts(_unique(_json_lines(path, role), path))
            case ".csv" | ".tsv":
                return Texts(_unique(_table(path, role), path))
            case ".trn":
                return Texts(_unique(_trn(path), path))
            case ".txt" if not path.name.endswith(LIBRISPEECH[1:]):
                lines = path.read_text("utf-8-sig").splitlines()
                return Texts({str(number): Text(line.strip()) for number, line in enumerate(lines, start=1)}, is_lines=True)
            case ".txt":
                return Texts(_unique(_librispeech(path), path))
    except UnicodeDecodeError as error:
        raise OptionError(f"{path} is no UTF-8 text: {error}") from error
    except OSError as error:
        raise OptionError(f"cannot read {path}: {error.strerror}") from error
    return Texts({path.stem: _document(path)}, is_document=True)


def match(expected: Texts, predictions: Texts, missing: Missing = "error", language: str | None = None) -> Matched:
    """Pair texts by id; where ids differ, by the name of the file in them, if that is unique on both sides.

    missing    "error": raise; "skip": list them; "empty": score them as if nothing had been heard, and list them
    language   of texts whose file names none

    Raises OptionError where nothing matches, and where lines without ids are not equally many.
    """
    expected, predictions = _alike(expected, predictions)
    pairs = _pairs(expected.by_id, predictions.by_id)
    lost = tuple(name for name in expected.by_id if name not in pairs)
    unexpected = tuple(name for name in predictions.by_id if name not in set(pairs.values()))
    if not pairs:
        raise OptionError(f"no id of the predictions ({_some(predictions.by_id)}) is one of the expected ({_some(expected.by_id)})")
    if missing == "error" and (lost or unexpected):
        kinds = ((lost, "without a prediction"), (unexpected, "without a reference"))
        said = [f"{len(ids)} {what} ({_some(ids)})" for ids, what in kinds if ids]
        raise OptionError(f"texts do not match: {' and '.join(said)}; --missing skip scores the others, --missing empty counts what is "
                          "not predicted as not heard")
    kept = {name: text for name, text in expected.by_id.items() if name in pairs or missing == "empty"}
    utterances = tuple(
        Utterance(name, text.text, predictions.by_id[pairs[name]].text if name in pairs else "", text.language or language, text.duration)
        for name, text in kept.items())
    return Matched(utterances, lost, unexpected)


def _alike(expected: Texts, predictions: Texts) -> tuple[Texts, Texts]:
    """Both as one document, or both as lines, where one of them is."""
    if expected.is_document or predictions.is_document:
        return _as_document(expected, "expected"), _as_document(predictions, "predictions")
    if expected.is_lines != predictions.is_lines:
        raise OptionError("one side has lines without ids, the other has ids; give both with ids, or both as lines")
    if expected.is_lines and len(expected.by_id) != len(predictions.by_id):
        raise OptionError(f"lines without ids are matched by their place, but there are {len(expected.by_id)} expected and "
                          f"{len(predictions.by_id)} predicted ones")
    return expected, predictions


def _as_document(texts: Texts, role: Role) -> Texts:
    if texts.is_lines:
        return Texts({"1": Text(" ".join(text.text for text in texts.by_id.values()))})
    if len(texts.by_id) != 1:
        raise OptionError(f"the other side is one transcript, but the {role} hold {len(texts.by_id)} texts; give a folder of transcripts")
    return Texts({"1": next(iter(texts.by_id.values()))})


def _pairs(expected: Mapping[str, Text], predictions: Mapping[str, Text]) -> dict[str, str]:
    """The id of the prediction for each id that has one."""
    pairs = {name: name for name in expected if name in predictions}
    by_stem = [_by_stem([name for name in texts if name not in pairs]) for texts in (expected, predictions)]
    return pairs | {name: by_stem[1][stem] for stem, name in by_stem[0].items() if stem in by_stem[1]}


def _by_stem(names: Sequence[str]) -> dict[str, str]:
    """Ids by the name of the file in them, `clips/a.wav` by `a`; not those that share it."""
    stems: dict[str, list[str]] = {}
    for name in names:
        file = PurePosixPath(name.replace("\\", "/"))
        stems.setdefault(file.stem if file.suffix.lower() in (*SOUNDS, *SUFFIXES) else file.name, []).append(name)
    return {stem: found[0] for stem, found in stems.items() if len(found) == 1}


def _folder(path: Path, role: Role) -> Iterator[tuple[str, Text]]:
    if any(path.rglob(LIBRISPEECH)):
        for item in read_manifest(path).items:
            yield item.id, Text(item.text, item.language)
        return
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise OptionError(f"{path} holds no transcripts ({', '.join(SUFFIXES)}); expected the {role} there")
    for file in files:
        yield file.relative_to(path).with_suffix("").as_posix(), _document(file)


def _document(path: Path) -> Text:
    transcript = read_transcript(path)
    return Text(transcript.text, transcript.language, transcript.duration or None)


def _json_lines(path: Path, role: Role) -> Iterator[tuple[str, Text]]:
    for number, line in enumerate(path.read_text("utf-8-sig").splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise OptionError(f"{where}: expected a JSON object, got {line[:60]!r} ({error})") from error
        if not isinstance(entry, dict):
            raise OptionError(f"{where}: expected a JSON object, got {line[:60]!r}")
        yield _entry(entry, role, where)


def _table(path: Path, role: Role) -> Iterator[tuple[str, Text]]:
    is_tsv = path.suffix.lower() == ".tsv"
    with open(path, encoding="utf-8-sig", newline="") as file:
        form: Mapping[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if is_tsv else {}
        rows = csv.reader(file, **form)
        header = [name.strip().lower() for name in next(rows, [])]
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            if any(row) and len(row) != len(header):
                raise OptionError(f"{where}: expected {len(header)} columns as in the header, got {len(row)}")
            if any(row):
                yield _entry(dict(zip(header, row, strict=True)), role, where)


def _entry(entry: Mapping[str, Any], role: Role, where: str) -> tuple[str, Text]:
    keys = TEXT_KEYS if role == "expected" else PREDICTION_KEYS
    text = next((entry[key] for key in keys if isinstance(entry.get(key), str)), None)
    name = next((entry[key] for key in ID_KEYS if entry.get(key) not in (None, "")), None)
    if text is None or name is None:
        lacking, among = ("a text", keys) if text is None else ("an id", ID_KEYS)
        raise OptionError(f"{where}: expected {lacking} under one of {', '.join(among)}; got {', '.join(entry) or 'nothing'}")
    language = next((entry[key] for key in LANGUAGE_KEYS if isinstance(entry.get(key), str) and entry[key]), None)
    duration = entry.get("duration")
    return str(name), Text(text, language, duration if isinstance(duration, int | float) else None)


def _trn(path: Path) -> Iterator[tuple[str, Text]]:
    for number, line in enumerate(path.read_text("utf-8-sig").splitlines(), start=1):
        found = TRN.fullmatch(line)
        if line.strip() and not found:
            raise OptionError(f"{path}, line {number}: expected the words and then the id in brackets, got {line[:60]!r}")
        if found:
            yield found[2], Text(found[1].strip())


def _librispeech(path: Path) -> Iterator[tuple[str, Text]]:
    for line in path.read_text("utf-8-sig").splitlines():
        if line.strip():
            name, _, text = line.strip().partition(" ")
            yield name, Text(text.strip(), "en")


def _unique(found: Iterator[tuple[str, Text]], path: Path) -> dict[str, Text]:
    texts: dict[str, Text] = {}
    for name, text in found:
        if name in texts:
            raise OptionError(f"{path}: the id {name!r} stands twice, and it is not said which one counts")
        texts[name] = text
    if not texts:
        raise OptionError(f"{path} holds no texts")
    return texts


def _some(names: Mapping[str, Any] | Sequence[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:SHOWN]) + (", ..." if len(listed) > SHOWN else "")
