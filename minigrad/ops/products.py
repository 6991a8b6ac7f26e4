"""Matrix products and what is built from them."""

from __future__ import annotations

from typing import Any

from minigrad.errors import ShapeError
from minigrad.ops.creation import as_tensor
from minigrad.ops.table import op
from minigrad.tensor import Tensor


def _misfit(a: Any, b: Any) -> str:
    inner = b.shape[-2 if b.ndim > 1 else 0]
    if a.shape[-1] != inner:
        return (
            f"shapes {a.shape} and {b.shape} do not fit: the last axis of the first "
            f"({a.shape[-1]}) must equal the {'second-last' if b.ndim > 1 else 'only'} axis of "
            f"the second ({inner}); transpose one of them?"
        )
    return f"shapes {a.shape} and {b.shape}: the axes before the last two do not broadcast"


_matmul = op(
    "matmul",
    lambda xp, a, b: xp.matmul(a, b),
    explain=_misfit,
    a=lambda g, b: g @ b.swapaxes(-1, -2),
    b=lambda g, a: a.swapaxes(-1, -2) @ g,
)


def matmul(a: Any, b: Any) -> Tensor:
    """The matrix product; `a @ b` is the same. A 1-D argument counts as a row, or a column.

    Arguments:
        a: shape (..., n, k) or (k,).
        b: shape (..., k, m) or (k,). The axes before the last two broadcast.

    Returns:
        Shape (..., n, m), without n or m where that argument was 1-D.

    Raises:
        ShapeError: the two k differ, or an argument is a single number.

    >>> import minigrad as mg
    >>> mg.matmul(mg.tensor([[1.0, 2.0]]), mg.tensor([3.0, 4.0]))
    tensor([11.])
    """
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim > 1 and b.ndim > 1:
        return _matmul(a, b)
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(f"matmul: shapes {a.shape} and {b.shape}; for a single number use a * b")
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ShapeError(f"matmul: {_misfit(a, b)}")
    out = _matmul(a if a.ndim > 1 else a.expand_dims(0), b if b.ndim > 1 else b.expand_dims(1))
    if b.ndim == 1:
        out = out.squeeze(-1)
    return out.squeeze(-1 if b.ndim == 1 else -2) if a.ndim == 1 else out
