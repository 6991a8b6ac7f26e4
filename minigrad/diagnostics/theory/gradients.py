"""The gradient: by which factor it shrinks or grows from layer to layer."""

from __future__ import annotations

from minigrad.diagnostics.theory.activation import Activation, check_scales, function_of
from minigrad.diagnostics.theory.signals import depth_scale, fixed_point
from minigrad.meanfield import averages


def chi(q: float, sigma_w2: float, activation: Activation = "tanh") -> float:
    """Factor on the mean square of dL/dz for one step towards the input.

    chi = sigma_w^2 E[phi'(sqrt(q) z)^2], with z ~ N(0, 1). Below 1 gradients vanish with depth,
    above 1 they explode. The root mean square, which plots show, is multiplied by sqrt(chi).

    Arguments:
        q: variance of z in the layer that the step arrives at.
        sigma_w2: fan_in times the variance of the weights (fan_out times, where the two differ).
        activation: name, module or function of Tensors.

    Raises:
        ArgumentError: an activation that is unknown or not elementwise, or a negative number.

    Source: Schoenholz et al. (2017).

    >>> from minigrad.diagnostics import theory
    >>> q = theory.fixed_point(sigma_w2=1.0, sigma_b2=0.05)
    >>> round(theory.chi(q, sigma_w2=1.0), 4)
    0.759
    """
    check_scales("chi", q=q, sigma_w2=sigma_w2)
    return sigma_w2 * averages(function_of(activation), q).slope_square


def chi_1(sigma_w2: float, sigma_b2: float = 0.0, activation: Activation = "tanh") -> float:
    """`chi` deep in a network, where the variance has settled at its fixed point q*.

    It is also the slope of `correlation_map` at c = 1: below 1, inputs that nearly agree become
    one; above 1, they part.

    Arguments and errors as for `fixed_point`.

    Source: Schoenholz et al. (2017).

    >>> from minigrad.diagnostics import theory
    >>> round(theory.chi_1(2.5, 0.05), 4)
    1.1335
    """
    check_scales("chi_1", sigma_w2=sigma_w2, sigma_b2=sigma_b2)
    return chi(fixed_point(sigma_w2, sigma_b2, activation), sigma_w2, activation)


def xi_gradient(sigma_w2: float, sigma_b2: float = 0.0, activation: Activation = "tanh") -> float:
    """Depth scale of the gradient: its mean square changes by a factor e in so many layers.

    1 / xi = |log chi_1|. Networks train while they are no deeper than a few such scales; about
    six fit what was measured (Schoenholz et al. 2017, whose 6 xi curve is that of `xi_c`, which
    is the same wherever gradients vanish).

    Arguments and errors as for `fixed_point`.

    Returns:
        A number of layers; infinity at the critical point.

    >>> from minigrad.diagnostics import theory
    >>> round(theory.xi_gradient(1.0, 0.05), 2)
    3.63
    """
    check_scales("xi_gradient", sigma_w2=sigma_w2, sigma_b2=sigma_b2)
    return depth_scale(chi_1(sigma_w2, sigma_b2, activation))
