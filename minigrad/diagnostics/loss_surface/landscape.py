"""Landscapes of functions of two variables, and the paths that optimizers take through them.

`model_landscape` does the same for a model, on a plane in the space of its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.arguments import is_number
from minigrad.errors import ArgumentError
from minigrad.tape import enable_grad, no_grad
from minigrad.tensor import Tensor

Floats = NDArray[np.float64]
Range = tuple[float, float]


@dataclass(frozen=True, repr=False)
class Landscape:
    """The loss over a plane.

    Attributes:
        x, y: where it was measured, along the first and the second direction.
        loss: shape (len(y), len(x)); NaN or infinity where it is no finite number.
        names: of the two directions.
        paths: by name the places (x, y) that an optimizer came through, shape (places, 2).
        off_plane: by name of a path through more than two dimensions, how much of it the plane
            does not show: of the place farthest from the middle, the distance from the plane over
            that from the middle, from 0 (in the plane) to 1 (at a right angle to it).
    """

    x: Floats
    y: Floats
    loss: Floats
    names: tuple[str, str] = ("x", "y")
    paths: dict[str, Floats] = field(default_factory=dict)
    off_plane: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        finite = self.loss[np.isfinite(self.loss)]
        told = f"{finite.min():.4g} to {finite.max():.4g}" if finite.size else "none of them finite"
        paths = f"; paths {', '.join(self.paths)}" if self.paths else ""
        return f"<Landscape: {len(self.y)} x {len(self.x)} losses, {told}{paths}>"


# -- functions of two variables ----------------------------------------------------------------


def function_landscape(
    function: Callable[[Tensor], Tensor],
    x: Range = (-2.0, 2.0),
    y: Range = (-2.0, 2.0),
    points: int = 61,
) -> Landscape:
    """The values of a function of two variables.

    Arguments:
        function: takes a Tensor of shape (2,), float64, and returns one number.
        x, y: from where to where the first and the second variable go.
        points: how many values of each; the function is called points^2 times.

    Raises:
        ArgumentError: an empty range, fewer than two points, or not one number.

    >>> from minigrad.diagnostics import function_landscape
    >>> bowl = function_landscape(lambda w: (w * w).sum(), x=(-1, 1), y=(0, 2), points=3)
    >>> bowl.loss.tolist()
    [[1.0, 0.0, 1.0], [2.0, 1.0, 2.0], [5.0, 4.0, 5.0]]
    """
    _check_function("function_landscape", function)
    xs, ys = (axis("function_landscape", r, points) for r in (x, y))

    def at(a: float, b: float) -> float:
        return one_number("function_landscape", function(Tensor(np.array([a, b]))))

    return Landscape(xs, ys, measure(at, xs, ys))


def optimizer_path(
    function: Callable[[Tensor], Tensor],
    start: Sequence[float],
    make_optimizer: Callable[[list[Tensor]], Any],
    steps: int,
) -> Floats:
    """The places that an optimizer comes through on its way down a function.

    Arguments:
        function: takes a Tensor of the shape of `start`, float64, and returns one number.
        start: where it begins.
        make_optimizer: gets the list of parameters, and returns an optimizer of them.
        steps: how many it takes.

    Returns:
        float64 of shape (steps + 1, *shape of start), the start first; not finite from where it
        has run away.

    Raises:
        ArgumentError: the function returns something else than a Tensor of one number; a start
            that is no list of numbers; or a make_optimizer that gives no optimizer of them.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics import optimizer_path
    >>> halving = lambda params: mg.optim.SGD(params, lr=0.25)
    >>> optimizer_path(lambda w: (w * w).sum(), [4.0, 0.0], halving, steps=2).tolist()
    [[4.0, 0.0], [2.0, 0.0], [1.0, 0.0]]
    """
    _check_function("optimizer_path", function)
    if not isinstance(steps, int | np.integer) or steps < 0:
        raise ArgumentError(
            f"optimizer_path: steps must be a whole number of at least 0, got {steps!r}"
        )
    w = Tensor(_start(start), requires_grad=True)
    optimizer = _optimizer(make_optimizer, w)
    places = [w.data.copy()]
    # To run away is what some are here for.
    with enable_grad(), np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            value = function(w)
            one_number("optimizer_path", value)
            if not isinstance(value, Tensor):
                raise ArgumentError(
                    f"optimizer_path: the function returned a {type(value).__name__}, which has "
                    "no gradient; compute it with minigrad's operations"
                )
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            places.append(w.data.copy())
    return np.array(places)


def _check_function(asked: str, function: Any) -> None:
    if not callable(function):
        raise ArgumentError(
            f"{asked}: function must be one of a Tensor, such as lambda w: (w * w).sum(), got "
            f"{type(function).__name__}"
        )


def _start(start: Any) -> Floats:
    try:
        place = np.array(start, dtype=np.float64)
    except (TypeError, ValueError):
        place = np.empty(0)
    if place.size == 0 or not np.isfinite(place).all():
        raise ArgumentError(
            f"optimizer_path: start must be finite numbers, such as [1.0, 2.0], got {start!r}"
        )
    return place


def _optimizer(make_optimizer: Any, w: Tensor) -> Any:
    made = make_optimizer([w]) if callable(make_optimizer) else make_optimizer
    held = [p for group in getattr(made, "param_groups", ()) for p in group["params"]]
    if not callable(make_optimizer) or not any(p is w for p in held):
        raise ArgumentError(
            "optimizer_path: make_optimizer must return an optimizer of the parameters that it is "
            "given, such as lambda params: mg.optim.SGD(params, lr=0.1), got "
            f"{type(make_optimizer if not callable(make_optimizer) else made).__name__}"
        )
    return made


# -- measuring ---------------------------------------------------------------------------------


def axis(asked: str, ends: Range, points: int) -> Floats:
    """`points` evenly spaced numbers; raises an ArgumentError that names `asked`."""
    if not isinstance(points, int | np.integer) or points < 2:
        raise ArgumentError(f"{asked}: points must be a whole number of at least 2, got {points!r}")
    pair = isinstance(ends, tuple | list | np.ndarray) and len(ends) == 2
    if not pair or not all(is_number(end) for end in ends):
        raise ArgumentError(
            f"{asked}: a range is a pair of numbers, such as (-1.0, 1.0), got {ends!r}"
        )
    low, high = ends
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ArgumentError(f"{asked}: cannot go from {low} to {high}; give a smaller number first")
    return np.linspace(low, high, points)


def measure(at: Callable[[float, float], float], x: Floats, y: Floats) -> Floats:
    """at(a, b) for all a in x and b in y, without gradients: shape (len(y), len(x))."""
    # Far from where a model was trained, overflow is a finding and no accident.
    with no_grad(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return np.array([[at(float(a), float(b)) for a in x] for b in y])


def one_number(asked: str, value: Any) -> float:
    """The loss as a float; raises an ArgumentError for anything but one number."""
    if isinstance(value, int | float):
        return float(value)
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind in tuple("fiub") and value.size == 1:
        return float(value.item())
    got = f"shape {value.shape}" if kind else type(value).__name__
    raise ArgumentError(f"{asked}: the loss must be one number, got {got}")
