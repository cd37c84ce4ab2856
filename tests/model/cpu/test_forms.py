"""The fast forms of engine cpu equal the slow ones: C and NumPy, all layers in one call and one by one, any number of threads."""

from dataclasses import replace

import numpy as np
import pytest

from ossicle.model.checkpoint import open_checkpoint
from ossicle.model.cpu import panels
from ossicle.model.cpu.arithmetic import Layer, Norm
from ossicle.model.cpu.load import load_with
from ossicle.model.cpu.native import empty, load_library
from ossicle.model.cpu.native_form import NativeForm, panel_matrix, plain_matrix
from ossicle.model.cpu.numpy_form import NumPyForm
from ossicle.model.network import Capture
from ossicle.options import EngineOptions
from tests.model.conftest import HAS_KERNELS, load
from tests.model.decoding import decode_greedily
from tests.model.sources import CLIPS, name_of

pytestmark = pytest.mark.skipif(not HAS_KERNELS, reason="the native library is not built")

IDS = np.random.default_rng(17).integers(0, 900, 70).tolist()
SIXTEEN = EngineOptions(bits=None)
PADDING = (0, 25)


def states(network, capture=None):
    """Logits of a prompt, of a batch padded on the left, and of steps behind them."""
    prompt, cache = network.embed(IDS), network.new_cache()
    found = [network.forward(prompt, cache, "all", capture).logits, network.forward(network.embed([[7]]), cache, capture=capture).logits]
    cache = network.new_cache(PADDING)
    rows = [network.embed(IDS[padding:]) for padding in PADDING]
    found.append(network.forward(rows, cache, "last", capture).logits)
    for ids in ([3, 4], [5, 6]):
        found.append(network.forward(network.embed(np.array(ids)[:, None]), cache, "last", capture).logits)
    return [np.array(logits) for logits in found]


@pytest.mark.parametrize(("source", "clip"), CLIPS, ids=name_of)
def test_sixteen_bits_give_the_official_ids(folder, source, clip):
    """With keys and values in float16, as the engine runs when it is not told otherwise."""
    network, arrays = load("cpu", folder(source.name, "asr"), SIXTEEN), source.load(clip)
    assert network.kv_dtype == "float16"
    ids, _ = decode_greedily(network, arrays["prompt_ids"], network.encode(source.mel(clip)), len(arrays["greedy_ids"]))
    assert ids == arrays["greedy_ids"].tolist()


@pytest.mark.parametrize("bits", [None, 8, 4])
def test_all_layers_in_one_call_equal_the_loop_in_python(asr_folder, bits):
    network = load("cpu", asr_folder, EngineOptions(bits=bits))
    assert network.model.stack is not None
    at_once = states(network)
    network.model.stack = None
    for got, expected in zip(at_once, states(network), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_what_is_captured_changes_no_logits(asr_folder):
    network = load("cpu", asr_folder, SIXTEEN)
    for got, expected in zip(states(network, Capture(((1, 0),), "last")), states(network), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5)           # the last layer takes another way


@pytest.mark.parametrize("bits", [8, 4])
def test_kernels_compute_with_the_weights_that_numpy_computes_with(asr_folder, bits):
    """Apart from activations, which the kernels have in 8 bits: their error is small beside that of the weights."""
    options = EngineOptions(bits=bits, kv_dtype="float32")
    plain, slow, fast = (states(load(form, asr_folder, how)) for form, how in
                         (("numpy", EngineOptions(bits=None)), ("numpy", options), ("cpu", options)))
    for got, rounded, exact in zip(fast, slow, plain, strict=True):
        own, of_weights = np.square(got - rounded).mean(), np.square(rounded - exact).mean()
        assert own < (4 if bits == 8 else 0.5) * of_weights
        assert own < 0.02 * exact.var()


@pytest.mark.parametrize("bits", [None, 8])
def test_the_number_of_threads_changes_nothing(asr_folder, bits):
    one, five = (states(load("cpu", asr_folder, EngineOptions(bits=bits, threads=threads))) for threads in (1, 5))
    for got, expected in zip(five, one, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", load_library().oss_instruction_sets().decode().split() if HAS_KERNELS else [])
def test_every_instruction_set_gives_the_official_ids(asr_folder, name):
    library, (source, clip) = load_library(), CLIPS[0]
    before = library.oss_instruction_set()
    assert library.oss_use(name.encode()) == 0
    try:
        network = load_with(library, open_checkpoint(asr_folder), SIXTEEN)
        assert f"native kernels, {name}, " in network.arithmetic.name
        audio, arrays = network.encode(source.mel(clip)), source.load(clip)
        ids, _ = decode_greedily(network, arrays["prompt_ids"], audio, len(arrays["greedy_ids"]))
        assert ids == arrays["greedy_ids"].tolist()
    finally:
        library.oss_use(before)


def test_the_likeliest_found_on_the_way_is_the_likeliest(asr_folder):
    network = load("cpu", asr_folder, SIXTEEN)
    output = network.forward(network.embed(IDS), network.new_cache())
    (found,), (log_probability,) = network.greedy(output.logits)
    (again,), (slow,) = network.greedy(np.array(output.logits))
    logits = np.asarray(output.logits, np.float64)[0]
    assert found == again == logits.argmax()
    assert log_probability == pytest.approx(-np.log(np.exp(logits - logits.max()).sum()), abs=1e-5)
    assert log_probability == pytest.approx(slow, abs=1e-6)


def test_two_recognisers_share_the_threads(asr_folder):
    """Each alone and both at once, from two threads: the same logits."""
    from concurrent.futures import ThreadPoolExecutor

    networks = [load("cpu", asr_folder, replace(SIXTEEN, threads=2)) for _ in range(2)]
    alone = states(networks[0])
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            for found in pool.map(states, networks):
                for got, expected in zip(found, alone, strict=True):
                    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("activation", ["none", "gelu", "swiglu"])
def test_parts_in_different_numbers_make_one_product(activation):
    """As in checkpoints that are packed in several numbers of bits: queries plain, values in panels."""
    library, random = load_library(), np.random.default_rng(3)
    weights = [random.standard_normal((48, 64), np.float32) for _ in range(2)]
    packed = panels.quantize(weights[1], 8, 64)
    arrays = [empty(array.shape, array.dtype) for array in (packed.codes, packed.scales)]
    for memory, array in zip(arrays, (packed.codes, packed.scales), strict=True):
        memory[:] = array
    form, slow = NativeForm(library, 2), NumPyForm()
    parts = [plain_matrix(weights[0], "F32"), panel_matrix(8, (48, 64), 64, arrays, packed.unit)]
    x, norm = random.standard_normal((5, 64), np.float32), Norm(random.standard_normal(64, np.float32), None, 1e-6)
    bias = None if activation == "swiglu" else random.standard_normal(96, np.float32)
    got = form.linear(parts, norm, bias, activation)
    expected = slow.linear([weights[0], panels.dequantize(packed)], norm, bias, activation)(x)
    assert form.stack([Layer(got, *[None] * 4)]) is None
    np.testing.assert_allclose(got(x), expected, rtol=0, atol=0.04 * np.abs(expected).max())      # activations of 8 bits
    np.testing.assert_allclose(got(x, np.ones_like(expected), add=True), got(x) + 1, rtol=1e-6, atol=1e-6)
