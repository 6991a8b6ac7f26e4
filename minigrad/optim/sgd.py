"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minigrad.backend import Array
from minigrad.errors import ArgumentError
from minigrad.optim.optimizer import Group, Optimizer


def sgd(
    p: Array,
    g: Array,
    step: int,
    buffer: Array = None,
    *,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> tuple[Array, Array]:
    """One update of p and the momentum buffer, in place; returns both.

    g      <- g + weight_decay p
    buffer <- momentum buffer + (1 - dampening) g        (at the first step: g)
    p      <- p - lr buffer                              (Nesterov: g + momentum buffer)
    """
    if maximize:
        g = -g
    if weight_decay:
        g = g + weight_decay * p
    if not momentum:
        p -= lr * g
        return p, buffer
    if step == 1:
        buffer = g.copy()  # g may lie in the memory of p
    else:
        buffer *= momentum
        buffer += (1 - dampening) * g
    direction = g + momentum * buffer if nesterov else buffer
    p -= lr * direction
    return p, buffer


class SGD(Optimizer):
    """Gradient descent with momentum, PyTorch's formulas and defaults (see `sgd`).

    Arguments:
        params: parameters or groups.
        lr: learning rate.
        momentum, dampening: how much of the running direction is kept, and left out.
        weight_decay: L2 penalty, added to the gradient.
        nesterov: look ahead along the momentum; needs momentum and no dampening.
        maximize: go up instead of down.

    Momentum that is switched on after the first step starts from a buffer of 0, where PyTorch's
    would start from the gradient; with dampening the two differ.

    Source: momentum: Polyak 1964; its Nesterov form: Sutskever et al. 2013.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0], requires_grad=True)
    >>> opt = mg.optim.SGD([w], lr=0.5)
    >>> (w * 3).sum().backward()
    >>> opt.step()
    >>> w
    tensor([-0.5], requires_grad=True)
    """

    rule = staticmethod(sgd)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            dict(
                lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
                nesterov=nesterov, maximize=maximize,
            ),
        )  # fmt: skip

    def initial_state(self, group: Group) -> dict[str, float | None]:
        return {"momentum_buffer": 0.0 if group["momentum"] else None}

    def check(self, settings: Mapping[str, Any]) -> None:
        super().check(settings)
        if settings["nesterov"] and (settings["momentum"] == 0 or settings["dampening"] != 0):
            raise ArgumentError("SGD: nesterov needs momentum > 0 and dampening = 0")
