"""What the transforms share: the list of parameters they are given, norms, writing in place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.errors import ArgumentError, DtypeError
from minigrad.tensor import Tensor


def tensors_in(name: str, given: Any) -> list[Tensor]:
    """The Tensors, one or several or none, that the function `name` was given, as a list.

    Raises:
        DtypeError: something that is no Tensor.
    """
    if isinstance(given, Tensor):
        return [given]
    if not isinstance(given, Iterable):
        raise DtypeError(
            f"{name}: takes Tensors, got {type(given).__name__}; pass model.parameters()"
        )
    found = list(given)
    for t in found:
        if not isinstance(t, Tensor):
            cure = 'group["params"]' if isinstance(t, dict) else "model.parameters()"
            raise DtypeError(f"{name}: takes Tensors, got {type(t).__name__}; pass {cure}")
    return found


def listed(name: str, parameters: Any) -> list[Tensor]:
    """The parameters, at least one, that the function `name` was given.

    Raises:
        DtypeError: something that is no Tensor.
        ArgumentError: there are none.
    """
    found = tensors_in(name, parameters)
    if not found:
        raise ArgumentError(
            f"{name}: no parameters. A generator is used up after one pass: call "
            "model.parameters() anew, or keep list(model.parameters())"
        )
    return found


def gradients(name: str, parameters: Any) -> list[Tensor]:
    """The gradients of the parameters that have one (and any elements)."""
    found = [p.grad for p in listed(name, parameters)]
    return [g for g in found if g is not None and g.size]


def check_positive(name: str, **settings: float) -> None:
    """Raise an ArgumentError for a setting that is not above 0."""
    for setting, value in settings.items():
        if not value > 0:
            raise ArgumentError(f"{name}: {setting} must be positive, got {value}")


def check_not_negative(name: str, **settings: float) -> None:
    """Raise an ArgumentError for a setting below 0."""
    for setting, value in settings.items():
        if not value >= 0:
            raise ArgumentError(f"{name}: {setting} must not be negative, got {value}")


def total_norm(name: str, tensors: Sequence[Tensor], p: float) -> float:
    """The p-norm of all elements of all tensors, as of one long vector; 0 if there are none."""
    if not tensors:
        return 0.0
    devices = {t.device.name for t in tensors}
    if len(devices) > 1:
        raise ArgumentError(
            f"{name}: the tensors lie on {' and '.join(sorted(devices))}; move the model to one "
            'device, e.g. model.to("cpu")'
        )
    xp = tensors[0].device.xp
    flat = xp.concatenate([t._data for t in tensors], axis=None).astype(np.float64)
    if p == 2:
        with np.errstate(over="ignore", invalid="ignore"):
            squares = float(flat.dot(flat))
        if 1e-200 < squares < 1e300:  # nearly always; beyond, numbers may have under- or overflown
            return math.sqrt(squares)
    return float(_row_norms(flat.reshape(1, -1), p, xp)[0, 0])


def unit_norms(t: Tensor, p: float = 2.0) -> Array:
    """One p-norm per unit, shaped to be divided by.

    Row i of a weight (out_features, in_features) is what comes into unit i; with more axes, all
    that `t[i]` holds. A tensor with fewer axes, such as a bias, counts as one unit.
    """
    units = t.shape[0] if t.ndim > 1 else 1
    rows = t._data.reshape(units, t.size // units)
    shape = (units, *[1] * (t.ndim - 1))[: t.ndim]
    return _row_norms(rows, p, t.device.xp).reshape(shape)


def _row_norms(rows: Array, p: float, xp: Any) -> Array:
    # In float64, as the norm of float32 numbers may be larger than float32 can hold.
    size = xp.abs(rows.astype(np.float64))
    largest = size.max(axis=1, keepdims=True)
    if p == math.inf:
        return largest
    # The largest element becomes 1, so that its power neither underflows nor overflows.
    unit = xp.where((largest == 0) | ~xp.isfinite(largest), 1.0, largest)
    return unit * ((size / unit) ** p).sum(axis=1, keepdims=True) ** (1 / p)


def write(t: Tensor, values: Array) -> None:
    """Put values into the tensor's own memory, rounded to its dtype; outside of any graph."""
    t._data[...] = values
    t.mark_written()


def scale(t: Tensor, factor: float | Array) -> None:
    """Multiply in place; 0 * inf is NaN, without a warning."""
    # A float64 factor: one that shrinks huge gradients may be smaller than float32 can hold.
    factor = t.device.xp.asarray(factor, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        write(t, t._data * factor)
