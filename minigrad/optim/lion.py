"""Lion: the sign of a momentum, one array of state instead of Adam's two."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.optim.optimizer import Group, Optimizer


def lion(
    p: Array,
    g: Array,
    step: int,
    m: Array,
    *,
    lr: float = 1e-4,
    betas: tuple[float, float] = (0.9, 0.99),
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> tuple[Array, Array]:
    """One update (Chen et al. 2023, Algorithm 2): returns the new p and m.

        p <- p - lr (sign(beta1 m + (1 - beta1) g) + weight_decay p)
        m <- beta2 m + (1 - beta2) g

    Every element moves by exactly lr; the step count plays no part. Steps are larger than
    Adam's: take a lr 3 to 10 times smaller, and a weight_decay as many times larger.
    """
    beta1, beta2 = betas
    if maximize:
        g = -g
    direction = np.sign(beta1 * m + (1 - beta1) * g)
    return p - lr * (direction + weight_decay * p), beta2 * m + (1 - beta2) * g


class Lion(Optimizer):
    """Lion, with the paper's defaults (see `lion`).

    Arguments:
        params: parameters or groups.
        lr: learning rate; how far every element moves in every step.
        betas: weight of the momentum in the step, and its decay.
        weight_decay: decoupled: shrinks the parameters by lr * weight_decay.
        maximize: go up instead of down.

    Source: Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms".

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0, 1.0], requires_grad=True)
    >>> opt = mg.optim.Lion([w], lr=0.1)
    >>> (w * mg.tensor([1000.0, -0.001])).sum().backward()
    >>> opt.step()
    >>> w
    tensor([0.9, 1.1], requires_grad=True)
    """

    rule = staticmethod(lion)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, dict(lr=lr, betas=betas, weight_decay=weight_decay, maximize=maximize)
        )

    def initial_state(self, group: Group) -> dict[str, float | None]:
        return {"exp_avg": 0.0}
