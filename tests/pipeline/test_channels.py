"""Who speaks, told by the channel that is loudest."""

from itertools import pairwise

import numpy as np
import pytest

from ossicle.audio.channels import STEPS_PER_SECOND, ChannelLevels
from ossicle.audio.recording import read_recording
from ossicle.pipeline.channels import hold_one_sound, turns_by_loudness
from ossicle.pipeline.turns import tidy_turns
from tests.voices import RATE, talk

TURNS = [("low", 0.5, 3.0), ("high", 3.4, 5.0), ("low", 5.2, 6.0), ("high", 6.0, 9.0)]
SECONDS = 10.0
NAMES = {"low": "LEFT", "high": "RIGHT"}


def call(leak=0.0, gains=(1.0, 1.0), noise=1e-4, turns=TURNS):
    """A recording with a voice per channel, each of which leaks into the other: (samples, 2)."""
    own = np.stack([talk([turn for turn in turns if turn[0] == name], SECONDS) for name in NAMES], axis=1)
    mixed = own + leak * own[:, ::-1]
    return (mixed * gains + noise * np.random.default_rng(0).standard_normal(own.shape)).astype(np.float32)


def power_of(frames):
    levels = ChannelLevels()
    read_recording((frames, RATE), levels=levels).close()
    return levels.power


def found(frames):
    return tidy_turns(turns_by_loudness(power_of(frames), STEPS_PER_SECOND), SECONDS)


def right_share(turns, expected=TURNS):
    """The share of the time in which somebody speaks that goes to the right one."""
    at = np.arange(0, SECONDS, 0.01)
    truth, got = np.full(len(at), "", object), np.full(len(at), "", object)
    for name, start, end in expected:
        truth[(at >= start) & (at < end)] = NAMES[name]
    for turn in turns:
        got[(at >= turn.start) & (at < turn.end)] = turn.speaker
    return np.mean((truth == got)[truth != ""])


@pytest.mark.parametrize(("leak", "gains"), [(0, (1, 1)), (0.1, (1, 1)), (0.25, (1, 1)), (0.1, (1, 0.3)), (0.1, (0.25, 1))])
def test_each_voice_has_its_channel(leak, gains):
    turns = found(call(leak, gains))
    assert right_share(turns) > 0.93                        # the rest is pauses between syllables at the edges
    assert sum(turn.end - turn.start for turn in turns) < 8.5       # 7.9 s are spoken


def test_turns_of_channels_do_not_overlap():
    turns = turns_by_loudness(power_of(call(0.2)), STEPS_PER_SECOND)
    assert all(one.end <= two.start for one, two in pairwise(turns))


def test_a_channel_that_holds_leakage_only_gets_no_turn():
    turns = found(call(leak=0.15, turns=[("low", 0.5, 9.0)]))
    assert {turn.speaker for turn in turns} == {"LEFT"}


def test_whoever_is_louder_has_the_turn_when_both_talk():
    both = [("low", 0.5, 9.0), ("high", 4.0, 5.0)]
    frames = call(turns=both)
    frames[:, 1] *= 4
    right = [turn for turn in found(frames) if turn.speaker == "RIGHT"]
    assert all(3.9 < turn.start < turn.end < 5.1 for turn in right)
    assert sum(turn.end - turn.start for turn in right) > 0.5       # its syllables; in the pauses between, the other goes on


def test_noise_alone_is_nobodys_turn():
    assert found(call(turns=[], noise=1e-4)) == ()


def test_silence_is_nobodys_turn():
    assert found(np.zeros((RATE, 2), np.float32)) == ()


def test_three_channels_have_three_voices():
    voices = [talk([("low", start, start + 2)], SECONDS) for start in (0.5, 3.5, 6.5)]
    turns = found(np.stack(voices, axis=1))
    assert [turn.speaker for turn in turns] == ["CHANNEL_0", "CHANNEL_1", "CHANNEL_2"]
    assert [turn.start for turn in turns] == pytest.approx([0.5, 3.5, 6.5], abs=0.1)


def test_one_sound_on_both_channels_is_noticed():
    mono = call()[:, :1]
    assert hold_one_sound(power_of(np.repeat(mono, 2, axis=1)))
    assert not hold_one_sound(power_of(call(leak=0.5)))
    assert not hold_one_sound(power_of(np.zeros((RATE, 2), np.float32)))
