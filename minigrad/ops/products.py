"""Matrix products and what is built from them."""

from __future__ import annotations

import math
from typing import Any

from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops.creation import as_tensor
from minigrad.ops.elementwise import multiply
from minigrad.ops.indexing import add_at
from minigrad.ops.shaping import moveaxis, ravel
from minigrad.ops.spelling import is_integer, listed, one_axis
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


def dot(a: Any, b: Any) -> Tensor:
    """NumPy's `dot`: the last axis of `a` summed against the second-last (or only) one of `b`.

    Two vectors give their inner product, two matrices the matrix product; a single number
    multiplies. With more axes, `matmul` pairs the batches up and `dot` combines each with each.

    Arguments:
        a: shape (..., k), or ().
        b: shape (..., k, m) or (k,), or ().

    Returns:
        Shape (...a, ...b, m).

    Raises:
        ShapeError: the two k differ.

    >>> import minigrad as mg
    >>> mg.dot(mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0]))
    tensor(11.)
    """
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim == 0 or b.ndim == 0:
        return multiply(a, b)
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ShapeError(f"dot: {_misfit(a, b)}")
    return tensordot(a, b, ((-1,), (-2 if b.ndim > 1 else 0,)))


def inner(a: Any, b: Any) -> Tensor:
    """The last axes of `a` and `b` summed against each other; a single number multiplies.

    Arguments:
        a, b: shapes (..., k) with one k.

    Returns:
        Shape (...a, ...b).

    >>> import minigrad as mg
    >>> mg.inner(mg.ones(2, 3), mg.ones(4, 3)).shape
    (2, 4)
    """
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim == 0 or b.ndim == 0:
        return multiply(a, b)
    if a.shape[-1] != b.shape[-1]:
        raise ShapeError(
            f"inner: shapes {a.shape} and {b.shape}: the last axes must be equal; for a matrix "
            "product use a @ b"
        )
    return tensordot(a, b, ((-1,), (-1,)))


def outer(a: Any, b: Any) -> Tensor:
    """Every element of `a` times every element of `b`, both flattened: shape (a.size, b.size).

    >>> import minigrad as mg
    >>> mg.outer(mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0, 5.0]))
    tensor([[ 3.,  4.,  5.],
            [ 6.,  8., 10.]])
    """
    return ravel(a)[:, None] * ravel(b)[None, :]


def _paired_axes(a: Tensor, b: Tensor, axes: Any) -> tuple[list[int], list[int]]:
    """Which axes of `a` and `b` are summed against each other."""
    if is_integer(axes):
        if not 0 <= axes <= min(a.ndim, b.ndim):
            raise ShapeError(
                f"tensordot: cannot sum over {axes} axes of shapes {a.shape} and {b.shape}"
            )
        return list(range(a.ndim - axes, a.ndim)), list(range(axes))
    if len(axes) != 2:
        raise ArgumentError(
            f"tensordot: axes must be a number, or a pair (axes of a, axes of b), got {axes!r}"
        )
    chosen = [listed(ax) for ax in axes]
    of_a = [one_axis("tensordot", ax, a.ndim) for ax in chosen[0]]
    of_b = [one_axis("tensordot", ax, b.ndim) for ax in chosen[1]]
    if len(set(of_a)) != len(of_a) or len(set(of_b)) != len(of_b):
        raise ShapeError(f"tensordot: an axis occurs twice in {axes!r}")
    return of_a, of_b


def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    """The sum of products over pairs of axes, one of `a` and one of `b`.

    Arguments:
        a, b: any shapes; paired axes have equal sizes.
        axes: n, for the last n axes of `a` with the first n of `b`; or (axes of a, axes of b).

    Returns:
        The other axes of `a`, then the other axes of `b`.

    Raises:
        ShapeError: paired axes of different size, an axis named twice, or one that is not there.

    >>> import minigrad as mg
    >>> mg.tensordot(mg.ones(2, 3, 4), mg.ones(4, 3, 5), ([1, 2], [1, 0])).shape
    (2, 5)
    """
    a, b = as_tensor(a), as_tensor(b)
    of_a, of_b = _paired_axes(a, b, axes)
    summed = [a.shape[ax] for ax in of_a]
    if summed != [b.shape[ax] for ax in of_b]:
        raise ShapeError(
            f"tensordot: axes {of_a} of shape {a.shape} and axes {of_b} of shape {b.shape} "
            "differ in size; pair axes of equal size"
        )
    free_a = [ax for ax in range(a.ndim) if ax not in of_a]
    free_b = [ax for ax in range(b.ndim) if ax not in of_b]
    shape_a, shape_b = [a.shape[ax] for ax in free_a], [b.shape[ax] for ax in free_b]
    # Sizes by product and not as -1, which has no meaning where another size is 0.
    k = math.prod(summed)
    rows = a.transpose([*free_a, *of_a]).reshape(math.prod(shape_a), k)
    columns = b.transpose([*of_b, *free_b]).reshape(k, math.prod(shape_b))
    return matmul(rows, columns).reshape([*shape_a, *shape_b])


def kron(a: Any, b: Any) -> Tensor:
    """The Kronecker product: a copy of `b` in place of each element of `a`, times that element.

    Arguments:
        a, b: any shapes; the one with fewer axes gets axes of size 1 in front.

    Returns:
        Along each axis, the product of the two sizes.

    >>> import minigrad as mg
    >>> mg.kron(mg.tensor([1.0, 10.0]), mg.tensor([1.0, 2.0]))
    tensor([ 1.,  2., 10., 20.])
    """
    a, b = as_tensor(a), as_tensor(b)
    ndim = max(a.ndim, b.ndim)
    shape_a = (1,) * (ndim - a.ndim) + a.shape
    shape_b = (1,) * (ndim - b.ndim) + b.shape
    spread_a = a.reshape([n for size in shape_a for n in (size, 1)])
    spread_b = b.reshape([n for size in shape_b for n in (1, size)])
    return multiply(spread_a, spread_b).reshape(
        [n * m for n, m in zip(shape_a, shape_b, strict=True)]
    )


# -- diagonals -----------------------------------------------------------------------------------


def _diagonal_slice(rows: int, columns: int, offset: int) -> slice:
    """Where the diagonal stands in a flattened rows x columns matrix: every (columns+1)-th."""
    length = min(rows + min(offset, 0), columns - max(offset, 0))
    if length <= 0:
        return slice(0, 0)
    start = offset if offset >= 0 else -offset * columns
    return slice(start, start + (length - 1) * (columns + 1) + 1, columns + 1)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonal of the matrices that two axes span, as a new last axis.

    Arguments:
        x: two axes or more.
        offset: 0 for the main diagonal, positive above it, negative below.
        axis1, axis2: which axes count as rows and columns (NumPy's defaults: the first two).

    Returns:
        The other axes, then the diagonal.

    Raises:
        ShapeError: fewer than two axes, or the same one twice.

    >>> import minigrad as mg
    >>> mg.diagonal(mg.tensor([[1.0, 2.0], [3.0, 4.0]]), offset=1)
    tensor([2.])
    """
    x = as_tensor(x)
    if x.ndim < 2:
        raise ShapeError(
            f"diagonal: needs two axes or more, got shape {x.shape}; to make a matrix of a "
            "vector use diag"
        )
    first, second = (one_axis("diagonal", axis, x.ndim) for axis in (axis1, axis2))
    if first == second:
        raise ShapeError(f"diagonal: axis1 and axis2 are both axis {first} of shape {x.shape}")
    last = moveaxis(x, (first, second), (-2, -1))
    *batch, rows, columns = last.shape
    return last.reshape([*batch, rows * columns])[..., _diagonal_slice(rows, columns, offset)]


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sum of the diagonal; arguments as for `diagonal`.

    >>> import minigrad as mg
    >>> mg.trace(mg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    return diagonal(x, offset, axis1, axis2).sum(axis=-1)


def diag(x: Any, k: int = 0) -> Tensor:
    """Of a vector the matrix with it on the k-th diagonal; of a matrix its k-th diagonal.

    Arguments:
        x: shape (n,) or (n, m).
        k: 0 for the main diagonal, positive above it, negative below.

    Raises:
        ShapeError: `x` has another number of axes; for batches of matrices use `diagonal`.

    >>> import minigrad as mg
    >>> mg.diag(mg.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    x = as_tensor(x)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ShapeError(
            f"diag: needs a vector or a matrix, got shape {x.shape}; for the diagonals of a "
            "batch of matrices use diagonal(x, axis1=-2, axis2=-1)"
        )
    n = x.shape[0] + abs(k)
    return add_at(x, index=_diagonal_slice(n, n, k), shape=(n * n,)).reshape(n, n)
