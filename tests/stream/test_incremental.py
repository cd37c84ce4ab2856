"""Rows of a growing sound are those of the whole, computed once as long as they stay true."""

import numpy as np
import pytest

from ossicle.audio.mel import log_mel
from ossicle.pipeline.recognize import StageClock
from ossicle.stream.incremental import EncodedSound
from ossicle.stream.work import Work
from tests import sounds
from tests.stream.hearings import RATE

# Ends of a second and of a window, and the 40 samples beyond them that decide whether they are final.
ENDS = (1_600, 2_345, 15_999, 16_000, 16_039, 16_040, 24_000, 31_999, 32_160, 127_999, 128_000, 128_039, 128_040, 128_200, 150_000,
        144_001, 60_000, 255_999, 256_040, 272_000)


def rows_of(parts, encoded, samples, work=None):
    heard = encoded.hear(samples, StageClock(), work or Work())
    found = [*heard.windows, *([] if heard.rest is None else [heard.rest])]
    rows = np.concatenate([parts.network.read(one) for one in found])
    assert len(rows) == heard.num_rows
    return rows


def assert_equal_whole(parts, encoded, samples):
    expected = parts.network.read(parts.network.encode(log_mel(samples)))
    np.testing.assert_allclose(rows_of(parts, encoded, samples), expected, rtol=0, atol=2e-4)    # float32, summed in another order


def test_rows_equal_the_whole_wherever_it_is_heard(tiny_on_each):
    samples, encoded = sounds.speech(17 * RATE, 3), EncodedSound(tiny_on_each.network)
    for end in ENDS if tiny_on_each.network.engine == "cpu" else ENDS[3::4]:         # forwards, and back to where the sound was shorter
        assert_equal_whole(tiny_on_each, encoded, samples[:end])


@pytest.mark.parametrize("chop", [320, 1_600, 7_777])
def test_rows_hang_on_no_chop(tiny, chop):
    samples, encoded = sounds.speech(9 * RATE + 500, 4), EncodedSound(tiny.network)
    for end in range(chop * -(-1_600 // chop), 40_000, chop):
        rows_of(tiny, encoded, samples[:end])
    assert_equal_whole(tiny, encoded, samples)


def test_a_louder_sound_makes_rows_anew(tiny):
    samples = sounds.speech(12 * RATE, 5).copy()
    samples[: 9 * RATE] *= 0.01
    encoded, work = EncodedSound(tiny.network), Work()
    before = encoded.hear(samples[: 9 * RATE], StageClock(), work)
    again = encoded.hear(samples[: 9 * RATE], StageClock(), work)
    assert again.version == before.version
    assert again.windows[0] is before.windows[0]
    after = encoded.hear(samples[: 11 * RATE], StageClock(), work)
    assert after.version > before.version
    assert_equal_whole(tiny, encoded, samples[: 11 * RATE])
    assert_equal_whole(tiny, encoded, samples[: 9 * RATE])              # what came later does not count


def test_sound_behind_the_place_of_hearing_does_not_count(tiny):
    samples = sounds.speech(10 * RATE, 6).copy()
    samples[5 * RATE :] *= 8
    encoded = EncodedSound(tiny.network)
    rows_of(tiny, encoded, samples)
    assert_equal_whole(tiny, encoded, samples[: 4 * RATE + 100])


def test_each_second_is_convolved_once_and_each_window_attended_once(tiny):
    samples, work = sounds.speech(17 * RATE, 3).copy(), Work()
    samples[: RATE // 2] *= 2                           # the loudest comes first: nothing is made again
    encoded = EncodedSound(tiny.network)
    for end in range(RATE // 2, 17 * RATE + 1, RATE // 2):
        rows_of(tiny, encoded, samples[:end], work)
    assert work.seconds_convolved < 17 + 34             # each finished one once, and what is behind it once for each hearing
    halves = [13 * (half // 2) + 7 * (half % 2) for half in range(1, 17)]       # rows behind the finished windows, hearing by hearing
    assert work.rows_attended == 2 * 104 + 2 * sum(halves) + halves[0] + halves[1]


def test_what_remains_is_a_sound_of_its_own(tiny_on_each):
    samples = sounds.speech(19 * RATE, 7).copy()
    samples[3 * RATE : 4 * RATE] *= 5                   # the loudest goes with the first window
    encoded = EncodedSound(tiny_on_each.network)
    rows_of(tiny_on_each, encoded, samples[: 18 * RATE])
    rest = samples[encoded.window_samples :]
    encoded.drop_window(rest)
    for end in (10 * RATE, 11 * RATE - 7):
        assert_equal_whole(tiny_on_each, encoded, rest[:end])
    encoded.drop_window(rest[encoded.window_samples :])
    assert_equal_whole(tiny_on_each, encoded, rest[encoded.window_samples :])
