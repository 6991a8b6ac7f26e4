"""Seeing every step of a recurrent layer, which runs them as a function and not as modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad import nn
from minigrad.tensor import Tensor

RECURRENT = (nn.RNN, nn.LSTM, nn.GRU)


class RecurrenceHook:
    """Calls `see(h)` after every step of a recurrent layer, while it is in its place.

    Arguments:
        module: one of `RECURRENT`.
        see: gets the new h, of one layer and direction.
    """

    def __init__(self, module: Any, see: Callable[[Tensor], None]) -> None:
        self.module, self.see = module, see

    def put_back(self) -> None:
        """Put it in its place; beside others, if there are any."""
        step = self.module.__dict__.get("_step")
        if step is None:
            step = self.module._step = _SeenStep(self.module._step)
        step.observers.append(self.see)

    def remove(self) -> None:
        """Take it away. Removing twice does no harm."""
        step = self.module.__dict__.get("_step")
        if step is not None and self.see in step.observers:
            step.observers.remove(self.see)
            if not step.observers:
                del self.module._step


class _SeenStep:
    """Stands in for the method `_step` of a recurrent layer."""

    def __init__(self, step: Callable[..., Any]) -> None:
        self.step = step
        self.observers: list[Callable[[Tensor], None]] = []

    def __call__(self, *args: Any) -> Any:
        state = self.step(*args)
        for see in self.observers:
            see(state[0])
        return state
