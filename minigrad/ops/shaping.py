"""Operations that move numbers around without changing them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minigrad.backend import check_dtype
from minigrad.errors import ShapeError
from minigrad.ops.creation import as_tensor
from minigrad.ops.spelling import (
    all_axes,
    listed,
    one_axis,
    sizes,
    torch_names,
)
from minigrad.ops.table import op
from minigrad.tensor import Tensor

_reshape = op(
    "reshape",
    lambda xp, x, *, shape: x.reshape(shape),
    x=lambda g, x_shape: g.reshape(x_shape),
    is_view=True,
)
_transpose = op(
    "transpose",
    lambda xp, x, *, axes: x.transpose(axes),
    x=lambda g, axes: g.transpose(tuple(sorted(range(len(axes)), key=axes.__getitem__))),
    is_view=True,
)
# Its derivative sums over the repeats; the engine does that wherever shapes were broadcast.
_broadcast_to = op(
    "broadcast_to", lambda xp, x, *, shape: xp.broadcast_to(x, shape), x=lambda g: g, is_view=True
)
_astype = op(
    "astype",
    lambda xp, x, *, dtype, copy: x.astype(dtype, copy=copy),
    x=lambda g: g,
    is_view=True,
)
clone = op("clone", lambda xp, x: x.copy(), x=lambda g: g)


def astype(x: Any, dtype: Any, copy: bool = True) -> Tensor:
    """`x` in another dtype; the gradient comes back in the old one. Integers carry none.

    Arguments:
        dtype: floating point, integer or bool.
        copy: also copy where the dtype is the same.

    Raises:
        DtypeError: complex numbers, strings or objects.

    >>> import minigrad as mg
    >>> mg.astype(mg.tensor([1.7]), mg.int64)
    tensor([1])
    """
    return _astype(as_tensor(x), dtype=check_dtype(dtype), copy=copy)


def reshape(x: Any, *shape: Any) -> Tensor:
    """The same numbers, in the same order, in another shape; one size may be -1.

    >>> import minigrad as mg
    >>> mg.arange(6).reshape(2, -1).shape
    (2, 3)
    """
    return _reshape(as_tensor(x), shape=sizes(shape))


def ravel(x: Any) -> Tensor:
    """All numbers along one axis.

    >>> import minigrad as mg
    >>> mg.ravel(mg.ones(2, 3)).shape
    (6,)
    """
    return reshape(x, -1)


@torch_names
def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from `start_dim` to `end_dim` made one (PyTorch's; by default all of them).

    >>> import minigrad as mg
    >>> mg.ones(2, 3, 4).flatten(1).shape
    (2, 12)
    """
    x = as_tensor(x)
    if x.ndim == 0:
        return reshape(x, 1)
    first, last = (one_axis("flatten", a, x.ndim) for a in (start_dim, end_dim))
    if first > last:
        raise ShapeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return reshape(
        x, (*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :])
    )


def transpose(x: Any, *axes: Any) -> Tensor:
    """The axes in another order; without `axes`, reversed. `permute` is the same.

    >>> import minigrad as mg
    >>> mg.ones(2, 3, 4).transpose(1, 0, 2).shape
    (3, 2, 4)
    """
    x = as_tensor(x)
    if axes in ((), (None,)):
        order: tuple[int, ...] = tuple(reversed(range(x.ndim)))
    else:
        order = tuple(one_axis("transpose", a, x.ndim) for a in sizes(axes))
        if sorted(order) != list(range(x.ndim)):
            raise ShapeError(
                f"transpose: {sizes(axes)} must name each of the {x.ndim} axes of shape {x.shape} "
                "once; to swap two axes use swapaxes"
            )
    return _transpose(x, axes=order)


def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """Two axes exchanged.

    >>> import minigrad as mg
    >>> mg.ones(2, 3, 4).swapaxes(0, 2).shape
    (4, 3, 2)
    """
    x = as_tensor(x)
    order = list(range(x.ndim))
    a, b = (one_axis("swapaxes", axis, x.ndim) for axis in (axis1, axis2))
    order[a], order[b] = order[b], order[a]
    return _transpose(x, axes=tuple(order))


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """The axes `source` put at the positions `destination`, the others kept in order.

    >>> import minigrad as mg
    >>> mg.ones(2, 3, 4).moveaxis(0, -1).shape
    (3, 4, 2)
    """
    x = as_tensor(x)
    froms, tos = (
        [one_axis("moveaxis", a, x.ndim) for a in listed(axes)] for axes in (source, destination)
    )
    if len(froms) != len(tos):
        raise ShapeError(f"moveaxis: {len(froms)} axes to move but {len(tos)} destinations")
    order = [a for a in range(x.ndim) if a not in froms]
    for to, axis in sorted(zip(tos, froms, strict=True)):
        order.insert(to, axis)
    return transpose(x, order)


def move_to_end(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The given axes as one last axis."""
    rest = [a for a in range(x.ndim) if a not in axes]
    shape = [x.shape[a] for a in rest] + [math.prod(x.shape[a] for a in axes)]
    return reshape(transpose(x, [*rest, *axes]) if rest else x, shape)


@torch_names
def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Tensor:
    """Without the axes of size 1: all of them, or the given ones.

    Raises:
        ShapeError: a given axis has another size.

    >>> import minigrad as mg
    >>> mg.ones(1, 3, 1).squeeze().shape
    (3,)
    """
    x = as_tensor(x)
    if axis is None:
        gone: tuple[int, ...] = tuple(a for a in range(x.ndim) if x.shape[a] == 1)
    else:
        gone = all_axes("squeeze", axis, x.ndim)
        for a in gone:
            if x.shape[a] != 1:
                raise ShapeError(
                    f"squeeze: axis {a} of shape {x.shape} has size {x.shape[a]}, not 1"
                )
    return reshape(x, [n for a, n in enumerate(x.shape) if a not in gone])


@torch_names
def expand_dims(x: Any, axis: int | Sequence[int]) -> Tensor:
    """With new axes of size 1 at the given positions of the result; `unsqueeze` is the same.

    >>> import minigrad as mg
    >>> mg.ones(3).expand_dims(0).shape
    (1, 3)
    """
    x = as_tensor(x)
    count = len(listed(axis))
    new = all_axes("expand_dims", axis, x.ndim + count)
    rest = iter(x.shape)
    return reshape(x, [1 if a in new else next(rest) for a in range(x.ndim + count)])


def broadcast_to(x: Any, *shape: Any) -> Tensor:
    """`x` repeated, without copying, to `shape`; `expand` is the same, where -1 keeps a size.

    >>> import minigrad as mg
    >>> mg.broadcast_to(mg.tensor([1, 2]), 2, 2)
    tensor([[1, 2],
            [1, 2]])
    """
    x = as_tensor(x)
    wanted = sizes(shape)
    offset = len(wanted) - x.ndim
    wanted = tuple(
        x.shape[i - offset] if n == -1 and i >= offset else n for i, n in enumerate(wanted)
    )
    if offset < 0 or any(n not in (1, m) for n, m in zip(x.shape, wanted[offset:], strict=True)):
        raise ShapeError(
            f"broadcast_to: shape {x.shape} does not fit {wanted}: counted from the last axis, "
            "sizes must be equal, or 1 in the tensor"
        )
    return _broadcast_to(x, shape=wanted)
