"""Files of other models than ours, such as those that tell speakers apart: a hub repository in, its folder here out.

The rules of store.py hold: what is complete in the hub client's cache is used without asking the network, and nothing is
asked offline. Knows nothing of what is in the files; prints nothing.
"""

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ossicle.errors import ModelError, OptionError
from ossicle.options import SourceOptions

logger = logging.getLogger(__name__)

NAME = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w.][\w./-]*))?")
Missing = Callable[[Path], list[str]]           # a folder in, the names of what it lacks out


def resolve_files(name: str, patterns: Sequence[str], missing: Missing, options: SourceOptions, token: str | None = None) -> Path:
    """The folder here that holds files of the hub repository `name`; downloads them when they are not here yet and may be.

    name       org/name or org/name@revision
    patterns   of the files to fetch
    missing    says what a folder lacks; its answer stands in the errors
    token      of a gated repository; None leaves it to the hub client

    Raises OptionError for a name that is none, ModelError when the files cannot be had.
    """
    match = NAME.fullmatch(name)
    if not match:
        raise OptionError(f"a model of speakers must be a folder or a hub id (org/name, org/name@revision), got {name!r}")
    here = _cached(match, patterns, options)
    lacking = missing(here) if here is not None else ["everything"]
    if here is not None and not lacking:
        return here
    from huggingface_hub import constants

    if options.offline or constants.HF_HUB_OFFLINE:
        raise ModelError(f"{name} is not complete on this machine (missing: {', '.join(lacking)}); "
                         "run once with a network, or give a folder that holds the files")
    logger.info("downloading %s", name)
    folder = _fetch(match, patterns, options, token)
    if lacking := missing(folder):
        raise ModelError(f"{name} at {constants.ENDPOINT} lacks {', '.join(lacking)}; is it the right repository?")
    return folder


def _cached(match: re.Match[str], patterns: Sequence[str], options: SourceOptions) -> Path | None:
    from huggingface_hub import errors

    try:
        return _snapshot(match, patterns, options, None, local_files_only=True)
    except (errors.LocalEntryNotFoundError, OSError):
        return None


def _fetch(match: re.Match[str], patterns: Sequence[str], options: SourceOptions, token: str | None) -> Path:
    from huggingface_hub import constants, errors

    repo, page = match["repo"], f"{constants.ENDPOINT}/{match['repo']}"
    try:
        return _snapshot(match, patterns, options, token, local_files_only=False)
    except errors.GatedRepoError as error:
        raise ModelError(f"{repo} needs its owner's consent; accept the conditions at {page}, then set HF_TOKEN to a token "
                         "of yours, or give a folder that holds the files") from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(f"{constants.ENDPOINT} has no {repo} that you may read; check the name, or set HF_TOKEN") from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"{repo} has no revision {match['revision']}; name a branch, tag or commit of it") from error
    except (errors.HTTPError, OSError) as error:        # a full disk is an OSError, too
        raise ModelError(f"cannot fetch {repo} from {constants.ENDPOINT} ({type(error).__name__}: {str(error).partition(chr(10))[0]}); "
                         "try again, or give a folder that holds the files") from error


def _snapshot(match: re.Match[str], patterns: Sequence[str], options: SourceOptions, token: str | None, **how: Any) -> Path:
    import huggingface_hub

    return Path(huggingface_hub.snapshot_download(
        match["repo"], revision=match["revision"], cache_dir=options.cache_dir, allow_patterns=list(patterns), token=token, **how))
