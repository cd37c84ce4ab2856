"""What a value that somebody chose must be: each check raises OptionError with the field, the rule and the value.

Imports nothing of ours but the errors.
"""

import math

from ossicle.errors import OptionError


def require_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """One of a few values."""
    if value not in choices:
        listed = ", ".join("none" if choice is None else str(choice) for choice in choices)
        raise OptionError(f"{name} must be one of {listed}; got {value!r}")


def require_names(name: str, value: object) -> None:
    """Several pieces of text, not one."""
    if not isinstance(value, tuple | list) or not all(isinstance(entry, str) for entry in value):
        raise OptionError(f"{name} must be several names, as in ('en', 'zh'); got {value!r}")


def require_whole(name: str, value: object) -> None:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise OptionError(f"{name} must be a whole number, got {value!r}")


def require_between(name: str, value: float, low: float, high: float, unit: str = "") -> None:
    """A number from `low` to `high`."""
    if not isinstance(value, int | float):
        raise OptionError(f"{name} must be a number, got {value!r}")
    if not low <= value <= high:             # also refuses NaN
        unit = f" {unit}" if unit else ""
        raise OptionError(f"{name} must be between {low:g} and {high:g}{unit}, got {value:g}")


def require_at_least(name: str, value: float, low: float) -> None:
    """A finite number from `low` up."""
    if not isinstance(value, int | float):
        raise OptionError(f"{name} must be a number, got {value!r}")
    if not value >= low or value == math.inf:
        raise OptionError(f"{name} must be at least {low:g}, got {value:g}")
