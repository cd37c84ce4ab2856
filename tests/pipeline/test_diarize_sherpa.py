"""The real sherpa-onnx over two networks of 2 KB, made by tests/data/diarizer/make.py: they tell a low from a high voice.

The published weights are not part of this checkout; what they find in real talk is not tested here.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ossicle.errors import Cancelled, MissingExtra, ModelError, OptionError
from ossicle.options import SourceOptions, SpeakerOptions
from ossicle.pipeline import diarize_sherpa
from ossicle.pipeline.diarizer import Diarizers, Evidence, find_turns
from ossicle.progress import CancelToken
from tests.voices import talk

sherpa_onnx = pytest.importorskip("sherpa_onnx")

MODELS = Path(__file__).parents[1] / "data" / "diarizer"
TURNS = [("low", 0.0, 3.0), ("high", 3.5, 7.5), ("low", 8.0, 13.0), ("high", 13.0, 19.0)]
TALK = talk(TURNS, 19.0)
OPTIONS = SpeakerOptions("sherpa", model=str(MODELS))


@pytest.fixture
def models(tmp_path):
    """A folder of one's own with both models."""
    for name in ("segmentation.onnx", "embedding.onnx"):
        shutil.copy(MODELS / name, tmp_path)
    return tmp_path


def find(options=OPTIONS, samples=TALK, **how):
    return find_turns(Evidence(samples, "talk.wav"), options, Diarizers(), **how)


def test_two_voices_are_told_apart():
    turns = find()
    assert [turn.speaker for turn in turns] == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_00", "SPEAKER_01"]
    for turn, (_, start, end) in zip(turns, TURNS, strict=True):
        assert (turn.start, turn.end) == pytest.approx((start, end), abs=0.2)       # syllables are parted by 0.16 s


@pytest.mark.parametrize(("options", "count"), [
    ({"num_speakers": 1}, 1), ({"num_speakers": 2}, 2), ({"max_speakers": 1}, 1), ({"min_speakers": 3}, 3), ({"min_speakers": 1}, 2),
    ({"min_speakers": 2, "max_speakers": 8}, 2), ({"threshold": 2.0}, 1),
])
def test_the_number_of_speakers_is_kept(options, count):
    turns = find(SpeakerOptions("sherpa", model=str(MODELS), **options))
    assert len({turn.speaker for turn in turns}) == count


def test_speakers_are_named():
    turns = find(SpeakerOptions("sherpa", model=str(MODELS), names={"0": "Ann", "SPEAKER_01": "Bo"}))
    assert [turn.speaker for turn in turns] == ["Ann", "Bo", "Ann", "Bo"]


def test_progress_is_told_and_ends_at_one():
    shares = []
    find(on_share=shares.append)
    assert len(shares) > 5
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_cancelling_ends_the_work():
    token, shares = CancelToken(), []

    def cancel_soon(share):
        shares.append(share)
        token.cancel()

    with pytest.raises(Cancelled):
        find(on_share=cancel_soon, cancel=token)
    assert len(shares) == 1


def test_silence_and_nothing_have_no_turns():
    warnings = []
    assert find(samples=np.zeros(16_000, np.float32), on_warning=warnings.append) == ()
    assert find(samples=np.zeros(0, np.float32), on_warning=warnings.append) == ()
    assert warnings == ["no turn of any speaker was found; all words go to SPEAKER_00"]


def test_models_are_loaded_once_for_all_recordings(monkeypatch):
    loads, real = [], diarize_sherpa.find_models
    monkeypatch.setattr(diarize_sherpa, "find_models", lambda options: loads.append(options) or real(options))
    diarizers = Diarizers()
    for options in (OPTIONS, OPTIONS, SpeakerOptions("sherpa", model=str(MODELS), num_speakers=2)):
        assert len(find_turns(Evidence(TALK), options, diarizers)) == 4
    assert len(loads) == 1


def test_models_are_found_as_they_were_unpacked(models):
    (models / "sherpa-onnx-pyannote-segmentation-3-0").mkdir()
    unpacked = models / "sherpa-onnx-pyannote-segmentation-3-0" / "model.onnx"
    (models / "segmentation.onnx").rename(unpacked)
    shutil.copy(unpacked, unpacked.with_name("model.int8.onnx"))
    (models / "embedding.onnx").rename(models / "wespeaker_en_voxceleb_resnet34_LM.onnx")
    assert diarize_sherpa.find_models(SpeakerOptions("sherpa", model=str(models))) == (
        unpacked, models / "wespeaker_en_voxceleb_resnet34_LM.onnx")


@pytest.mark.parametrize(("break_it", "message"), [
    (lambda folder: (folder / "embedding.onnx").unlink(), r"found: segmentation\.onnx$"),
    (lambda folder: (folder / "segmentation.onnx").rename(folder / "other.onnx"), r"found: embedding\.onnx, other\.onnx$"),
    (lambda folder: shutil.rmtree(folder), "expected a folder with two models for sherpa"),
    (lambda folder: (folder / "embedding.onnx").write_text("version https://git-lfs"), r"embedding\.onnx is no ONNX model"),
])
def test_missing_and_wrong_files_are_named(models, break_it, message):
    break_it(models)
    with pytest.raises(ModelError, match=message):
        find(SpeakerOptions("sherpa", model=str(models)))


def test_without_weights_the_error_says_which_files_and_from_where(tmp_path):
    options = SpeakerOptions("sherpa", download=SourceOptions(offline=True, cache_dir=str(tmp_path)))
    with pytest.raises(ModelError, match=r"csukuangfj/sherpa-onnx-pyannote-segmentation-3-0 is not complete on this machine") as caught:
        find(options)
    assert "give a folder" in str(caught.value)


def test_a_device_that_it_does_not_know_is_refused():
    with pytest.raises(OptionError, match="device must be auto or cpu for sherpa"):
        find(SpeakerOptions("sherpa", model=str(MODELS), device="cuda"))


def test_without_the_library_the_install_line_is_told(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sherpa_onnx", None)
    with pytest.raises(MissingExtra, match=r'pip install "ossicle\[diarize\]"'):
        find()


def test_the_library_still_calls_things_by_the_names_that_are_used():
    assert sherpa_onnx.FastClusteringConfig(num_clusters=3, threshold=0.7).num_clusters == 3
    found = sherpa_onnx.OfflineSpeakerDiarizationSegment
    assert all(hasattr(found, name) for name in ("start", "end", "speaker"))
