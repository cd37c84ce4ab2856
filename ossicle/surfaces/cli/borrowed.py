"""One command takes the flags of another: each is written once, with its meaning and its panel."""

import inspect
from collections.abc import Callable, Collection
from typing import Any


def with_flags_of(other: Callable[..., Any], without: Collection[str] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: the parameters of `other` that a command lacks come behind its own; it gets their values by `ctx.params`.

    without   names that it does not take

    The command takes them all as `**flags`.
    """
    def borrow(command: Callable[..., Any]) -> Callable[..., Any]:
        own = [part for part in inspect.signature(command).parameters.values() if part.kind is not part.VAR_KEYWORD]
        taken = {part.name for part in own} | set(without)
        theirs = [part for part in inspect.signature(other).parameters.values() if part.name not in taken]
        # Typer reads what the function says of itself.
        command.__signature__ = inspect.Signature([*own, *theirs])                          # type: ignore[attr-defined]
        command.__annotations__ = {part.name: part.annotation for part in [*own, *theirs]} | {"return": None}
        return command

    return borrow
