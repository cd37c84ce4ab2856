"""Plain content against the dataclasses of results.py: what is missing or of another kind is named with its place."""

import dataclasses
import math
import types
import typing
from functools import cache
from typing import Any, Literal

from ossicle.errors import FormatError

PLAIN = {str: "text", int: "a whole number", float: "a number", bool: "true or false", types.NoneType: "null"}


def check(content: Any, kind: type, place: str) -> None:
    """Raise FormatError unless `kind` can be made of the content; what it does not know is passed over."""
    if not isinstance(content, dict):
        raise FormatError(f"{place} must be an object, got {_short(content)}")
    hints = _hints(kind)
    for field in dataclasses.fields(kind):
        if field.name in content:
            _check_value(content[field.name], hints[field.name], f"{place}: {field.name}" if ": " not in place else f"{place}.{field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise FormatError(f"{place} has no {field.name}, which every {kind.__name__.lower()} has; the file is incomplete or "
                              "from another program")


def _check_value(value: Any, hint: Any, place: str) -> None:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        if not isinstance(value, list):
            raise FormatError(f"{place} must be a list, got {_short(value)}")
        for number, entry in enumerate(value):
            _check_value(entry, arguments[0], f"{place}[{number}]")
    elif origin in (typing.Union, types.UnionType):
        if value is None and types.NoneType in arguments:
            return
        kinds = [argument for argument in arguments if argument is not types.NoneType]
        if not any(_is(value, kind) for kind in kinds):
            _check_value(value, kinds[0], place)
    elif dataclasses.is_dataclass(hint) and isinstance(hint, type):
        check(value, hint, place)
    elif origin is Literal:
        if value not in arguments:
            raise FormatError(f"{place} must be one of {', '.join(map(str, arguments))}, got {_short(value)}")
    elif origin is dict:
        if not isinstance(value, dict):
            raise FormatError(f"{place} must be an object, got {_short(value)}")
    elif not _is(value, hint):
        raise FormatError(f"{place} must be {PLAIN.get(hint, hint)}, got {_short(value)}")


def _is(value: Any, kind: Any) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(kind, type) and isinstance(value, kind)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _short(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 40 else f"{said[:37]}..."
