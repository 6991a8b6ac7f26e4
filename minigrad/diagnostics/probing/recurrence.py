"""Seeing every step of a recurrent layer, which runs them as a function and not as modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad import nn
from minigrad.tensor import Tensor

RECURRENT = (nn.RNN, nn.LSTM, nn.GRU)


class RecurrenceHook:
    """Calls `see(h, run)` after every step of a recurrent layer, while it is in its place.

    Arguments:
        module: one of `RECURRENT`.
        see: gets the new h, and an object that is the same for all steps of one layer and
            direction over one sequence, and for no others.
    """

    def __init__(self, module: Any, see: Callable[[Tensor, Any], None]) -> None:
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
        self.observers: list[Callable[[Tensor, Any], None]] = []

    def __call__(self, x: Tensor, state: Any, weights: Any) -> Any:
        state = self.step(x, state, weights)
        for see in self.observers:
            see(state[0], weights)  # the tuple of weights is made once for a sequence
        return state
