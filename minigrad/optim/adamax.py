"""Adamax: Adam with the largest recent gradient in place of the root of the mean square."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.optim.optimizer import Group, Optimizer


def adamax(
    p: Array,
    g: Array,
    step: int,
    m: Array,
    u: Array,
    *,
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> tuple[Array, Array, Array]:
    """One update (Kingma & Ba 2015, Algorithm 2): returns the new p, m and u.

    g <- g + weight_decay p
    m <- beta1 m + (1 - beta1) g
    u <- max(beta2 u, |g| + eps)                the largest gradient, slowly forgotten
    p <- p - lr / (1 - beta1^t) m / u
    """
    beta1, beta2 = betas
    if maximize:
        g = -g
    if weight_decay:
        g = g + weight_decay * p
    m = beta1 * m + (1 - beta1) * g
    u = np.maximum(beta2 * u, np.abs(g) + eps)
    return p - (lr / (1 - beta1**step)) * m / u, m, u


class Adamax(Optimizer):
    """Adamax, PyTorch's formulas and defaults (see `adamax`).

    Arguments:
        params: parameters or groups.
        lr: learning rate; no element moves by more than about this in a step.
        betas: decay of the average of the gradient and of its largest size.
        eps: added to the gradient's size, against division by 0.
        weight_decay: L2 penalty, added to the gradient.
        maximize: go up instead of down.

    Source: Kingma & Ba 2015, Algorithm 2.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0], requires_grad=True)
    >>> opt = mg.optim.Adamax([w], lr=0.1)
    >>> (w * 1000).sum().backward()
    >>> opt.step()
    >>> w
    tensor([0.9], requires_grad=True)
    """

    rule = staticmethod(adamax)

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize),
        )

    def initial_state(self, group: Group) -> dict[str, float | None]:
        return {"exp_avg": 0.0, "exp_inf": 0.0}
