"""Schedules that go up and down: triangles, again and again."""

from __future__ import annotations

import math
from collections.abc import Callable

from minigrad.errors import ArgumentError
from minigrad.optim.lr_scheduler.base import LRScheduler, check_positive, per_group
from minigrad.optim.lr_scheduler.momentum import prepare_momentum, set_momentum
from minigrad.optim.optimizer import Optimizer


class CyclicLR(LRScheduler):
    """Triangles between base_lr and max_lr, whose height may shrink.

        lr = base_lr + (max_lr - base_lr) up scale        up: 0 to 1 to 0 along a cycle
        momentum = max_momentum - (max_momentum - base_momentum) up scale

    scale is 1 ("triangular"), 1 / 2^(cycle - 1) ("triangular2") or gamma^t ("exp_range").

    Arguments:
        optimizer, last_epoch: see `LRScheduler`.
        base_lr, max_lr: the rates at the feet and the peak; or lists, one per group.
        step_size_up, step_size_down: steps of the way up, and down (by default as many).
        mode: see above.
        gamma: for "exp_range".
        scale_fn: gives scale instead of `mode`: a function of the number of the cycle (from 1),
            or of t if `scale_mode` is "iterations".
        scale_mode: "cycle" or "iterations".
        cycle_momentum: let momentum (or beta1) go down while the rate goes up.
        base_momentum, max_momentum: its range; or lists, one per group.

    Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks".

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)])
    >>> scheduler = mg.optim.lr_scheduler.CyclicLR(
    ...     optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2, cycle_momentum=False
    ... )
    >>> scheduler.preview(5)
    [[0.0], [0.5], [1.0], [0.5], [0.0], [0.5]]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        optimizer = self._checked(optimizer)
        step_size_down = step_size_up if step_size_down is None else step_size_down
        check_positive("CyclicLR", step_size_up=step_size_up, step_size_down=step_size_down)
        modes = ("triangular", "triangular2", "exp_range")
        if scale_fn is None and mode not in modes:
            raise ArgumentError(f"CyclicLR: unknown mode {mode!r}; valid: {', '.join(modes)}")
        if scale_mode not in ("cycle", "iterations"):
            raise ArgumentError(
                f"CyclicLR: unknown scale_mode {scale_mode!r}; valid: cycle, iterations"
            )
        base_lrs = per_group("CyclicLR", "base_lr", base_lr, optimizer)
        self.max_lrs = per_group("CyclicLR", "max_lr", max_lr, optimizer)
        self.total_size = float(step_size_up + step_size_down)
        self.step_ratio = step_size_up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        if scale_fn is None:
            scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.scale_mode = scale_mode
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            lows = per_group("CyclicLR", "base_momentum", base_momentum, optimizer)
            highs = per_group("CyclicLR", "max_momentum", max_momentum, optimizer)
            self.base_momentums, self.max_momentums = lows, highs
            prepare_momentum("CyclicLR", optimizer, lows, highs, last_epoch)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                group["lr"] = lr
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The height of a triangle; x is the number of the cycle, or t (see `scale_mode`)."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return float(1 / 2.0 ** (x - 1) if self.mode == "triangular2" else self.gamma**x)

    def get_lr(self) -> list[float]:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        up = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            ranges = zip(self.base_momentums, self.max_momentums, strict=True)
            for group, (low, high) in zip(self.optimizer.param_groups, ranges, strict=True):
                set_momentum(group, high - (high - low) * up * scale)
        ranges = zip(self.base_lrs, self.max_lrs, strict=True)
        return [low + (high - low) * up * scale for low, high in ranges]

    def steps_ahead(self) -> int:
        return int(3 * self.total_size)
