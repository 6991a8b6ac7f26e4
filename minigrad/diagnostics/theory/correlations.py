"""Two inputs: how alike they still are, layer after layer."""

from __future__ import annotations

from minigrad.diagnostics.arguments import is_number
from minigrad.diagnostics.theory.activation import Activation, check_scales, function_of
from minigrad.diagnostics.theory.gradients import chi
from minigrad.diagnostics.theory.hermite import CorrelationSeries
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
    if not is_number(c) or not -1 <= c <= 1:
        raise ArgumentError(
            f"correlation_map: c is a correlation, a number from -1 to 1, got {c!r}"
        )
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
    check_scales("correlation_fixed_point", sigma_w2=sigma_w2, sigma_b2=sigma_b2)
    return _where_it_ends(sigma_w2, sigma_b2, activation)[0]


def _where_it_ends(sigma_w2: float, sigma_b2: float, activation: Activation) -> tuple[float, float]:
    """c*, and the slope of the correlation map there."""
    q = fixed_point(sigma_w2, sigma_b2, activation)
    at_one = chi(q, sigma_w2, activation)
    if at_one <= 1:
        return 1.0, at_one
    phi = function_of(activation)
    series = CorrelationSeries(phi, q)
    # The map is a power series in c without negative coefficients, so it is convex, and Newton's
    # steps from 0 climb to its first fixed point without passing it: one back is rounding.
    c = 0.0
    while True:
        product, slope_product = series.at(c) or pair_averages(phi, q, c)
        step = ((sigma_w2 * product + sigma_b2) / q - c) / (1 - sigma_w2 * slope_product)
        c += step
        if step < 1e-12:
            return c, sigma_w2 * slope_product


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
    check_scales("xi_c", sigma_w2=sigma_w2, sigma_b2=sigma_b2)
    return depth_scale(_where_it_ends(sigma_w2, sigma_b2, activation)[1])
