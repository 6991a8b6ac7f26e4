"""Averages over Gaussian signals, and the weights at which they neither vanish nor explode.

In a wide random network z_l = W_l phi(z_(l-1)) + b_l, with weights of variance
sigma_w^2 / fan_in and biases of variance sigma_b^2, every z is Gaussian. From one layer to the
next its variance q, and the mean square of a gradient on the way back, change as

    q' = sigma_w^2 E[phi(sqrt(q) z)^2] + sigma_b^2        chi = sigma_w^2 E[phi'(sqrt(q) z)^2]

with z ~ N(0, 1). `diagnostics.theory` follows both through a network; here it is asked where
chi = 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minigrad.autograd import grad
from minigrad.errors import ArgumentError
from minigrad.tape import enable_grad
from minigrad.tensor import Tensor

FLOAT = NDArray[np.float64]


@cache
def gauss() -> tuple[FLOAT, FLOAT]:
    """Points z and weights w such that sum(w f(z)) is the mean of f over N(0, 1).

    The points are evenly spaced from -12 to 12. For a smooth f with a Gaussian weight such a sum
    converges faster than any power of the spacing. The points lie symmetrically and none at 0, so
    a function with its kink there is averaged as exactly.

    >>> points, weights = gauss()
    >>> round(float(weights @ points**4), 12)
    3.0
    """
    edges = np.linspace(-12, 12, 4801)
    points = (edges[1:] + edges[:-1]) / 2
    density = np.exp(-(points**2) / 2)
    return points, density / density.sum()


def mean_square(function: Callable[[FLOAT], FLOAT], variance: float) -> float:
    """E[f(sqrt(q) z)^2] over z ~ N(0, 1), for a function of arrays.

    >>> round(mean_square(lambda x: np.maximum(x, 0), variance=3.0), 12)
    1.5
    """
    points, weights = gauss()
    return float(weights @ function(math.sqrt(variance) * points) ** 2)


class CriticalPoint(NamedTuple):
    """Where a network neither forgets nor explodes.

    Attributes:
        sigma_w: square root of fan_in times the variance of the weights.
        q: the variance of z that the network settles at; 0 too where any variance stays as it
            is, as for ReLU and the identity.
    """

    sigma_w: float
    q: float


class _Averages(NamedTuple):
    """Of an activation at one q: E[phi^2], E[phi'^2] and dE[phi^2]/dq = E[z phi phi'] / sqrt(q)."""

    square: float
    slope_square: float
    growth: float


def _averages(phi: Callable[[Tensor], Tensor], q: float) -> _Averages:
    points, weights = gauss()
    z = Tensor(math.sqrt(q) * points, requires_grad=True)
    with enable_grad():
        out = phi(z)
        (slope,) = grad(out.sum(), z)
    value, derivative = out.data, slope.data  # type: ignore[union-attr]
    return _Averages(
        float(weights @ value**2),
        float(weights @ derivative**2),
        float(weights @ (points * value * derivative)) / math.sqrt(q),
    )


# Small enough to stand for q = 0, where sqrt(q) would divide by it.
_TINY = 1e-24


def critical_point(phi: Callable[[Tensor], Tensor], sigma_b: float = 0.0) -> CriticalPoint:
    """The sigma_w of the edge of chaos: chi = 1 at the variance that the network settles at.

    From chi = 1 and q' = q follows an equation for q alone,

        q - E[phi(sqrt(q) z)^2] / E[phi'(sqrt(q) z)^2] = sigma_b^2,

    and from it sigma_w^2 = 1 / E[phi'^2]. Its left side grows with q for all usual activations,
    so halving an interval finds q.

    Arguments:
        phi: the activation, a function of Tensors.
        sigma_b: standard deviation of the biases.

    Raises:
        ArgumentError: a negative sigma_b; no solution, as for ReLU with any bias; or one that
            the network runs away from, as GELU with small biases.

    Sources: Schoenholz, Gilmer, Ganguli & Sohl-Dickstein (2017), Deep information propagation;
    Hayou, Doucet & Rousseau (2019), On the impact of the activation function on deep neural
    networks training.

    >>> import minigrad as mg
    >>> point = critical_point(mg.tanh, sigma_b=0.05**0.5)
    >>> round(point.sigma_w**2, 3), round(point.q, 3)
    (1.761, 0.57)
    """
    if not 0 <= sigma_b < math.inf:
        raise ArgumentError(f"critical_point: sigma_b must be at least 0, got {sigma_b}")

    def is_below(q: float) -> bool:
        at_q = _averages(phi, q)
        return q * at_q.slope_square < at_q.square + sigma_b**2 * at_q.slope_square

    at_zero = float(phi(Tensor(np.zeros(1))).data[0])
    # Where no signal at all stays none, what counts is how a weak one fares.
    q = 0.0 if at_zero == 0 and sigma_b == 0 else _where_it_ends(is_below, sigma_b)
    averages, nearby = _averages(phi, q or _TINY), _averages(phi, q or 1e-3)
    # A little off q, the next layer is off by this factor.
    if nearby.growth > (1 + 1e-6) * nearby.slope_square:
        raise ArgumentError(
            f"critical_point: with sigma_b={sigma_b:g} the variance of this activation runs away "
            "from its critical point; use larger biases (such as sigma_b=1), or for a fixed "
            "scale another initialization, such as kaiming_normal_"
        )
    return CriticalPoint(averages.slope_square**-0.5, q)


def _where_it_ends(is_below: Callable[[float], bool], sigma_b: float) -> float:
    """The q up to which `is_below` holds."""
    low, high = 0.0, 1e4
    if is_below(high):
        raise ArgumentError(
            f"critical_point: this activation has no critical point at sigma_b={sigma_b:g}; "
            "ReLU and its like have theirs at sigma_b=0 alone"
        )
    while True:
        q = (low + high) / 2
        if q in (low, high) or high - low < 1e-14 * high:
            return q
        if is_below(q):
            low = q
        else:
            high = q
