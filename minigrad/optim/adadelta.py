"""Adadelta: Adagrad that forgets, with a step in the units of the parameter."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.optim.optimizer import Group, Optimizer


def adadelta(
    p: Array,
    g: Array,
    step: int,
    square: Array,
    moved: Array,
    *,
    lr: float = 1.0,
    rho: float = 0.9,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> tuple[Array, Array, Array]:
    """One update (Zeiler 2012, Algorithm 1): returns the new p, square and moved.

        g      <- g + weight_decay p
        square <- rho square + (1 - rho) g^2
        delta  <- sqrt(moved + eps) / sqrt(square + eps) g
        moved  <- rho moved + (1 - rho) delta^2
        p      <- p - lr delta

    The ratio of the roots turns the units of a gradient into those of a parameter; the paper
    needs no lr (1). The step count plays no part.
    """
    if maximize:
        g = -g
    if weight_decay:
        g = g + weight_decay * p
    square = rho * square + (1 - rho) * (g * g)
    delta = np.sqrt(moved + eps) / np.sqrt(square + eps) * g
    moved = rho * moved + (1 - rho) * (delta * delta)
    return p - lr * delta, square, moved


class Adadelta(Optimizer):
    """Adadelta, PyTorch's formulas and defaults (see `adadelta`).

    Arguments:
        params: parameters or groups.
        lr: scales the step; 1 in the paper.
        rho: decay of the averages of squares, in [0, 1].
        eps: added under both roots; also sets the size of the first steps.
        weight_decay: L2 penalty, added to the gradient.
        maximize: go up instead of down.

    Source: Zeiler 2012, "ADADELTA: An Adaptive Learning Rate Method".

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0], requires_grad=True)
    >>> opt = mg.optim.Adadelta([w], eps=1e-2, rho=0.75)
    >>> (w * 1000).sum().backward()
    >>> opt.step()
    >>> w  # sqrt(eps / (1 - rho)) = 0.2 further down
    tensor([0.8], requires_grad=True)
    """

    rule = staticmethod(adadelta)

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, dict(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize)
        )

    def initial_state(self, group: Group) -> dict[str, float | None]:
        return {"square_avg": 0.0, "acc_delta": 0.0}
