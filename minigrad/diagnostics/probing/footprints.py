"""What a training loop leaves behind besides its numbers: was there a step, a zero_grad, a move?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.backend import Array, device_of
from minigrad.tensor import Tensor


class Footprints:
    """Takes them down in a recording's `meta`, so that they are in its file, too.

    optimizer   the class name of the optimizer that was told; None without
    last        the class name of the module that was registered last
    units       per Linear layer, how many outputs it has
    backwards   how many backward passes the recorded steps had
    updates     how many of these steps ended with `optimizer.step()`
    left_over   in how many the backward found a gradient of the step before
    moved       did any weight change within the block? Only known at its end
    input_rms   the rms of what first came in, if these were no whole numbers

    Arguments:
        meta: where to.
        model: the network.
        modules: the layers of it that are looked at.
        optimizer: of the model, or None.
    """

    def __init__(
        self,
        meta: dict[str, Any],
        model: nn.Module,
        modules: Mapping[str, nn.Module],
        optimizer: Any,
    ) -> None:
        self._meta = meta
        meta["optimizer"] = None if optimizer is None else type(optimizer).__name__
        meta["last"] = type(list(model.modules())[-1]).__name__
        meta["units"] = {
            path: module.out_features
            for path, module in modules.items()
            if isinstance(module, nn.Linear)
        }
        meta |= {"backwards": 0, "updates": 0, "left_over": 0}
        groups = [] if optimizer is None else optimizer.param_groups
        self._stepped = {id(p) for group in groups for p in group["params"]}
        self._at_first: list[Array] = []
        self._standing: tuple[Tensor, Tensor] | None = None

    def enter(self, weights: Sequence[Tensor]) -> None:
        """The block begins."""
        # With an optimizer `update_ratio` tells it of every step.
        if self._meta["optimizer"] is None:
            self._at_first = [weight._data.copy() for weight in weights]

    def exit(self, weights: Sequence[Tensor]) -> None:
        """The block ends."""
        if len(self._at_first) == len(weights) > 0:
            pairs = zip(self._at_first, weights, strict=True)
            moved = any(_differ(before, weight._data) for before, weight in pairs)
            self._meta["moved"] = moved or self._meta.get("moved", False)
        self._at_first = []

    def see_input(self, x: Tensor) -> None:
        """The first layer was given x."""
        if "input_rms" not in self._meta and x.dtype.kind == "f" and x.size:
            here = np.asarray(x.device.to_host(x._data), dtype=np.float64)
            self._meta["input_rms"] = float(np.sqrt(np.mean(here * here)))

    def forward_begins(self, weights: Sequence[Tensor]) -> None:
        """The first forward of a step: does a gradient stand there still?"""
        # Of what the optimizer does not hold its zero_grad clears nothing.
        held = (w for w in weights if id(w) in self._stepped and w._grad is not None)
        weight = next((w for w in held if w._grad is not None and bool(w._grad._data.any())), None)
        gradient = None if weight is None else weight._grad
        self._standing = None if weight is None or gradient is None else (weight, gradient)

    def backward_begins(self) -> None:
        """The first gradient of a pass has arrived, before any reached a weight.

        `zero_grad` may come between forward and backward, so only now it is known to be missing:
        what stood there stands there still. It is told by identity, as `zero_grad` puts None or
        another tensor there.
        """
        self._meta["backwards"] += 1
        if self._standing is not None and self._standing[0]._grad is self._standing[1]:
            self._meta["left_over"] += 1
        self._standing = None

    def updated(self) -> None:
        """The optimizer has stepped."""
        self._meta["updates"] += 1


def _differ(before: Array, after: Array) -> bool:
    same = before.shape == after.shape
    return not same or bool(device_of(after).xp.any(before != after))
