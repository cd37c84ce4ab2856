"""The real pyannote.audio 4 around a pipeline without weights; skips where the library is not installed.

The published pipeline is gated, and neither it nor its weights are part of this checkout: what it finds in real talk is
not tested here.
"""

import inspect
import os
from itertools import pairwise

import numpy as np
import pytest

from ossicle.errors import Cancelled, MissingExtra, ModelError
from ossicle.options import SourceOptions, SpeakerOptions
from ossicle.pipeline import diarize_pyannote
from ossicle.pipeline.diarizer import Diarizers, Evidence, find_turns
from ossicle.progress import CancelToken
from tests.voices import talk

TURNS = [("low", 0.0, 3.0), ("high", 3.5, 5.5), ("low", 6.0, 8.0)]
TALK = talk(TURNS, 8.0)
CONFIG = "pipeline:\n  name: tests.pipeline.band_pipeline.BandPipeline\n"


@pytest.fixture
def pyannote():
    return pytest.importorskip("pyannote.audio")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def find(options, samples=TALK, diarizers=None, **how):
    return find_turns(Evidence(samples, "talk.wav"), options, diarizers or Diarizers(), **how)


def test_turns_come_from_a_local_folder(pyannote, folder):
    turns = find(SpeakerOptions("pyannote", model=str(folder), device="cpu", names={"1": "Bo"}))
    assert [turn.speaker for turn in turns] == ["SPEAKER_00", "Bo", "SPEAKER_00"]
    for turn, (_, start, end) in zip(turns, TURNS, strict=True):
        assert (turn.start, turn.end) == pytest.approx((start, end), abs=0.2)       # syllables are parted by 0.16 s


def test_the_bounds_reach_the_pipeline(pyannote, folder):
    diarizers = Diarizers()
    for bounds in ({"num_speakers": 1}, {"min_speakers": 2, "max_speakers": 3}, {}):
        find(SpeakerOptions("pyannote", model=str(folder), device="cpu", **bounds), diarizers=diarizers)
    assert diarizers._made._pipeline.asked == [(1, None, None), (None, 2, 3), (None, None, None)]


def test_turns_without_overlap_go_first(pyannote, folder):
    both = talk([("low", 0.0, 4.0), ("high", 1.0, 2.0)], 4.0)
    turns = find(SpeakerOptions("pyannote", model=str(folder), device="cpu"), both)
    assert len({turn.speaker for turn in turns}) == 2
    assert all(one.end <= two.start + 1e-6 for one, two in pairwise(turns))


def test_a_device_that_fails_is_left_for_the_processor_and_told_once(pyannote, folder):
    warnings, diarizers = [], Diarizers()
    options = SpeakerOptions("pyannote", model=str(folder), device="cpu")
    find(options, diarizers=diarizers)
    diarizers._made._device = "meta"                        # what stands for an accelerator here
    for _ in range(2):
        assert len(find(options, diarizers=diarizers, on_warning=warnings.append)) == 3
    assert warnings == ["pyannote.audio failed on meta (RuntimeError: the device is lost); it goes on on the processor"]


def test_a_device_that_is_not_there_is_left_for_the_processor(pyannote, folder):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    warnings = []
    assert len(find(SpeakerOptions("pyannote", model=str(folder), device="cuda"), on_warning=warnings.append)) == 3
    assert "pyannote.audio failed on cuda" in warnings[0]


def test_progress_is_told_and_cancelling_ends_the_work(pyannote, folder):
    options, shares, token = SpeakerOptions("pyannote", model=str(folder), device="cpu"), [], CancelToken()
    find(options, on_share=shares.append)
    assert shares == pytest.approx([0.15, 0.3, 1.0])
    with pytest.raises(Cancelled):
        find(options, on_share=lambda share: token.cancel(), cancel=token)


def test_nothing_has_no_turns(pyannote, folder):
    assert find(SpeakerOptions("pyannote", model=str(folder), device="cpu"), np.zeros(0, np.float32)) == ()


def test_a_pipeline_that_does_not_load_is_named(pyannote, folder):
    (folder / "config.yaml").write_text("pipeline:\n  name: tests.pipeline.band_pipeline.NoPipeline\n")
    with pytest.raises(ModelError, match="cannot load the pipeline in"):
        find(SpeakerOptions("pyannote", model=str(folder)))


def test_its_makers_are_told_nothing(pyannote, folder, monkeypatch):
    monkeypatch.delenv("PYANNOTE_METRICS_ENABLED", raising=False)
    diarize_pyannote.PyannoteDiarizer(SpeakerOptions("pyannote", model=str(folder), device="cpu"))
    assert os.environ["PYANNOTE_METRICS_ENABLED"] == "false"
    monkeypatch.setenv("PYANNOTE_METRICS_ENABLED", "1")     # the user's word counts
    diarize_pyannote.PyannoteDiarizer(SpeakerOptions("pyannote", model=str(folder), device="cpu"))
    assert os.environ["PYANNOTE_METRICS_ENABLED"] == "1"


def test_the_library_still_takes_what_it_is_given(pyannote):
    from pyannote.audio.pipelines import SpeakerDiarization
    from pyannote.audio.pipelines.speaker_diarization import DiarizeOutput

    assert {"token", "cache_dir"} <= set(inspect.signature(pyannote.Pipeline.from_pretrained).parameters)
    assert {"num_speakers", "min_speakers", "max_speakers", "hook"} <= set(inspect.signature(SpeakerDiarization.apply).parameters)
    assert {"exclusive_speaker_diarization", "speaker_diarization"} <= set(DiarizeOutput.__dataclass_fields__)


# ---------------------------------------------------------------- without the library


def test_a_folder_that_is_no_pipeline_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"is no pipeline of pyannote\.audio: it lacks config\.yaml"):
        diarize_pyannote.find_pipeline(SpeakerOptions("pyannote", model=str(tmp_path)))
    (tmp_path / "config.yaml").write_text("params:\n  segmentation: $model/segmentation\n  plda: '$model/plda@v1'\n")
    (tmp_path / "segmentation").mkdir()
    (tmp_path / "segmentation" / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"it lacks plda/;"):
        diarize_pyannote.find_pipeline(SpeakerOptions("pyannote", model=str(tmp_path)))
    with pytest.raises(ModelError, match="expected the folder of a pipeline"):
        diarize_pyannote.find_pipeline(SpeakerOptions("pyannote", model=str(tmp_path / "none")))


def test_offline_the_gated_pipeline_is_named(tmp_path):
    options = SpeakerOptions("pyannote", token="hf_secret", download=SourceOptions(offline=True, cache_dir=str(tmp_path)))
    with pytest.raises(ModelError, match="pyannote/speaker-diarization-community-1 is not complete on this machine") as caught:
        diarize_pyannote.find_pipeline(options)
    assert "hf_secret" not in str(caught.value) + repr(options)


def test_without_the_library_the_install_line_is_told(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyannote.audio", None)
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingExtra, match=r'pip install "ossicle\[pyannote\]"'):
        find(SpeakerOptions("pyannote"))


class Annotation:
    def itertracks(self, yield_label):
        yield type("Span", (), {"start": 0.5, "end": 1.5}), "_", "Ann"


def test_older_outputs_are_read_and_others_refused():
    assert [turn.speaker for turn in diarize_pyannote.turns_of(Annotation())] == ["Ann"]
    with pytest.raises(ModelError, match="must give an annotation of speakers, got dict"):
        diarize_pyannote.turns_of({})


@pytest.mark.parametrize(("cuda", "mps", "asked", "device"), [
    (True, True, "auto", "cuda"), (False, True, "auto", "mps"), (False, False, "auto", "cpu"), (True, True, "cpu", "cpu"),
    (False, False, "mps", "mps"),
])
def test_a_device_is_chosen(cuda, mps, asked, device):
    def there(answer):
        return type("Device", (), {"is_available": staticmethod(lambda: answer)})

    torch = type("Torch", (), {"cuda": there(cuda), "backends": type("Backends", (), {"mps": there(mps)})})
    assert diarize_pyannote.choose_device(torch, asked) == device
