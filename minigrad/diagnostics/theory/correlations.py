"""Two inputs: how alike they still are, layer after layer."""

from __future__ import annotations

from minigrad.diagnostics.theory.activation import Activation, check_scales, function_of
from minigrad.diagnostics.theory.gradients import chi_1
from minigrad.diagnostics.theory.signals import depth_scale, fixed_point, variance_map
from minigrad.errors import ArgumentError
from minigrad.meanfield import pair_averages


def correlation_map(
    c: float,
    q: float,
    sigma_w2: float,
    sigma_b2: float = 0.0,
    activation: Activation = "tanh",
) -> float:
    """The correlation of two inputs' z in the next layer, given that in this layer.

    c' = (sigma_w^2 E[phi(x) phi(y)] + sigma_b^2) / q',  x, y ~ N(0, q) with correlation c,

    where q' is `variance_map` of q. At c = 1 both inputs are one, and c' = 1.

    Arguments:
        c: correlation, -1 to 1.
        q: variance of z in this layer, above 0, the same for both inputs.
        sigma_w2: fan_in times the variance of the weights of the next layer.
        sigma_b2: variance of its biases.
        activation: name, module or function of Tensors.

    Raises:
        ArgumentError: a c outside of -1 to 1, a q that is not above 0, a next layer that is 0
            throughout, or as for `variance_map`.

    Source: Poole et al. (2016). For ReLU it is the arc-cosine kernel of Cho & Saul (2009).

    >>> from minigrad.diagnostics import theory
    >>> round(theory.correlation_map(0.0, 1.0, sigma_w2=2.0, activation="relu"), 6)  # 1 / pi
    0.31831
    """
    check_scales("correlation_map", q=q, sigma_w2=sigma_w2, sigma_b2=sigma_b2)
    if not -1 <= c <= 1:
        raise ArgumentError(f"correlation_map: c is a correlation, from -1 to 1, got {c!r}")
    following = variance_map(q, sigma_w2, sigma_b2, activation)
    if q == 0 or following == 0:
        raise ArgumentError(
            "correlation_map: where every z is 0 there is no correlation; it needs q above 0 and "
            "a next layer with a signal"
        )
    product = pair_averages(function_of(activation), q, c).product
    return (sigma_w2 * product + sigma_b2) / following


def correlation_fixed_point(
    sigma_w2: float, sigma_b2: float = 0.0, activation: Activation = "tanh"
) -> float:
    """c*, the correlation that any two different inputs are led to in a deep network.

    1 where chi_1 is at most 1: in the end the network no longer tells inputs apart. Above, in
    chaos, inputs that nearly agree are driven apart until they are correlated by c* < 1.

    Arguments and errors as for `fixed_point`.

    Source: Poole et al. (2016).

    >>> from minigrad.diagnostics import theory
    >>> theory.correlation_fixed_point(1.0, 0.05)
    1.0
    >>> round(theory.correlation_fixed_point(4.0, 0.05), 3)
    0.165
    """
    if chi_1(sigma_w2, sigma_b2, activation) <= 1:
        return 1.0
    q, phi = fixed_point(sigma_w2, sigma_b2, activation), function_of(activation)
    # The map is a power series in c without negative coefficients (Hermite's), so it is convex
    # and Newton's steps from 0 climb to its first fixed point without passing it.
    c = 0.0
    for _ in range(100):
        pair = pair_averages(phi, q, c)
        above = (sigma_w2 * pair.product + sigma_b2) / q - c
        step = above / (1 - sigma_w2 * pair.slope_product)
        c += step
        if abs(step) < 1e-12:
            break
    return c


def xi_c(sigma_w2: float, sigma_b2: float = 0.0, activation: Activation = "tanh") -> float:
    """Depth scale of the correlation: |c_l - c*| falls by a factor e in so many layers.

    1 / xi_c = -log(slope of the correlation map at c*), where the slope is
    sigma_w^2 E[phi'(x) phi'(y)], which for c* = 1 is chi_1. What two inputs have in common or
    apart is lost after a few such scales, so a deeper network cannot be trained: the limit
    measured was 6 xi_c.

    Arguments and errors as for `fixed_point`.

    Returns:
        A number of layers; infinity at the critical point.

    Source: Schoenholz et al. (2017).

    >>> from minigrad.diagnostics import theory
    >>> round(theory.xi_c(1.0, 0.05), 2), round(theory.xi_c(4.0, 0.05), 2)
    (3.63, 6.98)
    """
    c = correlation_fixed_point(sigma_w2, sigma_b2, activation)
    q = fixed_point(sigma_w2, sigma_b2, activation)
    return depth_scale(sigma_w2 * pair_averages(function_of(activation), q, c).slope_product)
