"""RAdam: Adam that waits with scaling its steps until it knows the scale."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.optim.optimizer import Group, Optimizer


def radam(
    p: Array,
    g: Array,
    step: int,
    m: Array,
    v: Array,
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> tuple[Array, Array, Array]:
    """One update (Liu et al. 2020, Algorithm 2): returns the new p, m and v.

        g <- g + weight_decay p                              decoupled: as in `adam`
        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g^2
        m_hat <- m / (1 - beta1^t)
        rho_inf = 2 / (1 - beta2) - 1
        rho <- rho_inf - 2 t beta2^t / (1 - beta2^t)         how many squares v averages, about
        p <- p - lr m_hat                                    while rho <= 5: v is not known yet
        p <- p - lr m_hat r sqrt(1 - beta2^t) / (sqrt(v) + eps)    afterwards

    with r^2 = (rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho), which rises to 1
    as the variance of 1 / sqrt(v) falls: a warm-up that needs no setting.
    """
    beta1, beta2 = betas
    if maximize:
        g = -g
    if weight_decay and decoupled_weight_decay:
        p = p * (1 - lr * weight_decay)
    elif weight_decay:
        g = g + weight_decay * p
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * (g * g)
    m_scale, v_scale = 1 - beta1**step, 1 - beta2**step
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * step * beta2**step / v_scale
    if rho <= 5:
        return p - (lr / m_scale) * m, m, v
    r = math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
    return p - (lr / m_scale * r * math.sqrt(v_scale)) * m / (np.sqrt(v) + eps), m, v


class RAdam(Optimizer):
    """Rectified Adam, PyTorch's formulas and defaults (see `radam`).

    Arguments:
        params: parameters or groups.
        lr: learning rate.
        betas: decay of the averages of the gradient and of its square.
        eps: added to the root, against division by 0.
        weight_decay: L2 penalty, added to the gradient.
        decoupled_weight_decay: shrink the parameters instead, as AdamW does.
        maximize: go up instead of down.

    Source: Liu et al. 2020, "On the Variance of the Adaptive Learning Rate and Beyond".

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0], requires_grad=True)
    >>> opt = mg.optim.RAdam([w], lr=0.1)
    >>> (w * 3).sum().backward()
    >>> opt.step()
    >>> w  # the first steps are plain gradient descent with momentum
    tensor([0.7], requires_grad=True)
    """

    rule = staticmethod(radam)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            dict(
                lr=lr, betas=betas, eps=eps, weight_decay=weight_decay,
                decoupled_weight_decay=decoupled_weight_decay, maximize=maximize,
            ),
        )  # fmt: skip

    def initial_state(self, group: Group) -> dict[str, float | None]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}
