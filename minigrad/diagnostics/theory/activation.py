"""Which function an `activation` stands for, and that theory may take it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.diagnostics.arguments import is_number
from minigrad.errors import ArgumentError, MinigradError
from minigrad.models.names import ACTIVATIONS
from minigrad.tape import no_grad
from minigrad.tensor import Tensor

Activation = str | nn.Module | Callable[[Tensor], Tensor]


def function_of(activation: Activation) -> Callable[[Tensor], Tensor]:
    """The function of Tensors that a name, a module or a function stands for.

    Raises:
        ArgumentError: an unknown name, or something that does not work element by element, or
            not everywhere.

    >>> import minigrad as mg
    >>> function_of("relu")(mg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    if isinstance(activation, str):
        if activation not in ACTIVATIONS:
            raise ArgumentError(
                f"theory: unknown activation {activation!r}; use one of {', '.join(ACTIVATIONS)}, "
                "a module such as nn.LeakyReLU(0.2), or a function of Tensors"
            )
        return ACTIVATIONS[activation]().forward
    if isinstance(activation, type):
        raise ArgumentError(
            f"theory: {activation.__name__} is a class; make a layer of it: {activation.__name__}()"
        )
    if not callable(activation):
        raise ArgumentError(
            f"theory: activation must be a name such as 'tanh', a module such as "
            f"nn.LeakyReLU(0.2), or a function of Tensors, got {activation!r}"
        )
    # `forward`, so that no hook on the module sees what is computed here.
    function = activation.forward if isinstance(activation, nn.Module) else activation
    if isinstance(activation, nn.PReLU) and len({*activation.weight.tolist()}) == 1:
        function = nn.LeakyReLU(activation.weight.tolist()[0]).forward
    name = getattr(activation, "__name__", type(activation).__name__)
    if not is_elementwise(function):
        raise ArgumentError(
            f"theory: {name} does not work element by element as a function of Tensors, so one "
            "Gaussian number does not say what it does; mean-field theory takes activations such "
            "as nn.Tanh()"
        )
    if not _is_defined_everywhere(function):
        raise ArgumentError(
            f"theory: {name} gives NaN or infinity for some numbers from -3 to 3, and a Gaussian "
            "number is each of them at times; give one that is defined everywhere, say with its "
            "input clipped"
        )
    return function


# Where an activation is tried.
_POINTS = np.linspace(-3.0, 3.0, 1001)


def _is_defined_everywhere(function: Any) -> bool:
    with no_grad(), np.errstate(all="ignore"):
        return bool(np.isfinite(function(Tensor(_POINTS)).data).all())


def is_elementwise(function: Any) -> bool:
    """Whether each number of the output depends on its own number of the input, and not on chance.

    >>> import minigrad as mg
    >>> is_elementwise(mg.tanh), is_elementwise(mg.nn.functional.softmax)
    (True, False)
    """
    points = _POINTS
    with no_grad(), np.errstate(all="ignore"):
        try:
            forth, back, part = (
                function(Tensor(x)).data for x in (points, points[::-1].copy(), points[:400])
            )
        except (MinigradError, TypeError, AttributeError):
            return False
    return (
        forth.shape == points.shape
        and np.array_equal(forth, back[::-1], equal_nan=True)
        and np.array_equal(forth[:400], part, equal_nan=True)
    )


def check_scales(owner: str, **values: float) -> None:
    """Raise an ArgumentError for a variance that is no number, negative, infinite or NaN."""
    for name, value in values.items():
        if not is_number(value) or not 0 <= value < math.inf:
            raise ArgumentError(
                f"{owner}: {name} must be a number of at least 0, got {value!r}{_cure(value)}"
            )


def _cure(wrong: Any) -> str:
    if isinstance(wrong, str) and wrong in ACTIVATIONS:
        return f"; the activation goes by its name, activation={wrong!r}"
    if isinstance(wrong, str) and wrong.isidentifier():
        return (
            f"; if that is to be an activation, it goes by its name, activation='tanh', and is one "
            f"of {', '.join(ACTIVATIONS)}, a module, or a function of Tensors"
        )
    if isinstance(wrong, str):
        return "; write it without quotes"
    if callable(wrong):
        return "; the activation goes by its name, activation=..."
    if isinstance(wrong, list | tuple) or bool(getattr(wrong, "shape", ())):
        return "; of several numbers, take one after the other"
    return ""
