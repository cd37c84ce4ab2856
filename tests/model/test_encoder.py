"""Every engine: the encoder gives the same rows however its input arrives."""

import numpy as np
import pytest

ROUNDING = 1e-5     # other batch sizes sum in another order
MEL = np.random.default_rng(3).uniform(-1, 1, (128, 2750)).astype(np.float32)


def close(got: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(got, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(("frames", "rows"), [
    (1, 1), (8, 1), (9, 2), (30, 4), (50, 7), (99, 13), (100, 13), (101, 14), (364, 47), (800, 104), (1100, 143), (2750, 358),
])
def test_every_chunk_gives_its_rows(network, frames, rows):
    assert network.read(network.stem(MEL[:, :frames])).shape == (rows, 64)
    assert network.read(network.encode(MEL[:, :frames])).shape == (rows, 64)


@pytest.mark.parametrize("frames", [250, 301, 1999, 2750])
def test_chunks_convolved_one_by_one_equal_the_whole(network, frames):
    pieces = [network.read(network.stem(MEL[:, start : min(start + 100, frames)], pad_tail=True)) for start in range(0, frames, 100)]
    close(np.concatenate(pieces), network.read(network.stem(MEL[:, :frames])))


@pytest.mark.parametrize("tail", range(1, 100, 7))
def test_filling_a_tail_up_touches_its_last_row_only(network, tail):
    own, filled = (network.read(network.stem(MEL[:, :tail], pad_tail=pad_tail)) for pad_tail in (False, True))
    close(filled[:-1], own[:-1])
    leaks = tail % 8 not in (0, 7) and tail != 99
    assert (np.abs(filled[-1] - own[-1]).max() > 1e-3) == leaks


def test_short_sound_is_convolved_at_its_own_width_and_a_tail_filled_up(network):
    close(network.read(network.stem(MEL[:, :44])), network.read(network.stem(MEL[:, :44], pad_tail=False)))
    close(network.read(network.stem(MEL[:, :144])), network.read(network.stem(MEL[:, :144], pad_tail=True)))


@pytest.mark.parametrize("frames", [700, 800, 801, 1600, 2750])
def test_windows_attended_one_by_one_equal_the_whole(network, frames):
    rows = network.stem(MEL[:, :frames])
    pieces = [network.read(network.attend(rows[start : start + 104])) for start in range(0, rows.shape[0], 104)]
    close(np.concatenate(pieces), network.read(network.attend(rows)))


def test_a_finished_window_does_not_see_what_follows(network):
    short, long = (network.read(network.encode(MEL[:, :frames])) for frames in (800, 2345))
    close(long[:104], short)


def test_long_sound_equals_its_windows(network):
    mel = np.concatenate([MEL, MEL, MEL], axis=1)[:, :8100]         # more windows than are attended at once
    got = network.read(network.encode(mel))
    close(got[104 * 9 :], network.read(network.encode(mel[:, 7200:])))
    close(got[: 104 * 9], np.concatenate([network.read(network.encode(mel[:, start : start + 800])) for start in range(0, 7200, 800)]))
