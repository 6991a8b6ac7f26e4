"""Parameter: the tensors that a network learns."""

from __future__ import annotations

from typing import Any

from minigrad.tensor import Tensor


class Parameter(Tensor):
    """A leaf tensor that a `Module` registers when it is assigned as an attribute.

    Arguments:
        data: array, number, nested list or Tensor of floating point. The memory of an array or
            Tensor is shared; the history of a Tensor is left behind.
        requires_grad: False freezes the parameter.

    Raises:
        DtypeError: integers with `requires_grad=True`.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.Parameter(mg.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"
