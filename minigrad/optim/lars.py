"""LARS: each layer's step in proportion to the size of its weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.optim.optimizer import Group, Optimizer


def lars(
    p: Array,
    g: Array,
    step: int,
    velocity: Array,
    *,
    lr: float,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    trust_coefficient: float = 1e-3,
    maximize: bool = False,
) -> tuple[Array, Array]:
    """One update of one parameter (You et al. 2017, Algorithm 1): the new p and velocity.

        trust    <- trust_coefficient |p| / (|g| + weight_decay |p|)          Euclidean norms
        velocity <- momentum velocity + lr trust (g + weight_decay p)
        p        <- p - velocity

    Without momentum the update-to-weight ratio of a layer is at most lr trust_coefficient,
    however large or small its gradient. Where |p| or |g| is 0 (a bias that starts at 0), trust is
    1: otherwise the parameter could never leave 0. The step count plays no part.
    """
    if maximize:
        g = -g
    p_norm, g_norm = (np.sqrt((a * a).sum()) for a in (p, g))
    # no `if`: it would wait for the GPU
    usable = (p_norm > 0) & (g_norm > 0)
    shrunk = np.where(usable, g_norm + weight_decay * p_norm, 1)
    trust = np.where(usable, trust_coefficient * p_norm / shrunk, 1)
    velocity = momentum * velocity + lr * trust * (g + weight_decay * p)
    return p - velocity, velocity


class LARS(Optimizer):
    """Layer-wise adaptive rate scaling, for very large batches and very deep nets (see `lars`).

    Arguments:
        params: parameters or groups; usually biases and normalizations get SGD instead.
        lr: learning rate; because of the trust coefficient about 1000 times that of SGD.
        momentum: how much of the running direction is kept.
        weight_decay: L2 penalty, added to the gradient.
        trust_coefficient: how far a layer moves in relation to its size, for a lr of 1.
        maximize: go up instead of down.

    Source: You, Gitman & Ginsburg 2017, "Large Batch Training of Convolutional Networks".

    >>> import minigrad as mg
    >>> w = mg.tensor([3.0, 4.0], requires_grad=True)
    >>> opt = mg.optim.LARS([w], lr=1.0, trust_coefficient=0.1)
    >>> (w * mg.tensor([0.0, 1000.0])).sum().backward()
    >>> opt.step()
    >>> w  # by a tenth of its norm, which is 5
    tensor([3. , 3.5], requires_grad=True)
    """

    rule = staticmethod(lars)
    whole_parameters = True

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust_coefficient: float = 1e-3,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            dict(
                lr=lr, momentum=momentum, weight_decay=weight_decay,
                trust_coefficient=trust_coefficient, maximize=maximize,
            ),
        )  # fmt: skip

    def initial_state(self, group: Group) -> dict[str, float | None]:
        return {"momentum_buffer": 0.0}
