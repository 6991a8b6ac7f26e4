"""Where a training that broke down began to: the first layer that holds no finite numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
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

    >>> import minigrad as mg
    >>> model = mg.nn.Linear(1, 1, generator=mg.Generator(0))
    >>> data = [(mg.ones(4, 1), mg.zeros(4, 1))]
    >>> try:
    ...     mg.train.fit(model, data, mg.optim.SGD(model.parameters(), lr=1e10),
    ...                  mg.nn.functional.mse_loss, epochs=9)
    ... except mg.train.Diverged as error:
    ...     len(error.history["loss"])  # of the epochs until then
    2
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
    found = _broken_data(x, y) or _broken_parameter(model, step - 1)
    if found is None:
        found = _in_layers(model, x, loss)
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


def _in_layers(model: nn.Module, x: Tensor, loss: float) -> str:
    """The first layer, in the order in which they finish, that makes NaN or infinity.

    If there is none, the loss function made it; the layer with the largest output then.
    """
    broken, largest, where = "", -1.0, ""

    def look(name: str, module: nn.Module, args: Any, out: Any) -> None:
        nonlocal broken, largest, where
        place = f"'{name}'" if name else "the model as a whole"
        layer = f"{place} ({type(module).__name__})"
        size = _largest(out)
        if not math.isfinite(size):
            broken = broken or layer
        elif size > largest:  # not >=: a container gives out what its last layer does
            largest, where = size, layer

    _run_watched(model, x, look)
    if broken:
        return f"the first output that is not finite is that of {broken}; {CURE}"
    return (
        f"the model's output is finite, so the loss function made {loss} of it; the largest "
        f"output, {largest:.3g}, is that of {where}; {CURE}"
    )


def _largest(out: Any) -> float:
    """The largest absolute value in an output; NaN if one is NaN, -1 where there are no numbers."""
    outputs = out if isinstance(out, tuple) else (out,)
    arrays = [o.data for o in outputs if isinstance(o, Tensor) and o.size]
    return float(np.max([-1.0, *(float(abs(a).max()) for a in arrays)]))


def _run_watched(model: nn.Module, x: Tensor, look: Callable[..., None]) -> None:
    """Run the model once, with `look(name, module, args, out)` after each module in it."""
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
