"""Reading and writing by index, and what sorts and selects along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import check_storable
from minigrad.errors import DtypeError, OutOfRangeError, ShapeError
from minigrad.ops.creation import as_tensor
from minigrad.ops.spelling import is_integer, one_axis, torch_names
from minigrad.ops.table import Operation, op, use
from minigrad.tensor import Tensor

# Reading and writing take `index`: what stands between the brackets of `x[...]`, as NumPy has it.


def _read(xp: Any, x: Any, *, index: Any) -> Any:
    xp.check_index(index, x.shape)
    return x[index]


# Zeros of `shape` with `values` added at `index`: reading backwards.
add_at = op(
    "add_at",
    lambda xp, values, *, index, shape: xp.scatter_add(values, index, shape),
    values=lambda g, index: g[index],
)
_getitem = op(
    "getitem",
    _read,
    x=lambda g, xp, x_shape, index: use(xp, add_at, g, index=index, shape=x_shape),
    is_view=True,
)


def _write_into(xp: Any, x: Any, values: Any, *, index: Any) -> Any:
    xp.check_index(index, x.shape)
    check_storable("setitem", values, x.dtype)
    x[index] = values
    return x


def _write(xp: Any, x: Any, values: Any, *, index: Any) -> Any:
    return _write_into(xp, x.copy(), values, index=index)


def _last_written(index: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Where a value written at `index` was not overwritten by a later one of the same write."""
    places = np.arange(np.prod(shape, dtype=int)).reshape(shape)[index]
    order = np.arange(places.size).reshape(places.shape)
    last = np.empty(np.prod(shape, dtype=int), int)
    last[places] = order
    return last[places] == order  # type: ignore[no-any-return]


def _written(g: Any, xp: Any, index: Any, x_shape: Any) -> Any:
    items = index if isinstance(index, tuple) else (index,)
    if any(hasattr(i, "dtype") and i.dtype != bool and i.ndim for i in items):
        last = _last_written(index, x_shape)
        return g[index] * (last if isinstance(g, Tensor) else xp.asarray(last))
    return g[index]


# `x` with `values` written at `index`, as a new tensor.
set_at: Operation = op(
    "setitem",
    _write,
    x=lambda g, xp, index: use(xp, set_at, g, 0, index=index),
    values=_written,
)

# The same into the memory of `x`, for where nothing is recorded: no copy of the whole tensor.
write_into = op("setitem", _write_into)


def plain_index(index: Any) -> Any:
    """An index in which tensors and lists are arrays, and arrays are copies.

    A node keeps the index; a later write to the array must not change what it reads.

    Raises:
        DtypeError: a float (or a tensor of floats) is no index.
    """
    if isinstance(index, tuple):
        return tuple(plain_index(item) for item in index)
    if isinstance(index, Tensor):
        index = index.data
    if isinstance(index, list):
        index = np.asarray(index) if index else np.empty(0, int)
    elif hasattr(index, "dtype"):
        index = index.copy()
    if isinstance(index, float | str) or getattr(index, "dtype", np.dtype(int)).kind not in "iub":
        found = f"an array of {index.dtype}" if hasattr(index, "dtype") else repr(index)
        raise DtypeError(
            f"index: {found} is no index; use integers, slices, None, ..., integer arrays or bool "
            "masks (t.long() makes integers of floats)"
        )
    return index


def getitem(x: Any, index: Any) -> Tensor:
    """`x[index]` with NumPy's rules; what a repeated index reads adds up in the gradient.

    Raises:
        OutOfRangeError: an index outside of its axis, or too many of them.
        DtypeError: an index that is no integer, slice, None, ..., integer array or mask.

    >>> import minigrad as mg
    >>> x = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> x[[0, 0, 1]].sum().backward()
    >>> x.grad
    tensor([2., 1.])
    """
    return _getitem(x, index=plain_index(index))


def _along(x: Tensor, index: Tensor, axis: int) -> tuple[Any, ...]:
    """The index that reads, at each place of `index`, the number it holds along `axis`."""
    grid: list[Any] = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    grid[axis] = index.data.copy()
    return tuple(grid)


def _checked_along(name: str, x: Any, index: Any, axis: int) -> tuple[Tensor, Tensor, int]:
    x, index = as_tensor(x), as_tensor(index)
    if index.dtype.kind not in "iu":
        raise DtypeError(f"{name}: the index must hold integers, got {index.dtype}")
    if index.ndim != x.ndim:
        raise ShapeError(
            f"{name}: the index must have as many axes as the tensor, got shapes "
            f"{index.shape} and {x.shape}"
        )
    return x, index, one_axis(name, axis, x.ndim)


@torch_names
def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Tensor:
    """Per place of `indices`, the element of `x` with that number along `axis`.

    Arguments:
        x: any shape.
        indices: integers, with as many axes; the other axes broadcast against those of `x`.

    >>> import minigrad as mg
    >>> x = mg.tensor([[3.0, 1.0], [2.0, 4.0]])
    >>> mg.take_along_axis(x, x.argmax(axis=1, keepdims=True), axis=1)
    tensor([[3.],
            [4.]])
    """
    x, indices, axis = _checked_along("take_along_axis", x, indices, axis)
    shape = list(x.shape)
    shape[axis] = indices.shape[axis]
    full = indices.data
    if full.shape != tuple(shape):
        if any(n not in (1, m) for n, m in zip(full.shape, shape, strict=True)):
            raise ShapeError(
                f"take_along_axis: indices of shape {full.shape} do not fit shape {x.shape}; "
                f"except along axis {axis}, sizes must be equal, or 1 in the indices"
            )
        full = indices.device.xp.broadcast_to(full, shape)
    return getitem(x, _along(x, Tensor(full), axis))


def gather(x: Any, dim: int, index: Any) -> Tensor:
    """PyTorch's: `out[i][j] = x[index[i][j]][j]` for dim 0, and so on.

    Arguments:
        index: int64, no longer than `x` along the other axes.

    >>> import minigrad as mg
    >>> mg.gather(mg.tensor([[1, 2], [3, 4]]), 1, mg.tensor([[0], [1]]))
    tensor([[1],
            [4]])
    """
    x, index, axis = _checked_along("gather", x, index, dim)
    return getitem(x, _along(x, index, axis))


def scatter_add(x: Any, dim: int, index: Any, src: Any) -> Tensor:
    """PyTorch's: a copy of `x` with `src` added at the places that `gather` would read.

    Arguments:
        index: int64, of the shape of `src`. Places that occur twice get the sum.

    >>> import minigrad as mg
    >>> mg.scatter_add(mg.zeros(3), 0, mg.tensor([0, 2, 2]), mg.ones(3))
    tensor([1., 0., 2.])
    """
    x, index, axis = _checked_along("scatter_add", x, index, dim)
    src = as_tensor(src)
    if src.shape != index.shape:
        raise ShapeError(
            f"scatter_add: index {index.shape} and src {src.shape} must have one shape"
        )
    return x + add_at(src, index=_along(x, index, axis), shape=x.shape)  # type: ignore[no-any-return]


def index_add(x: Any, dim: int, index: Any, source: Any) -> Tensor:
    """A copy of `x` with the slices of `source` added at the numbers `index` along `dim`.

    Arguments:
        index: int64, (n,). A number that occurs twice gets the sum.
        source: the shape of `x`, but n along `dim`.

    >>> import minigrad as mg
    >>> mg.index_add(mg.zeros(3), 0, mg.tensor([0, 0, 2]), mg.ones(3))
    tensor([2., 0., 1.])
    """
    x, source = as_tensor(x), as_tensor(source)
    axis = one_axis("index_add", dim, x.ndim)
    index = plain_index([index] if is_integer(index) else index)
    expected = (*x.shape[:axis], len(index), *x.shape[axis + 1 :])
    if source.shape != expected:
        raise ShapeError(f"index_add: source must have shape {expected}, got {source.shape}")
    return x + add_at(source, index=(slice(None),) * axis + (index,), shape=x.shape)  # type: ignore[no-any-return]


@torch_names
def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """The elements (with `axis`, the slices) numbered `indices`; without, of the flattened `x`.

    >>> import minigrad as mg
    >>> mg.take(mg.tensor([[1, 2], [3, 4]]), [0, 0], axis=1)
    tensor([[1, 1],
            [3, 3]])
    """
    x = as_tensor(x)
    indices = list(indices) if isinstance(indices, tuple) else indices
    if axis is None:
        return getitem(x.reshape(-1), indices)
    axis = one_axis("take", axis, x.ndim)
    return getitem(x, (slice(None),) * axis + (plain_index(indices),))


def one_hot(labels: Any, num_classes: int | None = None, dtype: Any = np.float32) -> Tensor:
    """Per label a row of zeros with a one at the label's place.

    Arguments:
        labels: integers 0 to num_classes - 1, any shape.
        num_classes: by default the largest label plus one.

    Returns:
        The labels' shape with one more axis of size `num_classes`.

    Raises:
        OutOfRangeError: a label outside of 0 to num_classes - 1.

    >>> import minigrad as mg
    >>> mg.one_hot(mg.tensor([1, 0]), 3)
    tensor([[0., 1., 0.],
            [1., 0., 0.]])
    """
    labels = as_tensor(labels)
    if labels.dtype.kind not in "iu":
        raise DtypeError(f"one_hot: labels must be integers, got {labels.dtype}")
    low, high = (int(labels.data.min()), int(labels.data.max())) if labels.size else (0, -1)
    n = high + 1 if num_classes is None else num_classes
    if low < 0:
        raise OutOfRangeError(f"one_hot: label {low} is negative; classes count from 0")
    if high >= n:
        raise OutOfRangeError(f"one_hot: label {high} is outside of 0 to {n - 1}")
    xp = labels.device.xp
    return Tensor((labels.data[..., None] == xp.arange(n)).astype(dtype))


_argsort = op("argsort", lambda xp, x, *, axis: xp.argsort(x, axis=axis, kind="stable"))


@torch_names
def argsort(x: Any, axis: int = -1, descending: bool = False) -> Tensor:
    """The order that sorts `x` along `axis`; equal elements stay in theirs.

    >>> import minigrad as mg
    >>> mg.argsort(mg.tensor([3.0, 1.0, 2.0]))
    tensor([1, 2, 0])
    """
    x = as_tensor(x)
    if not descending:
        return _argsort(x, axis=one_axis("argsort", axis, x.ndim))
    # Reversed twice, so that equal elements keep their order here too.
    axis = one_axis("argsort", axis, x.ndim)
    return x.shape[axis] - 1 - _argsort(x.flip(axis), axis=axis).flip(axis)  # type: ignore[no-any-return]


@torch_names
def sort(x: Any, axis: int = -1, descending: bool = False) -> Tensor:
    """The elements in order along `axis`. As NumPy's, it returns the values alone.

    >>> import minigrad as mg
    >>> mg.sort(mg.tensor([3.0, 1.0, 2.0]))
    tensor([1., 2., 3.])
    """
    x = as_tensor(x)
    return x if x.ndim == 0 else take_along_axis(x, argsort(x, axis, descending), axis)


@torch_names
def topk(x: Any, k: int, axis: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest (or smallest) elements along `axis`, in order, and where they stood.

    Raises:
        ShapeError: k is more than the axis holds.

    >>> import minigrad as mg
    >>> mg.topk(mg.tensor([3.0, 1.0, 2.0]), 2)
    (tensor([3., 2.]), tensor([0, 2]))
    """
    x = as_tensor(x)
    axis = one_axis("topk", axis, x.ndim)
    if not 0 <= k <= x.shape[axis]:
        raise ShapeError(f"topk: k = {k}, but axis {axis} of shape {x.shape} has {x.shape[axis]}")
    order = argsort(x, axis, descending=largest)[(slice(None),) * axis + (slice(k),)]
    return take_along_axis(x, order, axis), order
