"""Operations that work element by element, each beside its derivative.

Smooth operations stand here, those with kinks and steps in `piecewise`. `x**0` has derivative 0
everywhere.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.ops.table import Operation, op, use
from minigrad.tensor import Tensor

# -- arithmetic ------------------------------------------------------------------------------

add = op("add", lambda xp, a, b: a + b, a=lambda g: g, b=lambda g: g)
subtract = op("subtract", lambda xp, a, b: a - b, a=lambda g: g, b=lambda g: -g)
multiply = op("multiply", lambda xp, a, b: a * b, a=lambda g, b: g * b, b=lambda g, a: g * a)
divide = op(
    "divide", lambda xp, a, b: a / b, a=lambda g, b: g / b, b=lambda g, b, out: -g * out / b
)
negative = op("negative", lambda xp, x: -x, x=lambda g: -g)
positive = op("positive", lambda xp, x: +x, x=lambda g: g)


def _power_base(g: Any, xp: Any, x: Any, p: Any) -> Any:
    if isinstance(p, int | float):
        return g * (p * x ** (p - 1)) if p != 0 else xp.zeros_like(g)
    # 0 * 0**-1 must be 0: with exponent 0 the slope is 0, also at x = 0.
    flat = (p == 0) & (x == 0)
    return g * xp.where(flat, 0, p * xp.where(flat, 1, x) ** (p - 1))


def _power_exponent(g: Any, xp: Any, x: Any, out: Any) -> Any:
    # At x = 0 the output does not move with the exponent, though log 0 is infinite.
    zero = x == 0
    return g * xp.where(zero, 0, out * xp.log(xp.where(zero, 1, x)))


def _power_forward(xp: Any, x: Any, p: Any) -> Any:
    # NumPy's power takes a hundred times as long as the products that it stands for.
    if isinstance(p, int) and p in (3, 4) and x.dtype.kind == "f":
        square = x * x
        return square * x if p == 3 else square * square
    return x**p


power = op("power", _power_forward, x=_power_base, p=_power_exponent)

# -- powers, exponentials, logarithms ----------------------------------------------------------

LN2, LN10 = math.log(2), math.log(10)

square = op("square", lambda xp, x: xp.square(x), x=lambda g, x: 2 * g * x)
sqrt = op("sqrt", lambda xp, x: xp.sqrt(x), x=lambda g, out: g / (2 * out))
reciprocal = op("reciprocal", lambda xp, x: 1 / x, x=lambda g, out: -g * out * out)
exp = op("exp", lambda xp, x: xp.exp(x), x=lambda g, out: g * out)
exp2 = op("exp2", lambda xp, x: xp.exp2(x), x=lambda g, out: g * out * LN2)
expm1 = op("expm1", lambda xp, x: xp.expm1(x), x=lambda g, out: g * (out + 1))
log = op("log", lambda xp, x: xp.log(x), x=lambda g, x: g / x)
log2 = op("log2", lambda xp, x: xp.log2(x), x=lambda g, x: g / (x * LN2))
log10 = op("log10", lambda xp, x: xp.log10(x), x=lambda g, x: g / (x * LN10))
log1p = op("log1p", lambda xp, x: xp.log1p(x), x=lambda g, x: g / (1 + x))
logaddexp = op(
    "logaddexp",
    lambda xp, a, b: xp.logaddexp(a, b),
    # 1 / (1 + exp(b - a)), written so that nothing overflows and large a, b lose no digits
    a=lambda g, xp, a, b: g * xp.exp(-xp.logaddexp(0, b - a)),
    b=lambda g, xp, a, b: g * xp.exp(-xp.logaddexp(0, a - b)),
)

# -- trigonometric and hyperbolic --------------------------------------------------------------

sin = op("sin", lambda xp, x: xp.sin(x), x=lambda g, xp, x: g * xp.cos(x))
cos = op("cos", lambda xp, x: xp.cos(x), x=lambda g, xp, x: -g * xp.sin(x))
tan = op("tan", lambda xp, x: xp.tan(x), x=lambda g, out: g * (1 + out * out))
arcsin = op("arcsin", lambda xp, x: xp.arcsin(x), x=lambda g, xp, x: g / xp.sqrt(1 - x * x))
arccos = op("arccos", lambda xp, x: xp.arccos(x), x=lambda g, xp, x: -g / xp.sqrt(1 - x * x))
arctan = op("arctan", lambda xp, x: xp.arctan(x), x=lambda g, x: g / (1 + x * x))


def _inverse_radius(xp: Any, a: Any, b: Any, angle: Any) -> Any:
    """1 / sqrt(a^2 + b^2) without squares, which would underflow; 0 at the origin."""
    radius = a * xp.sin(angle) + b * xp.cos(angle)
    return 1 / xp.where(radius == 0, math.inf, radius)


arctan2 = op(
    "arctan2",
    lambda xp, a, b: xp.arctan2(a, b),
    a=lambda g, xp, a, b, out: g * xp.cos(out) * _inverse_radius(xp, a, b, out),
    b=lambda g, xp, a, b, out: -g * xp.sin(out) * _inverse_radius(xp, a, b, out),
)
sinh = op("sinh", lambda xp, x: xp.sinh(x), x=lambda g, xp, x: g * xp.cosh(x))
cosh = op("cosh", lambda xp, x: xp.cosh(x), x=lambda g, xp, x: g * xp.sinh(x))
tanh = op("tanh", lambda xp, x: xp.tanh(x), x=lambda g, out: g * (1 - out * out))
arcsinh = op("arcsinh", lambda xp, x: xp.arcsinh(x), x=lambda g, xp, x: g / xp.sqrt(x * x + 1))
arccosh = op("arccosh", lambda xp, x: xp.arccosh(x), x=lambda g, xp, x: g / xp.sqrt(x * x - 1))
arctanh = op("arctanh", lambda xp, x: xp.arctanh(x), x=lambda g, x: g / (1 - x * x))

# -- special functions -------------------------------------------------------------------------

erf = op(
    "erf",
    lambda xp, x: xp.erf(x),
    x=lambda g, xp, x: g * (2 / math.sqrt(math.pi)) * xp.exp(-x * x),
)


def _sinc_forward(xp: Any, x: Any, *, order: int) -> Any:
    """The derivative of the given order of sin(pi x) / (pi x)."""
    if order == 0:
        return xp.sinc(x)
    u = math.pi * x
    # With s_n the n-th derivative of sin(u)/u: u s_n + n s_(n-1) = sin(u + n pi/2). Near 0 that
    # recursion divides by nothing, and the power series takes over.
    near = abs(u) < order + 2
    far_u = xp.where(near, 1, u)
    far = xp.sin(far_u) / far_u
    for n in range(1, order + 1):
        far = (xp.sin(far_u + n * math.pi / 2) - n * far) / far_u
    near_u = xp.where(near, u, 0)
    series = xp.zeros_like(u)
    # The sum of (-1)^k (2k)! / ((2k - n)! (2k + 1)!) u^(2k - n), the highest power first.
    for k in reversed(range((order + 1) // 2, order + 24)):
        coefficient = (-1) ** k / ((2 * k + 1) * math.factorial(2 * k - order))
        series = series * near_u * near_u + coefficient
    if order % 2:
        series = series * near_u
    return math.pi**order * xp.where(near, series, far)


_sinc_derivative: Operation = op(
    "sinc",
    _sinc_forward,
    x=lambda g, xp, x, order: g * use(xp, _sinc_derivative, x, order=order + 1),
)


def sinc(x: Any) -> Tensor:
    """sin(pi x) / (pi x), and 1 at x = 0; every derivative is exact there too.

    >>> import minigrad as mg
    >>> mg.sinc(mg.tensor([0.0, 0.5]))
    tensor([1.    , 0.6366])
    """
    return _sinc_derivative(x, order=0)
