"""What a function's comment in ossicle.h rules out returns its code, and nothing is written."""

import ctypes
from dataclasses import dataclass, field

import numpy as np
import pytest

from ossicle.model.cpu.native import (
    BEST,
    BF16,
    F16,
    F32,
    GELU,
    LAYER_NORM,
    NO_NORM,
    Q4,
    Q8,
    RMS_NORM,
    SWIGLU,
    AttentionStruct,
    LinearStruct,
    MatrixStruct,
    RotationStruct,
)
from tests.native.kernels.calls import BAD_ARGUMENT, BAD_SCRATCH, EPS, LIBRARY, MISSING, OK, Format, address, random
from tests.native.kernels.memory import FILL, Scratch

NUMBERS = np.ones(1 << 14, np.float32)           # to read: large enough for any argument below
INTEGERS = np.zeros(16, np.int64)
MOST = 2**31 - 1


@pytest.fixture(scope="module", autouse=True)
def instruction_set():
    """Arguments are checked before the instruction set matters: once is enough."""
    if LIBRARY is None:
        pytest.skip(MISSING)


@dataclass
class Call:
    """A call that is right, as far as its arguments and structs are not changed. What it may write lies in `rooms`."""

    name: str
    arguments: dict
    structs: dict = field(default_factory=dict)
    rooms: list = field(default_factory=list)
    keep: object = None

    def __call__(self) -> int:
        names = {name: ctypes.byref(value) if isinstance(value, ctypes.Structure | ctypes.Array) else value
                 for name, value in self.arguments.items()}
        return getattr(LIBRARY, self.name)(*names.values())

    def change(self, where: str, value: object) -> None:
        """`where` is an argument, or `struct.field`; a value of `+n` is added, as to a pointer."""
        owner, _, name = where.rpartition(".")
        before = getattr(self.structs[owner], name) if owner else self.arguments[name]
        value = before + int(value) if isinstance(value, str) else value
        setattr(self.structs[owner], name, value) if owner else self.arguments.__setitem__(name, value)


def room_for(numbers: int) -> Scratch:
    return Scratch(4 * numbers)


def matrix_of(form: Format, outputs: int, inputs: int, to: list | None = None) -> MatrixStruct:
    """A matrix, of what can be read, or to be written."""
    if to is not None:
        to.extend(rooms := [room_for(outputs * inputs) for _ in range(3)])
        places = [room.address for room in rooms]
    else:
        places = [address(NUMBERS) + -address(NUMBERS) % 64] * 3
    places[2] = places[2] if form.has_biases else None
    return MatrixStruct(*places, 1.0, form.kind, outputs, inputs, form.group)


def apply_call(num_parts: int = 1, form: Format | None = None, **fields) -> Call:
    form = form or Format(Q8, 32, True)
    parts = (MatrixStruct * 3)(*[matrix_of(form, 20, 64) for _ in range(3)])
    op = LinearStruct(ctypes.addressof(parts), None, None, None, EPS, num_parts, NO_NORM, 0, 0)
    for name, value in fields.items():
        setattr(op, name, value)
    y, best, scratch = room_for(4 * 60), Scratch(4 * BEST.itemsize), Scratch(1 << 18)
    arguments = {"op": op, "x": address(NUMBERS), "x_stride": 64, "m": 4, "y": y.address, "y_stride": 60, "best": None,
                 "scratch": scratch.address, "scratch_bytes": scratch.num_bytes, "threads": 2}
    return Call("oss_apply", arguments, {"op": op, "part": parts[0], "second": parts[1]}, [y, best, scratch], keep=parts)


def fused_best(**fields) -> Call:
    call = apply_call(**fields)
    call.arguments["best"] = call.rooms[1].address
    return call


def quantize_call(kind: int = F32) -> Call:
    rooms: list = []
    matrix = matrix_of(Format(Q4, 64, True), 20, 128, rooms)
    arguments = {"rows": address(NUMBERS), "type": kind, "matrix": matrix, "threads": 2}
    return Call("oss_quantize", arguments, {"matrix": matrix}, rooms)


def repack_call() -> Call:
    rooms: list = []
    matrix = matrix_of(Format(Q4, 32, True), 20, 128, rooms)
    arguments = {"words": address(NUMBERS), "bits": 3, "scales": address(NUMBERS), "biases": address(NUMBERS), "type": F16,
                 "packed_group": 64, "matrix": matrix, "threads": 2}
    return Call("oss_repack", arguments, {"matrix": matrix}, rooms)


def embed_call(form: Format | None = None) -> Call:
    matrix, y = matrix_of(form or Format(F32), 20, 64), room_for(3 * 64)
    arguments = {"matrix": matrix, "ids": address(INTEGERS), "m": 3, "y": y.address, "stride": 64}
    return Call("oss_embed", arguments, {"matrix": matrix}, [y])


def greedy_call() -> Call:
    best = Scratch(3 * BEST.itemsize)
    return Call("oss_greedy", {"logits": address(NUMBERS), "stride": 10, "m": 3, "n": 10, "best": best.address, "threads": 2}, {}, [best])


def normalize_call() -> Call:
    y = room_for(30)
    arguments = {"norm": LAYER_NORM, "weight": address(NUMBERS), "bias": address(NUMBERS), "eps": EPS, "x": address(NUMBERS),
                 "x_stride": 10, "m": 3, "n": 10, "y": y.address, "y_stride": 10, "threads": 2}
    return Call("oss_normalize", arguments, {}, [y])


def rotate_call() -> Call:
    qkv, keys, values = room_for(6 * 64), room_for(2 * 5 * 16), room_for(2 * 5 * 16)
    op = RotationStruct(*[address(NUMBERS)] * 4, keys.address, values.address, EPS, F16, 2, 1, 16, 2, 3, 2, 5)
    return Call("oss_rotate", {"op": op, "qkv": qkv.address, "stride": 64, "threads": 2}, {"op": op}, [qkv, keys, values])


def attend_call() -> Call:
    y, scratch = room_for(2 * 20 * 64), Scratch(1 << 20)
    op = AttentionStruct(address(NUMBERS), address(NUMBERS), address(INTEGERS), 30 * 32, 16, 32, F32, 4, 2, 16, 2, 20, 30, 1)
    arguments = {"op": op, "q": address(NUMBERS), "q_stride": 64, "y": y.address, "y_stride": 64, "scratch": scratch.address,
                 "scratch_bytes": scratch.num_bytes, "threads": 2}
    return Call("oss_attend", arguments, {"op": op}, [y, scratch])


def convolve_call() -> Call:
    matrix, y, scratch = matrix_of(Format(BF16), 20, 18), room_for(2 * 3 * 2 * 20), Scratch(1 << 20)
    arguments = {"weight": matrix, "bias": address(NUMBERS), "x": address(NUMBERS), "items": 2, "height": 5, "width": 3, "y": y.address,
                 "scratch": scratch.address, "scratch_bytes": scratch.num_bytes, "threads": 2}
    return Call("oss_convolve", arguments, {"weight": matrix}, [y, scratch])


CALLS = {"apply": apply_call, "apply with best": fused_best, "quantize": quantize_call, "repack": repack_call, "embed": embed_call,
         "greedy": greedy_call, "normalize": normalize_call, "rotate": rotate_call, "attend": attend_call, "convolve": convolve_call}


def missing(*names: str) -> dict:
    return {name: [None] for name in names}


def wrong_matrix(name: str) -> dict:
    return {f"{name}.codes": [None], f"{name}.outputs": [0, -1], f"{name}.inputs": [0, -1], f"{name}.type": [-1, 5]}


def wrong_panels(name: str) -> dict:
    return {**wrong_matrix(name), f"{name}.codes": [None, "+4"], f"{name}.scales": [None, "+2"], f"{name}.biases": ["+32"],
            f"{name}.inputs": [0, -64, 65, 48], f"{name}.group": [0, -32, 16, 48, 128], f"{name}.unit": [0, -1, np.nan]}


PLACE = address(NUMBERS)                         # another one in each run, so no name of a test
WRONG = [                                        # a call, what is special about it, and values that make it wrong
    (apply_call, {}, {
        **missing("op", "x", "y", "op.parts"), "x_stride": [63, -64], "m": [0, -1], "y_stride": [19, -60], "op.num_parts": [0, 4, -1],
        "op.norm": [-1, 3, RMS_NORM, LAYER_NORM], "op.activation": [-1, 3, SWIGLU], **wrong_panels("part")}),
    (apply_call, {"num_parts": 2}, {
        "y_stride": [39], "second.type": [Q4, F32], "second.inputs": [96], "second.group": [64], "second.biases": [None],
        "second.unit": [0.5], "second.codes": [None]}),
    (apply_call, {"num_parts": 3}, {"y_stride": [59], "op.activation": [SWIGLU]}),
    (apply_call, {"num_parts": 2, "activation": SWIGLU}, {
        "y_stride": [19], "second.outputs": [21], "op.bias": [PLACE], "op.add": [1]}),
    (apply_call, {"form": Format(F16)}, {**wrong_matrix("part"), "x_stride": [63]}),
    (fused_best, {}, {"op.activation": [GELU], "op.add": [1], "op.num_parts": [2]}),
    (quantize_call, {}, {
        **missing("rows", "matrix"), "type": [-1, Q8, Q4, 5], **wrong_panels("matrix"), "matrix.type": [F32, F16, BF16, 5]}),
    (repack_call, {}, {
        **missing("words", "scales", "biases", "matrix"), "bits": [-1, 0, 1, 5, 6, 7, 8, 9], "type": [-1, Q8, 5],
        "packed_group": [0, -64, 16, 48, 256], **wrong_panels("matrix"), "matrix.biases": [None, "+32"], "matrix.type": [Q8, F32]}),
    (embed_call, {}, {**missing("matrix", "ids", "y"), "m": [0, -1], "stride": [63, -64], **wrong_matrix("matrix")}),
    (embed_call, {"form": Format(Q8, 64, True)}, wrong_panels("matrix")),
    (greedy_call, {}, {**missing("logits", "best"), "stride": [9, -10], "m": [0, -1], "n": [0, -1, 11]}),
    (normalize_call, {}, {
        **missing("weight", "x", "y"), "norm": [NO_NORM, -1, 3], "x_stride": [9], "y_stride": [9], "m": [0, -1], "n": [0, -1, 11]}),
    (rotate_call, {}, {
        **missing("op", "qkv", "op.q_norm", "op.k_norm", "op.cosines", "op.sines", "op.keys", "op.values"), "stride": [63, -64],
        "op.cache_type": [-1, BF16, Q8], "op.heads": [0, -1, 3, MOST], "op.kv_heads": [0, -1, 2, MOST // 2],
        "op.head_dim": [0, -2, 15, 18, MOST - 1], "op.sequences": [0, -1], "op.tokens": [0, -1, 4], "op.start": [-1, 3, MOST],
        "op.capacity": [4, 0, -1, -MOST - 1]}),
    (attend_call, {}, {
        **missing("op", "q", "y", "op.keys", "op.values"), "q_stride": [63, -64], "y_stride": [63, -64], "op.kv_type": [-1, BF16, Q8],
        "op.heads": [0, 1, 3, -2], "op.kv_heads": [0, -1, 3, 8], "op.head_dim": [0, -16, MOST], "op.sequences": [0, -1],
        "op.tokens": [0, -1, 31], "op.length": [0, 19, -1]}),
    (convolve_call, {}, {
        **missing("weight", "bias", "x", "y"), "items": [0, -1], "height": [0, -1], "width": [0, -1], **wrong_matrix("weight"),
        "weight.inputs": [0, 17], "weight.type": [-1, 5, Q8, Q4]}),
]
CASES = [pytest.param(make, options, where, value,
                      id=f"{make.__name__}{len(options) and list(options.values())}-{where}={'an address' if value == PLACE else value}")
         for make, options, wrong in WRONG for where, values in wrong.items() for value in values]


@pytest.mark.parametrize("make", CALLS.values(), ids=CALLS)
def test_the_calls_of_these_tests_are_right(make):
    call = make()
    assert call() == OK
    assert any(not (room.bytes == FILL).all() for room in call.rooms)


@pytest.mark.parametrize(("make", "options", "where", "value"), CASES)
def test_what_is_ruled_out_is_refused_and_nothing_is_written(make, options, where, value):
    call = make(**options)
    call.change(where, value)
    assert call() == BAD_ARGUMENT
    assert all((room.memory == FILL).all() for room in call.rooms)


SCRATCH = {"oss_apply": ("oss_linear_scratch", "op", "m"), "oss_attend": ("oss_attention_scratch", "op"),
           "oss_convolve": ("oss_convolve_scratch", "weight", "items", "height", "width")}


def asking(call: Call) -> Call:
    """The call that says how much scratch memory this one needs."""
    name, *arguments = SCRATCH[call.name]
    return Call(name, {name: call.arguments[name] for name in (*arguments, "threads")}, keep=call)


@pytest.mark.parametrize("make", [apply_call, attend_call, convolve_call], ids=["apply", "attend", "convolve"])
def test_scratch_memory_that_does_not_do_is_refused_and_nothing_is_written(make):
    needed = asking(make())()
    assert needed > 0
    for where, value in (("scratch", None), ("scratch", "+4"), ("scratch_bytes", needed - 1), ("scratch_bytes", 0)):
        call = make()
        call.change(where, value)
        assert call() == BAD_SCRATCH
        assert all((room.memory == FILL).all() for room in call.rooms)
    call = make()
    call.arguments["scratch_bytes"] = needed
    assert call() == OK


OF_OPERATIONS = [case for case in CASES if case.values[0] in (apply_call, attend_call, convolve_call)
                 and case.values[2].split(".")[0] in ("op", "part", "second", "weight", "m", "items") and case.values[3] != MOST]


@pytest.mark.parametrize(("make", "options", "where", "value"), OF_OPERATIONS)
def test_an_operation_that_cannot_be_needs_no_scratch_memory(make, options, where, value):
    call = make(**options)
    call.change(where, value)
    assert asking(call)() == 0


@pytest.mark.parametrize("ids", [[-1, 0, 0], [0, 20, 0], [0, 0, 2**40], [0, -(2**40), 0]])
@pytest.mark.parametrize("form", [Format(F32), Format(Q4, 32, True)], ids=str)
def test_an_id_outside_the_matrix_is_refused(form, ids):
    call, ids = embed_call(form), np.array(ids, np.int64)
    call.arguments["ids"] = address(ids)
    assert call() == BAD_ARGUMENT
    assert (call.rooms[0].memory == FILL).all()


def test_padding_of_less_than_nothing_is_refused():
    call, padding = attend_call(), np.array([0, -1], np.int32)
    call.structs["op"].padding = address(padding)
    assert call() == BAD_ARGUMENT
    assert all((room.memory == FILL).all() for room in call.rooms)


def test_what_only_panels_use_may_be_anything_for_the_other_types():
    call = apply_call(2, Format(F32))
    for where, value in (("second.unit", 0), ("second.group", 7), ("second.biases", address(random(1))), ("second.scales", None)):
        call.change(where, value)
        assert call() == OK


@pytest.mark.parametrize("make", CALLS.values(), ids=CALLS)
def test_any_number_of_threads_is_taken(make):
    for threads in (-MOST, -1, 0, 256, 300, MOST):
        call = make()
        if "threads" in call.arguments:
            call.arguments["threads"] = threads
        if "scratch" in call.arguments:
            room = Scratch(asking(call)())
            call.arguments.update(scratch=room.address, scratch_bytes=room.num_bytes)
        assert call() == OK
