"""Normalization layers and residual connections: what they change about growth and decay."""

from __future__ import annotations

import numpy as np

from minigrad.diagnostics.theory.activation import Activation, check_scales, function_of
from minigrad.errors import ArgumentError
from minigrad.meanfield import Averages, averages


def batch_norm_factor(activation: Activation = "relu") -> float:
    """Factor on the mean square of dL/dz per layer, where batch norm stands before each phi.

    chi = E[phi'(z)^2] / Var[phi(z)], with z ~ N(0, 1); for ReLU pi / (pi - 1) = 1.467. For every
    activation but the identity it is above 1, so gradients explode, whatever the weights are.

    How it comes about: after batch norm every unit is N(0, 1) over the batch. The next layer's z
    then varies over the batch by sigma_w^2 Var[phi(z)]; the square E[phi(z)]^2 is common to all
    examples, and batch norm subtracts it. On the way back batch norm divides by this variance,
    and W and phi multiply by sigma_w^2 E[phi'^2], so that sigma_w drops out. In a small batch
    the factor is larger: for ReLU 1.6 at 16 examples.

    Arguments:
        activation: name, module or function of Tensors.

    Raises:
        ArgumentError: an activation that is unknown, not elementwise, or constant.

    Source: Yang, Pennington, Rao, Sohl-Dickstein & Schoenholz (2019), A mean field theory of
    batch normalization, which has the value for ReLU.

    >>> import math
    >>> from minigrad.diagnostics import theory
    >>> math.isclose(theory.batch_norm_factor("relu"), math.pi / (math.pi - 1))
    True
    >>> round(theory.batch_norm_factor("tanh"), 3)
    1.178
    """
    at_1 = averages(function_of(activation), 1.0)
    return _ratio("batch_norm_factor", at_1, at_1.square - at_1.mean**2)


def layer_norm_factor(activation: Activation = "relu") -> float:
    """Factor on the mean square of dL/dz per layer, where layer or RMS norm stands before phi.

    chi = E[phi'(z)^2] / E[phi(z)^2], with z ~ N(0, 1): exactly 1 for ReLU, whatever the weights.
    Unlike batch norm, it subtracts nothing of what the examples have in common: z has mean 0
    over the units anyway.

    Arguments:
        activation: name, module or function of Tensors.

    Raises:
        ArgumentError: an activation that is unknown, not elementwise, or constant.

    >>> from minigrad.diagnostics import theory
    >>> round(theory.layer_norm_factor("relu"), 9), round(theory.layer_norm_factor("tanh"), 3)
    (1.0, 1.178)
    """
    at_1 = averages(function_of(activation), 1.0)
    return _ratio("layer_norm_factor", at_1, at_1.square)


def _ratio(owner: str, at_1: Averages, variance: float) -> float:
    if at_1.slope_square == 0 or variance < 1e-9 * at_1.square:
        raise ArgumentError(f"{owner}: this activation is constant, so nothing is left to scale")
    return at_1.slope_square / variance


def residual_variance(blocks: int, scale: float = 1.0, normalized: bool = False) -> float:
    """Variance of the signal after so many residual blocks x + scale branch(x), from 1.

    A branch that keeps the variance of its input adds scale^2 times what is there: growth is
    exponential, (1 + scale^2)^blocks, that is 2^blocks without a scale. A branch that normalizes
    its input adds scale^2 each time: growth is linear, 1 + blocks scale^2. So with
    normalization, and with scale = 1 / sqrt(blocks), the network stays near the identity.

    Arguments:
        blocks: how many, at least 0.
        scale: factor on the branch.
        normalized: does the branch begin by normalizing?

    Raises:
        ArgumentError: blocks that are no whole number of at least 0, or a negative scale.

    Source: De & Smith (2020), Batch normalization biases residual blocks towards the identity
    function in deep networks.

    >>> from minigrad.diagnostics import theory
    >>> theory.residual_variance(20), theory.residual_variance(20, normalized=True)
    (1048576.0, 21.0)
    >>> round(theory.residual_variance(100, scale=100**-0.5), 2)  # near e
    2.7
    """
    if not isinstance(blocks, int | np.integer) or isinstance(blocks, bool) or blocks < 0:
        raise ArgumentError(
            f"residual_variance: blocks must be a whole number of at least 0, got {blocks!r}"
        )
    check_scales("residual_variance", scale=scale)
    if normalized:
        return float(1 + blocks * scale**2)
    with np.errstate(over="ignore"):  # beyond all floats it is infinite
        return float(np.float64(1 + scale**2) ** blocks)
