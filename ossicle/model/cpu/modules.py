"""How layers find their weights: by checkpoint names, handed to the form that does the arithmetic."""

from collections.abc import Mapping

import numpy as np

from ossicle.model.cpu.arithmetic import Activation, Arithmetic, Linear, Norm, Weight

Weights = Mapping[str, Weight]                      # canonical name (see model/layout.py) -> weight of a form; vectors are float32 arrays


def layer_norm(weights: Weights, path: str, eps: float) -> Norm:
    """Of the encoder, with a bias."""
    return Norm(weights[f"{path}.weight"], weights[f"{path}.bias"], eps)


def rms_norm(weights: Weights, path: str, eps: float) -> Norm:
    """Of the decoder, without."""
    return Norm(weights[f"{path}.weight"], None, eps)


def linear(arithmetic: Arithmetic, weights: Weights, *paths: str, norm: Norm | None = None, has_bias: bool = False,
           activation: Activation = "none") -> Linear:
    """Several Linear layers of the checkpoint as one product of one input; their biases where they have them."""
    bias = np.concatenate([weights[f"{path}.bias"] for path in paths]) if has_bias else None
    return arithmetic.linear([weights[f"{path}.weight"] for path in paths], norm, bias, activation)
