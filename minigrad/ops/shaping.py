"""Operations that move numbers around without changing them."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.backend import check_dtype
from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops.creation import as_tensor
from minigrad.ops.indexing import set_at
from minigrad.ops.spelling import (
    all_axes,
    is_integer,
    listed,
    new_sizes,
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


def _cut(g: Any, needs: Sequence[bool], xs_shapes: Any, axis: int) -> list[Any]:
    """The parts of a gradient that belong to each of the joined tensors."""
    parts, start = [], 0
    for shape in xs_shapes:
        stop = start + shape[axis]
        parts.append(g[(slice(None),) * axis + (slice(start, stop),)])
        start = stop
    return parts


_concatenate = op("concatenate", lambda xp, *xs, axis: xp.concatenate(xs, axis=axis), _cut)
_tril = op("tril", lambda xp, x, *, k: xp.tril(x, k), x=lambda g, xp, k: xp.tril(g, k))
_triu = op("triu", lambda xp, x, *, k: xp.triu(x, k), x=lambda g, xp, k: xp.triu(g, k))


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
    """All numbers along one axis."""
    return reshape(x, -1)


@torch_names
def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from `start_dim` to `end_dim` made one (PyTorch's; by default all of them)."""
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
    """Two axes exchanged."""
    x = as_tensor(x)
    order = list(range(x.ndim))
    a, b = (one_axis("swapaxes", axis, x.ndim) for axis in (axis1, axis2))
    order[a], order[b] = order[b], order[a]
    return _transpose(x, axes=tuple(order))


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """The axes `source` put at the positions `destination`, the others kept in order."""
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
    """With new axes of size 1 at the given positions of the result; `unsqueeze` is the same."""
    x = as_tensor(x)
    count = len(listed(axis))
    new = all_axes("expand_dims", axis, x.ndim + count)
    rest = iter(x.shape)
    return reshape(x, [1 if a in new else next(rest) for a in range(x.ndim + count)])


def broadcast_to(x: Any, *shape: Any) -> Tensor:
    """`x` repeated, without copying, to `shape`; `expand` is the same, where -1 keeps a size."""
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


@torch_names
def concatenate(tensors: Sequence[Any], axis: int | None = 0) -> Tensor:
    """Tensors joined along an axis that exists; with `axis=None`, all flattened first.

    Arguments:
        tensors: equal in shape except along `axis`.

    Raises:
        ShapeError: they differ elsewhere.
        ArgumentError: there are none.

    >>> import minigrad as mg
    >>> mg.concatenate([mg.ones(2), mg.zeros(1)])
    tensor([1., 1., 0.])
    """
    xs = [as_tensor(x) for x in tensors]
    if not xs:
        raise ArgumentError("concatenate: nothing to join; give at least one tensor")
    if axis is None:
        xs, axis = [ravel(x) for x in xs], 0
    return _concatenate(*xs, axis=one_axis("concatenate", axis, xs[0].ndim))


@torch_names
def stack(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis."""
    xs = [as_tensor(x) for x in tensors]
    if not xs:
        raise ArgumentError("stack: nothing to join; give at least one tensor")
    if any(x.shape != xs[0].shape for x in xs):
        raise ShapeError(
            f"stack: shapes differ: {[x.shape for x in xs]}; to join them along an axis that "
            "exists use concatenate"
        )
    return concatenate([expand_dims(x, axis) for x in xs], axis=axis)


@torch_names
def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Cut along an axis: into equal parts (an integer) or before the given positions.

    Raises:
        ShapeError: the axis cannot be cut into that many equal parts.

    >>> import minigrad as mg
    >>> [part.shape for part in mg.split(mg.ones(5), [2, 4])]
    [(2,), (2,), (1,)]
    """
    x = as_tensor(x)
    axis = one_axis("split", axis, x.ndim)
    n = x.shape[axis]
    if is_integer(indices_or_sections):
        parts = operator.index(indices_or_sections)  # type: ignore[arg-type]
        if parts < 1 or n % parts:
            raise ShapeError(
                f"split: axis {axis} of size {n} cannot be cut into {parts} equal parts"
            )
        cuts = list(range(n // parts, n, n // parts)) if n else [0] * (parts - 1)
    else:
        cuts = listed(indices_or_sections)
    along = (slice(None),) * axis
    return [
        x[(*along, slice(start, stop))]
        for start, stop in zip([None, *cuts], [*cuts, None], strict=True)
    ]


@torch_names
def repeat(x: Any, repeats: int | Sequence[int], axis: int | None = None) -> Tensor:
    """Each element (with `axis`, each slice) repeated in place, NumPy's meaning.

    >>> import minigrad as mg
    >>> mg.repeat(mg.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    x = as_tensor(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = one_axis("repeat", axis, x.ndim)
    counts = np.asarray(repeats)
    if counts.size not in (1, x.shape[axis]) or (counts < 0).any():
        raise ArgumentError(
            f"repeat: repeats must be one number, or {x.shape[axis]} for axis {axis} of shape "
            f"{x.shape}, none negative; got {repeats}"
        )
    return x[(slice(None),) * axis + (np.repeat(np.arange(x.shape[axis]), repeats),)]  # type: ignore[no-any-return]


def tile(x: Any, *reps: Any) -> Tensor:
    """The whole tensor repeated `reps` times along each axis."""
    x = as_tensor(x)
    counts = new_sizes(reps)
    ndim = max(len(counts), x.ndim)
    counts = (1,) * (ndim - len(counts)) + counts
    shape = (1,) * (ndim - x.ndim) + x.shape
    pairs = [n for count, size in zip(counts, shape, strict=True) for n in (count, size)]
    ones = [n for size in shape for n in (1, size)]
    total = [count * size for count, size in zip(counts, shape, strict=True)]
    return reshape(broadcast_to(reshape(x, ones), pairs), total)


@torch_names
def flip(x: Any, axis: int | Sequence[int] | None = None) -> Tensor:
    """The order reversed along the given axes, by default all."""
    x = as_tensor(x)
    axes = all_axes("flip", axis, x.ndim)
    return x[tuple(slice(None, None, -1 if a in axes else None) for a in range(x.ndim))]  # type: ignore[no-any-return]


@torch_names
def roll(x: Any, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Tensor:
    """Elements moved on by `shift` places; those pushed over the end come in at the start."""
    x = as_tensor(x)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), x.shape)
    axes = listed(axis)
    shifts = [shift] * len(axes) if is_integer(shift) else listed(shift)
    if len(shifts) != len(axes):
        raise ArgumentError(f"roll: {len(shifts)} shifts for {len(axes)} axes; give one for each")
    for places, a in zip(shifts, axes, strict=True):
        a = one_axis("roll", a, x.ndim)
        order = np.roll(np.arange(x.shape[a]), places)
        x = x[(slice(None),) * a + (order,)]
    return x  # type: ignore[no-any-return]


def rot90(x: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Tensor:
    """Turned by k quarter turns in the plane of two axes, from the first towards the second."""
    x = as_tensor(x)
    a, b = (one_axis("rot90", axis, x.ndim) for axis in axes)
    if a == b:
        raise ArgumentError(f"rot90: a plane has two different axes, got {tuple(axes)}")
    if k % 4 == 0:
        return x  # type: ignore[no-any-return]
    if k % 4 == 2:
        return flip(x, (a, b))
    return swapaxes(flip(x, b), a, b) if k % 4 == 1 else flip(swapaxes(x, a, b), b)


def _pad_widths(pad_width: Any, shape: tuple[int, ...], mode: str) -> list[list[int]]:
    """Per axis [before, after], checked."""
    given = np.asarray(pad_width)
    try:
        widths = np.broadcast_to(given, (len(shape), 2))
    except ValueError:
        raise ArgumentError(
            f"pad: pad_width must be a number, a pair (before, after), or {len(shape)} pairs for "
            f"shape {shape}; got {pad_width}"
        ) from None
    if given.dtype.kind not in "iu" or (widths < 0).any():
        raise ArgumentError(f"pad: widths must be integers from 0, got {pad_width}")
    for axis, n in enumerate(shape):
        if mode != "constant" and n == 0 and widths[axis].any():
            raise ShapeError(f"pad: axis {axis} of shape {shape} holds nothing for mode {mode!r}")
    return widths.tolist()  # type: ignore[no-any-return]


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: float = 0) -> Tensor:
    """`x` with more numbers around it, NumPy's `np.pad`.

    Arguments:
        pad_width: an integer, a pair (before, after), or one pair per axis.
        mode: "constant", "edge", "reflect", "symmetric" or "wrap".
        constant_values: for mode "constant".

    >>> import minigrad as mg
    >>> mg.pad(mg.tensor([1.0, 2.0]), (1, 2))
    tensor([0., 1., 2., 0., 0.])
    """
    x = as_tensor(x)
    widths = _pad_widths(pad_width, x.shape, mode)
    if mode == "constant":
        shape = tuple(
            n + before + after for n, (before, after) in zip(x.shape, widths, strict=True)
        )
        inside = tuple(
            slice(before, before + n) for n, (before, _) in zip(x.shape, widths, strict=True)
        )
        around = Tensor(x.device.xp.full(shape, constant_values, x.dtype))
        return set_at(around, x, index=inside)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ArgumentError(
            f"pad: unknown mode {mode!r}; valid: constant, edge, reflect, symmetric, wrap"
        )
    for axis, width in enumerate(widths):
        order = np.pad(np.arange(x.shape[axis]), width, mode=mode)  # type: ignore[call-overload]
        x = x[(slice(None),) * axis + (order,)]
    return x  # type: ignore[no-any-return]


def tril(x: Any, k: int = 0) -> Tensor:
    """The lower triangle of the last two axes, with the k-th diagonal; zeros above it."""
    return _tril(as_tensor(x), k=k)


def triu(x: Any, k: int = 0) -> Tensor:
    """The upper triangle of the last two axes, with the k-th diagonal; zeros below it."""
    return _triu(as_tensor(x), k=k)
