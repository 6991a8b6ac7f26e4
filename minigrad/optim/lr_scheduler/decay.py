"""Schedules that let the rate fall, or at first rise: by steps, a line, a power.

Each says its rate twice. `closed_form_lr` is the formula; `get_lr` is the same as a factor on the
present rate, so that schedules chain.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable

from minigrad.optim.lr_scheduler.base import LRScheduler, check_fraction, check_positive
from minigrad.optim.optimizer import Optimizer


class StepLR(LRScheduler):
    """Times gamma every step_size steps: lr_t = base_lr gamma^floor(t / step_size).

    Arguments:
        optimizer, last_epoch: see `LRScheduler`.
        step_size: how many steps a rate holds.
        gamma: the factor.

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=1.0)
    >>> mg.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5).preview(4)
    [[1.0], [1.0], [0.5], [0.5], [0.25]]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        check_positive("StepLR", step_size=step_size)
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def closed_form_lr(self) -> list[float]:
        return [b * self.gamma ** (self.last_epoch // self.step_size) for b in self.base_lrs]

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return self._rates()
        return [lr * self.gamma for lr in self._rates()]


class MultiStepLR(LRScheduler):
    """Times gamma at each milestone: lr_t = base_lr gamma^(number of milestones <= t).

    Arguments:
        optimizer, last_epoch: see `LRScheduler`.
        milestones: steps; one that occurs twice counts twice.
        gamma: the factor.

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=1.0)
    >>> mg.optim.lr_scheduler.MultiStepLR(optimizer, [1, 3], gamma=0.5).preview(3)
    [[1.0], [0.5], [0.5], [0.25]]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def closed_form_lr(self) -> list[float]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [base * self.gamma**passed for base in self.base_lrs]

    def get_lr(self) -> list[float]:
        if self.last_epoch not in self.milestones:
            return self._rates()
        factor = self.gamma ** self.milestones[self.last_epoch]
        return [lr * factor for lr in self._rates()]


class ConstantLR(LRScheduler):
    """A smaller rate for the first steps: lr_t = base_lr factor for t < total_iters, then base_lr.

    Arguments:
        optimizer, last_epoch: see `LRScheduler`.
        factor: in (0, 1].
        total_iters: how many steps are smaller.

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=1.0)
    >>> mg.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2).preview(3)
    [[0.5], [0.5], [1.0], [1.0]]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        check_fraction("ConstantLR", factor=factor)
        check_positive("ConstantLR", factor=factor)  # a rate of 0 could not be scaled back
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def closed_form_lr(self) -> list[float]:
        over = self.last_epoch >= self.total_iters
        return [base * (self.factor + over * (1 - self.factor)) for base in self.base_lrs]

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return [lr * self.factor for lr in self._rates()]
        if self.last_epoch != self.total_iters:
            return self._rates()
        return [lr * (1.0 / self.factor) for lr in self._rates()]


class LinearLR(LRScheduler):
    """Along a line from one factor to another; the usual warm-up.

    lr_t = base_lr (start_factor + (end_factor - start_factor) min(t / total_iters, 1))

    Arguments:
        optimizer, last_epoch: see `LRScheduler`.
        start_factor: in (0, 1].
        end_factor: in [0, 1].
        total_iters: how many steps the line takes.

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=1.0)
    >>> mg.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.25, total_iters=3).preview(4)
    [[0.25], [0.5], [0.75], [1.0], [1.0]]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        check_fraction("LinearLR", start_factor=start_factor, end_factor=end_factor)
        check_positive("LinearLR", start_factor=start_factor, total_iters=total_iters)
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def closed_form_lr(self) -> list[float]:
        rise = self.end_factor - self.start_factor
        t = min(self.total_iters, self.last_epoch)
        return [b * (self.start_factor + rise * t / self.total_iters) for b in self.base_lrs]

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in self._rates()]
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._rates()
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return [lr * (1.0 + rise / before) for lr in self._rates()]


class ExponentialLR(LRScheduler):
    """Times gamma at every step: lr_t = base_lr gamma^t.

    Arguments:
        optimizer, last_epoch: see `LRScheduler`.
        gamma: the factor.

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=1.0)
    >>> mg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5).preview(3)
    [[1.0], [0.5], [0.25], [0.125]]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def closed_form_lr(self) -> list[float]:
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]

    def get_lr(self) -> list[float]:
        return self._rates() if self._is_initial else [lr * self.gamma for lr in self._rates()]


class PolynomialLR(LRScheduler):
    """Down to 0 along a power: lr_t = base_lr (1 - min(t / total_iters, 1))^power.

    Arguments:
        optimizer, last_epoch: see `LRScheduler`.
        total_iters: when the rate reaches 0.
        power: 1 is a line, 2 a parabola.

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=1.0)
    >>> mg.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=4, power=2).preview(4)
    [[1.0], [0.5625], [0.25], [0.0625], [0.0]]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        check_positive("PolynomialLR", total_iters=total_iters)
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def closed_form_lr(self) -> list[float]:
        t = min(self.total_iters, self.last_epoch)
        return [base * (1.0 - t / self.total_iters) ** self.power for base in self.base_lrs]

    def get_lr(self) -> list[float]:
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._rates()
        left = 1.0 - self.last_epoch / self.total_iters
        left_before = 1.0 - (self.last_epoch - 1) / self.total_iters
        return [lr * (left / left_before) ** self.power for lr in self._rates()]
