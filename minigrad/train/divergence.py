"""Where a training that broke down began to: the first layer that holds no finite numbers."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.errors import MinigradError
from minigrad.ops.creation import as_tensor
from minigrad.tape import no_grad
from minigrad.tensor import Tensor

CURE = "try a smaller learning rate, clipped gradients, or another initialization"


class Diverged(MinigradError, ArithmeticError):
    """Training met numbers that are not finite.

    Attributes:
        history: what `train.fit` would have returned, of the epochs before.
    """

    def __init__(self, message: str, history: dict[str, list[float]]) -> None:
        super().__init__(message)
        self.history = history


def check_loss(
    model: nn.Module, x: Tensor, y: Any, loss: float, step: int, history: dict[str, list[float]]
) -> None:
    """Raise Diverged if the loss of a batch is not finite.

    What comes first on its way is looked at first: the data, the weights, the layers.

    Arguments:
        model, x, y: what the loss was computed from; the parameters still hold the gradients of
            the step before.
        loss: its value.
        step: number of the update that it was for, from 1.
        history: to hand on.
    """
    if math.isfinite(loss):
        return
    found = _broken_data(x, y) or _broken_parameter(model, step - 1) or _broken_output(model, x)
    if found is None:
        found = f"the model's output is finite, so the loss function made {loss} of it; {CURE}"
    raise Diverged(f"fit: in step {step} the loss is {loss}: {found}", history)


def check_parameters(model: nn.Module, step: int, history: dict[str, list[float]]) -> None:
    """Raise Diverged if a parameter is not finite after the update of `step`."""
    found = _broken_parameter(model, step)
    if found is not None:
        raise Diverged(f"fit: after step {step}: {found}", history)


def _is_finite(array: Any) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _broken_data(x: Tensor, y: Any) -> str | None:
    for name, array in (("x", x.data), ("y", as_tensor(y).data)):
        if not _is_finite(array):
            row = int(np.argwhere(~np.isfinite(array))[0][0])
            return f"row {row} of {name} in this batch holds NaN or infinity; clean the data"
    return None


def _broken_parameter(model: nn.Module, step: int) -> str | None:
    """Which parameter the update of `step` broke; the gradients must still be those of it."""
    broken = [(name, p) for name, p in model.named_parameters() if not _is_finite(p.data)]
    if not broken:
        return None
    # A backward comes from the output, and from where it broke on everything is: so the last one.
    for name, p in reversed(broken):
        if p.grad is not None and not _is_finite(p.grad.data):
            return f"the gradient of '{name}' was not finite in step {step}; {CURE}"
    return f"the update of step {step} made '{broken[0][0]}' too large for its dtype; {CURE}"


def _broken_output(model: nn.Module, x: Tensor) -> str | None:
    """The first layer, in the order in which they finish, that makes NaN or infinity."""
    found: list[str] = []

    def look(name: str, module: nn.Module, args: Any, out: Any) -> None:
        outputs = out if isinstance(out, tuple) else (out,)
        if any(isinstance(o, Tensor) and not _is_finite(o.data) for o in outputs):
            found.append(f"'{name}' ({type(module).__name__})" if name else "the model as a whole")

    handles = [m.register_forward_hook(partial(look, name)) for name, m in model.named_modules()]
    before = [(buffer, buffer.data.copy()) for buffer in model.buffers()]
    try:
        with no_grad():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
        for buffer, values in before:  # looking on must not move running statistics
            buffer.data = values
    return f"the first output that is not finite is that of {found[0]}; {CURE}" if found else None
