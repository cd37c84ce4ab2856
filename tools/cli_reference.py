"""The command line's own description to docs/cli.md: `python tools/cli_reference.py` writes it.

A house test holds that the page is what this would write.
"""

import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "cli.md"
INTRODUCTION = """# The command line

Written by `python tools/cli_reference.py` from the program itself; `ossicle COMMAND --help` says the same.

The result goes to stdout, everything else to stderr: a progress bar on a terminal, plain lines elsewhere, with
`--quiet` nothing but errors. Settings may also stand in the environment and in a file: see
[configuration](configuration.md).

| exit code | meaning |
| --- | --- |
| 0 | all is well |
| 1 | a recording failed, or with `--strict` is incomplete; the others are done |
| 2 | the command cannot be carried out as written: a wrong flag or value, an unknown language or model |
| 130 | interrupted; what was done until then is there |
| 141 | whoever read stdout went away |

## What comes out

`txt` is the text and a line end; with `--speakers` a paragraph for each turn, which its speaker's name begins. With
several recordings each stands under a line `==> name <==`, as `head` does it.

`json` is one object for one recording and an array for several: one entry per recording in the order of the command
line, where a recording that failed has `error` in place of its text. `schema` says `ossicle-transcript/1`. `--tokens`
adds to each entry of `chunks` a list `tokens` of `{id, text, logprob}`: every generated id in order, the language tag
included, the end token left out.

Subtitles, tables, tiers and pages: [formats](formats.md) shows every format, what it holds, and how the cues of subtitles
are cut. Several formats, `-f srt,vtt,json`, or all of them, `-f all`, need `--output`; what a transcript lacks the facts for
(`rttm` without speakers) is an error, and is left out of `all` with a line on stderr. `ossicle export` makes any of them
later from `json` or `jsonl`, without a model.

`jsonl` is a line as soon as it is final. Each line has `kind` and `source`: `segment` for a stretch of text,
`warning`, with `--tokens` also `chunk`, and at the end of each recording `done` with the whole text and all facts, or
`error`.

With `--output DIR` each recording gets a file of its own for each format instead, which appears whole or not at all: `talk.wav`
becomes `talk.txt`. Where two recordings of one run would share a name, each says more: `talk.wav.txt` and
`talk.mp3.txt`, then the folder as in `monday_talk.wav.txt`, then a number. A file of an earlier run is replaced with
`--overwrite` only; without it that recording, in all its formats, fails before any work is done on it.

The first Ctrl-C ends the work and keeps what is there: on stdout the text so far, in a folder `talk.partial.txt`. The
second one kills.
"""


def reference() -> str:
    """The whole page."""
    from ossicle.surfaces.cli.main import app

    command = typer.main.get_command(app)
    return "\n".join([INTRODUCTION, *_describe(command, "ossicle")]).rstrip() + "\n"


def walk(command: Any, name: str) -> list[tuple[str, Any]]:
    """Every command with its full name, groups before what they hold."""
    found = [(name, command)]
    for child, inner in getattr(command, "commands", {}).items():
        found += walk(inner, f"{name} {child}")
    return found


def _describe(command: Any, name: str) -> list[str]:
    lines = []
    for full_name, inner in walk(command, name):
        hints = get_type_hints(inner.callback) if inner.callback else {}
        arguments = [param for param in inner.params if param.param_type_name == "argument"]
        options = [param for param in inner.params if param.param_type_name == "option"]
        usage = " ".join([full_name, *(_metavar(param) for param in arguments), *(["[OPTIONS]"] if options else []),
                          *(["COMMAND"] if hasattr(inner, "commands") else [])])
        lines += [f"## `{full_name}`", "", f"    {usage}", "", _text(inner.help), ""]
        if options or arguments:
            lines += ["| | |", "| --- | --- |"]
            lines += [f"| `{_metavar(param)}` | {_cell(param.help)} |" for param in arguments]
            lines += [f"| {_names(param, hints)} | {_cell(param.help)} |" for param in options]
            lines.append("")
    return lines


def _names(param: Any, hints: dict[str, Any]) -> str:
    value = "" if param.is_flag else f" {_value(param, hints.get(param.name))}"
    names = [*param.opts, *param.secondary_opts]
    return ", ".join(f"`{name}{value if place == 0 else ''}`" for place, name in enumerate(names))


def _value(param: Any, hint: Any) -> str:
    kinds = [hint, *get_args(hint)]                     # a choice, or a choice or None
    choices = next((get_args(kind) for kind in kinds if get_origin(kind) is Literal), None)
    return "\\|".join(choices) if choices else _metavar(param)


def _metavar(param: Any) -> str:
    return param.metavar or param.name.upper()


def _text(text: str | None) -> str:
    paragraphs = (text or "").strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _cell(text: str | None) -> str:
    return _text(text).replace("|", "\\|")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(reference(), "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
