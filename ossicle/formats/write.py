"""A transcript as plain text or JSON. Knows nothing of files; JSON lines are next door in lines.py, all formats in registry.py."""

import json
from itertools import groupby
from typing import Any

from ossicle.formats.lines import SCHEMA
from ossicle.results import Transcript


def write_txt(transcript: Transcript, with_tokens: bool = False) -> str:
    """The text and a line end; an empty transcript is an empty line. With speakers, a paragraph for each turn, named at its beginning."""
    spoken = [(word.speaker, word.text) for word in transcript.words] or [(part.speaker, part.text) for part in transcript.segments]
    if not any(speaker for speaker, _ in spoken):
        return transcript.text + "\n"
    turns = ((speaker, "".join(text for _, text in said).strip()) for speaker, said in groupby(spoken, key=lambda pair: pair[0]))
    return "\n".join(f"{speaker}: {text}\n" if speaker else f"{text}\n" for speaker, text in turns)


def write_json(transcript: Transcript, with_tokens: bool = False) -> str:
    """One object, UTF-8 unescaped, two spaces deep.

    with_tokens   adds to each entry of `chunks` its list `tokens` of {id, text, logprob}
    """
    return to_json({"schema": SCHEMA, **transcript.to_dict(with_tokens)})


def write_json_error(error: Exception, source: str | None) -> str:
    """What stands for a recording that failed, among others that did not."""
    return to_json({"schema": SCHEMA, "source": source, "error": {"kind": type(error).__name__, "message": str(error)}})


def to_json(content: Any) -> str:
    """Any plain content as JSON in the form of this room."""
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"
