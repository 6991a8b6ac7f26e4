"""The edge of chaos: the weights at which gradients neither vanish nor explode, chi_1 = 1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.theory.activation import Activation, check_scales, function_of
from minigrad.errors import ArgumentError
from minigrad.meanfield import critical_point


def critical_sigma_w(sigma_b: float = 0.0, activation: Activation = "tanh") -> float:
    """sigma_w at which chi_1 = 1, given sigma_b.

    Arguments:
        sigma_b: standard deviation of the biases.
        activation: name, module or function of Tensors.

    Returns:
        sigma_w; weights then have the standard deviation sigma_w / sqrt(fan_in).

    Raises:
        ArgumentError: there is none, as for ReLU with any biases; or one that the variance runs
            away from, as for GELU with small biases; or as for `variance_map`.

    Source: Schoenholz et al. (2017). How it is found: `minigrad.meanfield.critical_point`.

    >>> from minigrad.diagnostics import theory
    >>> round(theory.critical_sigma_w(0.05**0.5, "tanh") ** 2, 8)
    1.76095464
    """
    check_scales("critical_sigma_w", sigma_b=sigma_b)
    return critical_point(function_of(activation), float(sigma_b)).sigma_w


def critical_line(sigma_b: Iterable[float], activation: Activation = "tanh") -> NDArray[np.float64]:
    """The border between order and chaos: `critical_sigma_w` for each of many sigma_b.

    Arguments:
        sigma_b: standard deviations of the biases, shape (n,).
        activation: name, module or function of Tensors.

    Returns:
        float64 of shape (n,); NaN where there is none.

    Raises:
        ArgumentError: a sigma_b that is not several numbers of at least 0, or an activation that
             is unknown or not elementwise.

    >>> from minigrad.diagnostics import theory
    >>> theory.critical_line([0.0, 0.1, 0.3], "relu").round(4)
    array([1.4142,    nan,    nan])
    """
    function_of(activation)
    values = _numbers(sigma_b)
    return np.array([_or_nan(value, activation) for value in values], dtype=np.float64)


def _numbers(sigma_b: Any) -> list[float]:
    several = not isinstance(sigma_b, str) and getattr(sigma_b, "ndim", 1) == 1
    if not several or not isinstance(sigma_b, Iterable):
        raise ArgumentError(
            "critical_line: sigma_b must be several numbers, such as [0.0, 0.1, 0.3], got "
            f"{sigma_b!r}; of one number, take critical_sigma_w"
        )
    values = list(sigma_b)
    for value in values:
        check_scales("critical_line", sigma_b=value)
    return [float(value) for value in values]


def _or_nan(sigma_b: float, activation: Activation) -> float:
    try:
        return critical_sigma_w(sigma_b, activation)
    except ArgumentError:
        return np.nan


def critical_gain(activation: Activation) -> float:
    """The gain that keeps an activation critical where biases are 0: std(W) = gain / sqrt(fan_in).

    The `critical_sigma_w` of sigma_b = 0. For an activation that is 0 at 0 and saturates, such
    as tanh, that is 1 / |phi'(0)|; for ReLU it is sqrt(2), He's. `nn.init.calculate_gain` gives
    PyTorch's numbers instead; its 5/3 for tanh lets gradients grow by 10 % a layer.

    Arguments:
        activation: name, module or function of Tensors.

    Raises:
        ArgumentError: none keeps it critical, as for GELU, whose variance runs away, or softplus.

    Sources: He et al. (2015); Schoenholz et al. (2017).

    >>> from minigrad import nn
    >>> from minigrad.diagnostics import theory
    >>> round(theory.critical_gain(nn.LeakyReLU(0.2)), 6) == round((2 / 1.04) ** 0.5, 6)
    True
    """
    return critical_sigma_w(0.0, activation)
