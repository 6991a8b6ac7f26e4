"""The signal: its variance from layer to layer, and where it settles."""

from __future__ import annotations

import math
from collections.abc import Callable

from minigrad.diagnostics.theory.activation import Activation, check_scales, function_of
from minigrad.errors import ArgumentError
from minigrad.meanfield import averages
from minigrad.tensor import Tensor


def variance_map(
    q: float, sigma_w2: float, sigma_b2: float = 0.0, activation: Activation = "tanh"
) -> float:
    """The variance of the next layer's z, given that of this layer's.

    q' = sigma_w^2 E[phi(sqrt(q) z)^2] + sigma_b^2, with z ~ N(0, 1) (Poole 2016).

    Arguments:
        q: variance of z in this layer, at least 0.
        sigma_w2: fan_in times the variance of the weights of the next layer.
        sigma_b2: variance of its biases.
        activation: name, module or function of Tensors.

    Raises:
        ArgumentError: an activation that is unknown or not elementwise, or a negative number.

    >>> from minigrad.diagnostics import theory
    >>> round(theory.variance_map(3.0, sigma_w2=2.0, activation="relu"), 6)  # He: stays as it is
    3.0
    """
    check_scales("variance_map", q=q, sigma_w2=sigma_w2, sigma_b2=sigma_b2)
    return sigma_w2 * averages(function_of(activation), q).square + sigma_b2


# A change of this share is rounding, not change.
_ROUNDING = 1e-13

# Variances beyond these are on their way to 0 or to infinity.
_FAINTEST, _LARGEST = 1e-30, 1e30


def fixed_point(sigma_w2: float, sigma_b2: float = 0.0, activation: Activation = "tanh") -> float:
    """q*, the variance that z settles at in a deep network fed with a signal of variance 1.

    There `variance_map` leaves it as it is. 0 where the signal dies away.

    Arguments:
        sigma_w2: fan_in times the variance of the weights.
        sigma_b2: variance of the biases.
        activation: name, module or function of Tensors.

    Raises:
        ArgumentError: the variance settles nowhere: it grows without end, as for ReLU with
            sigma_w2 above 2; or stays whatever it is, as for ReLU with sigma_w2 = 2 exactly and
            no biases. Also as for `variance_map`.

    Source: Poole et al. (2016).

    >>> from minigrad.diagnostics import theory
    >>> round(theory.fixed_point(sigma_w2=2.5, sigma_b2=0.05), 4)
    1.064
    >>> round(theory.fixed_point(1.0, 0.3, "relu"), 4)  # q = q / 2 + 0.3
    0.6
    """
    check_scales("fixed_point", sigma_w2=sigma_w2, sigma_b2=sigma_b2)
    phi = function_of(activation)

    def change(q: float) -> float:
        """By which share the variance grows in one layer; 0 where that is only rounding."""
        grown = (sigma_w2 * averages(phi, q).square + sigma_b2) / q - 1
        return grown if abs(grown) > _ROUNDING else 0.0

    direction = math.copysign(1, change(1.0))
    if change(1.0) == 0:
        if change(2.0) == 0:
            raise ArgumentError(
                f"fixed_point: at sigma_w2={sigma_w2:g}, sigma_b2={sigma_b2:g} every variance "
                "stays as it is, so z keeps that of the first layer"
            )
        return 1.0
    # Plain iteration creeps near a critical point. But it moves one way only, so the fixed point
    # is the first place on the way where the direction turns.
    before, beyond = 1.0, 1.0
    while change(beyond) * direction >= 0:
        before, beyond = beyond, beyond * 2 ** (direction / 2)
        if beyond < _FAINTEST:
            return 0.0
        if beyond > _LARGEST:
            raise ArgumentError(
                f"fixed_point: at sigma_w2={sigma_w2:g}, sigma_b2={sigma_b2:g} the variance of "
                "this activation grows without end, so there is no fixed point; iterate "
                "variance_map to see how fast"
            )
    return _settled(phi, sigma_w2, sigma_b2, before, beyond)


def _settled(
    phi: Callable[[Tensor], Tensor], sigma_w2: float, sigma_b2: float, before: float, beyond: float
) -> float:
    """The fixed point between these two: Newton's steps, and halving where one leads outside."""
    direction = math.copysign(1, beyond - before)
    q = (before + beyond) / 2
    while q not in (before, beyond):
        at_q = averages(phi, q)
        grown = sigma_w2 * at_q.square + sigma_b2 - q
        before, beyond = (q, beyond) if grown * direction > 0 else (before, q)
        slope = 1 - sigma_w2 * at_q.growth
        following = q + grown / slope if slope else math.inf
        if abs(following - q) <= 1e-15 * q:
            return q
        low, high = sorted((before, beyond))
        q = following if low < following < high else (low + high) / 2
    return q


def xi_q(sigma_w2: float, sigma_b2: float = 0.0, activation: Activation = "tanh") -> float:
    """Depth scale of the signal's size: |q_l - q*| falls by a factor e in so many layers.

    1 / xi_q = -log(slope of the variance map at q*), where the slope is
    sigma_w^2 E[z phi(sqrt(q*) z) phi'(sqrt(q*) z)] / sqrt(q*), or, integrated by parts,
    chi_1 + sigma_w^2 E[phi'' phi].

    Arguments and errors as for `fixed_point`.

    Returns:
        A number of layers; infinity where q* is approached more slowly than exponentially.

    Source: Schoenholz et al. (2017).

    >>> from minigrad.diagnostics import theory
    >>> round(theory.xi_q(1.0, 0.3, "relu"), 4)  # halved in every layer: 1 / log 2
    1.4427
    """
    check_scales("xi_q", sigma_w2=sigma_w2, sigma_b2=sigma_b2)
    q = fixed_point(sigma_w2, sigma_b2, activation)
    return depth_scale(sigma_w2 * averages(function_of(activation), q).growth)


def depth_scale(factor: float) -> float:
    """The number of layers in which `factor` per layer makes 1/e, or e where it is above 1.

    >>> depth_scale(1 / math.e), depth_scale(1.0), depth_scale(0.0)
    (1.0, inf, 0.0)
    """
    if factor == 0:
        return 0.0
    rate = abs(math.log(factor))
    return 1 / rate if rate > _ROUNDING else math.inf
