"""A report in a file, as one of our commands wrote it: read back, or refused with the command that writes one."""

import json
from pathlib import Path
from typing import Any

from ossicle.errors import OptionError


def read_stored_report(file: Path, schema: str, command: str, called: str) -> dict[str, Any]:
    """The report in `file`. Raises OptionError when the file is none.

    schema    what the report must say it is
    command   writes such reports
    called    what the report is to its reader, as in "earlier report"
    """
    try:
        found = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise OptionError(f"cannot read the {called} {file}: {error.strerror}") from error
    except ValueError as error:
        raise OptionError(f"expected a report of `{command}` in {file}, got no JSON: {error}") from error
    given = found.get("schema") if isinstance(found, dict) else None
    if given != schema:
        raise OptionError(f"expected a report of `{command}` in {file}, with schema {schema!r}; got {given!r}")
    return found
