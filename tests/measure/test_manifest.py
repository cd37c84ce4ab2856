"""Manifests in the forms data sets come in, and what is said of those that cannot be read."""

import json

import pytest

from ossicle.errors import OptionError
from ossicle.measure.manifest import Item, read_manifest


def written(folder, name, text):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def lines(folder, *entries):
    return written(folder, "set.jsonl", "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries))


def test_json_lines_take_the_names_that_others_use(tmp_path):
    file = lines(
        tmp_path,
        {"audio": "a.wav", "text": "Eins.", "language": "de", "id": "one", "context": "Zahlen", "extra": 3},
        {"audio_filepath": "b.wav", "sentence": "two", "duration": 2.5},
        {"path": "/elsewhere/c.wav", "reference": "three", "start": 1, "end": 2.5},
        {"audio": "c.wav", "transcript": "four", "offset": 10.5, "duration": 2},
        {"audio": "c.wav", "text": "", "lang": "en"},
    )
    manifest = read_manifest(file)
    assert (manifest.name, manifest.form) == ("set.jsonl", "jsonl")
    assert manifest.items == (
        Item("one", tmp_path / "a.wav", "Eins.", "de", context="Zahlen"),
        Item("b.wav", tmp_path / "b.wav", "two", duration=2.5),
        Item("/elsewhere/c.wav#1-2.5", tmp_path / "/elsewhere/c.wav", "three", start=1.0, end=2.5),
        Item("c.wav#10.5-12.5", tmp_path / "c.wav", "four", start=10.5, end=12.5, duration=2.0),
        Item("c.wav", tmp_path / "c.wav", "", "en"),
    )


def test_empty_lines_and_a_byte_order_mark_are_nothing(tmp_path):
    file = written(tmp_path, "set.jsonl", '\ufeff{"audio": "a.wav", "text": "x"}\r\n\n  \n')
    assert [item.id for item in read_manifest(file).items] == ["a.wav"]


def test_a_librispeech_folder_is_found_in_its_depth(tmp_path):
    for name in ("84-121123-0000.flac", "84-121123-0001.flac"):
        written(tmp_path, f"test-clean/84/121123/{name}", "")
    written(tmp_path, "test-clean/84/121123/84-121123.trans.txt", "84-121123-0000 GO DO YOU HEAR\n84-121123-0001 BUT IN LESS\n")
    manifest = read_manifest(tmp_path / "test-clean")
    folder = tmp_path / "test-clean/84/121123"
    assert manifest.form == "librispeech"
    assert manifest.items == (
        Item("84-121123-0000", folder / "84-121123-0000.flac", "GO DO YOU HEAR", "en"),
        Item("84-121123-0001", folder / "84-121123-0001.flac", "BUT IN LESS", "en"),
    )


def test_common_voice_lies_in_clips_and_quotes_nothing(tmp_path):
    (tmp_path / "clips").mkdir()
    file = written(tmp_path, "test.tsv", "client_id\tpath\tsentence\tlocale\tage\n"
                   'x\tcommon_voice_1.mp3\t"Ja, sagte er.\tde\t\ny\tcommon_voice_2.mp3\t你好\tzh-CN\tteens\n')
    manifest = read_manifest(file)
    assert manifest.form == "common voice"
    assert manifest.items == (
        Item("common_voice_1", tmp_path / "clips/common_voice_1.mp3", '"Ja, sagte er.', "de"),
        Item("common_voice_2", tmp_path / "clips/common_voice_2.mp3", "你好", "zh-CN"),
    )


def test_csv_is_quoted_as_csv_is(tmp_path):
    file = written(tmp_path, "set.csv", 'Path,Text,start,end\na.wav,"One, two",,\nb.wav,,0,1.5\n')
    assert read_manifest(file).items == (
        Item("a.wav", tmp_path / "a.wav", "One, two"), Item("b.wav#0-1.5", tmp_path / "b.wav", "", start=0.0, end=1.5))


def test_limit_and_shuffle_are_the_same_each_time(tmp_path):
    file = lines(tmp_path, *({"audio": f"{place}.wav", "text": "x"} for place in range(20)))
    ids = [item.id for item in read_manifest(file, 5, 3).items]
    assert ids == [item.id for item in read_manifest(file, 5, 3).items]
    assert ids == [item.id for item in read_manifest(file, None, 3).items][:5]
    assert ids != [f"{place}.wav" for place in range(5)]
    assert [item.id for item in read_manifest(file, 2).items] == ["0.wav", "1.wav"]


@pytest.mark.parametrize(("name", "text", "said"), [
    ("set.jsonl", '{"audio": "a.wav", "text": "x"}\n{"audio"', "line 2: expected a JSON object"),
    ("set.json", '[{"audio": "a.wav"}]', "line 1: expected a JSON object with audio and text"),
    ("set.json", '[\n{"audio": "a.wav"}]', "a JSON array is no manifest"),
    ("set.jsonl", '\n{"text": "x"}', "line 2: expected the recording under one of audio, audio_filepath"),
    ("set.jsonl", '{"audio": "a.wav"}', "expected what is said under one of text, sentence"),
    ("set.jsonl", '{"audio": "a.wav", "text": 5}', "expected what is said under one of text"),
    ("set.jsonl", '{"audio": "a.wav", "text": "x", "language": 5}', "language must be text, got 5"),
    ("set.jsonl", '{"audio": "a.wav", "text": "x", "start": -1}', "start must be seconds, 0 or more; got -1"),
    ("set.jsonl", '{"audio": "a.wav", "text": "x", "duration": "long"}', "duration must be seconds"),
    ("set.jsonl", '{"audio": "a.wav", "text": "x", "start": 5, "end": 5}', "expected an end later than the start (5 s), got 5 s"),
    ("set.jsonl", '{"audio": "a.wav", "text": "x"}\n{"audio": "a.wav", "text": "y"}', "the id 'a.wav' stands twice"),
    ("set.jsonl", "", "has no recordings"),
    ("set.tsv", "client_id\tfile\n", "line 1: expected a header with one of text, sentence"),
    ("set.csv", "path,text\na.wav\n", "line 2: expected 2 columns as in the header, got 1"),
    ("a.trans.txt", "1-2-3 HELLO\n", "line 1: expected 1-2-3.flac beside it"),
    ("set.wav", "", "is no manifest by its name"),
])
def test_what_cannot_be_read_is_named_with_its_line(tmp_path, name, text, said):
    with pytest.raises(OptionError) as caught:
        read_manifest(written(tmp_path, name, text))
    assert said in str(caught.value)
    assert name in str(caught.value)


def test_what_is_no_file_is_named(tmp_path):
    with pytest.raises(OptionError, match=r"expected a manifest at .*none\.jsonl, but there is none"):
        read_manifest(tmp_path / "none.jsonl")
    with pytest.raises(OptionError, match="no LibriSpeech folder"):
        read_manifest(tmp_path)
    (tmp_path / "latin.jsonl").write_bytes(b'{"audio": "\xe9"}')
    with pytest.raises(OptionError, match="is no UTF-8 text"):
        read_manifest(tmp_path / "latin.jsonl")


def test_a_folder_of_recordings_has_a_text_beside_each(tmp_path):
    for name, text in (("b/two.wav", "Good\nmorning. "), ("one.flac", "Hello.")):
        sound = tmp_path / name
        sound.parent.mkdir(exist_ok=True)
        sound.touch()
        sound.with_suffix(".txt").write_text(text)
    (tmp_path / "README.txt").write_text("about these")
    found = read_manifest(tmp_path)
    assert (found.form, [(item.id, item.text) for item in found.items]) == ("sidecar", [("b/two", "Good morning."), ("one", "Hello.")])
    (tmp_path / "three.wav").touch()
    with pytest.raises(OptionError, match=r"none beside three\.wav"):
        read_manifest(tmp_path)
