"""The error function on arrays, which NumPy lacks.

W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969):
one quotient of polynomials near 0, and two for 1 - erf farther out. The coefficients are those
of his program CALERF (1990), good to 18 digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

# Per region: the polynomial above and the one below the line, highest power first.
_NEAR = (
    (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2,
     3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
     2.84423683343917062e3),
)  # fmt: skip
_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3,
     1.23033935480374942e3),
)  # fmt: skip
_FAR = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
     1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1,
     6.05183413124413191e-2, 2.33520497626869185e-3),
)  # fmt: skip


def _quotient(region: tuple[Sequence[float], Sequence[float]], y: np.ndarray) -> np.ndarray:
    above, below = (np.full_like(y, c[0]) for c in region)
    for a, b in zip(region[0][1:], region[1][1:], strict=True):
        above = above * y + a
        below = below * y + b
    quotient: np.ndarray = above / below
    return quotient


def erf(x: np.ndarray) -> np.ndarray:
    """2/sqrt(pi) times the integral of exp(-t^2) from 0 to x, elementwise.

    Arguments:
        x: real numbers, any shape.

    Returns:
        The shape of `x`; its dtype if that is floating point, else float64.

    >>> erf(np.array([0.0, 0.5]))
    array([0.        , 0.52049988])
    """
    x = np.asarray(x)
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    x = x.astype(np.float64)
    size = np.minimum(np.abs(x), 6.0)  # beyond 6, erf is 1 to all digits; NaN stays NaN
    near = x * _quotient(_NEAR, np.minimum(size, 0.5) ** 2)
    tail = np.exp(-size * size)
    middle = 1 - tail * _quotient(_MIDDLE, np.minimum(size, 4.0))
    y = 1 / np.maximum(size, 4.0) ** 2
    far = 1 - tail * (1 / math.sqrt(math.pi) - y * _quotient(_FAR, y)) / np.maximum(size, 4.0)
    outside = np.copysign(np.where(size <= 4, middle, far), x)
    out: np.ndarray = np.where(size <= 0.46875, near, outside).astype(dtype)
    return out
