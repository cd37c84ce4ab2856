"""The published schema says what the dataclasses say, and everything we write is valid under it."""

import copy
import dataclasses
import json
from importlib.resources import files

import jsonschema
import pytest

from ossicle import results
from ossicle.errors import AudioError
from ossicle.formats.lines import SCHEMA, error_line, write_jsonl
from ossicle.formats.schema import NAME, read_schema
from ossicle.formats.write import write_json, write_json_error
from ossicle.results import Coverage, Transcript, Turn
from tests.formats.speech import TEXTS, spoken
from tests.talk import FACTS, TRANSCRIPT, WHOLE
from tools import transcript_schema

PUBLISHED = json.loads(read_schema())
EMPTY = Transcript("", None, 0.0, (), (), Coverage(0.0, 0.0, 0.0, 0.0))
SAMPLES = [TRANSCRIPT, WHOLE, EMPTY, dataclasses.replace(WHOLE, turns=(Turn(0.0, 1.0, "A"),), aligner=FACTS),
           *(spoken(language, ("Anna", "Bob")) for language in TEXTS)]


def strict(schema):
    """The same, but nothing is allowed that it does not name."""
    closed = copy.deepcopy(schema)

    def close(part):
        if isinstance(part, dict):
            if "properties" in part and "allOf" in part:
                part["unevaluatedProperties"] = False
            elif "properties" in part:
                part["additionalProperties"] = False
            for value in part.values():
                close(value)
        elif isinstance(part, list):
            for value in part:
                close(value)

    close(closed)
    for kind in ("Segment", "Chunk"):                # a line adds to them
        closed["$defs"][kind].pop("additionalProperties")
    return closed


WHOLE_FILE = jsonschema.Draft202012Validator(strict(PUBLISHED))
LINE = jsonschema.Draft202012Validator({**strict(PUBLISHED), "oneOf": [{"$ref": "#/$defs/Line"}]})


def test_the_file_is_what_the_dataclasses_say():
    assert read_schema() == transcript_schema.text(), "run: python tools/transcript_schema.py"
    assert files("ossicle.formats").joinpath(NAME).is_file()


def test_the_schema_is_a_schema_of_its_draft():
    jsonschema.Draft202012Validator.check_schema(PUBLISHED)
    assert (PUBLISHED["title"], PUBLISHED["$schema"]) == (SCHEMA, "https://json-schema.org/draft/2020-12/schema")


@pytest.mark.parametrize("name", ["Transcript", "Segment", "Word", "Chunk", "Token", "Turn", "Gap", "Coverage", "Timings", "ModelFacts"])
def test_schema_and_dataclass_agree_field_by_field(name):
    written = {field.name for field in dataclasses.fields(getattr(results, name))}
    added = {"Transcript": {"schema", "stopped_by", "truncated", "confidence", "rtf"}, "Coverage": {"ratio"},
             "Chunk": {"truncated", "tokens_per_second", "compression_ratio"}}.get(name, set())
    assert set(PUBLISHED["$defs"][name]["properties"]) == (written | added) - ({"words"} if name == "Chunk" else set())


@pytest.mark.parametrize("with_tokens", [False, True])
@pytest.mark.parametrize("transcript", SAMPLES, ids=lambda transcript: transcript.source or "empty")
def test_what_we_write_is_valid_and_nothing_else_is_in_it(transcript, with_tokens):
    WHOLE_FILE.validate(json.loads(write_json(transcript, with_tokens)))
    for line in write_jsonl(transcript, with_tokens).split("\n")[:-1]:
        LINE.validate(json.loads(line))


def test_failures_and_arrays_are_valid_too():
    error = AudioError("expected sound, got text")
    WHOLE_FILE.validate([json.loads(write_json(WHOLE)), json.loads(write_json_error(error, "a.wav"))])
    LINE.validate(json.loads(error_line(error, None)))


@pytest.mark.parametrize(("change", "message"), [
    ({"duration": "4"}, "is not of type 'number'"), ({"schema": "ossicle-transcript/2"}, "was expected"), ({"duration": -1}, "minimum"),
    ({"segments": None}, "is not of type 'array'")])
def test_what_is_not_a_transcript_is_not_valid(change, message):
    entry = json.loads(write_json(WHOLE)) | change
    found = jsonschema.Draft202012Validator({**PUBLISHED, "oneOf": [{"$ref": "#/$defs/Transcript"}]}).iter_errors(entry)
    assert any(message in problem.message for error in found for problem in [error, *error.context])
    with pytest.raises(jsonschema.ValidationError):
        WHOLE_FILE.validate({name: value for name, value in json.loads(write_json(WHOLE)).items() if name != "text"})
