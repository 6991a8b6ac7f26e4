"""Schedules made of schedules: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from minigrad.errors import ArgumentError, DtypeError
from minigrad.optim.lr_scheduler.base import LRScheduler
from minigrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from minigrad.optim.optimizer import Optimizer


class _Combined(LRScheduler):
    """Several schedules of one optimizer."""

    def __init__(self, optimizer: Any, schedulers: Sequence[LRScheduler]) -> None:
        if not schedulers:
            raise ArgumentError(f"{self._name}: no schedules; give at least one")
        for scheduler in schedulers:
            if not isinstance(scheduler, LRScheduler):
                raise DtypeError(
                    f"{self._name}: expected schedules, got {type(scheduler).__name__}"
                )
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ArgumentError(
                    f"{self._name}: ReduceLROnPlateau steps with a metric and cannot be combined; "
                    "step it by itself"
                )
            if scheduler.optimizer is not optimizer:
                raise ArgumentError(
                    f"{self._name}: the schedules must belong to one optimizer; "
                    f"a {type(scheduler).__name__} has another"
                )
        self.optimizer = self._checked(optimizer)
        self._schedulers = list(schedulers)
        self._step_count = 1
        self._steps_before = optimizer.steps_taken

    def _set_initial_rates(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"]

    def _restart(self) -> None:
        self._set_initial_rates()
        self._rewind()
        self._begin()


class SequentialLR(_Combined):
    """One schedule after the other: the next begins, from its step 0, at each milestone.

    To go on with a saved one, use `load_state_dict`.

    Arguments:
        optimizer: that of all schedules.
        schedulers: the schedules.
        milestones: the steps at which the second, third, ... begin; one fewer than schedules.

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=1.0)
    >>> warm_up = mg.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> decay = mg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> mg.optim.lr_scheduler.SequentialLR(optimizer, [warm_up, decay], [2]).preview(4)
    [[0.5], [0.75], [1.0], [0.5], [0.25]]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]
    ) -> None:
        super().__init__(optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ArgumentError(
                f"SequentialLR: {len(schedulers)} schedules need {len(schedulers) - 1} "
                f"milestones, got {len(milestones)}"
            )
        self._milestones = list(milestones)
        self._rewind()
        self._set_initial_rates()
        self._begin()

    @property
    def _active(self) -> int:
        return bisect_right(self._milestones, self.last_epoch)

    def _advance(self) -> None:
        self._step_count += 1
        self.last_epoch += 1
        i = self._active
        if i > 0 and self._milestones[i - 1] == self.last_epoch:
            self._schedulers[i]._restart()
        else:
            self._schedulers[i]._advance()
        self._last_lr = self._schedulers[i].get_last_lr()

    def _begin(self) -> None:
        self.last_epoch += 1
        self._schedulers[self._active]._begin()
        self._last_lr = self._schedulers[self._active].get_last_lr()

    def _rewind(self) -> None:
        super()._rewind()
        for scheduler in self._schedulers:
            scheduler._rewind()


class ChainedScheduler(_Combined):
    """All schedules at every step, one on top of the other: their factors multiply.

    Arguments:
        schedulers: the schedules, of one optimizer.
        optimizer: that optimizer; need not be given.

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=1.0)
    >>> warm_up = mg.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> decay = mg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> mg.optim.lr_scheduler.ChainedScheduler([warm_up, decay]).preview(3)
    [[0.5], [0.25], [0.25], [0.125]]
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        if optimizer is None and schedulers:
            optimizer = getattr(schedulers[0], "optimizer", None)
        super().__init__(optimizer, schedulers)
        self._last_lr = self._rates()

    @property
    def last_epoch(self) -> int:  # type: ignore[override]
        """The step that the first schedule is at."""
        return self._schedulers[0].last_epoch

    def _advance(self) -> None:
        self._step_count += 1
        for scheduler in self._schedulers:
            scheduler._advance()
        self._last_lr = self._rates()

    def _begin(self) -> None:
        for scheduler in self._schedulers:
            scheduler._begin()
        self._last_lr = self._rates()

    def _rewind(self) -> None:
        for scheduler in self._schedulers:
            scheduler._rewind()
