"""The one-cycle schedule: up to a large rate, then down to almost nothing."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.optim.lr_scheduler.base import (
    LRScheduler,
    check_fraction,
    check_positive,
    per_group,
)
from minigrad.optim.lr_scheduler.momentum import prepare_momentum, set_momentum
from minigrad.optim.optimizer import Group, Optimizer

_DOWN, _UP = ("max_momentum", "base_momentum"), ("base_momentum", "max_momentum")


def _phase(end: float, lr: tuple[str, str], momentum: tuple[str, str]) -> dict[str, Any]:
    """A stretch of the schedule; names are the keys of a group that hold its values."""
    return {
        "end_step": end,
        "start_lr": lr[0],
        "end_lr": lr[1],
        "start_momentum": momentum[0],
        "end_momentum": momentum[1],
    }


class OneCycleLR(LRScheduler):
    """From max_lr / div_factor up to max_lr, then down to that / (div_factor final_div_factor).

    Momentum goes the other way: max_momentum, base_momentum, max_momentum. Step the schedule after
    every batch.

    Arguments:
        optimizer, last_epoch: see `LRScheduler`.
        max_lr: the rate at the peak; or a list, one per group.
        total_steps: length; or give `epochs` and `steps_per_epoch`.
        pct_start: the fraction of the steps that goes up.
        anneal_strategy: "cos" (half waves) or "linear".
        cycle_momentum: cycle momentum (or beta1) too.
        base_momentum, max_momentum: its range; or lists, one per group.
        div_factor, final_div_factor: see above.
        three_phase: come down to the first rate in as many steps as up, and only then lower.

    Raises:
        ArgumentError: also at `step()`, once the steps are used up.

    Source: Smith & Topin 2018, "Super-Convergence".

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], momentum=0.9)
    >>> scheduler = mg.optim.lr_scheduler.OneCycleLR(
    ...     optimizer, max_lr=1.0, total_steps=8, pct_start=0.5, div_factor=4.0
    ... )
    >>> [round(lr, 2) for [lr] in scheduler.preview()]
    [0.25, 0.44, 0.81, 1.0, 0.85, 0.5, 0.15, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        optimizer = self._checked(optimizer)
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ArgumentError(
                    "OneCycleLR: give total_steps, or both epochs and steps_per_epoch"
                )
            total_steps = epochs * steps_per_epoch
        check_positive("OneCycleLR", total_steps=total_steps)
        check_positive("OneCycleLR", div_factor=div_factor, final_div_factor=final_div_factor)
        check_fraction("OneCycleLR", pct_start=pct_start)
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(
                f"OneCycleLR: unknown anneal_strategy {anneal_strategy!r}; valid: cos, linear"
            )
        self.total_steps = total_steps
        self.cycle_momentum = cycle_momentum
        self._anneal_func_type = anneal_strategy
        self._schedule_phases = self._phases(pct_start, three_phase)
        max_lrs = per_group("OneCycleLR", "max_lr", max_lr, optimizer)
        if cycle_momentum:
            lows = per_group("OneCycleLR", "base_momentum", base_momentum, optimizer)
            highs = per_group("OneCycleLR", "max_momentum", max_momentum, optimizer)
            prepare_momentum("OneCycleLR", optimizer, lows, highs, last_epoch)
        if last_epoch == -1:
            for group, peak in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = peak / div_factor
                group["max_lr"] = peak
                group["min_lr"] = group["initial_lr"] / final_div_factor
        super().__init__(optimizer, last_epoch)

    def _phases(self, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
        last = self.total_steps - 1
        phases = [_phase(float(pct_start * self.total_steps) - 1, ("initial_lr", "max_lr"), _DOWN)]
        if three_phase:
            back = float(2 * pct_start * self.total_steps) - 2
            phases.append(_phase(back, ("max_lr", "initial_lr"), _UP))
            phases.append(_phase(last, ("initial_lr", "min_lr"), ("max_momentum", "max_momentum")))
        else:
            phases.append(_phase(last, ("max_lr", "min_lr"), _UP))
        ends = [0.0, *(phase["end_step"] for phase in phases)]
        if any(a == b for a, b in pairwise(ends)):
            raise ArgumentError(
                f"OneCycleLR: with total_steps={self.total_steps} and pct_start={pct_start} "
                "a phase has no steps; change either"
            )
        return phases

    def get_lr(self) -> list[float]:
        if self.last_epoch > self.total_steps:
            raise ArgumentError(
                f"OneCycleLR: step {self.last_epoch} of a schedule of {self.total_steps}; "
                "make it longer, or call step() once per batch only"
            )
        phases = self._schedule_phases
        i = 0
        while self.last_epoch > phases[i]["end_step"] and i < len(phases) - 1:
            i += 1
        phase, start = phases[i], phases[i - 1]["end_step"] if i else 0.0
        done = (self.last_epoch - start) / (phase["end_step"] - start)

        def between(group: Group, what: str) -> float:
            return self._between(group[phase["start_" + what]], group[phase["end_" + what]], done)

        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                set_momentum(group, between(group, "momentum"))
        return [between(group, "lr") for group in self.optimizer.param_groups]

    def _between(self, start: float, end: float, done: float) -> float:
        if self._anneal_func_type == "linear":
            return (end - start) * done + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * done) + 1)

    def steps_ahead(self) -> int:
        return self.total_steps - 1 - self.last_epoch
