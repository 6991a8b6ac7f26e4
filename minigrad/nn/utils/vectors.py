"""All parameters as one vector, and back."""

from __future__ import annotations

from typing import Any

from minigrad.errors import ShapeError
from minigrad.nn.utils.norms import listed, write
from minigrad.ops import concatenate
from minigrad.tensor import Tensor


def parameters_to_vector(parameters: Any) -> Tensor:
    """All elements of all parameters, side by side; gradients flow back to the parameters.

    Arguments:
        parameters: one Tensor or several, of any shapes.

    Returns:
        A Tensor of shape (number of elements in all,).

    >>> import minigrad as mg
    >>> parameters_to_vector([mg.tensor([[1.0, 2.0]]), mg.tensor(3.0)])
    tensor([1., 2., 3.])
    """
    return concatenate([p.reshape(-1) for p in listed("parameters_to_vector", parameters)])


def vector_to_parameters(vec: Tensor, parameters: Any) -> None:
    """Write the elements of a vector into the parameters, in place and in order.

    Arguments:
        vec: of shape (number of elements in all,), as `parameters_to_vector` returns it.
        parameters: one Tensor or several.

    Raises:
        ShapeError: another number of elements; nothing is written then.

    >>> import minigrad as mg
    >>> w, b = mg.zeros(1, 2), mg.zeros(())
    >>> vector_to_parameters(mg.tensor([1.0, 2.0, 3.0]), [w, b])
    >>> w, b
    (tensor([[1., 2.]]), tensor(3.))
    """
    targets = listed("vector_to_parameters", parameters)
    needed = sum(p.size for p in targets)
    if vec.shape != (needed,):
        raise ShapeError(
            f"vector_to_parameters: the parameters have {needed} elements in all, the vector "
            f"has shape {vec.shape}; make it ({needed},)"
        )
    start = 0
    for p in targets:
        write(p, vec._data[start : start + p.size].reshape(p.shape))
        start += p.size
