"""Output names for the recordings of one run: each its own, the same in every run over the same list."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

STDIN = "stdin"


def output_names(sources: Sequence[str], suffix: str) -> list[str]:
    """One file name per source, in order: `talk.txt` for `talk.wav`.

    Where several would share it, each of them says more: `talk.wav.txt` and `talk.mp3.txt`, then the folder as in
    `monday_talk.wav.txt`, then a number. Upper and lower case count as equal, since on many disks they are.
    """
    names = [_candidate(source, 0) for source in sources]
    for level in (1, 2):
        shared = _shared(names)
        for place in shared:
            names[place] = _candidate(sources[place], level)
    taken: set[str] = set()
    for place, name in enumerate(names):
        number = 2
        while names[place].casefold() in taken:
            names[place] = f"{name}-{number}"
            number += 1
        taken.add(names[place].casefold())
    return [f"{name}.{suffix}" for name in names]


def _shared(names: Sequence[str]) -> list[int]:
    counts = Counter(name.casefold() for name in names)
    return [place for place, name in enumerate(names) if counts[name.casefold()] > 1]


def _candidate(source: str, level: int) -> str:
    if source == "-":
        return STDIN
    is_url = source.lower().startswith(("http://", "https://"))
    path = PurePosixPath(urlsplit(source).path) if is_url else Path(source)
    if level == 0:
        return path.stem or STDIN
    folder = (path if is_url else Path(source).absolute()).parent.name
    return path.name if level == 1 or not folder else f"{folder}_{path.name}"
