"""Adam: a step per element, scaled by running averages of the gradient and of its square."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.optim.optimizer import Group, Optimizer


def adam(
    p: Array,
    g: Array,
    step: int,
    m: Array,
    v: Array,
    v_max: Array = None,
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
) -> tuple[Array, Array, Array, Array]:
    """One update (Kingma & Ba 2015, Algorithm 1) of p, m, v and v_max, in place; returns them.

        g <- g + weight_decay p                 decoupled: p <- p - lr weight_decay p
        m <- beta1 m + (1 - beta1) g            running average of the gradient
        v <- beta2 v + (1 - beta2) g^2          and of its square
        p <- p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    The two divisions by 1 - beta^t make up for starting the averages at 0. AMSGrad (Reddi et al.
    2018) divides by the largest v so far, v_max, so that a rare large gradient is not forgotten.
    Decoupled decay (AdamW) is not scaled by the averages.
    """
    beta1, beta2 = betas
    if maximize:
        g = -g
    if weight_decay and decoupled_weight_decay:
        p *= 1 - lr * weight_decay
    elif weight_decay:
        g = g + weight_decay * p
    square = g * g  # first, since it may overflow: nothing is written yet
    square *= 1 - beta2
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += square
    if amsgrad:
        np.maximum(v_max, v, out=v_max)
    m_scale, v_scale = 1 - beta1**step, math.sqrt(1 - beta2**step)
    root = np.sqrt(v_max if amsgrad else v)  # / v_scale, but numbers cost less than arrays
    root += eps * v_scale
    change = np.divide(m, root, out=root)
    change *= lr / m_scale * v_scale
    p -= change
    return p, m, v, v_max


class Adam(Optimizer):
    """Adam, PyTorch's formulas and defaults (see `adam`).

    Arguments:
        params: parameters or groups.
        lr: learning rate; about how far an element moves in the first step.
        betas: decay of the averages of the gradient and of its square.
        eps: added to the root, against division by 0.
        weight_decay: L2 penalty, added to the gradient.
        amsgrad: divide by the largest average of the square so far.
        maximize: go up instead of down.
        decoupled_weight_decay: shrink the parameters by lr * weight_decay instead of adding the
            penalty to the gradient; that is AdamW.

    Source: Kingma & Ba 2015, Algorithm 1; AMSGrad: Reddi, Kale & Kumar 2018, Algorithm 2.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0], requires_grad=True)
    >>> opt = mg.optim.Adam([w], lr=0.1)
    >>> (w * 1000).sum().backward()
    >>> opt.step()
    >>> w
    tensor([0.9], requires_grad=True)
    """

    rule = staticmethod(adam)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(
            params,
            dict(
                lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
                maximize=maximize, decoupled_weight_decay=decoupled_weight_decay,
            ),
        )  # fmt: skip

    def initial_state(self, group: Group) -> dict[str, float | None]:
        largest = 0.0 if group["amsgrad"] else None
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0, "max_exp_avg_sq": largest}


class AdamW(Adam):
    """Adam with decoupled weight decay: each step shrinks the parameters by lr * weight_decay.

    In Adam the penalty's gradient is divided by the root like the rest, so that elements with
    large gradients decay least; here all decay alike. Arguments as for Adam.

    Source: Loshchilov & Hutter 2019, Algorithm 2; PyTorch's formulas and defaults.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0], requires_grad=True)
    >>> opt = mg.optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> w.grad = mg.zeros(1)
    >>> opt.step()
    >>> w
    tensor([0.95], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize,
            decoupled_weight_decay=True,
        )  # fmt: skip
