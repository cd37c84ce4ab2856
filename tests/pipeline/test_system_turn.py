"""The system turn, computed once: the same replies as without, on every engine, and fewer positions to feed."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from ossicle.audio.load import read_samples
from ossicle.model.checkpoint import open_checkpoint
from ossicle.pipeline.engine import Parts
from ossicle.pipeline.recognize import Ask, Sound, StageClock, recognize
from ossicle.pipeline.system_turn import MAX_HELD, SystemTurns
from ossicle.text.tokenizer import Tokenizer
from tests.listening import ListeningNetwork
from tests.model.conftest import FORMS, load

TINY = Path(str(files("ossicle") / "models" / "tiny"))
NAMES = "Oliver Anne Emma Stephen Catherine Erik Marc Phillip Bryan Geoffrey Sara Jon "
CONTEXTS = {"three names": "Oliver Anne Emma", "longer than the sound": NAMES * 12}


@pytest.fixture(scope="module", params=FORMS)
def parts(request) -> Parts:
    checkpoint = open_checkpoint(TINY)
    return Parts(load(request.param, TINY), Tokenizer.from_folder(TINY), checkpoint.config, frozenset(checkpoint.eos_ids))


@pytest.fixture(scope="module")
def sounds() -> list[Sound]:
    clips = [TINY / "samples" / name for name in ("english_context.flac", "english.wav", "english_joined.opus")]
    return [Sound(read_samples(clip), 96) for clip in clips]


def run(parts: Parts, sounds: list[Sound], context: str, turns: SystemTurns):
    return recognize(replace(parts, turns=turns), sounds, Ask(context=context), StageClock())


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
@pytest.mark.parametrize("chosen", [[0, 1, 2], [1]], ids=["rows of unequal length", "one row"])
def test_replies_are_the_same_as_without(parts, sounds, context, chosen):
    turns = SystemTurns(min_positions=1)
    chosen = [sounds[index] for index in chosen]
    plain = run(parts, chosen, context, SystemTurns(min_positions=10**9))
    for _ in range(2):                                              # computed, then found
        for one, other in zip(run(parts, chosen, context, turns), plain, strict=True):
            assert (one.ids, one.reply, one.stopped_by) == (other.ids, other.reply, other.stopped_by)
            np.testing.assert_allclose(one.logprobs, other.logprobs, rtol=0, atol=1e-3)     # float32, summed in another order
    assert turns.num_computed == 1


def test_a_context_still_decides_how_a_name_is_written(parts, sounds):
    found, = run(parts, sounds[:1], CONTEXTS["three names"], SystemTurns(min_positions=1))
    assert found.reply.text == "Hello Anne, how are you today?"
    found, = run(parts, sounds[:1], "", SystemTurns(min_positions=1))
    assert found.reply.text == "Hello Ann, how are you today?"


@pytest.fixture
def listening():
    """Parts around a network that counts what it is fed, and says what its context was."""
    tokenizer, checkpoint = Tokenizer.from_folder(TINY), open_checkpoint(TINY)
    network = ListeningNetwork(checkpoint.config, tokenizer, lambda heard: {"English": 1.0}, lambda heard, _: f"{heard.context[:20]}.")
    return Parts(network, tokenizer, checkpoint.config, frozenset([tokenizer.im_end]))


def noise(seconds: float) -> Sound:
    return Sound(np.random.default_rng(0).normal(0, 0.1, round(seconds * 16_000)).astype(np.float32), 64)


def test_what_all_rows_begin_with_is_fed_once(listening):
    fed = {}
    for name, least in (("shared", 1), ("plain", 10**9)):
        before = listening.network.num_positions
        run(listening, [noise(4), noise(2), noise(3)], NAMES, SystemTurns(min_positions=least))
        fed[name] = listening.network.num_positions - before
    turn = len(listening.tokenizer.encode(f"<|im_start|>system\n{NAMES}<|im_end|>\n<|im_start|>user\n<|audio_start|>"))
    assert fed["plain"] - fed["shared"] == 2 * turn


def test_a_short_turn_is_not_kept(listening):
    turns = SystemTurns()
    run(listening, [noise(2)], "Anne", turns)
    assert turns.num_computed == 0


def test_the_last_few_contexts_are_kept_and_no_more(listening):
    turns = SystemTurns(min_positions=1)
    contexts = [f"context {place}" for place in range(MAX_HELD + 1)]
    for context in contexts:
        run(listening, [noise(1)], context, turns)
    assert turns.num_computed == MAX_HELD + 1
    run(listening, [noise(1)], contexts[-1], turns)
    run(listening, [noise(1)], contexts[1], turns)
    assert turns.num_computed == MAX_HELD + 1
    run(listening, [noise(1)], contexts[0], turns)                  # the one that was asked for longest ago
    assert turns.num_computed == MAX_HELD + 2


def test_a_piece_without_speech_never_gets_the_context(listening):
    silent = replace(noise(2), is_speech=False)
    spoken, quiet = run(listening, [noise(2), silent], NAMES, SystemTurns(min_positions=1))
    assert spoken.reply.text == f"{NAMES[:20]}."
    assert quiet.reply.text == "."
    assert [heard.context for heard in listening.network.heard] == [NAMES, ""]


def test_one_row_may_have_a_copy_of_its_own(parts):
    network, turns = parts.network, SystemTurns(min_positions=4)
    ids = parts.tokenizer.encode("<|im_start|>system\nOliver Anne<|im_end|>\n")
    own = turns.own(network, ids, 90)
    assert (own.length, own.padding) == (len(ids), (0,))
    expected = network.read(network.forward(network.embed([*ids, 5, 6]), network.new_cache()).logits)
    for cache in (own, turns.own(network, ids, 0)):                 # what one writes, the other does not see
        np.testing.assert_allclose(network.read(network.forward(network.embed([5, 6]), cache).logits), expected, rtol=0, atol=1e-3)
    assert turns.num_computed == 1
    assert turns.own(network, ids[:3], 0).length == 0               # too short to be kept: the caller feeds it
