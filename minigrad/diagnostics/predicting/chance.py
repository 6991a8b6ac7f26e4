"""How far a single network of finite width may lie from its prediction.

The mean square q of a layer is a mean over its units, so at n units chance moves it by a share of
about sqrt((E[phi^4] / E[phi^2]^2 - 1) / n). From there on it goes through the same layers as q
itself: where the variance map returns to its fixed point it dies away, and where that is unstable,
as for GELU with He's initialization, it grows in every layer; chi then is that of another q.

How one deviation goes on is seen in a second walk, in which the first layer's q is a thousandth
larger: every layer's log q then differs by D_l, and the log of the gradient's growth from the last
hidden layer down to l by G_l. One that begins in layer j has, at the first layer, G_j / D_j times
its size. As they are independent, their squares add up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minigrad.diagnostics.predicting.walk import Row

NUDGE = 1e-3

# Per layer. Below, single networks of usual widths lie off anyway.
_NOTED = 0.03

# What is left of the nudge where it is less is rounding.
_FORGOTTEN = 1e-6


class Chance(NamedTuple):
    """What chance does.

    Attributes:
        per_layer: standard deviation of the log of dL/dz's factor per layer.
        growth: by which factor a deviation of q changes from one layer to the next, in the mean.
    """

    per_layer: float
    growth: float


def of_width(rows: Sequence[Row], nudged: Sequence[Row]) -> Chance:
    """How chance moves the factor per layer, to first order in 1/width.

    Arguments:
        rows: of a walk through a network without residual blocks.
        nudged: of the walk with the first layer's mean square larger by a share of `NUDGE`.

    Returns:
        0 and 1 where there is nothing to move: below three layers, or without a signal or a
        gradient somewhere.
    """
    squares, gradients = (
        np.array([[getattr(row, name) for row in each[:-1]] for each in (rows, nudged)])
        for name in ("square", "dz_log")
    )
    usable = np.isfinite(squares) & (squares > 0) & np.isfinite(gradients)
    if len(rows) < 3 or not usable.all():
        return Chance(0.0, 1.0)
    size = math.log1p(NUDGE)
    of_signal = np.diff(np.log(squares), axis=0)[0] / size
    of_gradient = np.diff(gradients - gradients[:, -1:], axis=0)[0] / (2 * size)
    seen = np.abs(of_signal) > _FORGOTTEN
    reach = np.where(seen, of_gradient, 0.0) / np.where(seen, of_signal, 1.0)
    begun = np.array([row.chance for row in rows[:-1]])
    steps = len(rows) - 2
    return Chance(
        math.sqrt(float(begun @ reach**2)) / steps, float(abs(of_signal[-1])) ** (1 / steps)
    )


def note(chance: Chance) -> str:
    """What a reader should know of it; "" for nothing.

    >>> note(Chance(0.06, 1.12))[:62]
    'chance moves the mean square of z at these widths, and such a '
    >>> note(Chance(0.004, 0.9))
    ''
    """
    if chance.per_layer < _NOTED:
        return ""
    grows = chance.growth > 1.01
    return (
        "chance moves the mean square of z at these widths"
        + (f", and such a deviation grows by {chance.growth - 1:.0%} per layer" if grows else "")
        + f": expect dL/dz of a single network to lie about {chance.per_layer:.0%} per layer off"
    )
