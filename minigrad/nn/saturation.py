"""Saturation: where an activation hardly passes on what the gradient brings, or nothing at all.

On the way back an activation multiplies the gradient by its slope phi'(z). It counts as saturated
where |phi'(z)| is at most a twentieth of the largest slope that it has anywhere: beyond |z| = 2.18
for tanh (|a| > 0.975), beyond |z| = 4.36 for sigmoid, from 0 down for ReLU. Where phi'(z) is 0 it
passes nothing: a unit of which that holds for every example is dead. That saturation drives a deep
network's gradient to 0 is the observation of Glorot & Bengio (2010), section 3; the twentieth is a
convention. All this is found from the activation itself, by running it forward and back.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minigrad.autograd import grad
from minigrad.nn.module import Module
from minigrad.tape import enable_grad
from minigrad.tensor import Tensor

if TYPE_CHECKING:
    from minigrad.nn.activations import Activation

THRESHOLD = 0.05  # of the largest slope

# Where slopes are looked at. Beyond, an activation is taken to go on as it does at the end.
_LIMIT, _STEPS_PER_UNIT = 64, 64

Interval = tuple[float, float]  # closed; an end may be infinite


class Flat(NamedTuple):
    """Where an activation is flat.

    Attributes:
        saturated: the intervals of z in which |phi'(z)| <= THRESHOLD * max |phi'|.
        dead: those in which phi'(z) is 0, to the precision of the dtype.
    """

    saturated: tuple[Interval, ...]
    dead: tuple[Interval, ...]


def flat_parts(activation: Activation, dtype: Any = np.float32) -> Flat | None:
    """Where an activation is saturated, and where dead.

    Arguments:
        activation: a module such as `nn.Tanh()`.
        dtype: the floating-point dtype it is run in. In float32 tanh is exactly 1 from 9 on.

    Returns:
        None for one whose shape is not fixed, since it learns its slopes (`nn.PReLU`).

    >>> from minigrad import nn
    >>> flat_parts(nn.ReLU6()).saturated
    ((-inf, 0.0), (6.0, inf))
    >>> flat_parts(nn.LeakyReLU(0.1))
    Flat(saturated=(), dead=())
    >>> (low, high), _ = flat_parts(nn.Tanh()).saturated
    >>> round(high, 3), round(float(np.tanh(high)), 3)
    (-2.178, -0.975)
    """
    if activation.state_dict():
        return None
    settings = tuple(
        (name, value if isinstance(value, int | float | str) else id(value))
        for name, value in vars(activation).items()
        if name not in _OF_EVERY_MODULE
    )
    kind: Any = type(activation)
    return _flat_parts(kind, settings, np.dtype(dtype), _Same(activation))


_OF_EVERY_MODULE = vars(Module()).keys()


class _Same:
    """An argument that a cache does not look at."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=256)
def _flat_parts(kind: type, settings: tuple[Any, ...], dtype: np.dtype, activation: _Same) -> Flat:
    def slope(z: np.ndarray) -> np.ndarray:
        x = Tensor(z, requires_grad=True)
        with enable_grad():
            # Not called as a module: hooks would see it.
            (found,) = grad(activation.value.forward(x).sum(), x)
        return abs(found.data)  # type: ignore[union-attr]

    count = _LIMIT * _STEPS_PER_UNIT
    z = (np.arange(-count, count + 1) / _STEPS_PER_UNIT).astype(dtype)
    slopes = slope(z)
    limit = THRESHOLD * slopes.max()
    return Flat(
        _intervals(lambda at: slope(at) <= limit, z),
        _intervals(lambda at: slope(at) == 0, z),
    )


def _intervals(holds: Any, z: np.ndarray) -> tuple[Interval, ...]:
    """The intervals in which a condition holds, from points close enough to see all of them."""
    held = holds(z)
    changes = (held[1:] != held[:-1]).nonzero()[0]
    left, right, left_held = z[changes], z[changes + 1], held[changes]
    while True:  # halve each gap until no number of the dtype lies in it
        middle = (left + right) / 2
        inside = (middle != left) & (middle != right)
        if not inside.any():
            break
        to_left = inside & (holds(middle) == left_held)
        to_right = inside & ~to_left
        left, right = np.where(to_left, middle, left), np.where(to_right, middle, right)
    edges = [float(e) for e in np.where(left_held, left, right)]
    if held[0]:
        edges.insert(0, -math.inf)
    if held[-1]:
        edges.append(math.inf)
    return tuple(zip(edges[::2], edges[1::2], strict=True))
