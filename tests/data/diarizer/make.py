"""Two tiny networks in the forms that sherpa-onnx reads, which tell a low from a high voice: `python make.py FOLDER`; needs onnx.

segmentation.onnx, in the form of pyannote's: (N, 1, samples) in, (N, frames, 7) log-probabilities out, of nobody, speakers
1 to 3 and their pairs. Who speaks is the louder of two bands. embedding.onnx, in the form of WeSpeaker's: (N, frames, 80)
filter banks in, their mean over time without its level out.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE, TAPS = 16_000, 127
LOW, HIGH = (150, 900), (2000, 4000)            # Hz
QUIET = 1e-4                                    # mean square of a band that nobody speaks in


def band(low: float, high: float) -> np.ndarray:
    at = np.arange(TAPS) - TAPS // 2

    def lowpass(hertz: float) -> np.ndarray:
        return 2 * hertz / RATE * np.sinc(2 * hertz / RATE * at)

    return ((lowpass(high) - lowpass(low)) * np.hamming(TAPS)).astype(np.float32)


def segmentation() -> onnx.ModelProto:
    filters = np.stack([band(*LOW), band(*HIGH)])[:, None]              # (2, 1, taps)
    weights, bias = np.zeros((7, 2, 1), np.float32), np.full(7, -100, np.float32)
    weights[1, 0, 0] = weights[2, 1, 0] = 4
    bias[0], bias[1:3] = 0, -4 * np.log(QUIET)
    nodes = [
        helper.make_node("Conv", ["x", "filters"], ["bands"], pads=[TAPS // 2, TAPS // 2]),
        helper.make_node("Mul", ["bands", "bands"], ["power"]),
        helper.make_node("AveragePool", ["power"], ["energy"], kernel_shape=[991], strides=[270]),
        helper.make_node("Add", ["energy", "tiny"], ["positive"]),
        helper.make_node("Log", ["positive"], ["loudness"]),
        helper.make_node("Conv", ["loudness", "weights", "bias"], ["logits"]),
        helper.make_node("Transpose", ["logits"], ["rows"], perm=[0, 2, 1]),
        helper.make_node("LogSoftmax", ["rows"], ["y"], axis=2),
    ]
    constants = {"filters": filters, "weights": weights, "bias": bias, "tiny": np.float32(1e-10)}
    return model(nodes, ("x", ["N", 1, "T"]), ("y", ["N", "frames", 7]), constants, {
        "model_type": "pyannote-segmentation-3.0", "version": 1, "num_speakers": 3, "powerset_max_classes": 2, "num_classes": 7,
        "sample_rate": RATE, "window_size": 160_000, "receptive_field_size": 991, "receptive_field_shift": 270})


def embedding() -> onnx.ModelProto:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("ReduceMean", ["mean"], ["level"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["mean", "level"], ["embedding"]),
    ]
    return model(nodes, ("x", ["N", "T", 80]), ("embedding", ["N", 80]), {}, {
        "framework": "wespeaker", "language": "none", "sample_rate": RATE, "output_dim": 80, "normalize_samples": 0,
        "feature_normalize_type": ""})


def model(nodes, given, gives, constants, facts) -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (given, gives)]
    graph = helper.make_graph(nodes, "tiny", values[:1], values[1:], [numpy_helper.from_array(np.asarray(value), name)
                                                                     for name, value in constants.items()])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="ossicle tests")
    for key, value in facts.items():
        entry = made.metadata_props.add()
        entry.key, entry.value = key, str(value)
    onnx.checker.check_model(made)
    return made


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "segmentation.onnx").write_bytes(segmentation().SerializeToString())
    (folder / "embedding.onnx").write_bytes(embedding().SerializeToString())
