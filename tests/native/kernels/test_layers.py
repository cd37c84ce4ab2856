"""oss_run is the same, bit for bit, as the calls that it stands for."""

import ctypes
from dataclasses import dataclass

import numpy as np
import pytest

from ossicle.model.cpu import native
from ossicle.model.cpu.native import F16, F32, RMS_NORM, SWIGLU
from tests.native.kernels.calls import (
    BAD_ARGUMENT,
    BAD_SCRATCH,
    DENSE_FORMATS,
    EPS,
    LIBRARY,
    OK,
    PANEL_FORMATS,
    Attention,
    Cache,
    Format,
    Product,
    Rotation,
    address,
    apply,
    attend,
    random,
    rotate,
)
from tests.native.kernels.memory import FILL, Rows, Scratch, exact

HIDDEN, HEADS, KV_HEADS, HEAD_DIM, FEATURES, CAPACITY = 64, 4, 2, 16, 96, 60


@dataclass(frozen=True)
class Layer:
    qkv: Product
    o: Product
    gate_up: Product
    down: Product
    q_norm: np.ndarray
    k_norm: np.ndarray

    @property
    def products(self) -> tuple[Product, ...]:
        return self.qkv, self.o, self.gate_up, self.down


def layer(form: Format, seed: int) -> Layer:
    def held(outputs: int, inputs: int, which: int):
        return form.hold(random(outputs, inputs, seed=10 * seed + which) * np.float32(inputs**-0.5))
    qkv = tuple(held(heads * HEAD_DIM, HIDDEN, which) for which, heads in enumerate((HEADS, KV_HEADS, KV_HEADS)))
    norm, gate_and_up = random(HIDDEN, seed=seed), (held(FEATURES, HIDDEN, 4), held(FEATURES, HIDDEN, 5))
    return Layer(Product(qkv, RMS_NORM, norm), Product((held(HIDDEN, HEADS * HEAD_DIM, 3),), add=True),
                 Product(gate_and_up, RMS_NORM, norm, activation=SWIGLU), Product((held(HIDDEN, FEATURES, 6),), add=True),
                 random(HEAD_DIM, seed=seed), random(HEAD_DIM, seed=seed + 1))


class Run:
    """A call of oss_run. `caches` are written, one of each layer."""

    def __init__(self, layers: list[Layer], caches: list[Cache], angles: np.ndarray, start: int, padding: tuple[int, ...] | None) -> None:
        sequences, tokens, _ = angles.shape
        rows = sequences * tokens
        self.caches, self.rooms = caches, [Rows(rows, width) for width in ((HEADS + 2 * KV_HEADS) * HEAD_DIM, HEADS * HEAD_DIM, FEATURES)]
        self.products = [[product.struct for product in each.products] for each in layers]
        self.layers = (native.LayerStruct * len(layers))(*[
            native.LayerStruct(*map(ctypes.addressof, structs), address(each.q_norm), address(each.k_norm))
            for each, structs in zip(layers, self.products)])
        self.tables = [exact(np.cos(angles)), exact(np.sin(angles))]
        self.padding = None if padding is None else exact(np.array(padding, np.int32))
        self.places = [(ctypes.c_void_p * len(layers))(*[cache.rooms[which].address for cache in caches]) for which in range(2)]
        self.struct = native.PassStruct(
            *map(address, (*self.tables, self.padding)), *map(ctypes.addressof, self.places), *(room.address for room in self.rooms), EPS,
            caches[0].kind, HEADS, KV_HEADS, HEAD_DIM, sequences, tokens, start, CAPACITY)

    def scratch_bytes(self, threads: int) -> int:
        return LIBRARY.oss_run_scratch(self.layers, len(self.layers), ctypes.byref(self.struct), threads)

    def __call__(self, x: Rows, scratch: Scratch, threads: int) -> int:
        return LIBRARY.oss_run(self.layers, len(self.layers), ctypes.byref(self.struct), x.address, x.stride, scratch.address,
                               scratch.num_bytes, threads)


def one_by_one(layers: list[Layer], caches: list[Cache], x: np.ndarray, angles: np.ndarray, start: int, padding) -> np.ndarray:
    sequences, tokens, _ = angles.shape
    for each, cache in zip(layers, caches):
        op = Rotation(each.q_norm, each.k_norm, np.cos(angles), np.sin(angles), HEADS, KV_HEADS, start)
        qkv = rotate(op, cache, apply(each.qkv, x))
        q = np.ascontiguousarray(qkv[:, : HEADS * HEAD_DIM]).reshape(sequences, tokens, HEADS, HEAD_DIM)
        attended = attend(Attention(*cache.arrays, start + tokens, True, padding), q)
        x = apply(each.o, attended.reshape(len(x), -1), y=x)
        x = apply(each.down, apply(each.gate_up, x), y=x)
    return x


def two_layers(form: Format, kind: int, sequences: int):
    return [layer(form, seed) for seed in (1, 2)], [Cache(kind, sequences, KV_HEADS, CAPACITY, HEAD_DIM) for _ in range(2)]


@pytest.mark.parametrize("form", [DENSE_FORMATS[0], DENSE_FORMATS[2], PANEL_FORMATS[0], PANEL_FORMATS[5]], ids=str)
@pytest.mark.parametrize(("sequences", "padding"), [(1, None), (3, (0, 2, 9))])
def test_all_layers_at_once_are_the_calls_one_by_one(form, sequences, padding):
    kind = F16 if padding else F32
    layers, caches = two_layers(form, kind, sequences)
    _, slow_caches = two_layers(form, kind, sequences)
    start = 0
    for tokens, threads in ((7, 2), (1, 1), (1, 5), (40, 2), (2, 3)):
        x, angles = random(sequences * tokens, HIDDEN, seed=start), random(sequences, tokens, HEAD_DIM // 2, seed=start + 1)
        expected = one_by_one(layers, slow_caches, x, angles, start, padding)
        run, rows = Run(layers, caches, angles, start, padding), Rows(len(x), HIDDEN, HIDDEN + tokens % 4, x)
        scratch = Scratch(run.scratch_bytes(threads))
        assert run(rows, scratch, threads) == OK
        for memory in (rows, scratch, *run.rooms):
            memory.check()
        np.testing.assert_array_equal(rows.array, expected)
        for cache, slow in zip(caches, slow_caches):
            for got, wanted in zip(cache.arrays, slow.arrays):
                np.testing.assert_array_equal(got.view(np.uint8), wanted.view(np.uint8))
        start += tokens


WRONG = {
    "cosines": [None], "sines": [None], "keys": [None], "values": [None], "qkv": [None], "attended": [None], "hidden": [None],
    "cache_type": [-1, 2, 3], "heads": [0, -1, 3, 5, 2**31 - 1], "kv_heads": [0, -1, 1, 3], "head_dim": [0, -2, 8, 15],
    "sequences": [0, -1], "tokens": [0, -1, 53], "start": [-1, 58, 2**31 - 1], "capacity": [0, -1, 9, -(2**31)],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_pass_that_cannot_be_is_refused_and_nothing_is_written(name, value):
    def change(run: Run) -> None:
        setattr(run.struct, name, value)
    check_refusal(change)


@pytest.mark.parametrize("product", range(4))
def test_a_layer_that_cannot_be_is_refused_and_nothing_is_written(product):
    def turn_add(run: Run) -> None:
        run.products[1][product].add ^= 1
    def lose_parts(run: Run) -> None:
        run.products[1][product].num_parts = 0
    def swap(run: Run) -> None:
        name = ("qkv", "o", "gate_up", "down")[product]
        setattr(run.layers[1], name, ctypes.addressof(run.products[1][(product + 1) % 4]))
    for change in (turn_add, lose_parts, swap):
        check_refusal(change)


@pytest.mark.parametrize("name", ["qkv", "o", "gate_up", "down", "q_norm", "k_norm"])
def test_a_layer_without_one_of_its_pieces_is_refused(name):
    def lose(run: Run) -> None:
        setattr(run.layers[1], name, None)
    check_refusal(lose)


@pytest.mark.parametrize("which", [0, 1])
def test_a_layer_without_a_cache_is_refused(which):
    def lose(run: Run) -> None:
        run.places[which][1] = None
    check_refusal(lose)


def test_scratch_memory_that_does_not_do_is_refused():
    run, x = small_run()
    needed = run.scratch_bytes(2)
    scratch = Scratch(needed - 1)
    assert run(x, scratch, 2) == BAD_SCRATCH
    assert is_untouched(run)
    scratch = Scratch(needed)
    scratch.address += 4
    assert run(x, scratch, 2) == BAD_SCRATCH
    scratch.address = None
    assert run(x, scratch, 2) == BAD_SCRATCH
    assert is_untouched(run)


def small_run() -> tuple[Run, Rows]:
    layers, caches = two_layers(Format(F32), F32, 2)
    return Run(layers, caches, random(2, 3, HEAD_DIM // 2), 8, None), Rows(6, HIDDEN)


def is_untouched(run: Run) -> bool:
    return (all(room.is_untouched() for room in run.rooms)
            and all((room.bytes == FILL).all() for cache in run.caches for room in cache.rooms))


def check_refusal(change) -> None:
    run, x = small_run()
    scratch = Scratch(run.scratch_bytes(2))
    change(run)
    assert run.scratch_bytes(2) == 0
    assert run(x, scratch, 2) == BAD_ARGUMENT
    assert is_untouched(run)
    assert x.is_untouched()
