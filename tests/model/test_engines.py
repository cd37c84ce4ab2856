"""Which engine is chosen, and that both say the same."""

import sys
from types import SimpleNamespace

import pytest

import ossicle
from ossicle.errors import MissingExtra, OptionError
from ossicle.model import engines
from ossicle.model.checkpoint import open_checkpoint
from ossicle.options import EngineOptions
from tests.house.source import PACKAGE

SAMPLES = sorted((PACKAGE / "models" / "tiny" / "samples").glob("*.wav"))


def pretend(monkeypatch, has_gpu: bool) -> None:
    mx = SimpleNamespace(gpu="gpu", is_available=lambda kind: has_gpu)
    monkeypatch.setattr(engines, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "mlx", SimpleNamespace(core=mx))
    monkeypatch.setitem(sys.modules, "mlx.core", mx)


@pytest.fixture
def checkpoint(asr_folder):
    return open_checkpoint(asr_folder)


@pytest.mark.parametrize(("has_gpu", "expected"), [(True, "mlx"), (False, "cpu")])
def test_auto_is_mlx_where_it_has_a_gpu(checkpoint, monkeypatch, has_gpu, expected):
    pretend(monkeypatch, has_gpu)
    assert engines.choose_engine(checkpoint, EngineOptions()) == expected


@pytest.mark.parametrize("asked", [
    {"bits": 3}, {"bits": 4, "group_size": 128}, {"dtype": "bfloat16"}, {"dtype": "float16"}])
def test_auto_is_mlx_where_only_mlx_can_do_what_is_asked(checkpoint, monkeypatch, asked):
    pretend(monkeypatch, has_gpu=False)
    assert engines.choose_engine(checkpoint, EngineOptions(**asked)) == "mlx"
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match="engine mlx"):
        engines.load_network(checkpoint, EngineOptions(**asked))


@pytest.mark.parametrize("asked", [{"bits": 4}, {"bits": 8, "group_size": 32}, {"bits": None}, {"encoder_bits": 8}, {"threads": 1}])
def test_auto_is_cpu_for_what_it_can_do_itself(checkpoint, monkeypatch, asked):
    pretend(monkeypatch, has_gpu=False)
    assert engines.choose_engine(checkpoint, EngineOptions(**asked)) == "cpu"


def test_auto_is_cpu_where_mlx_is_missing_or_broken(checkpoint, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    assert engines.choose_engine(checkpoint, EngineOptions()) == "cpu"
    monkeypatch.setattr(engines, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "mlx.core", None)
    assert engines.choose_engine(checkpoint, EngineOptions()) == "cpu"


def test_cpu_asked_for_never_looks_for_mlx(asr_folder, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: pytest.fail("looked for MLX"))
    assert engines.load_network(open_checkpoint(asr_folder), EngineOptions("cpu")).engine == "cpu"


def test_mlx_asked_for_and_not_there_says_how_to_install_it(asr_folder, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'engine mlx is not installed; pip install "ossicle\[mlx\]"'):
        engines.load_network(open_checkpoint(asr_folder), EngineOptions("mlx"))


@pytest.mark.skipif(not SAMPLES, reason="the bundled model is not part of this checkout")
def test_engines_write_the_same_ids_for_every_bundled_sample():
    pytest.importorskip("mlx.core")
    found = {}
    for engine in ("cpu", "mlx"):
        with ossicle.load("tiny", EngineOptions(engine, "float32")) as asr:
            transcripts = asr.transcribe_many(SAMPLES)
        found[engine] = [[token.id for chunk in transcript.chunks for token in chunk.tokens] for transcript in transcripts]
    assert found["cpu"] == found["mlx"]
    assert any(found["cpu"])
