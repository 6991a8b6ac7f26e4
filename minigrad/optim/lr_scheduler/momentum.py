"""The momentum of an optimizer, for schedules that let it go down while the rate goes up."""

from __future__ import annotations

from minigrad.errors import ArgumentError
from minigrad.optim.optimizer import Group, Optimizer


def prepare_momentum(
    scheduler: str, optimizer: Optimizer, lows: list[float], highs: list[float], last_epoch: int
) -> None:
    """Note each group's range, and (at a new start) begin at the high end.

    Raises:
        ArgumentError: the optimizer has neither `momentum` nor `betas`.
    """
    if not {"momentum", "betas"} & optimizer.defaults.keys():
        raise ArgumentError(
            f"{scheduler}: {type(optimizer).__name__} has neither momentum nor betas to cycle; "
            "pass cycle_momentum=False"
        )
    if last_epoch == -1:
        for group, low, high in zip(optimizer.param_groups, lows, highs, strict=True):
            set_momentum(group, high)
            group["max_momentum"], group["base_momentum"] = high, low


def set_momentum(group: Group, momentum: float) -> None:
    """Set the momentum of a group: beta1 where it has betas."""
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum
