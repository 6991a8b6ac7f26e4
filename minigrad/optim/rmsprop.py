"""RMSprop: the gradient divided by the running root of its mean square."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.optim.optimizer import Group, Optimizer


def rmsprop(
    p: Array,
    g: Array,
    step: int,
    square: Array,
    buffer: Array = None,
    mean: Array = None,
    *,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    centered: bool = False,
    maximize: bool = False,
) -> tuple[Array, Array, Array, Array]:
    """One update: returns the new p, square, buffer and mean.

        g      <- g + weight_decay p
        square <- alpha square + (1 - alpha) g^2
        mean   <- alpha mean + (1 - alpha) g                     (centered)
        scaled <- g / (sqrt(square) + eps)                       (centered: square - mean^2)
        buffer <- momentum buffer + scaled
        p      <- p - lr buffer                                  (without momentum: scaled)

    The step count plays no part: the average starts at 0 and nothing makes up for it, so that the
    first steps are longer than lr, by up to 1 / sqrt(1 - alpha).
    """
    if maximize:
        g = -g
    if weight_decay:
        g = g + weight_decay * p
    square = alpha * square + (1 - alpha) * (g * g)
    spread = square
    if centered:
        mean = alpha * mean + (1 - alpha) * g
        spread = np.maximum(square - mean * mean, 0)  # rounding may fall below 0
    scaled = g / (np.sqrt(spread) + eps)
    if not momentum:
        return p - lr * scaled, square, buffer, mean
    buffer = momentum * buffer + scaled
    return p - lr * buffer, square, buffer, mean


class RMSprop(Optimizer):
    """RMSprop, PyTorch's formulas and defaults (see `rmsprop`).

    Arguments:
        params: parameters or groups.
        lr: learning rate.
        alpha: decay of the averages, in [0, 1].
        eps: added to the root, against division by 0.
        weight_decay: L2 penalty, added to the gradient.
        momentum: how much of the running direction is kept.
        centered: divide by the standard deviation of the gradient instead.
        maximize: go up instead of down.

    Source: Tieleman & Hinton 2012, lecture 6e; centered, with momentum: Graves 2013, eqs. 38-45.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0], requires_grad=True)
    >>> opt = mg.optim.RMSprop([w], lr=0.1, alpha=0.75)
    >>> (w * 1000).sum().backward()
    >>> opt.step()
    >>> w  # lr / sqrt(1 - alpha) = 0.2 further down
    tensor([0.8], requires_grad=True)
    """

    rule = staticmethod(rmsprop)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            dict(
                lr=lr, momentum=momentum, alpha=alpha, eps=eps, centered=centered,
                weight_decay=weight_decay, maximize=maximize,
            ),
        )  # fmt: skip

    def initial_state(self, group: Group) -> dict[str, float | None]:
        return {
            "square_avg": 0.0,
            "momentum_buffer": 0.0 if group["momentum"] else None,
            "grad_avg": 0.0 if group["centered"] else None,
        }
