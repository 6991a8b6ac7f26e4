"""The nonlinearities with a kink at 0 or with corners: ReLU and its relatives.

Each says which slope it takes at the kink; it is PyTorch's. relu'(0) = 0.
"""

from __future__ import annotations

from typing import Any

from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops.creation import as_tensor
from minigrad.ops.table import op
from minigrad.tensor import Tensor

relu = op(
    "relu",
    # `maximum` is two to three times slower against a single 0.
    lambda xp, x: xp.maximum(x, xp.zeros(x.shape, x.dtype)),
    x=lambda g, out: g * (out > 0),
)
relu.__doc__ = """max(x, 0), elementwise; at 0 the derivative is 0.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.relu(mg.tensor([-2.0, 0.0, 2.0]))
    tensor([0., 0., 2.])
    """

_hardtanh = op(
    "hardtanh",
    lambda xp, x, *, low, high: xp.clip(x, low, high),
    x=lambda g, x, low, high: g * ((x > low) & (x < high)),
)


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """x limited to [min_val, max_val]; the slope is 1 between them, at them 0.

    (`mg.clip` differs there: it passes the gradient at its bounds.)

    Raises:
        ArgumentError: min_val is not below max_val.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.hardtanh(mg.tensor([-3.0, 0.5, 3.0]))
    tensor([-1. ,  0.5,  1. ])
    """
    if not min_val < max_val:
        raise ArgumentError(
            f"hardtanh: min_val must be below max_val, got {min_val!r} and {max_val!r}"
        )
    return _hardtanh(input, low=min_val, high=max_val)


def relu6(input: Any) -> Tensor:
    """min(max(x, 0), 6), elementwise; at 0 and 6 the slope is 0. Source: Krizhevsky (2010).

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.relu6(mg.tensor([-2.0, 2.0, 8.0]))
    tensor([0., 2., 6.])
    """
    return _hardtanh(input, low=0.0, high=6.0)


def hardsigmoid(input: Any) -> Tensor:
    """min(max(x + 3, 0), 6) / 6, a sigmoid of straight lines; at -3 and 3 the slope is 0.

    Source: Howard et al. (2019), section 5.2.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.hardsigmoid(mg.tensor([-3.0, 0.0, 3.0]))
    tensor([0. , 0.5, 1. ])
    """
    return relu6(as_tensor(input) + 3) / 6


_leaky_relu = op(
    "leaky_relu",
    lambda xp, x, slope: xp.where(x > 0, x, slope * x),
    x=lambda g, xp, x, slope: xp.where(x > 0, g, slope * g),
    slope=lambda g, xp, x: xp.where(x > 0, 0, x * g),
)


def leaky_relu(input: Any, negative_slope: float = 0.01) -> Tensor:
    """x above 0, negative_slope x at 0 and below, elementwise. Source: Maas et al. (2013).

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.leaky_relu(mg.tensor([-2.0, 2.0]), 0.1)
    tensor([-0.2,  2. ])
    """
    return _leaky_relu(as_tensor(input), negative_slope)


def prelu(input: Any, weight: Any) -> Tensor:
    """x above 0, weight x at 0 and below: a leaky ReLU with learned slopes.

    Arguments:
        input: any shape.
        weight: one slope, shape () or (1,); or one per channel, (input.shape[1],).

    Raises:
        ShapeError: another number of slopes.

    Source: He et al. (2015), equation 1.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.prelu(mg.tensor([[-2.0, -2.0]]), mg.tensor([0.1, 0.5]))
    tensor([[-0.2, -1. ]])
    """
    x, slope = as_tensor(input), as_tensor(weight)
    if slope.size == 1:
        return _leaky_relu(x, slope.reshape(()))
    channels = x.shape[1] if x.ndim > 1 else 1
    if slope.shape != (channels,):
        raise ShapeError(
            f"prelu: weight has shape {slope.shape}, but input of shape {x.shape} has {channels} "
            f"channels; give one slope, or one per channel on axis 1 (num_parameters={channels})"
        )
    return _leaky_relu(x, slope.reshape((channels, *(1,) * (x.ndim - 2))))


def _elu_forward(xp: Any, x: Any, *, above: float, below: float, rate: float) -> Any:
    return xp.where(x > 0, above * x, below * xp.expm1(rate * xp.minimum(x, 0)))


def _elu_rule(g: Any, xp: Any, x: Any, above: float, below: float, rate: float) -> Any:
    # Not `minimum`: the second derivative at 0 is 0, as in PyTorch, and not half of that below.
    negative = xp.where(x < 0, x, 0)
    return xp.where(x > 0, above * g, g * (below * rate * xp.exp(rate * negative)))


# above x, or below (exp(rate x) - 1) at 0 and below: the ELU and its relatives.
_elu = op("elu", _elu_forward, x=_elu_rule)


def elu(input: Any, alpha: float = 1.0) -> Tensor:
    """x above 0, alpha (exp(x) - 1) at 0 and below; smooth for alpha 1.

    Raises:
        ArgumentError: a negative alpha.

    Source: Clevert, Unterthiner & Hochreiter (2016), equation 15.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.elu(mg.tensor([-1e4, 0.0, 1e4]))
    tensor([-1.e+00,  0.e+00,  1.e+04])
    """
    if not alpha >= 0:
        raise ArgumentError(f"elu: alpha must not be negative, got {alpha!r}")
    return _elu(input, above=1.0, below=alpha, rate=1.0)


def celu(input: Any, alpha: float = 1.0) -> Tensor:
    """x above 0, alpha (exp(x / alpha) - 1) at 0 and below: an ELU smooth for every alpha.

    Raises:
        ArgumentError: an alpha that is not above 0.

    Source: Barron (2017), equation 2.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.celu(mg.tensor([-100.0, 2.0]), alpha=0.5)
    tensor([-0.5,  2. ])
    """
    if not alpha > 0:
        raise ArgumentError(f"celu: alpha must be above 0, got {alpha!r}")
    return _elu(input, above=1.0, below=alpha, rate=1 / alpha)


SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def selu(input: Any) -> Tensor:
    """scale elu(x, alpha), with the two numbers that make mean 0 and variance 1 a fixed point.

    alpha = 1.67326..., scale = 1.05070...: through layers whose weights have mean 0 and
    variance 1/fan_in, activations are drawn towards mean 0 and variance 1.

    Source: Klambauer et al. (2017), equations 2 and 14.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.selu(mg.tensor([-1e4, 1.0]))
    tensor([-1.7581,  1.0507])
    """
    return _elu(input, above=SELU_SCALE, below=SELU_SCALE * SELU_ALPHA, rate=1.0)
