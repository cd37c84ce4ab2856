import contextlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.errors import ModelError
from ossicle.model.tensors import TensorWriter, read_tensors
from tests.model.weights import read_parts, write_arrays, write_parts

ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.arange(5, dtype=np.uint16),
    "c": np.arange(4, dtype=np.uint32).reshape(4, 1),
}


@pytest.fixture
def file(tmp_path):
    write_arrays(tmp_path / "model.safetensors", ARRAYS)
    return tmp_path / "model.safetensors"


def test_tensors_are_views_of_the_file(file):
    tensors = {tensor.name: tensor for tensor in read_tensors(file)}
    assert {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()} == {
        "a": ("F32", (2, 3)), "b": ("BF16", (5,)), "c": ("U32", (4, 1)),
    }
    for name, tensor in tensors.items():
        array = tensor.read()
        np.testing.assert_array_equal(array, ARRAYS[name])
        assert not array.flags.owndata
        assert not array.flags.writeable
        assert file.read_bytes()[tensor.start : tensor.end] == array.tobytes()


def test_a_written_file_reads_back_in_any_order_of_writing(tmp_path):
    plan = {"b": ("BF16", (5,)), "c": ("U32", (4, 1)), "a": ("F32", (2, 3))}
    with TensorWriter(tmp_path / "x", plan, {"format": "mlx"}) as writer:
        for name in ("b", "a", "c"):
            writer.write(name, ARRAYS[name])
    assert (tmp_path / "x").stat().st_size == writer.num_bytes
    assert read_parts(tmp_path / "x")[0]["__metadata__"] == {"format": "mlx"}
    for tensor in read_tensors(tmp_path / "x"):
        np.testing.assert_array_equal(tensor.read(), ARRAYS[tensor.name])
        assert tensor.start % tensor.read().itemsize == 0


def test_a_written_file_is_read_by_the_safetensors_library(tmp_path):
    safetensors = pytest.importorskip("safetensors")
    with TensorWriter(tmp_path / "x", {"a": ("F32", (2, 3)), "c": ("U32", (4, 1))}, {"format": "mlx"}) as writer:
        writer.write("a", ARRAYS["a"])
        writer.write("c", ARRAYS["c"])
    with safetensors.safe_open(tmp_path / "x", "numpy") as stored:
        np.testing.assert_array_equal(stored.get_tensor("a"), ARRAYS["a"])
        np.testing.assert_array_equal(stored.get_tensor("c"), ARRAYS["c"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(dtype="F33"), "a known dtype for tensor b, got 'F33'"),
        (dict(dtype=7), "a known dtype for tensor b"),
        (dict(shape=[4]), "8 bytes for tensor b"),
        (dict(shape=[-5]), "sizes as the shape of tensor b"),
        (dict(shape=[5.0]), "sizes as the shape of tensor b"),
        (dict(shape=[True]), "sizes as the shape of tensor b"),
        (dict(shape=[1 << 60]), "sizes as the shape of tensor b"),
        (dict(shape=None), "sizes as the shape of tensor b"),
        (dict(data_offsets=[24]), "two offsets for tensor b"),
        (dict(data_offsets=[34, 24]), "two offsets for tensor b"),
        (dict(data_offsets=[22, 32]), "overlaps the tensor before it"),
        (dict(data_offsets=[26, 36]), "leaves a hole before it"),
        (dict(data_offsets=[10_000, 10_010]), "leaves a hole before it"),
        (dict(data_offsets=[-10, 0]), "two offsets for tensor b"),
        (dict(data_offsets=[24, 1 << 63]), "two offsets for tensor b"),
        (dict(data_offsets=[24.0, 34.0]), "two offsets for tensor b"),
        (dict(data_offsets=[24, 34, 44]), "two offsets for tensor b"),
        (dict(data_offsets=None), "two offsets for tensor b"),
        (dict(shape=[1 << 30, 1 << 30]), f"{1 << 61} bytes for tensor b"),
        (dict(shape=[0] * 9, data_offsets=[24, 24]), "sizes as the shape of tensor b"),
    ],
)
def test_an_impossible_entry_is_refused_by_name(file, change, message):
    header, data = read_parts(file)
    header["b"] |= change
    write_parts(file, header, data)
    with pytest.raises(ModelError, match="download the file again") as caught:
        read_tensors(file)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cut short"),
        (b"\x01\x02", "cut short"),
        (b"\xff" * 8 + b"{}", "a safetensors header of at most 2 bytes, got 18446744073709551615"),
        ((2**60).to_bytes(8, "little") + b"{}", f"a safetensors header of at most 2 bytes, got {2**60}"),
        ((3).to_bytes(8, "little") + b"{}", "a safetensors header of at most 2 bytes, got 3"),
        ((200_000_000).to_bytes(8, "little") + b"{}", "got 200000000"),
        ((0).to_bytes(8, "little"), "a JSON header"),
        (b"\x05" + bytes(7) + b"\xef\xbb\xbf{}", "a JSON header"),
        (b"\x04" + bytes(7) + "{}".encode("utf-16-le"), "a JSON header"),
        (b"\x02" + bytes(7) + b"[]", "an object as header, got list"),
        (b"\x02" + bytes(7) + b"{x", "a JSON header"),
        (b"\x02" + bytes(7) + b"\xff\xfe", "a JSON header"),
        ((60_000).to_bytes(8, "little") + b"[" * 60_000, "a JSON header"),
        (b"\x0d" + bytes(7) + b'{"a":5,"a":5}', "stands there twice"),
        (b"\x07" + bytes(7) + b'{"a":5}', "a known dtype for tensor a"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    ],
)
def test_a_damaged_header_is_refused_by_reason(tmp_path, content, message):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_tensors(tmp_path / "x.safetensors")
    assert message in str(caught.value)


def test_a_header_of_a_hundred_megabytes_is_refused_unread(tmp_path):
    with open(tmp_path / "x", "wb") as stream:
        stream.write((100_000_000).to_bytes(8, "little"))
        stream.truncate(150_000_000)                                    # a hole on the disk: it takes no room
    with pytest.raises(ModelError, match="a safetensors header of at most 16777216 bytes, got 100000000"):
        read_tensors(tmp_path / "x")


@pytest.mark.parametrize("name", ["a" * 1_000_000, "\x1b[2J\x1b[H", "a\nossicle: all is well", "\ud800"])
def test_a_name_can_neither_flood_nor_steer_a_terminal(tmp_path, name):
    write_parts(tmp_path / "x", {name: {"dtype": "F33", "shape": [1], "data_offsets": [0, 4]}}, bytes(4))
    with pytest.raises(ModelError) as caught:
        read_tensors(tmp_path / "x")
    assert len(str(caught.value)) < 400 + len(str(tmp_path))
    assert str(caught.value).isprintable()


def test_a_cut_file_is_told_by_its_size(file):
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    with pytest.raises(ModelError, match=f"cut short: expected {len(content)} bytes by its header, got {len(content) - 1}"):
        read_tensors(file)


def test_trailing_bytes_are_refused(file):
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(ModelError, match="is damaged"):
        read_tensors(file)


def test_a_missing_file_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="cannot read"):
        read_tensors(tmp_path / "none.safetensors")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_flipped_and_cut_headers_raise_nothing_but_model_errors(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    write_arrays(folder / "x", ARRAYS)
    content = bytearray((folder / "x").read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[position] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(list(b'0123456789{}[],:"-eE'))))
    del content[data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content)))):]
    (folder / "x").write_bytes(content)
    require_sound(folder / "x")


NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2, 3, 4, 5, 6, 8, 10, 16, 24, 32, 34, 40, 48, 50, 2**31, 2**40, 2**63, 2**64, -1, -8]), st.integers(0, 60))
ENTRIES = st.fixed_dictionaries({
    "dtype": st.sampled_from(["F32", "BF16", "U32", "U8", "F64", "I4"]),
    "shape": st.lists(NUMBERS, max_size=3),
    "data_offsets": st.lists(NUMBERS, min_size=2, max_size=2),
})


@settings(max_examples=300, deadline=None)
@given(changes=st.dictionaries(st.sampled_from("abcde"), ENTRIES, max_size=3), length=st.none() | NUMBERS, num_bytes=st.integers(0, 60))
def test_plausible_headers_are_sound_or_refused(tmp_path_factory, changes, length, num_bytes):
    folder = tmp_path_factory.mktemp("fuzz")
    write_arrays(folder / "x", ARRAYS)
    header, _ = read_parts(folder / "x")
    write_parts(folder / "x", header | changes, bytes(num_bytes))
    if length is not None and length >= 0:
        content = (folder / "x").read_bytes()
        (folder / "x").write_bytes((length % 2**64).to_bytes(8, "little") + content[8:])
    require_sound(folder / "x")


def require_sound(file):
    """Refused with a ModelError, or every byte of data belongs to exactly one tensor, which can be read."""
    try:
        tensors = read_tensors(file)
    except ModelError:
        return
    content = file.read_bytes()
    position = 8 + int.from_bytes(content[:8], "little")
    for tensor in tensors:
        assert tensor.start == position
        assert tensor.read().shape == tensor.shape
        assert tensor.read().nbytes == tensor.num_bytes
        position = tensor.end
    assert position == len(content)


@settings(max_examples=100, deadline=None)
@given(header=st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["a", "dtype", "shape", "data_offsets", "__metadata__"]), inner, max_size=4),
    max_leaves=12,
))
def test_any_json_as_header_raises_nothing_but_model_errors(tmp_path_factory, header):
    file = tmp_path_factory.mktemp("fuzz") / "x"
    write_parts(file, json.dumps(header).encode(), bytes(16))
    with contextlib.suppress(ModelError):
        read_tensors(file)
