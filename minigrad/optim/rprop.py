"""Rprop: steps from the signs of the gradient alone, each element with its own step size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.errors import ArgumentError
from minigrad.optim.optimizer import Group, Optimizer


def rprop(
    p: Array,
    g: Array,
    step: int,
    previous: Array,
    size: Array,
    *,
    lr: float = 1e-2,
    etas: tuple[float, float] = (0.5, 1.2),
    step_sizes: tuple[float, float] = (1e-6, 50.0),
    maximize: bool = False,
) -> tuple[Array, Array, Array]:
    """One update: returns the new p, the gradient to compare the next one with, and step sizes.

        size <- 1.2 size    where g has the sign of the previous g, at most step_sizes[1]
        size <- 0.5 size    where it has the other sign, at least step_sizes[0]; there g <- 0
        p    <- p - sign(g) size

    An element that stepped over a minimum thus waits for one step. `lr` is what the sizes start
    from; neither it nor the step count plays a part in later steps.
    """
    shrink, grow = etas
    if maximize:
        g = -g
    agreement = g * previous
    size = np.where(agreement > 0, grow * size, np.where(agreement < 0, shrink * size, size))
    size = np.clip(size, *step_sizes)
    g = np.where(agreement < 0, 0.0, g)
    return p - np.sign(g) * size, g, size


class Rprop(Optimizer):
    """Resilient backpropagation, PyTorch's formulas and defaults (see `rprop`).

    For gradients of the whole data set: with mini-batches, noise flips the signs.

    Arguments:
        params: parameters or groups.
        lr: the step size of every element at first.
        etas: by how much a step size shrinks and grows.
        step_sizes: the smallest and the largest step size.
        maximize: go up instead of down.

    Source: Riedmiller & Braun 1993, in the form of Igel & Huesken 2000 (iRprop-).

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0, 1.0], requires_grad=True)
    >>> opt = mg.optim.Rprop([w], lr=0.1)
    >>> (w * mg.tensor([1000.0, 0.001])).sum().backward()
    >>> opt.step()
    >>> opt.step()
    >>> w  # 0.1, then 1.2 times 0.1, whatever the size of the gradient
    tensor([0.78, 0.78], requires_grad=True)
    """

    rule = staticmethod(rprop)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, dict(lr=lr, etas=etas, step_sizes=step_sizes, maximize=maximize))

    def initial_state(self, group: Group) -> dict[str, float | None]:
        return {"prev": 0.0, "step_size": group["lr"]}

    def check(self, settings: Mapping[str, Any]) -> None:
        super().check(settings)
        shrink, grow = settings["etas"]
        if not 0 < shrink < 1 < grow:
            raise ArgumentError(
                f"Rprop: etas must be one number in (0, 1) and one above 1, got {settings['etas']}"
            )
        smallest, largest = settings["step_sizes"]
        if not 0 <= smallest <= largest:
            raise ArgumentError(
                "Rprop: step_sizes must be the smallest and the largest, "
                f"got {settings['step_sizes']}"
            )
