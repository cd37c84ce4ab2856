"""The bundled model over manifests of its held-out clips: figures, what is kept, what is used again, what fails."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import ossicle
from ossicle import Cancelled, CancelToken, DecodeOptions, EngineOptions, OptionError, TranscribeOptions
from ossicle.measure.evaluate import evaluate, manifest_hash
from ossicle.measure.manifest import read_manifest
from ossicle.measure.normalise import find_normaliser
from ossicle.measure.predictions import PredictionFile
from ossicle.measure.report_html import write_report
from ossicle.model import machine as machines

HELDOUT = Path(__file__).parents[1] / "data" / "tiny_heldout"
CLIPS = {clip["file"]: clip for clip in json.loads((HELDOUT / "transcripts.json").read_text("utf-8"))}
CHOSEN = ("en_00.opus", "en_01.opus", "de_00.opus", "zh_00.opus")
BASIC, WHISPER = find_normaliser("basic"), find_normaliser("whisper")
ENGINE = EngineOptions("cpu", "float32")


@pytest.fixture(scope="module")
def asr():
    with ossicle.load("tiny", ENGINE) as recognizer:
        yield recognizer


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A machine that is measured in no time."""
    monkeypatch.setattr(machines, "PROBE_BYTES", 2**22)
    monkeypatch.setattr(machines, "WIDTH", 64)


def json_lines(folder, names=CHOSEN, **changes):
    file = folder / "set.jsonl"
    entries = [{"audio": str(HELDOUT / name), "text": CLIPS[name]["text"], "language": CLIPS[name]["language"], "id": name} | changes
               for name in names]
    file.write_text("".join(json.dumps(entry) + "\n" for entry in entries), "utf-8")
    return read_manifest(file)


def run(asr, manifest, predictions=None, normaliser=BASIC, options=None, **more):
    return evaluate(asr, manifest, options or TranscribeOptions(), normaliser, PredictionFile(predictions), engine=ENGINE, **more)


def test_the_figures_of_a_manifest(asr, tmp_path):
    seen = []
    found = run(asr, json_lines(tmp_path), on_done=lambda done, count, name: seen.append((done, count, name)))
    report = json.loads(json.dumps(found.to_dict()))
    assert (report["schema"], report["manifest"]["form"], report["manifest"]["items"]) == ("ossicle-eval/1", "jsonl", 4)
    assert list(report["languages"]) == ["de", "en", "zh"]
    assert report["total"]["mer"]["rate"] == 0
    assert report["total"]["mer"]["reference"] > 15
    assert report["language_accuracy"] == 1.0
    assert report["speed"]["audio_seconds"] == pytest.approx(sum(CLIPS[name]["seconds"] for name in CHOSEN), abs=0.1)
    assert report["speed"]["rtf"] == pytest.approx(report["speed"]["work_seconds"] / report["speed"]["audio_seconds"])
    assert report["coverage"]["incomplete_files"] == []
    assert report["calibration"]["accuracy"] == 1.0
    assert 0 <= report["calibration"]["ece"] < 0.3
    assert report["machine"]["read_bandwidth_gbs"] > 0
    assert report["model"]["path"] == "tiny"
    assert seen[-1][:2] == (4, 4)
    assert {name for *_, name in seen} == set(CHOSEN)


def test_a_librispeech_folder(asr, tmp_path):
    folder = tmp_path / "test-clean" / "1" / "2"
    folder.mkdir(parents=True)
    for number, name in enumerate(("en_00.opus", "en_01.opus")):
        shutil.copy(HELDOUT / name, folder / f"1-2-000{number}.opus")
    texts = [CLIPS[name]["text"].upper().replace(",", "").replace(".", "").replace("?", "") for name in ("en_00.opus", "en_01.opus")]
    (folder / "1-2.trans.txt").write_text(f"1-2-0000 {texts[0]}\n1-2-0001 {texts[1]}\n")
    found = run(asr, read_manifest(tmp_path / "test-clean"), normaliser=WHISPER)
    assert (found.manifest.form, found.score.total.wer.errors, found.score.total.files) == ("librispeech", 0, 2)


def test_a_common_voice_table(asr, tmp_path):
    (tmp_path / "clips").mkdir()
    rows = ["client_id\tpath\tsentence\tlocale"]
    for name, locale in (("de_00.opus", "de"), ("zh_00.opus", "zh-CN")):
        shutil.copy(HELDOUT / name, tmp_path / "clips" / name)
        rows.append(f"x\t{name}\t{CLIPS[name]['text']}\t{locale}")
    (tmp_path / "test.tsv").write_text("\n".join(rows), "utf-8")
    found = run(asr, read_manifest(tmp_path / "test.tsv"), tell_language=True)
    assert found.manifest.form == "common voice"
    assert {name: total.primary for name, total in found.score.languages.items()} == {"de": "wer", "zh": "cer"}
    assert found.score.total.mer.errors == 0
    assert found.to_dict()["language_accuracy"] is None                 # it was told


def test_errors_are_found_and_spelt_out(asr, tmp_path):
    found = run(asr, json_lines(tmp_path, CHOSEN[:2], text="Hello Ann, who are you today?"), options=TranscribeOptions(language="en"))
    report = found.to_dict(worst=1)
    assert found.score.total.wer.errors > 1
    assert [entry["id"] for entry in report["worst"]] == ["en_01.opus"]
    right = next(file for file in report["files"] if file["id"] == "en_00.opus")
    assert (right["wer"]["errors"], right["wer"]["substitutions"]) == (1, 1)


def test_a_part_of_a_recording_is_asked_for(asr, tmp_path):
    clip = CLIPS["en_00.opus"]
    words = clip["words"]
    found = run(asr, json_lines(tmp_path, ("en_00.opus",), start=0, end=words[1]["end"], text="Hello Ann,"))
    assert found.predictions["en_00.opus"].duration == pytest.approx(words[1]["end"], abs=0.01)


def test_nothing_finished_is_computed_twice(asr, tmp_path, monkeypatch):
    kept = tmp_path / "kept.jsonl"
    first = run(asr, json_lines(tmp_path, CHOSEN[:2]), kept)
    assert first.speed.computed_files == 2
    asked = []
    whole = type(asr).transcribe_each
    monkeypatch.setattr(type(asr), "transcribe_each", lambda self, sources, **more: asked.extend(sources) or whole(self, sources, **more))
    second = run(asr, json_lines(tmp_path), kept)
    assert [path.name for path in asked] == ["de_00.opus", "zh_00.opus"]
    assert (second.speed.computed_files, second.speed.reused_files) == (2, 2)
    assert second.score.total.files == 4
    third = run(asr, json_lines(tmp_path), kept)
    assert (len(asked), third.speed.reused_files, third.machine) == (2, 4, None)
    assert third.score.total == second.score.total
    assert third.speed.work_seconds == second.speed.work_seconds


def test_other_options_or_another_sound_are_computed_anew(asr, tmp_path):
    kept = tmp_path / "kept.jsonl"
    sound = tmp_path / "talk.opus"
    shutil.copy(HELDOUT / "en_00.opus", sound)
    manifest = json_lines(tmp_path, ("en_00.opus",), audio="talk.opus")
    run(asr, manifest, kept)
    assert run(asr, manifest, kept, options=TranscribeOptions(decode=DecodeOptions(temperature=0.1))).speed.computed_files == 1
    assert run(asr, manifest, kept).speed.computed_files == 0
    shutil.copy(HELDOUT / "en_01.opus", sound)
    assert run(asr, manifest, kept).speed.computed_files == 1


def test_a_line_that_a_kill_cut_off_is_taken_away(asr, tmp_path):
    kept = tmp_path / "kept.jsonl"
    run(asr, json_lines(tmp_path, CHOSEN[:2]), kept)
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-20])
    assert run(asr, json_lines(tmp_path, CHOSEN[:2]), kept).speed.reused_files == 1
    assert [json.loads(line)["id"] for line in kept.read_text("utf-8").splitlines()] == list(CHOSEN[:2])


@pytest.mark.parametrize(("text", "said"), [
    ('{"audio": "a.wav", "text": "x"}\n', "line 1: expected a prediction of `ossicle eval` with schema"),
    ("hello\n", "line 1: expected a prediction of `ossicle eval`, got no JSON"),
    ("a file without a line end", "holds no predictions of `ossicle eval`"),
])
def test_a_file_of_another_kind_is_left_as_it_is(tmp_path, text, said):
    file = tmp_path / "other.txt"
    file.write_text(text)
    with pytest.raises(OptionError) as caught:
        PredictionFile(file)
    assert said in str(caught.value)
    assert file.read_text() == text


def test_a_recording_that_fails_is_named_and_in_no_figure(asr, tmp_path):
    (tmp_path / "noise.wav").write_bytes(b"this is no sound")
    manifest = json_lines(tmp_path, CHOSEN[:1])
    item = manifest.items[0]
    broken = (replace(item, id="broken", audio=tmp_path / "noise.wav"), replace(item, id="absent", audio=tmp_path / "none.wav"))
    found = run(asr, replace(manifest, items=(*broken, item)))
    assert set(found.failures) == {"broken", "absent"}
    assert "none.wav" in found.failures["absent"]
    assert (found.score.total.files, found.score.total.wer.errors) == (1, 0)
    assert "failed, and in no figure: broken" in write_report(found.to_dict())


def test_a_cancelled_run_keeps_what_is_finished(asr, tmp_path):
    kept, cancel = tmp_path / "kept.jsonl", CancelToken()
    predictions = PredictionFile(kept)
    plain_add = predictions.add

    def add(prediction):
        plain_add(prediction)
        cancel.cancel()

    predictions.add = add
    with pytest.raises(Cancelled):
        evaluate(asr, json_lines(tmp_path), TranscribeOptions(decode=DecodeOptions(batch_size=1)), BASIC, predictions,
                 engine=ENGINE, cancel=cancel)
    assert len(kept.read_text("utf-8").splitlines()) == 1
    assert run(asr, json_lines(tmp_path), kept, options=TranscribeOptions(decode=DecodeOptions(batch_size=1))).speed.reused_files == 1


def test_a_language_that_the_model_does_not_know_is_an_error(asr, tmp_path):
    with pytest.raises(OptionError, match="Klingon"):
        run(asr, json_lines(tmp_path, CHOSEN[:1], language="Klingon"), tell_language=True)


def test_the_hash_of_a_manifest_is_of_its_task(tmp_path):
    one = json_lines(tmp_path)
    assert manifest_hash(one) == manifest_hash(json_lines(tmp_path, CHOSEN[::-1]))
    assert manifest_hash(one) != manifest_hash(json_lines(tmp_path, CHOSEN[:3]))
    assert manifest_hash(one) != manifest_hash(json_lines(tmp_path, text="other"))


def test_the_page_needs_nothing_else(asr, tmp_path):
    report = run(asr, json_lines(tmp_path, text="Hello <Ann> & all"), normaliser=find_normaliser("none")).to_dict()
    text = write_report(report)
    assert text.count("<svg") == 3
    assert "&lt;Ann&gt;" in text
    assert "<Ann>" not in text
    assert "prefers-color-scheme: dark" in text
    assert not any(word in text for word in ("<script", "http:", "https:", "src="))
