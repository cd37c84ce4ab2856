"""Callers on several threads get what they would get alone, and the number of threads changes no bit."""

import threading

import numpy as np
import pytest

from ossicle.model.cpu.native import F32, GELU, LAYER_NORM, RMS_NORM, SWIGLU
from tests.native.kernels.calls import (
    DENSE_FORMATS,
    PANEL_FORMATS,
    Attention,
    Product,
    apply,
    attend,
    convolve,
    dense,
    normalize,
    random,
)
from tests.native.kernels.memory import exact

FORMATS = [DENSE_FORMATS[2], PANEL_FORMATS[0], PANEL_FORMATS[7]]


def works() -> list:
    """Calls that share nothing, each of which is given the number of threads."""
    gate, up, out = (form.hold(random(200, 192, seed=seed) * np.float32(0.07)) for seed, form in enumerate(FORMATS))
    norm, one, many = random(192), random(1, 192), random(50, 192)
    fused = Product((gate, gate), RMS_NORM, norm, activation=SWIGLU)
    image, weight, bias = random(3, 9, 9, 20), dense(random(40, 180), F32), random(40)
    cache = Attention(*(exact(random(2, 2, 60, 16, seed=seed)) for seed in (4, 5)), 60, True, (0, 9))
    few, queries = random(2, 1, 4, 16), random(2, 40, 4, 16)
    return [
        lambda threads: apply(fused, one, threads),
        lambda threads: apply(fused, many, threads),
        lambda threads: apply(Product((up, up, up), LAYER_NORM, norm, activation=GELU), one, threads),
        lambda threads: apply(Product((up,)), many, threads),
        lambda threads: apply(Product((out, out), RMS_NORM, norm, add=True), many[:7], threads, np.zeros((7, 400), np.float32)),
        lambda threads: apply(Product((out,)), many, threads),
        lambda threads: apply(Product((up,)), one, threads, with_best=True)[0],
        lambda threads: attend(cache, few, threads),
        lambda threads: attend(cache, queries, threads),
        lambda threads: convolve(weight, bias, image, threads),
        lambda threads: normalize(RMS_NORM, many, norm, None, threads),
    ]


@pytest.mark.parametrize("place", range(11))
def test_no_bit_depends_on_the_number_of_threads(place):
    work = works()[place]
    alone = work(1)
    for threads in (1, 2, 4, 4, 7):
        np.testing.assert_array_equal(work(threads), alone)


def test_the_best_is_the_same_for_any_number_of_threads():
    op = Product((PANEL_FORMATS[0].hold(random(3000, 64)),))
    for m in (1, 8, 20):
        x = random(m, 64)
        _, alone = apply(op, x, 1, with_best=True)
        for threads in (2, 4, 4, 7):
            _, best = apply(op, x, threads, with_best=True)
            for name in ("id", "logit"):
                np.testing.assert_array_equal(best[name], alone[name])
            # Parts of a row are summed before they are put together, and there are more of them for more threads.
            np.testing.assert_allclose(best["log_probability"], alone["log_probability"], rtol=0, atol=2e-6)


def test_more_outputs_than_tasks_and_more_threads_than_cores_change_nothing():
    op, x = Product((PANEL_FORMATS[0].hold(random(5000, 64)),)), random(1, 64)           # 157 pairs of panels, in at most 96 tasks
    y, best = apply(op, x, 1, with_best=True)
    for threads in (64, 256):
        also_y, also_best = apply(op, x, threads, with_best=True)
        np.testing.assert_array_equal(also_y, y)
        assert also_best["id"] == best["id"] == y.argmax()


def test_callers_at_the_same_time_get_what_they_would_alone():
    all_works = works()
    expected = [work(1) for work in all_works]
    start, wrong = threading.Barrier(4), []

    def call(caller: int) -> None:
        start.wait()
        for turn in range(3 * len(all_works)):
            place = (turn * (caller + 1) + caller) % len(all_works)
            if not np.array_equal(all_works[place](1 + (turn + caller) % 3), expected[place]):
                wrong.append((caller, turn, place))

    callers = [threading.Thread(target=call, args=(caller,)) for caller in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong
