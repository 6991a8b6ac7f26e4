"""NAdam: Adam that looks ahead along its momentum, as Nesterov's method does."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.optim.optimizer import Group, Optimizer


def nadam(
    p: Array,
    g: Array,
    step: int,
    m: Array,
    v: Array,
    mu_product: float = 1.0,
    *,
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum_decay: float = 4e-3,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> tuple[Array, Array, Array, float]:
    """One update (Dozat 2016, Algorithm 2): returns the new p, m, v and product of the mus.

        mu_t <- beta1 (1 - 0.96^(t momentum_decay) / 2)      the momentum, growing with t
        g <- g + weight_decay p                              decoupled: as in `adam`
        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g^2
        ahead <-  (1 - mu_t) g / (1 - mu_1 ... mu_t)         this gradient, and the
                + mu_(t+1) m / (1 - mu_1 ... mu_(t+1))       momentum of the next step
        p <- p - lr ahead / (sqrt(v / (1 - beta2^t)) + eps)

    PyTorch averages m with beta1 where the paper has mu_t; so does this.
    """
    beta1, beta2 = betas
    if maximize:
        g = -g
    if weight_decay and decoupled_weight_decay:
        p = p * (1 - lr * weight_decay)
    elif weight_decay:
        g = g + weight_decay * p
    mu = beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay))
    mu_next = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * momentum_decay))
    mu_product = mu_product * mu
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * (g * g)
    ahead = (1 - mu) / (1 - mu_product) * g + mu_next / (1 - mu_product * mu_next) * m
    return p - lr * ahead / (np.sqrt(v / (1 - beta2**step)) + eps), m, v, mu_product


class NAdam(Optimizer):
    """Adam with Nesterov's momentum, PyTorch's formulas and defaults (see `nadam`).

    Arguments:
        params: parameters or groups.
        lr: learning rate.
        betas: decay of the averages of the gradient and of its square.
        eps: added to the root, against division by 0.
        weight_decay: L2 penalty, added to the gradient.
        momentum_decay: how fast the momentum grows from beta1 / 2 to beta1.
        decoupled_weight_decay: shrink the parameters instead, as AdamW does.
        maximize: go up instead of down.

    Source: Dozat 2016, "Incorporating Nesterov Momentum into Adam".

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0], requires_grad=True)
    >>> opt = mg.optim.NAdam([w], lr=0.1)
    >>> (w * 1000).sum().backward()
    >>> opt.step()
    >>> w  # a little more than lr, since it looks ahead
    tensor([0.8944], requires_grad=True)
    """

    rule = staticmethod(nadam)
    numbers = ("mu_product",)

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            dict(
                lr=lr, betas=betas, eps=eps, weight_decay=weight_decay,
                momentum_decay=momentum_decay, decoupled_weight_decay=decoupled_weight_decay,
                maximize=maximize,
            ),
        )  # fmt: skip

    def initial_state(self, group: Group) -> dict[str, float | None]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0, "mu_product": 1.0}
