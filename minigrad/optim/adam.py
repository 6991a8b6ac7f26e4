"""Adam: a step per element, scaled by running averages of the gradient and of its square."""

from __future__ import annotations

import math
from typing import Any

from minigrad.backend import Array
from minigrad.optim.optimizer import Group, Optimizer, check_not_negative, checked_betas


def adam(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    step: int,
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> tuple[Array, Array, Array]:
    """One update (Kingma & Ba 2015, Algorithm 1): returns the new parameter, m and v.

        m <- beta1 m + (1 - beta1) g            running average of the gradient
        v <- beta2 v + (1 - beta2) g^2          and of its square
        p <- p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    The two divisions by 1 - beta^t make up for starting the averages at 0.
    """
    beta1, beta2 = betas
    if maximize:
        g = -g
    if weight_decay:
        g = g + weight_decay * p
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * (g * g)
    m_scale, v_scale = 1 - beta1**step, 1 - beta2**step
    return p - (lr / m_scale) * m / (v**0.5 / math.sqrt(v_scale) + eps), m, v


class Adam(Optimizer):
    """Adam, PyTorch's formulas and defaults (see `adam`).

    Arguments:
        params: parameters or groups.
        lr: learning rate; about how far an element moves in the first step.
        betas: decay of the averages of the gradient and of its square.
        eps: added to the root, against division by 0.
        weight_decay: L2 penalty, added to the gradient (decoupled decay is AdamW).
        maximize: go up instead of down.

    Source: Kingma & Ba 2015, Algorithm 1.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0], requires_grad=True)
    >>> opt = mg.optim.Adam([w], lr=0.1)
    >>> (w * 1000).sum().backward()
    >>> opt.step()
    >>> w
    tensor([0.9], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        check_not_negative("Adam", lr=lr, eps=eps, weight_decay=weight_decay)
        super().__init__(
            params,
            dict(
                lr=lr, betas=checked_betas("Adam", betas), eps=eps, weight_decay=weight_decay,
                maximize=maximize,
            ),
        )  # fmt: skip

    def state_names(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def rule(
        self, values: Array, grad: Array, state: tuple[Array, ...], step: int, group: Group
    ) -> tuple[Array, tuple[Array, ...]]:
        settings = {name: group[name] for name in self.defaults}
        m, v = state
        values, m, v = adam(values, grad, m, v, step, **settings)
        return values, (m, v)
