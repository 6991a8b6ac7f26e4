"""Where a training that broke down began to: the first layer that holds no finite numbers."""

from __future__ import annotations

from collections.abc import Mapping
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


def check_parameters(model: nn.Module, step: int, history: dict[str, list[float]]) -> None:
    """Raise Diverged if a parameter is not finite after the update of `step`."""
    gradients = {name: p.grad for name, p in model.named_parameters()}
    broken = _broken_parameter(model, step, gradients)
    if broken is not None:
        raise Diverged(f"fit: after step {step}, {broken}; {CURE}", history)


def explain_loss(
    model: nn.Module, x: Tensor, y: Any, loss: float, step: int,
    last_gradients: Mapping[str, Tensor | None],
) -> str:  # fmt: skip
    """Say why the loss of a batch is not finite, looking at each thing in the order it came.

    Arguments:
        model, x, y: what the loss was computed from.
        loss: its value.
        step: number of the update that it was for, from 1.
        last_gradients: per parameter its gradient in the step before.
    """
    found = (
        _broken_data(x, y)
        or _broken_parameter(model, step - 1, last_gradients)
        or _broken_output(model, x)
    )
    if found is None:
        found = "all outputs of the model are finite, so the loss function made it of them"
    return f"fit: in step {step} the loss is {loss}; {found}; {CURE}"


def _finite(array: Any) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _broken_data(x: Tensor, y: Any) -> str | None:
    for name, array in (("x", x.data), ("y", as_tensor(y).data)):
        if not _finite(array):
            row = int(np.argwhere(~np.isfinite(array))[0][0])
            return f"{name} of this batch holds NaN or infinity, first in row {row}; clean the data"
    return None


def _broken_parameter(
    model: nn.Module, step: int, gradients: Mapping[str, Tensor | None]
) -> str | None:
    """The first to break in the step before: the backward comes from the output, so the last."""
    parameters = [(name, p) for name, p in model.named_parameters() if not _finite(p.data)]
    if not parameters:
        return None
    for name, _ in reversed(parameters):
        gradient = gradients.get(name)
        if gradient is not None and not _finite(gradient.data):
            return f"the gradient of '{name}' was the first not to be finite, in step {step}"
    names = ", ".join(f"'{name}'" for name, _ in parameters[:3])
    return f"the update of step {step} left {names} not finite, from finite gradients"


def _broken_output(model: nn.Module, x: Tensor) -> str | None:
    """The first layer, in the order of the forward, that makes NaN or infinity."""
    found: list[str] = []
    names = {id(module): name for name, module in model.named_modules()}

    def look(module: nn.Module, args: Any, out: Any) -> None:
        if not found and isinstance(out, Tensor) and not _finite(out.data):
            name = names[id(module)]
            kind = type(module).__name__
            found.append(f"layer '{name}' ({kind})" if name else f"the {kind} itself")

    handles = [
        module.register_forward_hook(look)
        for module in model.modules()
        if not list(module.children())
    ]
    kept = {name: buffer.data.copy() for name, buffer in model.named_buffers()}
    try:
        with no_grad():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
        with no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(as_tensor(kept[name]))  # looking on must not move running statistics
    return f"{found[0]} is the first whose output is not finite" if found else None
