"""Axes and sizes as users spell them, NumPy's way or PyTorch's."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from minigrad.errors import ArgumentError, ShapeError

Function = TypeVar("Function", bound=Callable[..., Any])
_NUMPY_NAME = {
    "dim": "axis", "dims": "axis", "keepdim": "keepdims", "correction": "ddof", "unbiased": "ddof",
}  # fmt: skip


def torch_names(function: Function) -> Function:
    """Let a function of `axis=` and `keepdims=` also take PyTorch's `dim=` and `keepdim=`."""

    @functools.wraps(function)
    def spelled(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            for theirs in _NUMPY_NAME.keys() & kwargs.keys():
                ours = _NUMPY_NAME[theirs]
                if ours in kwargs:
                    raise ArgumentError(f"{function.__name__}: give {ours}= or {theirs}=, not both")
                kwargs[ours] = kwargs.pop(theirs)
        return function(*args, **kwargs)

    return spelled  # type: ignore[return-value]


def one_axis(name: str, axis: int, ndim: int) -> int:
    """`axis` counted from the front.

    Raises:
        ShapeError: there is no such axis.

    >>> one_axis("sum", -1, 3)
    2
    """
    try:
        position = operator.index(axis)
    except TypeError:
        raise ArgumentError(f"{name}: axis must be an integer, got {axis!r}") from None
    if not -ndim <= position < ndim:
        valid = f"valid: {-ndim} to {ndim - 1}" if ndim else "it has none"
        raise ShapeError(f"{name}: a tensor with {ndim} axes has no axis {position}; {valid}")
    return position % ndim


def all_axes(name: str, axis: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """The axes that a reduction runs over, sorted, counted from the front; None means all."""
    if axis is None:
        return tuple(range(ndim))
    given = listed(axis)
    axes = sorted(one_axis(name, a, ndim) for a in given)
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{name}: an axis occurs twice in {tuple(given)}")
    return tuple(axes)


def is_integer(value: Any) -> bool:
    """Whether `value` is one integer, of Python, NumPy or a tensor."""
    try:
        operator.index(value)
    except (TypeError, ShapeError):
        return False
    return True


def listed(value: Any) -> list[Any]:
    """One integer, or several in a list, tuple or array, as a list (not yet checked)."""
    try:
        return [value] if is_integer(value) else list(value)
    except TypeError:
        return [value]


def sizes(shape: Sequence[Any]) -> tuple[int, ...]:
    """A shape given as `f(2, 3)` or as `f((2, 3))`."""
    if len(shape) == 1 and not is_integer(shape[0]):
        shape = listed(shape[0])
    try:
        return tuple(operator.index(n) for n in shape)
    except TypeError:
        raise ArgumentError(f"shape: sizes must be integers, got {tuple(shape)}") from None


def new_sizes(shape: Sequence[Any]) -> tuple[int, ...]:
    """The shape of a tensor to be made, in which no size may be negative."""
    wanted = sizes(shape)
    if min(wanted, default=0) < 0:
        raise ArgumentError(f"shape: {wanted} has a negative size; the least is 0")
    return wanted
