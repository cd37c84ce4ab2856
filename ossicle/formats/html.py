"""A transcript as one page for a browser, complete in itself: it plays, finds, takes corrections and exports, without a network.

The page is hand-written in `page/`: template, style, scripts. Here they become one file, with the transcript as JSON inside.
Nothing of a transcript is ever markup: `<` is escaped in the JSON, and the scripts write text only. What may run and load is
what the page's own policy names by its hash. Knows nothing of sound: how a recording is encoded is said by who brings it.
"""

import base64
import hashlib
import html
import json
import os
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path, PurePath
from string import Template
from typing import Any
from urllib.parse import quote

from ossicle._version import __version__
from ossicle.formats.cues import Cue, cut_cues
from ossicle.formats.lines import SCHEMA
from ossicle.formats.pieces import SPACES
from ossicle.formats.times import milliseconds
from ossicle.options import CueOptions
from ossicle.results import Segment, Transcript

# In this order: what stands later uses what stands before.
SCRIPTS = ("words", "data", "view", "player", "search", "cues", "edit", "review", "export", "start")


@dataclass(frozen=True)
class Media:
    """The recording as the page plays it: named by its address, or carried inside."""

    name: str | None = None             # of the file, for people
    address: str | None = None          # of the file, relative to the page
    data: bytes | None = None           # or the file itself; goes before the address
    mime: str = "application/octet-stream"      # of `data`
    begin: float = 0.0                  # seconds of the recording at which `data` begins


def write_html(transcript: Transcript, media: Media | None = None, title: str | None = None, cues: CueOptions | None = None) -> str:
    """The page. Without `media` it is text only, and its reader may choose the recording from their disk.

    title   the heading; default is the name of the recording
    cues    limits of the subtitles that the page exports
    """
    media = media or Media(name=_file_name(transcript.source))
    style, script = _part("page.css"), _script()
    title = title or _file_name(transcript.source) or "Transcript"
    return Template(_part("template.html")).substitute(
        policy=html.escape(_policy(style, script)),
        generator=f"ossicle {__version__}",
        title=html.escape(title),
        style=style,
        plain=_plain(transcript),
        transcript=_json({"schema": SCHEMA, **transcript.to_dict()}),
        media=_json({"name": media.name, "address": None if media.data else media.address, "mime": media.mime, "begin": media.begin}),
        cuts=_json(_cuts(transcript, cues or CueOptions())),
        sound=base64.b64encode(media.data or b"").decode("ascii"),
        script=script,
    )


def link_media(recording: str | Path, folder: str | Path) -> Media:
    """A recording that stays where it is, played by a page in `folder`: as long as both are moved together, it is found."""
    path, name = os.path.abspath(recording), PurePath(recording).name
    try:
        relative = PurePath(os.path.relpath(path, os.path.abspath(folder)))
    except ValueError:                  # another drive of Windows: no relative way leads there
        return Media(name, Path(path).as_uri())
    return Media(name, quote(os.fsencode(relative.as_posix())))


def _cuts(transcript: Transcript, options: CueOptions) -> dict[str, Any]:
    """How the text is cut into subtitles, without the text. Each cue: milliseconds of start and end, whether it names who speaks,
    and the letters of each line."""
    named = cut_cues(transcript, options, with_labels=True)
    has_names = any(unit.is_label for cue in named for unit in cue.lines[0][:1])
    return {
        "width": options.max_line_width, "lines": options.max_lines, "labels": options.speaker_labels,
        "srt": [_cut(cue) for cue in named],
        "vtt": [_cut(cue) for cue in cut_cues(transcript, options)] if has_names else None,
    }


def _cut(cue: Cue) -> list[int]:
    counts = [sum(len(SPACES.sub("", unit.text)) for unit in line if not unit.is_label) for line in cue.lines]
    return [milliseconds(cue.start), milliseconds(cue.end), int(cue.lines[0][0].is_label), *counts]


def _policy(style: str, script: str) -> str:
    """What a browser lets the page do: run this script, be styled so, play files. No request to anywhere else."""
    return "; ".join((
        "default-src 'none'",
        f"script-src {_hash(script)}",
        f"style-src {_hash(style)}",
        "media-src 'self' file: blob:",
        "img-src data:",                # the empty icon, without which a browser asks a server for one
        "base-uri 'none'",
        "form-action 'none'",
    ))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


def _plain(transcript: Transcript) -> str:
    """The text for readers without scripts, as in previews of mail and files."""
    return "".join(f"<p>{html.escape(_spoken(segment))}</p>" for segment in transcript.segments)


def _spoken(segment: Segment) -> str:
    text = segment.text.strip()
    return f"{segment.speaker}: {text}" if segment.speaker else text


def _json(content: Any) -> str:
    """Compact JSON that cannot end the element it stands in."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _file_name(source: str | None) -> str | None:
    return PurePath(source.replace("\\", "/")).name if source and source != "-" else None


def _script() -> str:
    parts = "\n".join(_part(f"{name}.js") for name in SCRIPTS)
    return f'\n(() => {{\n"use strict";\n\n{parts}}})();\n'


@cache
def _part(name: str) -> str:
    return resources.files("ossicle.formats").joinpath("page", name).read_text("utf-8")
