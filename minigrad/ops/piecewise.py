"""Elementwise operations with kinks and steps, and what is decided about their derivative there.

Ties in `maximum` and `minimum` share the gradient equally; `abs` and `relu` have derivative 0 at
0; `clip` passes the gradient at its bounds; steps have derivative 0 everywhere.
"""

from __future__ import annotations

from typing import Any

from minigrad.ops.table import op
from minigrad.tensor import Tensor


def _flat(g: Any, xp: Any) -> Any:
    """The derivative of a step: 0, whatever arrives."""
    return xp.zeros_like(g)


abs = op("abs", lambda xp, x: xp.abs(x), x=lambda g, xp, x: g * xp.sign(x))
sign = op("sign", lambda xp, x: xp.sign(x), x=_flat)
floor = op("floor", lambda xp, x: xp.floor(x), x=_flat)
ceil = op("ceil", lambda xp, x: xp.ceil(x), x=_flat)
trunc = op("trunc", lambda xp, x: xp.trunc(x), x=_flat)
_round = op("round", lambda xp, x, *, decimals: xp.round(x, decimals), x=_flat)
floor_divide = op("floor_divide", lambda xp, a, b: a // b, a=_flat, b=_flat)
remainder = op(
    "remainder",
    lambda xp, a, b: a % b,
    a=lambda g: g,
    b=lambda g, xp, a, b: -g * xp.floor_divide(a, b),
)

maximum = op(
    "maximum",
    lambda xp, a, b: xp.maximum(a, b),
    a=lambda g, a, b: g * (a > b) + 0.5 * g * (a == b),
    b=lambda g, a, b: g * (b > a) + 0.5 * g * (b == a),
)
minimum = op(
    "minimum",
    lambda xp, a, b: xp.minimum(a, b),
    a=lambda g, a, b: g * (a < b) + 0.5 * g * (a == b),
    b=lambda g, a, b: g * (b < a) + 0.5 * g * (b == a),
)


def _where_forward(xp: Any, condition: Any, a: Any, b: Any) -> Any:
    out = xp.where(condition, a, b)
    # Of two Python numbers NumPy would make float64.
    bare = isinstance(a, float | int) and isinstance(b, float | int)
    return out.astype(xp.float32) if bare and out.dtype.kind == "f" else out


where = op(
    "where",
    _where_forward,
    a=lambda g, xp, condition: xp.where(condition, g, 0),
    b=lambda g, xp, condition: xp.where(condition, 0, g),
)


def round(x: Any, decimals: int = 0) -> Tensor:
    """Each element rounded to `decimals` places; halves go to the even neighbour.

    >>> import minigrad as mg
    >>> mg.round(mg.tensor([0.5, 1.5, 2.25]))
    tensor([0., 2., 2.])
    """
    return _round(x, decimals=decimals)


def _inside(x: Any, low: Any, high: Any) -> Any:
    above, below = low is None or x >= low, high is None or x <= high
    return above & below


_clip = op(
    "clip",
    lambda xp, x, low, high: xp.clip(x, low, high),
    x=lambda g, x, low, high: g * _inside(x, low, high),
    low=lambda g, x, low, high: g * ((x < low) if high is None else (x < low) & (low <= high)),
    high=lambda g, x, low, high: g * ((x > high) if low is None else (x > high) | (low > high)),
)


def clip(x: Any, min: Any = None, max: Any = None) -> Tensor:
    """Each element of `x` limited to [min, max]; the gradient passes where it was inside.

    Arguments:
        x: any shape.
        min, max: numbers or tensors that broadcast to `x`, or None for no limit on that side.

    >>> import minigrad as mg
    >>> mg.clip(mg.tensor([-2.0, 0.5, 3.0]), -1, 1)
    tensor([-1. ,  0.5,  1. ])
    """
    return _clip(x, min, max)


# -- comparisons and logic: not differentiable ---------------------------------------------------

equal = op("equal", lambda xp, a, b: a == b)
not_equal = op("not_equal", lambda xp, a, b: a != b)
less = op("less", lambda xp, a, b: a < b)
less_equal = op("less_equal", lambda xp, a, b: a <= b)
greater = op("greater", lambda xp, a, b: a > b)
greater_equal = op("greater_equal", lambda xp, a, b: a >= b)
logical_and = op("logical_and", lambda xp, a, b: xp.logical_and(a, b))
logical_or = op("logical_or", lambda xp, a, b: xp.logical_or(a, b))
logical_not = op("logical_not", lambda xp, x: xp.logical_not(x))
bitwise_and = op("bitwise_and", lambda xp, a, b: a & b)
bitwise_or = op("bitwise_or", lambda xp, a, b: a | b)
bitwise_xor = op("bitwise_xor", lambda xp, a, b: a ^ b)
invert = op("invert", lambda xp, x: ~x)
isnan = op("isnan", lambda xp, x: xp.isnan(x))
isinf = op("isinf", lambda xp, x: xp.isinf(x))
isfinite = op("isfinite", lambda xp, x: xp.isfinite(x))
isclose = op(
    "isclose",
    lambda xp, a, b, *, rtol=1e-5, atol=1e-8, equal_nan=False: xp.isclose(
        a, b, rtol=rtol, atol=atol, equal_nan=equal_nan
    ),
)
