"""`ossicle heads find`: recordings in, a report out, and the heads into a checkpoint that then times its own words."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ossicle
from ossicle import EngineOptions
from ossicle.errors import ModelError
from ossicle.measure.heads import apply_heads, heads_to_apply
from ossicle.surfaces.cli.main import app

HELDOUT = Path(__file__).parents[1] / "data" / "tiny_heldout"
TINY = Path(ossicle.__file__).parent / "models" / "tiny"
FIELDS = ("model", "language", "num_layers", "num_heads", "num_kv_heads", "num_samples", "total_alignable_tokens", "ts_threshold",
          "ts_matrix", "alignment_heads", "alignment_heads_compact")


def find(*arguments):
    return CliRunner().invoke(app, ["heads", "find", *map(str, arguments), "--engine", "cpu", "--offline"])


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Three recordings, one of them with its text, and a manifest of two more."""
    folder = tmp_path_factory.mktemp("recordings")
    clips = json.loads((HELDOUT / "transcripts.json").read_text("utf-8"))[:5]
    for clip in clips:
        shutil.copy(HELDOUT / clip["file"], folder)
    (folder / clips[0]["file"]).with_suffix(".txt").write_text(clips[0]["text"] + "\n", "utf-8")
    (folder / "two.jsonl").write_text("".join(
        json.dumps({"audio": clip["file"], "text": clip["text"], "language": clip["language"]}) + "\n" for clip in clips[3:]), "utf-8")
    return [*(folder / clip["file"] for clip in clips[:3]), folder / "two.jsonl"]


@pytest.fixture
def nameless(tmp_path):
    """The bundled model, without the heads that it names."""
    folder = tmp_path / "model"
    shutil.copytree(TINY, folder)
    file = folder / "generation_config.json"
    content = json.loads(file.read_text("utf-8"))
    del content["alignment_heads"]
    file.write_text(json.dumps(content), "utf-8")
    return folder


def test_the_report_has_the_form_of_the_published_lists(recordings):
    result = find("tiny", *recordings, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert set(FIELDS) <= set(report)
    assert (report["num_layers"], report["num_heads"], report["num_kv_heads"], report["num_samples"]) == (3, 4, 2, 5)
    assert (report["language"], report["aligner"], report["query"]) == ("English", "tiny-aligner", "fed")
    for asked in (report, report["predicted"]):
        scores = [entry["ts"] for entry in asked["alignment_heads"]]
        assert scores == sorted(scores, reverse=True)
        assert [[entry["layer"], entry["head"]] for entry in asked["alignment_heads"]] == asked["alignment_heads_compact"]
        assert all(asked["ts_matrix"][entry["layer"]][entry["head"]] == entry["ts"] > 0.1 for entry in asked["alignment_heads"])
    assert heads_to_apply(report) == [[1, 0]]


def test_a_table_says_it_to_people(recordings, tmp_path):
    result = find("tiny", recordings[0], "--out", tmp_path / "heads.json")
    assert result.exit_code == 0
    assert "1      0     100.0%" in result.stdout
    assert json.loads((tmp_path / "heads.json").read_text("utf-8"))["num_samples"] == 1
    assert find("tiny", recordings[0], "--out", tmp_path / "heads.json").exit_code == 2      # it is there


def test_applied_heads_time_words(recordings, nameless):
    sound = str(recordings[0])
    with ossicle.load(str(nameless), EngineOptions("cpu")) as before:
        assert before._engine.parts.heads is None
    result = find(nameless, *recordings, "--aligner", "tiny-aligner", "--apply")
    assert result.exit_code == 0, result.output
    written, published = (json.loads((folder / "generation_config.json").read_text("utf-8")) for folder in (nameless, TINY))
    assert written == published
    with ossicle.load(str(nameless), EngineOptions("cpu")) as after:
        words = after.transcribe(sound, options=ossicle.TranscribeOptions(words="attention")).words
    assert {word.timing for word in words} == {"attention"}


def test_heads_go_into_folders_of_ones_own_only(recordings, nameless, tmp_path):
    result = find("tiny", recordings[0], "--apply")
    assert result.exit_code == 2
    assert "a folder of your own, got tiny" in result.output
    with pytest.raises(ModelError, match="a folder of your own"):
        apply_heads(tmp_path, [[1, 0]])
    file = nameless / "generation_config.json"
    file.rename(tmp_path / "blob")
    file.symlink_to(tmp_path / "blob")
    with pytest.raises(ModelError, match="link into a cache"):
        apply_heads(nameless, [[1, 0]])


def test_poor_heads_are_not_applied():
    ranked = [{"layer": 1, "head": head, "ts": score} for head, score in enumerate((0.9, 0.8, 0.74, 0.3))]
    assert heads_to_apply({"predicted": {"alignment_heads": ranked}}) == [[1, 0], [1, 1]]
    for poor in (ranked[3:], []):
        with pytest.raises(ModelError, match="good enough"):
            heads_to_apply({"predicted": {"alignment_heads": poor}})


def test_a_recording_that_cannot_be_read_stops_no_other(recordings, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    result = find("tiny", tmp_path / "broken.wav", recordings[0], "--json")
    assert result.exit_code == 1
    assert list(json.loads(result.stdout)["failures"]) == [str(tmp_path / "broken.wav")]
    assert find("tiny", tmp_path / "broken.wav").exit_code == 1
    assert find("tiny", tmp_path / "absent.wav").exit_code == 2


def test_a_language_that_is_none_is_refused_before_anything_is_loaded(recordings):
    done = find(TINY, recordings[0], "--language", "xx")
    assert (done.exit_code, "got 'xx'" in done.output, "loading" in done.output) == (2, True, False), done.output
