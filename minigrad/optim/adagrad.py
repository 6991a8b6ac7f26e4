"""Adagrad: a step per element, the smaller the more gradient the element has seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.optim.optimizer import Group, Optimizer


def adagrad(
    p: Array,
    g: Array,
    step: int,
    total: Array,
    *,
    lr: float = 1e-2,
    lr_decay: float = 0.0,
    weight_decay: float = 0.0,
    eps: float = 1e-10,
    maximize: bool = False,
) -> tuple[Array, Array]:
    """One update (Duchi, Hazan & Singer 2011, Figure 1): returns the new p and total.

    g     <- g + weight_decay p
    total <- total + g^2                                 of all steps; it never shrinks
    p     <- p - lr / (1 + (t - 1) lr_decay) g / (sqrt(total) + eps)
    """
    if maximize:
        g = -g
    if weight_decay:
        g = g + weight_decay * p
    total = total + g * g
    rate = lr / (1 + (step - 1) * lr_decay)
    return p - rate * g / (np.sqrt(total) + eps), total


class Adagrad(Optimizer):
    """Adagrad with diagonal scaling, PyTorch's formulas and defaults (see `adagrad`).

    Arguments:
        params: parameters or groups.
        lr: learning rate; how far an element moves in the first step.
        lr_decay: lets the rate fall as 1 / (1 + (t - 1) lr_decay), besides.
        weight_decay: L2 penalty, added to the gradient.
        initial_accumulator_value: where the sum of squares starts.
        eps: added to the root, against division by 0.
        maximize: go up instead of down.

    Source: Duchi, Hazan & Singer 2011.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0], requires_grad=True)
    >>> opt = mg.optim.Adagrad([w], lr=0.1)
    >>> (w * 1000).sum().backward()
    >>> opt.step()
    >>> w
    tensor([0.9], requires_grad=True)
    """

    rule = staticmethod(adagrad)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            dict(
                lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay,
                initial_accumulator_value=initial_accumulator_value, maximize=maximize,
            ),
        )  # fmt: skip

    def initial_state(self, group: Group) -> dict[str, float | None]:
        return {"sum": group["initial_accumulator_value"]}

    def settings(self, group: Group) -> dict[str, Any]:
        settings = super().settings(group)
        del settings["initial_accumulator_value"]  # only the first step needs it
        return settings
