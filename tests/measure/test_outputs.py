"""What other tools wrote, in every form, matched to what should have been there; nothing is dropped in silence."""

import json

import pytest

from ossicle.errors import FormatError, OptionError
from ossicle.measure.outputs import Text, match, read_texts


def written(folder, name, text):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def test_json_lines_know_what_is_expected_and_what_was_predicted(tmp_path):
    file = written(tmp_path, "both.jsonl", json.dumps(
        {"audio_filepath": "a.wav", "text": "hello", "pred_text": "hallo", "duration": 2.5, "lang": "en"}) + "\n")
    assert dict(read_texts(file, "expected").by_id) == {"a.wav": Text("hello", "en", 2.5)}
    assert dict(read_texts(file, "predictions").by_id) == {"a.wav": Text("hallo", "en", 2.5)}


@pytest.mark.parametrize(("name", "text"), [
    ("p.csv", 'id,prediction\na,"one, two"\nb,three\n'), ("p.tsv", "key\thyp\na\tone, two\nb\tthree\n"),
    ("p.trn", "one, two (a)\nthree (b)\n"), ("p.jsonl", '{"id": "a", "text": "one, two"}\n{"id": "b", "text": "three"}\n'),
    ("p.trans.txt", "a one, two\nb three\n"),
])
def test_every_form_of_a_list(tmp_path, name, text):
    found = read_texts(written(tmp_path, name, text), "predictions").by_id
    assert {key: text.text for key, text in found.items()} == {"a": "one, two", "b": "three"}


def test_a_folder_of_transcripts_by_their_names(tmp_path):
    written(tmp_path, "out/a.txt", "hello\nthere\n")
    written(tmp_path, "out/sub/b.srt", "1\n00:00:00,000 --> 00:00:01,000\nbye\n")
    written(tmp_path, "out/c.json", '{"text": "yes", "language": "en"}')
    written(tmp_path, "out/notes.log", "not one of them")
    found = read_texts(tmp_path / "out", "predictions").by_id
    assert {key: text.text for key, text in found.items()} == {"a": "hello there", "c": "yes", "sub/b": "bye"}


def test_texts_are_matched_by_id_and_else_by_the_name_of_the_file(tmp_path):
    expected = read_texts(written(tmp_path, "e.jsonl", "".join(
        json.dumps({"audio": name, "text": name}) + "\n" for name in ("clips/a.wav", "x", "v1.5"))), "expected")
    predictions = read_texts(written(tmp_path, "p.csv", "id,text\na,A\nx,X\nv1.5,V\n"), "predictions")
    found = match(expected, predictions, language="de")
    assert [(one.id, one.hypothesis) for one in found.utterances] == [("clips/a.wav", "A"), ("x", "X"), ("v1.5", "V")]
    assert {one.language for one in found.utterances} == {"de"}
    assert (found.missing, found.unexpected) == ((), ())


def test_ids_that_only_look_alike_are_not_matched(tmp_path):
    expected = read_texts(written(tmp_path, "e.csv", "id,text\nrec.1,one\nrec.3,x\n"), "expected")
    predictions = read_texts(written(tmp_path, "p.csv", "id,text\nrec.2,two\nrec.3,x\n"), "predictions")
    found = match(expected, predictions, "skip")
    assert (found.missing, found.unexpected, len(found.utterances)) == (("rec.1",), ("rec.2",), 1)


def test_what_has_no_partner_is_an_error_or_listed_or_counted(tmp_path):
    expected = read_texts(written(tmp_path, "e.csv", "id,text\na,one\nb,two\n"), "expected")
    predictions = read_texts(written(tmp_path, "p.csv", "id,text\na,one\nz,zed\n"), "predictions")
    with pytest.raises(OptionError, match=r"1 without a prediction \(b\) and 1 without a reference \(z\); --missing skip"):
        match(expected, predictions)
    assert [one.id for one in match(expected, predictions, "skip").utterances] == ["a"]
    assert [(one.id, one.hypothesis) for one in match(expected, predictions, "empty").utterances] == [("a", "one"), ("b", "")]


def test_lines_are_matched_by_their_place(tmp_path):
    one, other = written(tmp_path, "e.txt", "one\n\nthree\n"), written(tmp_path, "p.txt", "uno\ndos\ntres")
    found = match(read_texts(one, "expected"), read_texts(other, "predictions"))
    assert [(one.reference, one.hypothesis) for one in found.utterances] == [("one", "uno"), ("", "dos"), ("three", "tres")]
    with pytest.raises(OptionError, match="there are 3 expected and 1 predicted ones"):
        match(read_texts(one, "expected"), read_texts(written(tmp_path, "q.txt", "x"), "predictions"))
    with pytest.raises(OptionError, match="one side has lines without ids"):
        match(read_texts(one, "expected"), read_texts(written(tmp_path, "q.csv", "id,text\na,x\n"), "predictions"))


def test_one_transcript_is_matched_with_one_text_whatever_their_names(tmp_path):
    expected = read_texts(written(tmp_path, "said.txt", "Hello\nthere.\n"), "expected")
    predictions = read_texts(written(tmp_path, "out.srt", "1\n00:00:00,000 --> 00:00:01,500\nHello their\n"), "predictions")
    found, = match(expected, predictions).utterances
    assert (found.reference, found.hypothesis) == ("Hello there.", "Hello their")
    with pytest.raises(OptionError, match="hold 2 texts; give a folder"):
        match(read_texts(written(tmp_path, "e.csv", "id,text\na,x\nb,y\n"), "expected"), predictions)


@pytest.mark.parametrize(("name", "text", "said"), [
    ("p.jsonl", "[1]\n", "line 1: expected a JSON object"), ("p.jsonl", "{", "line 1: expected a JSON object"),
    ("p.jsonl", '{"id": "a"}', "line 1: expected a text under one of pred_text"),
    ("p.jsonl", '{"text": "a"}', "line 1: expected an id under one of id"),
    ("p.csv", "id,text\na\n", "line 2: expected 2 columns as in the header, got 1"),
    ("p.csv", "id,text\na,x\na,y\n", "the id 'a' stands twice"), ("p.csv", "id,text\n", "holds no texts"),
    ("p.trn", "no id\n", "line 1: expected the words and then the id in brackets"), ("p.doc", "x", "no transcript that ossicle reads"),
])
def test_what_cannot_be_read_is_named(tmp_path, name, text, said):
    with pytest.raises((OptionError, FormatError)) as caught:
        read_texts(written(tmp_path, name, text), "predictions")
    assert said in str(caught.value)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(OptionError, match=r"expected the predictions at .*none\.csv, but there is no such file"):
        read_texts(tmp_path / "none.csv", "predictions")
    with pytest.raises(OptionError, match="holds no transcripts"):
        read_texts(tmp_path, "predictions")
    one = read_texts(written(tmp_path, "e.csv", "id,text\na,x\n"), "expected")
    with pytest.raises(OptionError, match=r"no id of the predictions \(b\) is one of the expected \(a\)"):
        match(one, read_texts(written(tmp_path, "p.csv", "id,text\nb,x\n"), "predictions"))
