"""Averages over Gaussian numbers, to twelve digits, kinks included.

The usual rule for such averages, that of Gauss and Hermite, takes f to be a polynomial. For tanh
it does well; for ReLU, whose slope jumps, 100 of its points give two digits. So the line is cut
into panels here. Each panel gets the rule of Gauss and Lobatto, and is halved for as long as its
two halves together say something else than the whole. Where f is smooth one look is enough, and a
kink is closed in on by halving. It cannot hide between a panel's end and the first point, since
that rule, unlike Gauss and Legendre's, has points at the ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FLOAT = NDArray[np.float64]


def _lobatto(n: int) -> tuple[FLOAT, FLOAT]:
    """n points and weights on -1 to 1; polynomials up to degree 2n - 3 are integrated exactly."""
    legendre = np.polynomial.Legendre.basis(n - 1)
    points = np.concatenate([[-1.0], legendre.deriv().roots(), [1.0]])
    weights = 2 / (n * (n - 1) * legendre(points) ** 2)
    # A hair within the panel: where a slope jumps at its end, this side counts.
    points[[0, -1]] *= 1 - 1e-11
    return points, weights


_POINTS, _WEIGHTS = _lobatto(16)

# A normal number lies further out once in 1e32 draws.
_REACH = 12.0

# After 50 halvings a panel is too narrow to count.
_HALVINGS = 50

# A kink is in one panel, whatever its width. Where halving leads to so many times the panels of
# the beginning, what does not agree is rounding, and halving would never end.
_CROWD = 16


def mean(function: Callable[[FLOAT], FLOAT], variance: float, tolerance: float = 1e-13) -> FLOAT:
    """E[f(x)], where x is normal with mean 0 and this variance.

    Arguments:
        function: f, elementwise; or several at once, stacked along a new first axis.
        variance: at least 0.
        tolerance: how exact f is itself, relative to its size.

    Returns:
        One average per function: shape () or (functions,).

    >>> round(float(mean(lambda x: x**4, variance=2.0)), 12)
    12.0
    >>> mean(lambda x: np.stack([np.maximum(x, 0), np.abs(x)]), variance=math.tau).round(12)
    array([1., 2.])
    """
    if variance == 0:
        return function(np.zeros(1))[..., 0]
    spread = math.sqrt(variance)

    def weighted(x: FLOAT, row: NDArray[np.intp]) -> FLOAT:
        return function(x) * (np.exp(-0.5 * (x / spread) ** 2) / (spread * math.sqrt(math.tau)))

    steps = _steps(spread)
    edges = np.concatenate([-steps[::-1], [0.0], steps])
    return integrate(weighted, edges[None], tolerance)[..., 0]


def means_around(
    function: Callable[[FLOAT], FLOAT],
    centres: FLOAT,
    variance: float,
    bends: FLOAT | tuple[float, ...] = (),
) -> FLOAT:
    """E[f(x)] for several normal x, each with a mean of its own and all with this variance.

    Arguments:
        function: as for `mean`.
        centres: the means of x, shape (n,).
        variance: above 0.
        bends: where f or its slope jumps, from `bends_of`. Without them, for a few of many
            centres the halves of a panel agree with the whole by chance, on a wrong number.

    Returns:
        Shape (n,) or (functions, n).

    >>> means_around(np.square, np.array([0.0, 3.0]), variance=1.0).round(12)
    array([ 1., 10.])
    """
    spread = math.sqrt(variance)

    def weighted(x: FLOAT, row: NDArray[np.intp]) -> FLOAT:
        z = (x - centres[row, None]) / spread
        return function(x) * (np.exp(-0.5 * z * z) / (spread * math.sqrt(math.tau)))

    own = centres[:, None] + spread * np.array([-12.0, -8, -4, -2, 0, 2, 4, 8, 12])
    inner = np.broadcast_to(np.asarray(bends, dtype=np.float64), (len(centres), len(bends)))
    edges = np.concatenate([own, inner.clip(own[:, :1], own[:, -1:])], axis=1)
    return integrate(weighted, np.sort(edges, axis=1))


def bends_of(function: Callable[[FLOAT], FLOAT], variance: float) -> FLOAT:
    """Where f or its slope jumps, as far out as a normal number of this variance gets.

    A panel with a jump in it never agrees with its halves. So ten halvings leave only those, and
    forty more, each time going on with the half that agrees less with its own, lead to the place.

    Arguments:
        function: as for `mean`.
        variance: above 0.

    Returns:
        Ascending, shape (bends,). A place of sharp but smooth change may be among them.

    >>> bends_of(lambda x: np.maximum(x, 0.3), variance=1.0).round(9)
    array([0.3])
    """
    row = np.empty(0, dtype=np.intp)

    def change(left: FLOAT, right: FLOAT) -> FLOAT:
        middle = (left + right) / 2
        starts, ends = np.concatenate([left, middle, left]), np.concatenate([middle, right, right])
        panels = _of_panels(lambda x, row: function(x), starts, ends, row)
        first, second, whole = np.split(panels, 3, axis=-1)
        size = np.abs(whole) + np.abs(right - left) + 1e-300
        unlike: FLOAT = np.atleast_2d(np.abs(first + second - whole) / size).max(axis=0)
        return unlike

    # Crooked numbers, so that no bend hides between two panels.
    edges = math.sqrt(variance) * np.linspace(-_REACH * 1.0123, _REACH * 1.0321, 25)
    left, right = edges[:-1], edges[1:]
    for _ in range(10):
        middle = (left + right) / 2
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        unlike = change(left, right) > 1e-12
        left, right = left[unlike], right[unlike]
        if not left.size:
            return left
    for _ in range(_HALVINGS - 10):
        middle = (left + right) / 2
        changes = change(np.concatenate([left, middle]), np.concatenate([middle, right]))
        first = np.greater(*np.split(changes, 2))
        left, right = np.where(first, left, middle), np.where(first, middle, right)
    return np.sort((left + right) / 2)


def integrate(
    function: Callable[[FLOAT, NDArray[np.intp]], FLOAT], edges: FLOAT, tolerance: float = 1e-13
) -> FLOAT:
    """Integrals over lines that are cut into panels, each panel halved until that changes nothing.

    Arguments:
        function: f(x, row), with x of shape (panels, points) and row, shape (panels,), saying
            which line a panel is of. Returns the shape of x, or (functions, panels, points).
        edges: where each line is cut at first, ascending, shape (lines, cuts).
        tolerance: the change that is nothing, as a share of the integral of |f|, the largest of
            all lines.

    Returns:
        Shape (lines,) or (functions, lines).

    >>> integrate(lambda x, row: np.abs(x - 0.1), np.array([[-1.0, 1.0]])).round(12)
    array([1.01])
    """
    lines = len(edges)
    row = np.repeat(np.arange(lines), edges.shape[1] - 1)
    left, right = edges[:, :-1].ravel(), edges[:, 1:].ravel()
    whole = _of_panels(function, left, right, row)
    total = np.zeros((*whole.shape[:-1], lines))
    nothing = tolerance * _per_line(np.abs(whole), row, lines).max(axis=-1, keepdims=True)
    crowd = _CROWD * len(row)
    for _ in range(_HALVINGS):
        middle = (left + right) / 2
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        halves = _of_panels(function, left, right, np.concatenate([row, row]))
        first, second = np.split(halves, 2, axis=-1)
        again = np.atleast_2d(np.abs(first + second - whole) > nothing).any(axis=0)
        if np.count_nonzero(again) > crowd:
            again = np.zeros(len(row), dtype=bool)
        total += _per_line((first + second)[..., ~again], row[~again], lines)
        if not again.any():
            return total
        both = np.concatenate([again, again])
        left, right, whole, row = left[both], right[both], halves[..., both], np.tile(row[again], 2)
    return total + _per_line(whole, row, lines)


def on_panels(function: Callable[[FLOAT], FLOAT]) -> tuple[FLOAT, FLOAT, FLOAT]:
    """Points and weights for averages over z ~ N(0, 1) of f(z) times anything smooth.

    The panels are narrow, a quarter, and are halved further until the average of f^2 settles.

    Arguments:
        function: several functions at once, stacked along a new first axis.

    Returns:
        The points and the weights, shape (n,), with the density in them; and the functions'
        values there, shape (functions, n).

    >>> z, weights, (bent,) = on_panels(lambda z: np.abs(z - 0.1)[None])
    >>> round(float(weights @ bent**2), 12), round(float(weights @ z**4), 12)
    (1.01, 3.0)
    """

    def panels(left: FLOAT, right: FLOAT) -> tuple[FLOAT, FLOAT, FLOAT]:
        half = (right - left)[:, None] / 2
        z = ((left + right) / 2)[:, None] + half * _POINTS
        return z, half * _WEIGHTS * np.exp(-0.5 * z * z) / math.sqrt(math.tau), function(z)

    def squares(weights: FLOAT, values: FLOAT) -> FLOAT:
        found: FLOAT = (weights * values**2).sum(axis=-1)
        return found

    edges = np.arange(-4 * _REACH, 4 * _REACH + 1) / 4
    left, right = edges[:-1], edges[1:]
    z, weights, values = panels(left, right)
    nothing = 1e-14 * squares(weights, values).sum(axis=-1, keepdims=True)
    done = []
    for halving in range(_HALVINGS):
        middle = (left + right) / 2
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        finer = panels(left, right)
        first, second = np.split(squares(*finer[1:]), 2, axis=-1)
        again = (np.abs(first + second - squares(weights, values)) > nothing).any(axis=0)
        if halving == _HALVINGS - 1 or np.count_nonzero(again) > _CROWD * len(edges):
            again[:] = False
        done.append((z[~again], weights[~again], values[:, ~again]))
        if not again.any():
            break
        both = np.concatenate([again, again])
        left, right = left[both], right[both]
        z, weights, values = finer[0][both], finer[1][both], finer[2][:, both]
    points, shares, found = zip(*done, strict=True)
    return (
        np.concatenate(points).ravel(),
        np.concatenate(shares).ravel(),
        np.concatenate(found, axis=1).reshape(len(values), -1),
    )


def _of_panels(
    function: Callable[[FLOAT, NDArray[np.intp]], FLOAT],
    left: FLOAT,
    right: FLOAT,
    row: NDArray[np.intp],
) -> FLOAT:
    half = (right - left) / 2
    x = ((left + right) / 2)[:, None] + half[:, None] * _POINTS
    values: FLOAT = function(x, row) @ _WEIGHTS * half
    return values


def _per_line(panels: FLOAT, row: NDArray[np.intp], lines: int) -> FLOAT:
    total = np.zeros((*panels.shape[:-1], lines))
    np.add.at(total.T, row, panels.T)
    return total


def _steps(spread: float) -> FLOAT:
    """1, 1.5, 2, 3, 4, 6, ... times a power of two, from well within the spread to its reach.

    At first, every panel so is narrow against its distance from 0, around which activations do
    what they do; and the places where those of `nn` bend, 1, 3 and 6, lie between panels.
    """
    low, high = (math.floor(math.log2(spread * times)) for times in (0.25, _REACH))
    steps = np.outer(2.0 ** np.arange(low, high + 1), [1.0, 1.5]).ravel()
    return np.append(steps[steps < _REACH * spread], _REACH * spread)
