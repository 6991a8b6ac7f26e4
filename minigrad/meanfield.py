"""What an activation does to Gaussian signals, and the weights at which they neither vanish nor
explode.

In a wide random network z_l = W_l phi(z_(l-1)) + b_l, with weights of variance
sigma_w^2 / fan_in and biases of variance sigma_b^2, every z is Gaussian. From one layer to the
next its variance q, and the mean square of a gradient on the way back, change as

    q' = sigma_w^2 E[phi(x)^2] + sigma_b^2        chi = sigma_w^2 E[phi'(x)^2]

with x ~ N(0, q). Here stand these averages, and where chi = 1; `diagnostics.theory` follows both
through a network. The derivative of phi is that of minigrad itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import NamedTuple

import numpy as np

from minigrad.autograd import grad
from minigrad.errors import ArgumentError
from minigrad.quadrature import FLOAT, bends_of, mean, means_around
from minigrad.tape import enable_grad
from minigrad.tensor import Tensor

Activation = Callable[[Tensor], Tensor]


def value_and_slope(phi: Activation, x: FLOAT) -> tuple[FLOAT, FLOAT]:
    """phi(x) and phi'(x), for a phi that works element by element.

    >>> import minigrad as mg
    >>> value_and_slope(mg.square, np.array([1.0, 3.0]))
    (array([1., 9.]), array([2., 6.]))
    """
    points = Tensor(x, requires_grad=True)
    with enable_grad():
        out = phi(points)
        (slope,) = grad(out.sum(), points)
    return out.data, slope.data  # type: ignore[union-attr]


class Averages(NamedTuple):
    """Of an activation over x ~ N(0, q).

    Attributes:
        mean: E[phi].
        square: E[phi^2].
        slope_square: E[phi'^2].
        growth: the derivative of E[phi^2] by q, which is E[x phi phi'] / q.
    """

    mean: float
    square: float
    slope_square: float
    growth: float


# Stands for q = 0 where a slope is asked for: at a kink, it is the mean of both sides.
_TINY = 1e-24


def averages(phi: Activation, q: float) -> Averages:
    """The four averages of an activation, exact to 1e-12.

    Arguments:
        phi: the activation, a function of Tensors, element by element.
        q: variance of x, at least 0.

    >>> import minigrad as mg
    >>> relu = averages(mg.nn.functional.relu, q=2.0)
    >>> round(relu.square, 9), round(relu.slope_square, 9), round(relu.growth, 9)
    (1.0, 0.5, 0.5)
    """
    if q == 0:
        at_zero = float(value_and_slope(phi, np.zeros(1))[0][0])
        return averages(phi, _TINY)._replace(mean=at_zero, square=at_zero**2)

    def integrands(x: FLOAT) -> FLOAT:
        value, slope = value_and_slope(phi, x)
        return np.stack([value, value**2, slope**2, x * value * slope / q])

    return Averages(*mean(integrands, q).tolist())


class PairAverages(NamedTuple):
    """Of an activation over two Gaussian numbers: E[phi(x) phi(y)] and E[phi'(x) phi'(y)]."""

    product: float
    slope_product: float


def pair_averages(phi: Activation, q: float, c: float) -> PairAverages:
    """The averages over two numbers x and y, each N(0, q), with correlation c.

    What they share is one Gaussian number w of variance q |c|; each adds one of its own, of
    variance q (1 - |c|). Given w, x and y are independent. So with the mean
    g(w) = E[phi(w + own)], the average over both is E[g(w)^2], or E[g(w) g(-w)] for a negative c.

    Arguments:
        phi: the activation.
        q: variance, at least 0.
        c: correlation, -1 to 1.

    >>> import minigrad as mg
    >>> alone = pair_averages(mg.nn.functional.relu, q=math.tau, c=0.0)  # E[phi]^2, E[phi']^2
    >>> round(alone.product, 9), round(alone.slope_product, 9)
    (1.0, 0.25)
    """
    shared = q * abs(c)

    def both(x: FLOAT) -> FLOAT:
        return np.stack(value_and_slope(phi, x))

    bends = bends_of(both, q) if 0 < shared < q else ()

    def smoothed(w: FLOAT) -> FLOAT:
        if shared == q:
            return both(w)
        return means_around(both, w.ravel(), q - shared, bends).reshape(2, *w.shape)

    def products(w: FLOAT) -> FLOAT:
        other = smoothed(w) if c >= 0 else smoothed(-w)
        return smoothed(w) * other if c < 0 else other**2

    return PairAverages(*mean(products, shared, tolerance=1e-11).tolist())


class CriticalPoint(NamedTuple):
    """Where a network neither forgets nor explodes.

    Attributes:
        sigma_w: square root of fan_in times the variance of the weights.
        q: the variance of z that the network settles at; 0 too where any variance stays as it
            is, as for ReLU and the identity.
    """

    sigma_w: float
    q: float


def critical_point(phi: Activation, sigma_b: float = 0.0) -> CriticalPoint:
    """The sigma_w of the edge of chaos: chi = 1 at the variance that the network settles at.

    From chi = 1 and q' = q follows an equation for q alone,

        q - E[phi(x)^2] / E[phi'(x)^2] = sigma_b^2,

    and from it sigma_w^2 = 1 / E[phi'^2]. Its left side grows with q for all usual activations,
    so halving an interval finds q.

    Arguments:
        phi: the activation, a function of Tensors.
        sigma_b: standard deviation of the biases.

    Raises:
        ArgumentError: a sigma_b that is negative or no number; no solution, as for ReLU with any
            bias; or one that the network runs away from, as GELU with small biases.

    Sources: Schoenholz, Gilmer, Ganguli & Sohl-Dickstein (2017), Deep information propagation;
    Hayou, Doucet & Rousseau (2019), On the impact of the activation function on deep neural
    networks training.

    >>> import minigrad as mg
    >>> point = critical_point(mg.tanh, sigma_b=0.05**0.5)
    >>> round(point.sigma_w**2, 8), round(point.q, 3)
    (1.76095464, 0.57)
    """
    if not isinstance(sigma_b, Real) or isinstance(sigma_b, bool) or not 0 <= sigma_b < math.inf:
        raise ArgumentError(
            f"critical_point: sigma_b must be a number of at least 0, got {sigma_b!r}"
        )
    sigma_b = float(sigma_b)

    def is_below(q: float) -> bool:
        at_q = averages(phi, q)
        return q * at_q.slope_square < at_q.square + sigma_b**2 * at_q.slope_square

    at_zero = float(phi(Tensor(np.zeros(1))).data[0])
    # Where no signal at all stays none, what counts is how a weak one fares.
    q = 0.0 if at_zero == 0 and sigma_b == 0 else _where_it_ends(is_below, sigma_b)
    at_q, nearby = averages(phi, q), averages(phi, q or 1e-3)
    if at_q.slope_square < _TINY:
        raise ArgumentError(
            "critical_point: this activation is flat at 0, so without biases no weights keep a "
            "weak signal alive; use sigma_b above 0"
        )
    # A little off q, the next layer is off by this factor.
    if nearby.growth > (1 + 1e-6) * nearby.slope_square:
        raise ArgumentError(
            f"critical_point: with sigma_b={sigma_b:g} the variance of this activation runs away "
            "from its critical point; use larger biases (such as sigma_b=1), or for a fixed "
            "scale another initialization, such as kaiming_normal_"
        )
    return CriticalPoint(at_q.slope_square**-0.5, q)


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
