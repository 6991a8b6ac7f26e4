"""A schedule that listens: the rate falls when the loss no longer does."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from minigrad.errors import ArgumentError
from minigrad.optim.lr_scheduler.base import LRScheduler, check_fraction, draw, per_group
from minigrad.optim.optimizer import Optimizer

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ReduceLROnPlateau(LRScheduler):
    """Times factor, once a metric has not become better for more than `patience` steps.

    Arguments:
        optimizer: whose groups' `lr` it sets.
        mode: "min" if a smaller metric is better (a loss), "max" if a larger one is.
        factor: in [0, 1).
        patience: how many steps without a better metric are let pass.
        threshold: by how much a metric must beat the best one to count as better.
        threshold_mode: "rel": by that fraction of the best one; "abs": by that much.
        cooldown: how many steps after a reduction are not counted.
        min_lr: never below this; or a list, one per group.
        eps: a change smaller than this is not made.

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = mg.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in [3.0, 2.0, 2.0, 2.0]:
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.optimizer = self._checked(optimizer)
        check_fraction("ReduceLROnPlateau", factor=factor)
        if factor == 1:
            raise ArgumentError("ReduceLROnPlateau: factor must be below 1")
        if mode not in ("min", "max"):
            raise ArgumentError(f"ReduceLROnPlateau: unknown mode {mode!r}; valid: min, max")
        if threshold_mode not in ("rel", "abs"):
            raise ArgumentError(
                f"ReduceLROnPlateau: unknown threshold_mode {threshold_mode!r}; valid: rel, abs"
            )
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.min_lrs = per_group("ReduceLROnPlateau", "min_lr", min_lr, optimizer)
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.eps = eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        self.last_epoch = 0
        self._last_lr = self._rates()

    def step(self, metrics: Any) -> None:  # type: ignore[override]
        """Take note of the metric of one more step, and lower the rates if it is time."""
        current = float(metrics)
        self.last_epoch += 1
        if self._is_better(current):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = self._rates()

    def _is_better(self, current: float) -> bool:
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "rel":
            bar = self.best * (1.0 + sign * self.threshold)
        else:
            bar = self.best + sign * self.threshold
        return current > bar if self.mode == "max" else current < bar

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if self.default_min_lr is not None:  # holds also for groups that came later
            self.min_lrs = [self.default_min_lr] * len(groups)
        lows = per_group("ReduceLROnPlateau", "min_lr", self.min_lrs, self.optimizer)
        for group, low in zip(groups, lows, strict=True):
            new = max(group["lr"] * self.factor, low)
            if group["lr"] - new > self.eps:
                group["lr"] = new

    def preview(self, steps: Any = None, *, metrics: Iterable[float] = ()) -> list[list[float]]:
        """The rates of the present step and after each of the given metrics."""
        metrics = list(metrics)
        if not metrics:
            raise ArgumentError(
                "ReduceLROnPlateau: its rates depend on a metric; say which, as metrics=[...]"
            )
        twin = self._twin()
        rates = [twin._rates()]
        for metric in metrics[:steps]:
            twin.step(metric)
            rates.append(twin.get_last_lr())
        return rates

    def plot(
        self, ax: Axes | None = None, steps: int | None = None, *, metrics: Iterable[float] = ()
    ) -> Axes:
        """Draw the rates that the given metrics would lead to; nothing moves on."""
        return draw(self.preview(steps, metrics=metrics), self.last_epoch, ax)
