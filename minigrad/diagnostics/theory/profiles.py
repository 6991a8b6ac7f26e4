"""A plain network layer by layer: the variance of z and the size of dL/dz in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import nn
from minigrad.diagnostics.theory.activation import Activation, check_scales, function_of
from minigrad.diagnostics.theory.signals import variance_map
from minigrad.errors import ArgumentError
from minigrad.meanfield import averages


@dataclass(frozen=True)
class LayerScale:
    """The size of one Linear layer and of its numbers: all that mean-field theory asks of it.

    Attributes:
        fan_in, fan_out: width of its input and of its output.
        weight_variance: mean square of its weights.
        bias_variance: mean square of its biases; 0 without.
    """

    fan_in: int
    fan_out: int
    weight_variance: float
    bias_variance: float

    @property
    def sigma_w2(self) -> float:
        """fan_in times the variance of the weights."""
        return self.fan_in * self.weight_variance

    @classmethod
    def of(cls, linear: Any) -> LayerScale:
        """Read off a `nn.Linear`, as it is at this moment."""
        weight, bias = numbers_of(linear, "weight"), numbers_of(linear, "bias")
        if weight.ndim != 2:
            raise ArgumentError(
                f"LayerScale.of: expected an nn.Linear, got {type(linear).__name__}; of a network, "
                "take each of its Linear layers"
            )
        fan_out, fan_in = weight.shape
        return cls(fan_in, fan_out, float(np.mean(weight**2)), float(np.mean(bias**2)))


def numbers_of(layer: Any, name: str) -> NDArray[np.float64]:
    """A layer's parameter as a NumPy array of float64; 0 where there is none.

    A weight that is computed is read as in evaluation, since in training spectral normalization
    changes a little with each look.
    """
    computing = getattr(layer, "parametrizations", nn.Module())
    training = [module for module in computing.modules() if module.training]
    computing.eval()
    try:
        parameter = getattr(layer, name, None)
    finally:
        for module in training:
            module.training = True
    if parameter is None:
        return np.zeros(1)
    return np.asarray(parameter.detach().cpu().data, dtype=np.float64)


def variance_profile(
    layers: Sequence[LayerScale], activation: Activation, input_mean_square: float
) -> list[float]:
    """The variance q_l of z in every layer, first to last.

    q_1 = sigma_w^2 mean(x^2) + sigma_b^2, and from there on `variance_map`.

    Arguments:
        layers: the Linear layers, from the input on, the same activation between all of them.
        activation: name, module or function of Tensors.
        input_mean_square: mean of x^2 over the batch and the features.

    Raises:
        ArgumentError: no layers, or as for `variance_map`.

    >>> from minigrad.diagnostics.theory import LayerScale, variance_profile
    >>> he = LayerScale(fan_in=100, fan_out=100, weight_variance=0.02, bias_variance=0.0)
    >>> [round(q, 6) for q in variance_profile([he] * 3, "relu", input_mean_square=1.0)]
    [2.0, 2.0, 2.0]
    """
    _check_layers("variance_profile", layers)
    check_scales("variance_profile", input_mean_square=input_mean_square)
    function_of(activation)
    first, *rest = layers
    profile = [first.sigma_w2 * input_mean_square + first.bias_variance]
    for layer in rest:
        profile.append(variance_map(profile[-1], layer.sigma_w2, layer.bias_variance, activation))
    return profile


def _check_layers(owner: str, layers: Any) -> None:
    if isinstance(layers, LayerScale) or not layers:
        raise ArgumentError(f"{owner}: no layers; give a list with a LayerScale for each")
    for layer in layers:
        if not isinstance(layer, LayerScale):
            raise ArgumentError(
                f"{owner}: of each layer it takes the LayerScale, got {type(layer).__name__}; make "
                "them with [LayerScale.of(layer) for layer in linears]"
            )
        check_scales(
            owner, weight_variance=layer.weight_variance, bias_variance=layer.bias_variance
        )


def gradient_profile(
    layers: Sequence[LayerScale],
    activation: Activation,
    input_mean_square: float,
    last_dz_rms: float,
) -> list[float]:
    """The predicted rms of dL/dz in every layer, first to last.

    rms_l^2 = rms_(l+1)^2 x fan_out_(l+1) Var(W_(l+1)) E[phi'(sqrt(q_l) z)^2], from the last layer
    back, where the gradient comes from the loss and not from the network. For equal widths this
    is rms_l^2 = chi(q_l) rms_(l+1)^2 (Schoenholz 2017). No normalization layers, no residual
    connections; `diagnostics.predict` knows them.

    Arguments:
        layers: the Linear layers, from the input on, the same activation between all of them.
        activation: name, module or function of Tensors.
        input_mean_square: mean of x^2 over the batch and the features.
        last_dz_rms: rms of dL/dz at the last layer, as measured.

    Raises:
        ArgumentError: no layers, or as for `variance_map`.

    >>> from minigrad.diagnostics.theory import LayerScale, gradient_profile
    >>> xavier = LayerScale(fan_in=100, fan_out=100, weight_variance=0.01, bias_variance=0.0)
    >>> [round(g, 3) for g in gradient_profile([xavier] * 3, "relu", 1.0, last_dz_rms=1.0)]
    [0.5, 0.707, 1.0]
    """
    _check_layers("gradient_profile", layers)
    check_scales("gradient_profile", input_mean_square=input_mean_square, last_dz_rms=last_dz_rms)
    phi = function_of(activation)
    variances = variance_profile(layers, activation, input_mean_square)
    profile = [last_dz_rms]
    for q, above in zip(variances[-2::-1], layers[:0:-1], strict=True):
        gain = above.fan_out * above.weight_variance * averages(phi, q).slope_square
        profile.append(profile[-1] * gain**0.5)
    return profile[::-1]
