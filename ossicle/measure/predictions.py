"""What a model heard, file by file, in a file that grows as the work goes on: nothing finished is computed twice.

A line is used again only where model, options and sound are those of now; which they are is a hash in the line.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ossicle.errors import AudioError, OptionError
from ossicle.measure.manifest import Item
from ossicle.options import EngineOptions, TranscribeOptions
from ossicle.results import ModelFacts, Transcript
from ossicle.stream_options import StreamOptions

SCHEMA = "ossicle-prediction/1"
PRINT_BYTES = 65_536                    # of the sound's beginning and end: another recording differs there


@dataclass(frozen=True)
class Prediction:
    """What was heard in one item, and how that went."""

    id: str
    run: str                            # hash of model, options and sound
    text: str
    language: str | None                # as the model named it
    duration: float
    work_seconds: float                 # from the end of the file before to the end of this one: the sum is what all took
    missing_seconds: float              # of sound that was cut short or never reached
    stopped_by: str
    words: tuple[tuple[str, float | None], ...]     # (text, confidence)

    def to_line(self) -> str:
        """One line of JSON."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, ensure_ascii=False) + "\n"


def predict(item: Item, run: str, transcript: Transcript, work_seconds: float) -> Prediction:
    """What to keep of a transcript."""
    return Prediction(
        id=item.id,
        run=run,
        text=transcript.text,
        language=transcript.language,
        duration=transcript.duration,
        work_seconds=work_seconds,
        missing_seconds=transcript.coverage.missing_seconds,
        stopped_by=transcript.stopped_by,
        words=tuple((word.text, word.confidence) for word in transcript.words),
    )


def run_of(item: Item, facts: ModelFacts, options: TranscribeOptions | StreamOptions, engine: EngineOptions | None) -> str:
    """A hash of everything that decides what is heard in an item. Raises AudioError when the sound is not there."""
    model = [facts.name, facts.engine, facts.device, facts.dtype, facts.weights, facts.parameters, facts.versions.get("ossicle")]
    asked = asdict(engine or EngineOptions()) | {"threads": None}           # how many work on it changes no word
    said = json.dumps([model, asked, asdict(options), _print_of(item.audio)], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


class Kept(Protocol):
    """A line of such a file."""

    @property
    def id(self) -> str:
        """Of what was heard."""

    @property
    def run(self) -> str:
        """Hash of all that decides what is heard."""

    def to_line(self) -> str:
        """One line of JSON that begins with the schema."""


K = TypeVar("K", bound=Kept)


class KeptFile(Generic[K]):
    """Results of this and earlier runs; `None` in place of a file keeps them in memory only.

    Raises OptionError for a file that holds anything else. A last line that was cut off by a kill is taken away.
    """

    def __init__(self, path: Path | None, schema: str, read: Callable[[Mapping[str, Any]], K]) -> None:
        """read   makes a result of one line's JSON"""
        self._path, self._schema, self._read = path, schema, read
        self._known: dict[tuple[str, str], K] = {}
        if path is not None and path.exists():
            self._read_all(path)

    @property
    def is_on_disk(self) -> bool:
        """Whether what is added outlives this process."""
        return self._path is not None

    def find(self, name: str, run: str) -> K | None:
        """The result of an earlier run, where that was the same."""
        return self._known.get((name, run))

    def __len__(self) -> int:
        return len(self._known)

    def add(self, prediction: K) -> None:
        """Keep a result, on disk at once. Raises OptionError when that cannot be written."""
        self._known[prediction.id, prediction.run] = prediction
        if self._path is None:
            return
        try:
            with open(self._path, "a", encoding="utf-8", newline="\n") as file:
                file.write(prediction.to_line())
        except OSError as error:
            raise OptionError(f"cannot write the predictions to {self._path}: {error.strerror}") from error

    def _read_all(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise OptionError(f"cannot read the predictions in {path}: {error.strerror}") from error
        whole, _, rest = content.rpartition(b"\n")
        for number, line in enumerate(whole.split(b"\n") if whole else [], start=1):
            if line.strip():
                prediction = self._read(_entry(line, self._schema, f"{path}, line {number}"))
                self._known[prediction.id, prediction.run] = prediction
        if rest.strip():                                    # only now: a file of another kind is left as it is
            if not content.startswith(f'{{"schema": "{self._schema.partition("/")[0]}/'.encode()):
                raise OptionError(f"{path} holds no predictions of `ossicle eval`; name another file")
            os.truncate(path, len(content) - len(rest))


class PredictionFile(KeptFile[Prediction]):
    """What was heard in each recording of a manifest."""

    def __init__(self, path: Path | None) -> None:
        super().__init__(path, SCHEMA, _prediction)


def _entry(line: bytes, schema: str, where: str) -> Mapping[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise OptionError(f"{where}: expected a prediction of `ossicle eval`, got no JSON ({error}); name another file") from error
    given = entry.get("schema") if isinstance(entry, Mapping) else None
    if given != schema:
        raise OptionError(f"{where}: expected a prediction of `ossicle eval` with schema {schema!r}, got {given!r}; name another file")
    found: Mapping[str, Any] = entry
    return found


def _prediction(entry: Mapping[str, Any]) -> Prediction:
    values: dict[str, Any] = {part.name: entry.get(part.name) for part in fields(Prediction)}
    values["words"] = tuple((text, confidence) for text, confidence in values["words"] or ())
    return Prediction(**values)


def _print_of(audio: Path) -> list[object]:
    """Which sound this is: its size and what stands at its beginning and end. No time of change, which a copy has anew."""
    try:
        with open(audio, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            begin = file.read(PRINT_BYTES)
            file.seek(max(0, size - PRINT_BYTES))
            return [size, hashlib.sha256(begin + file.read()).hexdigest()]
    except OSError as error:
        raise AudioError(f"expected a sound file at {audio}, but the system said: {error.strerror}") from error
