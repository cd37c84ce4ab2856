"""What a reply says: no header, no tag and nothing behind `language None` is ever text."""

import numpy as np
import pytest

from ossicle.decode.stopping import StopRule, Writer
from ossicle.stream.question import Question, said_by
from ossicle.text.tokenizer import Tokenizer
from tests.stream.hearings import TINY

TOKENIZER = Tokenizer.from_folder(TINY)


def said(text, language=None, committed=(), stopped_by="eos"):
    question = Question(np.zeros(8_000, np.float32), 0, 100, language, (), "", committed, (), None, False)
    writer = Writer(StopRule((), 500, 0.5))
    for token_id in TOKENIZER.encode(text):
        if writer.is_open:
            writer.write(token_id, -1.0)
    writer.stopped_by = writer.stopped_by or stopped_by
    found = said_by(question, writer, TOKENIZER)
    assert tuple(writer.readable_ids[found.start : found.start + len(found.ids)]) == found.ids
    return TOKENIZER.decode(found.ids), found.language


@pytest.mark.parametrize(("text", "expected"), [
    ("language English<asr_text>So it is.", ("So it is.", "English")),
    ("language None<asr_text>", ("", None)),
    ("language None<asr_text>the", ("", None)),
    ("language English", ("", "English")),
    ("language English So it is.", (" So it is.", "English")),
    ("So it is.", ("So it is.", None)),
    ("", ("", None)),
])
def test_a_reply_that_names_its_language(text, expected):
    assert said(text) == expected


@pytest.mark.parametrize("text", ["language", "language Engl", "language English"])
def test_a_header_that_was_cut_off(text):
    assert said(text, stopped_by="budget")[0] == ""


@pytest.mark.parametrize(("text", "expected"), [
    ("So it is.", "So it is."),
    ("language German<asr_text>So ist es.", "So ist es."),
    ("language German<asr_text>language German<asr_text>So ist es.", "So ist es."),
    ("So it is. language German<asr_text>So ist es.", "So it is."),
    ("So it is.<asr_text>So", "So it is."),
    ("<asr_text>", ""),
])
@pytest.mark.parametrize("committed", [(), (5, 6)], ids=["nothing committed", "committed"])
def test_a_reply_whose_language_is_forced_names_none(text, expected, committed):
    assert said(text, "English", committed) == (expected, "English")


def test_a_loop_is_told_once():
    text, _ = said(" no" * 60, "English")
    assert text == " no"
