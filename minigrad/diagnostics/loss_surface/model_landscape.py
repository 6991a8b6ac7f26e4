"""The loss landscape of a model: on a plane through its parameters, along two directions.

Source: Li, Xu, Taylor, Studer & Goldstein (2018), Visualizing the loss landscape of neural nets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.arguments import (
    check_loss,
    check_model,
    checked_generator,
    is_number,
)
from minigrad.diagnostics.loss_surface.landscape import (
    Floats,
    Landscape,
    Range,
    axis,
    measure,
    one_number,
)
from minigrad.errors import ArgumentError, ShapeError
from minigrad.nn.module import Module
from minigrad.random import Generator, generator_or_default
from minigrad.tensor import Tensor

Direction = Mapping[str, Any] | Any


class ParameterPath:
    """The parameters of a model at moments of its training.

    Call it to note the parameters as they are: after every epoch as a callback of `train.fit`,
    after every step with `optimizer.register_step_post_hook(path)`, or by hand, `path()`. It
    begins with the parameters as they are when it is made. Each moment takes the memory of all
    parameters once.

    Attributes:
        places: per moment all elements of all parameters side by side.

    >>> import minigrad as mg
    >>> model = mg.nn.Linear(3, 1)
    >>> path = ParameterPath(model)
    >>> optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    >>> for _ in range(5):
    ...     optimizer.zero_grad()
    ...     model(mg.ones(1, 3)).sum().backward()
    ...     optimizer.step()
    ...     path()
    >>> len(path.places), path.places[0].shape
    (6, (4,))
    """

    def __init__(self, model: Module) -> None:
        self._parameters = _parameters("ParameterPath", model)
        self.places: list[NDArray[Any]] = []
        self()

    def __repr__(self) -> str:
        return f"<ParameterPath: {len(self.places)} places of {self.places[-1].size} numbers>"

    def __call__(self, *_: Any) -> None:
        self.places.append(_vector(self._parameters.values()))


def loss_landscape(
    model: Module,
    loss: Callable[[], Any],
    directions: str | tuple[Direction, Direction] = "filter",
    radius: float = 1.0,
    points: int = 21,
    path: ParameterPath | None = None,
    generator: Generator | None = None,
) -> Landscape:
    """The loss of a model around where it stands, on the plane along two directions.

    L(a, b) = loss at parameters + a d1 + b d2. While it is measured the parameters are written to;
    in the end, also after an error, they and the buffers are exactly as they were. Put the model
    into evaluation before, `model.eval()`, unless dropout and the statistics of a batch are to be
    part of the loss.

    Random directions need a scale, as the weights of two layers may differ by any factor without
    a difference in what the network computes (Li et al. 2018, section 4).

    Arguments:
        model: its parameters, also frozen ones, are what is moved.
        loss: called without arguments, returns the model's loss as one number, say
            `lambda: cross_entropy(model(x), y)`. It is called points^2 times.
        directions: one of

            "filter": random, and the part that belongs to each row of a weight (each unit) scaled
            to the norm of that row;
            "layer": random, and each weight's part scaled to the norm of that weight;
            "path": the two directions along which `path` varies most (PCA), of norm 1;
            (d1, d2): your own, each a dict of arrays by the parameters' paths, or one array of
            all elements side by side.

            In random directions biases and the parameters of normalization layers, all with one
            axis, stay as they are.
        radius: how far to go to both sides. With "path" it is not asked: all of it is shown.
        points: how many places along each direction; an odd number holds the model itself.
        path: of the same model, to be shown on the plane: each place moved to the nearest point.
        generator: of the random directions.

    Raises:
        ArgumentError: no parameters; unknown directions, or two that are 0 or parallel; a path
            that is missing or of another model; fewer than two points; a loss that is no number.
        ShapeError: directions of other shapes than the parameters.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics import loss_landscape
    >>> model, x = mg.models.deep_mlp(3, 16, generator=mg.Generator(0)), mg.ones(8, 64)
    >>> found = loss_landscape(model, lambda: (model(x) ** 2).mean(), points=5)
    >>> found.loss.shape
    (5, 5)
    """
    parameters = _parameters("loss_landscape", model)
    check_loss("loss_landscape", loss)
    checked_generator("loss_landscape", generator)
    if path is not None and not isinstance(path, ParameterPath):
        raise ArgumentError(
            f"loss_landscape: path must be a ParameterPath, got {type(path).__name__}; make one "
            "before the training, path = ParameterPath(model)"
        )
    here = _vector(parameters.values()).astype(np.float64)
    names = ("first direction", "second direction")
    if isinstance(directions, str):
        d1, d2, names = _chosen(directions, parameters, here, path, generator)
    elif not isinstance(directions, tuple | list) or len(directions) != 2:
        raise ArgumentError(
            "loss_landscape: directions must be 'filter', 'layer', 'path', or a pair of your own, "
            f"got {directions!r}"
        )
    else:
        d1, d2 = (_as_vector(d, parameters) for d in directions)
    _check_plane(d1, d2)
    places: dict[str, Floats] = {}
    off_plane: dict[str, float] = {}
    if path is not None:
        places["path"], off_plane["path"] = _on_plane(path, here, d1, d2)
    if directions == "path":
        x, y = (axis("loss_landscape", _around(column), points) for column in places["path"].T)
    else:
        if not is_number(radius) or not radius > 0:
            raise ArgumentError(f"loss_landscape: radius must be a number above 0, got {radius!r}")
        x = y = axis("loss_landscape", (-radius, radius), points)

    def at(a: float, b: float) -> float:
        _write(parameters.values(), here + a * d1 + b * d2)
        return one_number("loss_landscape", loss())

    with _unchanged([*parameters.values(), *model.buffers()]):
        return Landscape(x, y, measure(at, x, y), names, places, off_plane)


def _parameters(asked: str, model: Module) -> dict[str, Tensor]:
    check_model(asked, model)
    found: dict[str, Tensor] = dict(model.named_parameters())
    if not found:
        raise ArgumentError(f"{asked}: {type(model).__name__} has no parameters to move")
    return found


def _vector(tensors: Iterable[Tensor]) -> NDArray[Any]:
    return np.concatenate([_on_host(t).ravel() for t in tensors])


def _on_host(tensor: Tensor) -> NDArray[Any]:
    return tensor.device.to_host(tensor.data)


def _write(tensors: Iterable[Tensor], vector: NDArray[Any]) -> None:
    start = 0
    for t in tensors:
        part = vector[start : start + t.size].reshape(t.shape)
        t.data[...] = t.device.xp.asarray(part, dtype=t.dtype)
        start += t.size


@contextmanager
def _unchanged(tensors: Sequence[Tensor]) -> Iterator[None]:
    """What is written into the memory of the tensors within is undone at the end."""
    before = [t.data.copy() for t in tensors]
    try:
        yield
    finally:
        for t, values in zip(tensors, before, strict=True):
            t.data[...] = values


# -- directions --------------------------------------------------------------------------------


def _chosen(
    name: str,
    parameters: Mapping[str, Tensor],
    here: Floats,
    path: ParameterPath | None,
    generator: Generator | None,
) -> tuple[Floats, Floats, tuple[str, str]]:
    """Two directions, and what they are called."""
    if name == "path":
        return _main_directions(path, here)
    if name not in ("filter", "layer"):
        raise ArgumentError(
            f"loss_landscape: unknown directions {name!r}; use 'filter', 'layer', 'path', or a "
            "pair of your own"
        )
    draws = generator_or_default(generator)
    first, second = (_random(parameters, name, draws) for _ in range(2))
    return first, second, ("first random direction", "second random direction")


def _random(parameters: Mapping[str, Tensor], scaled: str, generator: Generator) -> Floats:
    parts = []
    for p in parameters.values():
        part = generator.normal(p.shape)
        if p.ndim < 2:
            parts.append(np.zeros(p.size))
            continue
        rows = part.reshape(len(part) if scaled == "filter" else 1, -1)
        norms = np.linalg.norm(_on_host(p).astype(np.float64).reshape(rows.shape), axis=1)
        parts.append((rows * (norms / np.linalg.norm(rows, axis=1))[:, None]).ravel())
    return np.concatenate(parts)


def _main_directions(
    path: ParameterPath | None, here: Floats
) -> tuple[Floats, Floats, tuple[str, str]]:
    """The first two principal components of the places of a path."""
    if path is None:
        raise ArgumentError(
            "loss_landscape: directions='path' needs the path; make one before the training, "
            "path = ParameterPath(model), and note a place after each epoch, path()"
        )
    places = _places(path, here)
    centred = places - places.mean(axis=0)
    _, sizes, components = np.linalg.svd(centred, full_matrices=False)
    if len(sizes) < 2 or sizes[1] <= 1e-12 * sizes[0]:
        raise ArgumentError(
            f"loss_landscape: the {len(places)} places of the path lie on one line, which makes "
            "no plane; note more of them, or use random directions"
        )
    shares = sizes**2 / (sizes**2).sum()
    first, second = (f"component {i} ({shares[i - 1]:.0%} of variance)" for i in (1, 2))
    return components[0], components[1], (first, second)


def _as_vector(direction: Direction, parameters: Mapping[str, Tensor]) -> Floats:
    """A direction that was given, as one vector; parameters that it does not name stay."""
    size = sum(p.size for p in parameters.values())
    if not isinstance(direction, Mapping):
        try:
            vector = np.asarray(direction, dtype=np.float64).ravel()
        except (TypeError, ValueError):
            raise ArgumentError(
                "loss_landscape: a direction is a dict of arrays by the parameters' paths, or one "
                f"array of all elements side by side, got {direction!r}"
            ) from None
        if vector.size != size:
            raise ShapeError(
                f"loss_landscape: a direction has {vector.size} elements, but the parameters have "
                f"{size} in all"
            )
        return vector
    if unknown := sorted(set(direction) - set(parameters)):
        raise ArgumentError(
            f"loss_landscape: a direction names {', '.join(unknown)}; the parameters are "
            f"{', '.join(parameters)}"
        )
    parts = []
    for name, p in parameters.items():
        given = direction.get(name, 0.0)
        part = _on_host(given) if isinstance(given, Tensor) else np.asarray(given)
        if name in direction and part.shape != p.shape:
            raise ShapeError(
                f"loss_landscape: the direction of '{name}' has shape {part.shape}, the parameter "
                f"{p.shape}; make them equal"
            )
        parts.append(np.broadcast_to(part, p.shape).ravel())
    return np.concatenate(parts).astype(np.float64)


def _check_plane(d1: Floats, d2: Floats) -> None:
    """Raise for two directions that span no plane."""
    if not (np.isfinite(d1).all() and np.isfinite(d2).all()):
        raise ArgumentError("loss_landscape: a direction holds NaN or infinity")
    norms = np.linalg.norm(d1), np.linalg.norm(d2)
    if not all(norms):
        raise ArgumentError(
            "loss_landscape: a direction is 0 throughout. Random ones are where all weights are 0 "
            "or have one axis only; give a pair of your own"
        )
    if abs(d1 @ d2) > (1 - 1e-12) * norms[0] * norms[1]:
        raise ArgumentError("loss_landscape: the two directions are parallel; give others")


# -- paths -------------------------------------------------------------------------------------


def _places(path: ParameterPath, here: Floats) -> Floats:
    places = np.array(path.places, dtype=np.float64)
    if places.shape[1] != here.size:
        raise ArgumentError(
            f"loss_landscape: the path is of a model with {places.shape[1]} parameters, this one "
            f"has {here.size}"
        )
    if not np.isfinite(places).all():
        raise ArgumentError(
            "loss_landscape: the path holds NaN or infinity, as the training ran away; leave those "
            "places out of path.places"
        )
    return places


def _on_plane(path: ParameterPath, here: Floats, d1: Floats, d2: Floats) -> tuple[Floats, float]:
    """Per place the (a, b) with here + a d1 + b d2 nearest to it; and the path's `off_plane`."""
    plane = np.stack([d1, d2], axis=1)
    away = (_places(path, here) - here).T
    nearest, *_ = np.linalg.lstsq(plane, away, rcond=None)
    farthest = int(np.linalg.norm(away, axis=0).argmax())
    distance = float(np.linalg.norm(away[:, farthest]))
    rest = float(np.linalg.norm((away - plane @ nearest)[:, farthest]))
    return np.asarray(nearest.T, dtype=np.float64), rest / distance if distance else 0.0


def _around(column: Floats) -> Range:
    """From where to where to go to show all of a path and its surroundings."""
    low, high = float(column.min()), float(column.max())
    margin = 0.25 * (high - low)
    return low - margin, high + margin
