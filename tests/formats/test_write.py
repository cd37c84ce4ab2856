"""Golden: the output is exactly this."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ossicle.errors import AudioError
from ossicle.formats.lines import error_line, event_lines, write_jsonl
from ossicle.formats.registry import FORMATS, FormatOptions
from ossicle.formats.write import write_json, write_json_error, write_txt
from ossicle.results import Coverage, Transcript
from tests.talk import TRANSCRIPT, events_of

HERE = Path(__file__).parent


@pytest.mark.parametrize(("name", "with_tokens"), [
    ("talk.txt", False), ("talk.json", False), ("talk.tokens.json", True), ("talk.jsonl", False), ("talk.tokens.jsonl", True)])
def test_the_output_is_this_file(name, with_tokens):
    written = FORMATS[name.rpartition(".")[2]].write(TRANSCRIPT, FormatOptions(with_tokens))
    assert written == (HERE / "golden" / name).read_text("utf-8")


def test_json_says_its_schema_first_and_keeps_every_script_readable():
    written = write_json(TRANSCRIPT)
    assert written.startswith('{\n  "schema": "ossicle-transcript/1",\n  "text": "Grüß Gott. 你好",')
    assert json.loads(write_json(TRANSCRIPT, True)) == {"schema": "ossicle-transcript/1", **TRANSCRIPT.to_dict(True)}


def test_tokens_are_id_text_and_logprob_in_order():
    chunks = json.loads(write_json(TRANSCRIPT, True))["chunks"]
    assert chunks[0]["tokens"] == [{"id": 7, "text": "Grüß", "logprob": -0.5}, {"id": 9, "text": " Gott.", "logprob": 0.0}]
    assert all("tokens" not in chunk for chunk in json.loads(write_json(TRANSCRIPT))["chunks"])


@pytest.mark.parametrize("with_tokens", [False, True])
def test_streamed_lines_are_the_written_lines(with_tokens):
    streamed = [line for event in events_of(TRANSCRIPT) for line in event_lines(event, "talk.wav", with_tokens)]
    assert sorted(streamed) == sorted(write_jsonl(TRANSCRIPT, with_tokens).splitlines(keepends=True))
    assert json.loads(streamed[-1])["kind"] == "done"


def test_segment_lines_join_to_the_text_of_the_last_line():
    lines = [json.loads(line) for line in write_jsonl(TRANSCRIPT).splitlines()]
    assert "".join(line["text"] for line in lines if line["kind"] == "segment") == lines[-1]["text"]
    assert all(line["source"] == "talk.wav" for line in lines)


def test_chunks_stand_in_lines_with_their_tokens_and_otherwise_in_the_last_line():
    done = json.loads(write_jsonl(TRANSCRIPT).splitlines()[-1])
    assert [chunk["stopped_by"] for chunk in done["chunks"]] == [chunk.stopped_by for chunk in TRANSCRIPT.chunks]
    assert "chunks" not in json.loads(write_jsonl(TRANSCRIPT, True).splitlines()[-1])


def test_a_failure_has_a_form_of_its_own():
    error = AudioError("expected sound, got text")
    assert json.loads(write_json_error(error, "a.wav")) == {
        "schema": "ossicle-transcript/1", "source": "a.wav", "error": {"kind": "AudioError", "message": "expected sound, got text"}}
    assert json.loads(error_line(error, "a.wav")) == {
        "kind": "error", "source": "a.wav", "error": "AudioError", "message": "expected sound, got text"}


def test_an_empty_transcript_is_an_empty_line_and_valid_json():
    empty = Transcript("", None, 0.0, (), (), Coverage(0.0, 0.0, 0.0, 0.0))
    assert write_txt(empty) == "\n"
    assert json.loads(write_json(empty))["segments"] == []
    assert [json.loads(line)["kind"] for line in write_jsonl(replace(empty, warnings=("no samples",))).splitlines()] == ["warning", "done"]
