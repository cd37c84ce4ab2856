"""What both networks are made of: weights by their checkpoint names, each with the kernel that applies it."""

from collections.abc import Mapping

import numpy as np

from ossicle.model.cpu import kernels

Weights = Mapping[str, np.ndarray]                  # canonical name -> float32 array (see model/layout.py)


class Linear:
    """x times a weight, plus a bias where the checkpoint has one."""

    def __init__(self, weights: Weights, path: str, bias: bool = True):
        self.weight = weights[f"{path}.weight"]     # (outputs, inputs)
        self.bias = weights[f"{path}.bias"] if bias else None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return kernels.linear(x, self.weight, self.bias)


class Conv2d:
    """3 x 3, stride 2, over items that never touch."""

    def __init__(self, weights: Weights, path: str):
        self.weight = weights[f"{path}.weight"]     # (outputs, 3, 3, channels)
        self.bias = weights[f"{path}.bias"]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return kernels.conv2d(x, self.weight, self.bias)


class LayerNorm:
    """Of the encoder, with a bias."""

    def __init__(self, weights: Weights, path: str, eps: float):
        self.weight, self.bias, self.eps = weights[f"{path}.weight"], weights[f"{path}.bias"], eps

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return kernels.layer_norm(x, self.weight, self.bias, self.eps)


class RMSNorm:
    """Of the decoder, without."""

    def __init__(self, weights: Weights, path: str, eps: float):
        self.weight, self.eps = weights[f"{path}.weight"], eps

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return kernels.rms_norm(x, self.weight, self.eps)
