"""The bundled aligner on real sound: the times its card promises are the times it gives, on both engines."""

import json
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ossicle.audio.mel import log_mel
from ossicle.model.checkpoint import open_checkpoint
from ossicle.model.engines import load_network
from ossicle.model.store import resolve_model
from ossicle.options import EngineOptions
from ossicle.text.prompt import build_aligner_prompt
from ossicle.text.tokenizer import Tokenizer

ALIGNER = Path(str(files("ossicle") / "models" / "tiny-aligner"))
HELDOUT = Path(__file__).parent / "data" / "tiny_aligner_heldout"
CARD = json.loads((ALIGNER / "card.json").read_text("utf-8"))
CLIPS = json.loads((HELDOUT / "words.json").read_text("utf-8"))

needs_mlx = pytest.mark.skipif(find_spec("mlx") is None, reason="MLX is not installed")


@pytest.fixture(scope="module", params=["cpu", pytest.param("mlx", marks=needs_mlx)])
def classes(request):
    """The likeliest class at every stamp, by clip."""
    network = load_network(open_checkpoint(ALIGNER), EngineOptions(request.param, "float32"))
    tokenizer = Tokenizer.from_folder(ALIGNER)
    return {clip["file"]: likeliest_classes(network, tokenizer, clip) for clip in CLIPS}


def likeliest_classes(network, tokenizer, clip) -> np.ndarray:
    # As the recipe reads them: other decoders of Opus give other samples, and now and then a time falls on the other side.
    samples = soundfile.read(HELDOUT / clip["file"], dtype="float32")[0]
    audio = network.encode(log_mel(samples))
    prompt = build_aligner_prompt(tokenizer, audio.shape[0], [word["text"] for word in clip["words"]])
    rows = [row for row, token in enumerate(prompt.ids) if token == tokenizer.timestamp]
    embeddings = network.embed(prompt.ids, audio, prompt.audio_start)
    logits = network.forward(embeddings, network.new_cache(), logits_at=rows).logits
    return network.read(logits)[0].argmax(-1).reshape(-1, 2)


def late(classes, clip) -> np.ndarray:
    """By how many milliseconds each start and end is late."""
    spoken = np.array([(word["start"], word["end"]) for word in clip["words"]])
    return np.round(80 * classes[clip["file"]] - 1000 * spoken)


@pytest.mark.parametrize("group", list(CARD["bundled_test"]))
def test_the_boundary_error_is_the_one_on_the_card(classes, group):
    figures = CARD["bundled_test"][group]
    clips = [clip for clip in CLIPS if clip["group"] == group]
    errors = np.abs(np.concatenate([late(classes, clip) for clip in clips]))
    assert (len(clips), len(errors)) == (figures["clips"], figures["words"])
    assert np.median(errors) == pytest.approx(figures["median_ms"], abs=1)      # the card has whole milliseconds
    assert np.median(errors) <= 60
    assert 100 * np.mean(errors <= 80) == pytest.approx(figures["within_80_ms"], abs=0.5)


@pytest.mark.parametrize("clip", CLIPS, ids=[clip["file"] for clip in CLIPS])
def test_every_class_is_the_one_that_torch_finds(classes, clip):
    assert classes[clip["file"]].ravel().tolist() == clip["classes"]


def test_starts_and_ends_are_neither_early_nor_late(classes):
    bias = np.median(np.concatenate([late(classes, clip) for clip in CLIPS]), axis=0)
    assert np.abs(bias).max() <= 20                                             # a quarter of a class


def test_the_aligner_is_a_published_checkpoint_that_comes_along():
    assert resolve_model("tiny-aligner") == ALIGNER
    checkpoint = open_checkpoint(ALIGNER)
    assert checkpoint.config.is_aligner
    assert checkpoint.config.timestamp_seconds == 0.08
    assert checkpoint.config.timestamp_token_id == Tokenizer.from_folder(ALIGNER).timestamp
    assert max(clip["seconds"] for clip in CLIPS) < checkpoint.config.num_classes * checkpoint.config.timestamp_seconds
