"""Reading rows of a table by number, as a function."""

from __future__ import annotations

from typing import Any

from minigrad import ops
from minigrad.errors import ArgumentError, DtypeError, OutOfRangeError
from minigrad.ops import as_tensor
from minigrad.tensor import Tensor


def embedding(input: Any, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """weight[input]: the rows of a table with the numbers in `input`.

    It equals one_hot(input) @ weight, without the product. The gradient of a row is the sum over
    all places that read it.

    Arguments:
        input: row numbers, integers of any shape.
        weight: the table, (rows, features).
        padding_idx: a row that gets no gradient; negative counts from the end.

    Returns:
        Shape (*input.shape, features).

    Raises:
        DtypeError: row numbers that are not integers.
        OutOfRangeError: a row number outside of 0 to rows - 1.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> table = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> F.embedding(mg.tensor([0, 1, 1]), table).sum().backward()
    >>> table.grad
    tensor([[1., 1.],
            [2., 2.]])
    """
    numbers = as_tensor(input)
    if numbers.dtype.kind not in "iu":
        raise DtypeError(
            f"embedding: input holds {numbers.dtype}, but it must hold row numbers, integers; "
            "convert it with input.astype(mg.int64)"
        )
    rows = len(weight)
    wrong = (numbers.data < 0) | (numbers.data >= rows)
    if wrong.any():
        # NumPy would count -1 from the end: a wrong row, and no word about it.
        raise OutOfRangeError(
            f"embedding: input has row {int(numbers.data[wrong][0])}, but the table has {rows} "
            f"rows, 0 to {rows - 1}; give it num_embeddings of at least the largest number + 1"
        )
    found = weight[numbers.data]
    if padding_idx is None:
        return found
    is_padding = numbers.data == row_number(padding_idx, rows)
    return ops.where(is_padding[..., None], found.detach(), found)


def row_number(padding_idx: int, rows: int) -> int:
    """`padding_idx` counted from the start.

    Raises:
        ArgumentError: there is no such row.
    """
    if not -rows <= padding_idx < rows:
        raise ArgumentError(
            f"embedding: padding_idx {padding_idx} is no row of a table with {rows} rows"
        )
    return padding_idx % rows
