"""Mean-field theory: what a very wide random network does to a signal and to its gradient.

Take a network z_l = W_l phi(z_(l-1)) + b_l with independent random weights of variance
sigma_w^2 / fan_in and biases of variance sigma_b^2. As the width grows, every z_l of one input
becomes Gaussian with mean 0, and two numbers tell the rest: its variance q_l, and chi, the factor
by which the mean square of the gradient is multiplied on each step towards the input.

Averages over the Gaussian are sums over `meanfield.gauss`, good to 1e-12 for all four activations
up to a variance of 1000.

Sources: Poole, Lahiri, Raghu, Sohl-Dickstein and Ganguli (2016), Exponential expressivity in deep
neural networks through transient chaos; Schoenholz, Gilmer, Ganguli and Sohl-Dickstein (2017),
Deep information propagation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.errors import ArgumentError
from minigrad.meanfield import mean_square

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 + 0.5 * np.tanh(0.5 * z)  # 1 / (1 + exp(-z)) overflows


# Per activation: the function and its derivative.
_ACTIVATIONS: dict[str, tuple[Function, Function]] = {
    "identity": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.maximum(z, 0.0), lambda z: (z > 0).astype(np.float64)),
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * _sigmoid(-z)),
    "tanh": (np.tanh, lambda z: 1.0 - np.tanh(z) ** 2),
}
PREDICTED = tuple(_ACTIVATIONS)  # what `gradient_profile` knows


def _activation(name: str) -> tuple[Function, Function]:
    if name not in _ACTIVATIONS:
        raise ArgumentError(
            f"theory: no mean-field prediction for activation {name!r}; "
            f"use one of {', '.join(_ACTIVATIONS)}"
        )
    return _ACTIVATIONS[name]


def variance_map(
    q: float, sigma_w2: float, sigma_b2: float = 0.0, activation: str = "tanh"
) -> float:
    """The variance of the next layer's z, given that of this layer's.

    q' = sigma_w^2 E[phi(sqrt(q) z)^2] + sigma_b^2, with z ~ N(0, 1) (Poole 2016).

    Arguments:
        q: variance of z in this layer, at least 0.
        sigma_w2: fan_in times the variance of the weights of the next layer.
        sigma_b2: variance of its biases.
        activation: "identity", "relu", "sigmoid" or "tanh".

    Raises:
        ArgumentError: an unknown activation.

    >>> from minigrad.diagnostics import theory
    >>> round(theory.variance_map(3.0, sigma_w2=2.0, activation="relu"), 6)  # He: stays as it is
    3.0
    """
    phi, _ = _activation(activation)
    return sigma_w2 * mean_square(phi, q) + sigma_b2


def chi(q: float, sigma_w2: float, activation: str = "tanh") -> float:
    """Factor on the mean square of dL/dz for one step towards the input.

    chi = sigma_w^2 E[phi'(sqrt(q) z)^2], with z ~ N(0, 1). Below 1 gradients vanish with depth,
    above 1 they explode. At the fixed point of `variance_map` this is the chi_1 of
    Schoenholz 2017. The root mean square, which plots show, is multiplied by sqrt(chi).

    Arguments:
        q: variance of z in the layer that the step arrives at.
        sigma_w2: fan_in times the variance of the weights.
        activation: "identity", "relu", "sigmoid" or "tanh".

    Raises:
        ArgumentError: an unknown activation.

    >>> from minigrad.diagnostics import theory
    >>> q = theory.fixed_point(sigma_w2=1.0, sigma_b2=0.05)
    >>> round(theory.chi(q, sigma_w2=1.0), 4)
    0.759
    """
    _, slope = _activation(activation)
    return sigma_w2 * mean_square(slope, q)


def fixed_point(sigma_w2: float, sigma_b2: float = 0.0, activation: str = "tanh") -> float:
    """The variance q* that `variance_map` leaves as it is: what z settles at in a deep network.

    Arguments:
        sigma_w2: fan_in times the variance of the weights.
        sigma_b2: variance of the biases.
        activation: "sigmoid" or "tanh". Their output is bounded, so q* always exists. With relu
            and the identity the variance grows or shrinks by one factor for ever.

    Raises:
        ArgumentError: another activation.

    >>> from minigrad.diagnostics import theory
    >>> round(theory.fixed_point(sigma_w2=2.5, sigma_b2=0.05), 4)
    1.064
    """
    if activation not in ("sigmoid", "tanh"):
        raise ArgumentError(
            f"fixed_point: needs a bounded activation, sigmoid or tanh, got {activation!r}; "
            "for relu and identity iterate variance_map"
        )

    # Plain iteration creeps near a critical point. The map of these activations is increasing
    # and crosses the diagonal from above once, so halving the interval finds q* anywhere.
    low, high = 0.0, sigma_w2 + sigma_b2
    while True:
        q = (low + high) / 2
        if q in (low, high):
            return q
        if variance_map(q, sigma_w2, sigma_b2, activation) > q:
            low = q
        else:
            high = q


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
        fan_out, fan_in = linear.weight.shape
        bias = linear.bias
        return cls(
            fan_in,
            fan_out,
            float(np.mean(np.square(linear.weight.data, dtype=np.float64))),
            0.0 if bias is None else float(np.mean(np.square(bias.data, dtype=np.float64))),
        )


def variance_profile(
    layers: Sequence[LayerScale], activation: str, input_mean_square: float
) -> list[float]:
    """The variance q_l of z in every layer, first to last.

    q_1 = sigma_w^2 mean(x^2) + sigma_b^2, and from there on `variance_map`.

    Arguments:
        layers: the Linear layers, from the input on, the same activation between all of them.
        activation: "identity", "relu", "sigmoid" or "tanh".
        input_mean_square: mean of x^2 over the batch and the features.

    >>> from minigrad.diagnostics.theory import LayerScale, variance_profile
    >>> he = LayerScale(fan_in=100, fan_out=100, weight_variance=0.02, bias_variance=0.0)
    >>> [round(q, 6) for q in variance_profile([he] * 3, "relu", input_mean_square=1.0)]
    [2.0, 2.0, 2.0]
    """
    first, *rest = layers
    profile = [first.sigma_w2 * input_mean_square + first.bias_variance]
    for layer in rest:
        profile.append(variance_map(profile[-1], layer.sigma_w2, layer.bias_variance, activation))
    return profile


def gradient_profile(
    layers: Sequence[LayerScale], activation: str, input_mean_square: float, last_dz_rms: float
) -> list[float]:
    """The predicted rms of dL/dz in every layer, first to last.

    rms_l^2 = rms_(l+1)^2 x fan_out_(l+1) Var(W_(l+1)) E[phi'(sqrt(q_l) z)^2], from the last layer
    back, where the gradient comes from the loss and not from the network. For equal widths this
    is rms_l^2 = chi(q_l) rms_(l+1)^2 (Schoenholz 2017). No normalization layers.

    Arguments:
        layers: the Linear layers, from the input on, the same activation between all of them.
        activation: "identity", "relu", "sigmoid" or "tanh".
        input_mean_square: mean of x^2 over the batch and the features.
        last_dz_rms: rms of dL/dz at the last layer, as measured.

    >>> from minigrad.diagnostics.theory import LayerScale, gradient_profile
    >>> xavier = LayerScale(fan_in=100, fan_out=100, weight_variance=0.01, bias_variance=0.0)
    >>> [round(g, 3) for g in gradient_profile([xavier] * 3, "relu", 1.0, last_dz_rms=1.0)]
    [0.5, 0.707, 1.0]
    """
    _, slope = _activation(activation)
    variances = variance_profile(layers, activation, input_mean_square)
    profile = [last_dz_rms]
    for q, above in zip(variances[-2::-1], layers[:0:-1], strict=True):
        gain = above.fan_out * above.weight_variance * mean_square(slope, q)
        profile.append(profile[-1] * gain**0.5)
    return profile[::-1]
