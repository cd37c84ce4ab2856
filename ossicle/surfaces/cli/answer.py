"""How a command ends: an error is one clear line on stderr and an exit code, never a traceback.

0 all is well, 1 some recording failed, 2 the command cannot be carried out as written, 130 interrupted, 141 the reader
of stdout went away.
"""

import os
import sqlite3
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from ossicle.errors import OptionError, SpeechError

FAILED, WRONG_USAGE, INTERRUPTED, READER_GONE = 1, 2, 130, 141


class Answering(TyperGroup):
    """The group of all commands: whatever one of them raises becomes a line and a code here."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; see the module."""
        try:
            answer = super().invoke(ctx)
            sys.stdout.flush()
        except SpeechError as error:
            tell_error(error, is_debug(ctx))
            raise typer.Exit(WRONG_USAGE if isinstance(error, OptionError) else FAILED) from error
        except KeyboardInterrupt as error:
            typer.echo("ossicle: interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:
            _forget_stdout()
            raise typer.Exit(READER_GONE) from error
        except (OSError, sqlite3.Error) as error:       # a disk that is full, a folder that may not be written to
            tell_error(error, is_debug(ctx))
            raise typer.Exit(FAILED) from error
        return answer


def tell_error(error: Exception, debug: bool = False, about: str | None = None) -> None:
    """One line on stderr; with `debug` the traceback above it."""
    if debug:
        typer.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    message = " ".join(str(error).split()).replace("give raw_format and rate", "give --raw and --rate")
    if not isinstance(error, SpeechError):
        message = f"{type(error).__name__}: {message}; `ossicle --debug` shows where"
    typer.echo(f"ossicle: error: {message if about is None else named(about, message)}", err=True)


def named(name: object, message: str) -> str:
    """The message with the name of its recording before it, where it does not name it itself."""
    return message if str(name) in message else f"{name}: {message}"


def is_debug(ctx: Any) -> bool:
    """Whether `ossicle --debug` was asked for."""
    return bool(ctx.find_root().params.get("debug"))


def _forget_stdout() -> None:
    # Nothing must be written at exit: that would complain about the same broken pipe.
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):                   # no real stdout, as under a test
        sys.stdout = open(os.devnull, "w", encoding="utf-8")     # noqa: SIM115  (lives until the exit)
