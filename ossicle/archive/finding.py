"""Folders, files and patterns to recordings, each with its place in the tree of results. Knows nothing of what is in them."""

import glob
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from ossicle.archive.ledger import FOLDER
from ossicle.errors import OptionError

# What people keep recordings in; anything else is taken where it is named itself, or with `all_files`.
SUFFIXES = frozenset([
    "3g2", "3gp", "aac", "ac3", "aif", "aifc", "aiff", "alac", "amr", "ape", "asf", "au", "avi", "caf", "dts", "eac3", "flac",
    "flv", "gsm", "m2ts", "m4a", "m4b", "m4v", "mka", "mkv", "mov", "mp2", "mp3", "mp4", "mpeg", "mpg", "mts", "mxf", "oga",
    "ogg", "ogv", "opus", "ra", "rm", "sph", "spx", "tta", "ts", "vob", "voc", "w64", "wav", "weba", "webm", "wma", "wmv", "wv",
])


@dataclass(frozen=True)
class Found:
    """A recording, and where its results go below the output folder, suffix left out."""

    path: Path
    place: Path


def find_recordings(
    inputs: Sequence[str],
    out: Path,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    all_files: bool = False,
) -> list[Found]:
    """The recordings that `inputs` name, in order of their paths, each once.

    inputs      files, folders (searched to the bottom), or patterns as in "talks/**/*.mp3"
    out         the output folder: what lies in it is no input, unless it is an input itself
    include     patterns of names or of paths below a folder; where given, only what matches one of them is taken
    exclude     the same; what matches is left out
    all_files   take every file of a folder, whatever its suffix

    Hidden files and folders are left out. Raises OptionError for an input that is not there.
    """
    roots = [_root(name) for name in inputs]
    several = len({root.path for root in roots if root.is_tree}) > 1
    prefixes = _prefixes(roots) if several else {}
    found: dict[Path, Path] = {}
    for root in roots:
        for path in root.files(out, all_files):
            below = path.relative_to(root.path)
            if (include and not _matches(below, include)) or _matches(below, exclude):
                continue
            found.setdefault(path, prefixes.get(root.path, Path()) / below)
    places = _named_apart(sorted(found.items()))
    return [Found(path, place) for path, place in places]


@dataclass(frozen=True)
class _Root:
    """One input: the folder that its results mirror, and the files in it."""

    path: Path
    is_tree: bool
    named: tuple[Path, ...] = ()

    def files(self, out: Path, all_files: bool) -> Iterator[Path]:
        if self.named:
            yield from self.named
            return
        skipped = out.absolute() if out.absolute() != self.path else None
        for folder, folders, names in os.walk(self.path):
            here = Path(folder)
            folders[:] = sorted(name for name in folders if not name.startswith(".") and here / name != skipped and name != FOLDER)
            for name in sorted(names):
                if not name.startswith(".") and (all_files or _is_media(name)):
                    yield here / name


def _root(name: str) -> _Root:
    path = Path(name).expanduser()
    try:
        if path.is_dir():
            return _Root(path.absolute(), True)
        if path.exists():
            return _Root(path.absolute().parent, False, (path.absolute(),))
    except OSError as error:
        raise OptionError(f"expected a file or folder, got {name!r}: {error.strerror}") from error
    if not glob.has_magic(name):
        raise OptionError(f"expected a file, a folder or a pattern, but there is nothing at {name}; check name and folder")
    matched = sorted(Path(match).absolute() for match in glob.glob(str(path), recursive=True) if os.path.isfile(match))
    if not matched:
        raise OptionError(f"no file matches {name!r}; '**' stands for folders of any depth, and the shell must not touch it: quote it")
    parts = path.parts
    fixed = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    return _Root(Path(*parts[:fixed]).absolute(), True, tuple(matched))


def _is_media(name: str) -> bool:
    return name.rpartition(".")[2].lower() in SUFFIXES


def _matches(below: Path, patterns: Sequence[str]) -> bool:
    return any(fnmatch(below.name, pattern) or fnmatch(below.as_posix(), pattern) for pattern in patterns)


def _prefixes(roots: Sequence[_Root]) -> dict[Path, Path]:
    """A folder of its own for each of several trees, named like the tree."""
    prefixes: dict[Path, Path] = {}
    counts: Counter[str] = Counter()
    for root in roots:
        if root.is_tree and root.path not in prefixes:
            name = root.path.name or "root"
            counts[name.casefold()] += 1
            number = counts[name.casefold()]
            prefixes[root.path] = Path(name if number == 1 else f"{name}-{number}")
    return prefixes


def _named_apart(found: Sequence[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    """`talk` for `talk.wav`, and `talk.wav` where `talk.mp3` lies beside it; upper and lower case count as equal."""
    sharing: dict[str, list[int]] = defaultdict(list)
    for number, (_, below) in enumerate(found):
        sharing[below.with_suffix("").as_posix().casefold()].append(number)
    places = [below.with_suffix("") for _, below in found]
    for numbers in sharing.values():
        if len(numbers) > 1:
            for number in numbers:
                places[number] = found[number][1]
    taken: Counter[str] = Counter()
    result = []
    for (path, _), place in zip(found, places):
        taken[place.as_posix().casefold()] += 1
        number = taken[place.as_posix().casefold()]
        result.append((path, place if number == 1 else place.with_name(f"{place.name}-{number}")))
    return result
