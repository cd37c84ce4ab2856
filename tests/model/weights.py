"""Safetensors files made and unmade for tests: header and data apart, so that either can be damaged on purpose."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

NAMES = {"float32": "F32", "float16": "F16", "uint16": "BF16", "uint32": "U32", "uint8": "U8", "int64": "I64"}


def read_parts(file: Path) -> tuple[dict, bytes]:
    """The header as an object, and the data behind it."""
    content = file.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def write_parts(file: Path, header: dict | bytes, data: bytes) -> None:
    blob = header if isinstance(header, bytes) else json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(blob)) + blob + data)


def read_arrays(file: Path) -> dict[str, np.ndarray]:
    """Every tensor; bfloat16 as uint16."""
    header, data = read_parts(file)
    kinds = {code: np.dtype(name) for name, code in NAMES.items()}
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], kinds[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def write_arrays(file: Path, arrays: dict[str, np.ndarray]) -> None:
    header, data = {}, b""
    for name, array in arrays.items():
        blob = np.ascontiguousarray(array).tobytes()
        offsets = [len(data), len(data) + len(blob)]
        header[name] = {"dtype": NAMES[array.dtype.name], "shape": list(array.shape), "data_offsets": offsets}
        data += blob
    write_parts(file, header, data)


def change_arrays(folder: Path, change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray] | None]) -> None:
    """Rewrite model.safetensors with what `change` returns, or with what it did to the arrays in place."""
    arrays = read_arrays(folder / "model.safetensors")
    write_arrays(folder / "model.safetensors", change(arrays) or arrays)


def change_json(file: Path, **fields: object) -> None:
    """Set fields of a JSON file; None removes them."""
    content = json.loads(file.read_text("utf-8")) | fields
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}), "utf-8")
