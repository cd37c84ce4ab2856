"""The dataclasses of ossicle/results.py to the JSON schema of transcripts: `python tools/transcript_schema.py` writes it.

Types come from the fields, descriptions from the comments beside them and the docstrings, so there is nothing to keep in step.
A test holds that the file is what this would write, and that everything we write is valid under it.
"""

import ast
import dataclasses
import inspect
import json
import re
import sys
import types
import typing
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ossicle import results  # noqa: E402  (of this checkout, whatever is installed)
from ossicle.formats.lines import SCHEMA  # noqa: E402

PAGE = ROOT / "ossicle" / "formats" / "transcript.schema.json"
DERIVED = {                      # what `to_dict` adds: properties of the classes
    results.Transcript: ("stopped_by", "truncated", "confidence", "rtf"),
    results.Chunk: ("truncated", "tokens_per_second", "compression_ratio"),
    results.Coverage: ("ratio",),
}
LEFT_OUT = {results.Chunk: ("words",)}           # they stand in the segments
AT_LEAST_0 = re.compile(r"start|end|duration|ratio|.*_seconds|num_.*|index|id")
SHARE = ("confidence",)                          # from 0 to 1
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}


def schema() -> dict[str, Any]:
    """The whole schema, as JSON Schema draft 2020-12."""
    definitions = {kind.__name__: _object(kind) for kind in _kinds(results.Transcript)}
    transcript = definitions["Transcript"]
    transcript["properties"] = {"schema": {"const": SCHEMA, "description": "Name and version of this form."}, **transcript["properties"]}
    transcript["required"] = ["schema", *transcript["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        "title": SCHEMA,
        "description": "What `ossicle transcribe --format json` writes: one transcript, or an array with one entry per recording. "
                       "#/$defs/Line is a line of `--format jsonl`. Later releases may add properties under the same version, so readers "
                       "pass over what they do not know; what is here keeps its name and meaning. Times are seconds from the start of "
                       "the recording. Unknown is null.",
        "oneOf": [_ref("Transcript"), _ref("Failure"),
                  {"type": "array", "items": {"oneOf": [_ref("Transcript"), _ref("Failure")]}}],
        "$defs": {**definitions, "Failure": _failure(), "Line": _line(transcript)},
    }


def text() -> str:
    """The schema as the file has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _kinds(root: type) -> list[type]:
    """The dataclasses that a transcript is made of, in the order of their fields."""
    found = [root]
    for kind in found:
        for hint in typing.get_type_hints(kind).values():
            for part in (hint, *typing.get_args(hint)):
                if isinstance(part, type) and dataclasses.is_dataclass(part) and part not in found:
                    found.append(part)
    return found


def _object(kind: type) -> dict[str, Any]:
    hints, comments = typing.get_type_hints(kind), _comments(kind)
    properties, required = {}, []
    for field in dataclasses.fields(kind):
        if field.name in LEFT_OUT.get(kind, ()):
            continue
        properties[field.name] = _property(field.name, hints[field.name], comments.get(field.name))
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append(field.name)
    for name in DERIVED.get(kind, ()):
        getter = inspect.getattr_static(kind, name).fget
        properties[name] = _property(name, typing.get_type_hints(getter)["return"], _said(getter.__doc__))
    return {"type": "object", "description": _said(kind.__doc__), "properties": properties, "required": required}


def _property(name: str, hint: Any, description: str | None) -> dict[str, Any]:
    found = _type(hint)
    numeric = found.get("type")
    if "number" in (numeric or ()) or "integer" in (numeric or ()):
        if name in SHARE:
            found |= {"minimum": 0, "maximum": 1}
        elif AT_LEAST_0.fullmatch(name):
            found |= {"minimum": 0}
    return {"description": description, **found} if description else found


def _type(hint: Any) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _type(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _type(arguments[1])}
    if origin in (typing.Union, types.UnionType):
        parts = [_type(argument) for argument in arguments]
        if all(list(part) == ["type"] for part in parts):
            return {"type": [part["type"] for part in parts]}
        if all("enum" in part or part == {"type": "null"} for part in parts):
            return {"enum": [value for part in parts for value in part.get("enum", [None])]}
        return {"anyOf": parts}
    return {"type": PLAIN[hint]} if hint in PLAIN else _ref(hint.__name__)


def _comments(kind: type) -> dict[str, str]:
    """What stands behind each field in the source, and the comment lines right below that go on with it."""
    source = inspect.getsource(kind)
    lines, found = source.splitlines(), {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            said = lines[(node.end_lineno or node.lineno) - 1].partition("  #")[2].strip()
            if said:
                said = _said(said)
                found[node.target.id] = said[0].upper() + said[1:] + ("" if said.endswith(".") else ".")
    return found


def _said(text: str | None) -> str:
    return re.sub(r"\bNone\b", "null", " ".join((text or "").split()))


def _failure() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "What stands for a recording that failed, among others that did not.",
        "properties": {
            "schema": {"const": SCHEMA},
            "source": {"type": ["string", "null"]},
            "error": {"type": "object", "properties": {"kind": {"type": "string"}, "message": {"type": "string"}},
                      "required": ["kind", "message"]},
        },
        "required": ["schema", "source", "error"],
    }


def _line(transcript: dict[str, Any]) -> dict[str, Any]:
    def kind(name: str, properties: dict[str, Any], required: list[str], **rest: Any) -> dict[str, Any]:
        head = {"kind": {"const": name}, "source": {"type": ["string", "null"]}}
        return {"type": "object", "properties": head | properties, "required": ["kind", "source", *required], **rest}

    message = {"message": {"type": "string"}}
    before = ("segments", "warnings", "source")
    done = {name: value for name, value in transcript["properties"].items() if name not in before}
    return {
        "description": "A line of `--format jsonl`, final when it is written.",
        "oneOf": [
            kind("segment", {}, [], allOf=[_ref("Segment")]),
            kind("chunk", {}, [], allOf=[_ref("Chunk")]),
            kind("warning", message, ["message"]),
            kind("done", done, [name for name in transcript["required"] if name not in (*before, "chunks")]),
            kind("error", {"error": {"type": "string"}, **message}, ["error", "message"]),
        ],
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


if __name__ == "__main__":
    PAGE.write_text(text(), "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
