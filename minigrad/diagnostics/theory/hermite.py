"""The averages over two correlated Gaussian numbers as power series in their correlation.

With Hermite's polynomials h_n, made orthonormal for z ~ N(0, 1), and coefficients
a_n = E[phi(sqrt(q) z) h_n(z)],

    E[phi(x) phi(y)] = sum a_n^2 c^n        q E[phi'(x) phi'(y)] = sum n a_n^2 c^(n-1)

for x, y ~ N(0, q) with correlation c (Mehler 1866). No coefficient is negative, and at c = 1 both
sums are plain averages. So what a sum up to n = N leaves out is known: at most c^(N+1) times what
it lacks at c = 1, and c^N times for the second.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from minigrad.meanfield import value_and_slope
from minigrad.quadrature import FLOAT, on_panels
from minigrad.tensor import Tensor

# Terms at first, and at most: beyond, the polynomials vary too fast for the panels of `on_panels`.
_TERMS, _MOST = 128, 4096


class CorrelationSeries:
    """Both series of an activation, with as many terms as are asked for.

    Arguments:
        phi: the activation, a function of Tensors, element by element.
        q: variance of x and of y, above 0.

    >>> import minigrad as mg
    >>> relu = CorrelationSeries(mg.nn.functional.relu, q=2.0)
    >>> product, slopes = relu.at(0.5)
    >>> math.isclose(slopes, 1 / 3), math.isclose(relu.at(0.0)[0], 1 / math.pi)
    (True, True)
    """

    def __init__(self, phi: Callable[[Tensor], Tensor], q: float) -> None:
        self.q = q
        scale = math.sqrt(q)

        def both(z: FLOAT) -> FLOAT:
            return np.stack(value_and_slope(phi, scale * z))

        self._z, weights, (value, slope) = on_panels(both)
        self._weighted = weights * value
        self._whole = float(weights @ value**2), q * float(weights @ slope**2)
        self._two = np.ones_like(self._z), self._z  # the two polynomials that follow
        self._squares = np.empty(0)
        self._extend(_TERMS)

    def _extend(self, terms: int) -> None:
        """Take all coefficients up to so many."""
        found = []
        for n in range(len(self._squares), terms):
            h, following = self._two
            found.append(float(self._weighted @ h) ** 2)
            self._two = following, (self._z * following - math.sqrt(n + 1) * h) / math.sqrt(n + 2)
        self._squares = np.concatenate([self._squares, found])

    def at(self, c: float, tolerance: float = 1e-13) -> tuple[float, float] | None:
        """E[phi(x) phi(y)] and E[phi'(x) phi'(y)] at a correlation from 0 to below 1.

        Arguments:
            c: correlation.
            tolerance: what may be left out, as a share of the averages at c = 1.

        Returns:
            Both; or None where more terms would be needed than can be had: close to 1, for an
            activation with a kink.
        """
        while True:
            n = np.arange(len(self._squares))
            rest = self._whole[1] - float(n @ self._squares)
            if rest * c ** (len(n) - 1) <= tolerance * self._whole[1]:
                powers = c ** n[:-1]
                product = self._squares[0] + c * float(self._squares[1:] @ powers)
                return float(product), float((n * self._squares)[1:] @ powers) / self.q
            if len(n) >= _MOST:
                return None
            self._extend(2 * len(n))
