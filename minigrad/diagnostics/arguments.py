"""Checks of arguments that several measurements share."""

from __future__ import annotations

from numbers import Real
from typing import Any

from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.optim import Optimizer
from minigrad.random import Generator


def is_number(value: Any) -> bool:
    """Whether it is one real number: Python's, NumPy's, or an array or Tensor without axes.

    Truth values and text are none.

    >>> import numpy as np
    >>> [is_number(value) for value in (2, np.float32(0.5), np.array(3), "2", True, None, [1])]
    [True, True, True, False, False, False, False]
    """
    if isinstance(value, Real):
        return not isinstance(value, bool)
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return kind in tuple("fiu") and getattr(value, "shape", None) == ()


def check_loss(owner: str, loss: Any) -> None:
    """Raise an ArgumentError for a loss that cannot be called without arguments."""
    if isinstance(loss, nn.Module) or not callable(loss):
        raise ArgumentError(
            f"{owner}: loss must be a function without arguments, got {type(loss).__name__}; pass "
            "lambda: loss_fn(model(x), y)"
        )


def checked_generator(owner: str, generator: Any) -> Generator | None:
    """`generator`, if it is one, or None.

    Raises:
        ArgumentError: something else.
    """
    if generator is not None and not isinstance(generator, Generator):
        raise ArgumentError(
            f"{owner}: generator must be a Generator, got {generator!r}; make one with a seed, "
            "mg.Generator(0)"
        )
    return generator


def check_optimizer(owner: str, optimizer: Any) -> None:
    """Raise an ArgumentError for something that is no optimizer."""
    if not isinstance(optimizer, Optimizer):
        is_class = isinstance(optimizer, type)
        got = f"the class {optimizer.__name__}" if is_class else type(optimizer).__name__
        raise ArgumentError(
            f"{owner}: optimizer must be one of mg.optim, such as mg.optim.SGD(model.parameters(), "
            f"lr=0.1), got {got}"
        )


def check_model(owner: str, model: Any) -> None:
    """Raise an ArgumentError for something that is no model."""
    if not isinstance(model, nn.Module):
        got = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
        raise ArgumentError(f"{owner}: model must be an nn.Module, got {got}")
