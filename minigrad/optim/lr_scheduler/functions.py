"""Schedules given by a function of the step."""

from __future__ import annotations

from collections.abc import Callable

from minigrad.errors import DtypeError
from minigrad.optim.lr_scheduler.base import LRScheduler, per_group
from minigrad.optim.optimizer import Optimizer

Factor = Callable[[int], float]


class _Functions(LRScheduler):
    """One function per group."""

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Factor | list[Factor], last_epoch: int = -1
    ) -> None:
        optimizer = self._checked(optimizer)
        self.lr_lambdas: list[Factor] = per_group(self._name, "lr_lambda", lr_lambda, optimizer)
        for function in self.lr_lambdas:
            if not callable(function):
                raise DtypeError(
                    f"{self._name}: lr_lambda must be a function of the step, got "
                    f"{type(function).__name__}"
                )
        super().__init__(optimizer, last_epoch)


class LambdaLR(_Functions):
    """The base rate times a function of the step: lr_t = base_lr f(t).

    Arguments:
        optimizer, last_epoch: see `LRScheduler`.
        lr_lambda: f, or a list of one per group. Saving leaves it out.

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=1.0)
    >>> mg.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (1 + t)).preview(3)
    [[1.0], [0.5], [0.3333333333333333], [0.25]]
    """

    def get_lr(self) -> list[float]:
        factors = [function(self.last_epoch) for function in self.lr_lambdas]
        return [base * factor for base, factor in zip(self.base_lrs, factors, strict=True)]


class MultiplicativeLR(_Functions):
    """The present rate times a function of the step: lr_t = lr_(t-1) f(t).

    Arguments:
        optimizer, last_epoch: see `LRScheduler`.
        lr_lambda: f, or a list of one per group. Saving leaves it out.

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=8.0)
    >>> mg.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda t: 0.5).preview(3)
    [[8.0], [4.0], [2.0], [1.0]]
    """

    def get_lr(self) -> list[float]:
        if self._is_initial:
            return self._rates()
        factors = [function(self.last_epoch) for function in self.lr_lambdas]
        return [lr * factor for lr, factor in zip(self._rates(), factors, strict=True)]
