"""Operations that join, cut, repeat and reorder."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops.creation import as_tensor
from minigrad.ops.indexing import set_at
from minigrad.ops.shaping import broadcast_to, expand_dims, ravel, reshape, swapaxes
from minigrad.ops.spelling import all_axes, is_integer, listed, new_sizes, one_axis, torch_names
from minigrad.ops.table import op
from minigrad.tensor import Tensor


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
    """Tensors of one shape joined along a new axis.

    >>> import minigrad as mg
    >>> mg.stack([mg.zeros(2), mg.ones(2)]).shape
    (2, 2)
    """
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
    """The whole tensor repeated `reps` times along each axis.

    >>> import minigrad as mg
    >>> mg.tile(mg.tensor([1, 2]), 2)
    tensor([1, 2, 1, 2])
    """
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
    """The order reversed along the given axes, by default all.

    >>> import minigrad as mg
    >>> mg.flip(mg.tensor([1, 2, 3]))
    tensor([3, 2, 1])
    """
    x = as_tensor(x)
    axes = all_axes("flip", axis, x.ndim)
    return x[tuple(slice(None, None, -1 if a in axes else None) for a in range(x.ndim))]  # type: ignore[no-any-return]


@torch_names
def roll(x: Any, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Tensor:
    """Elements moved on by `shift` places; those pushed over the end come in at the start.

    >>> import minigrad as mg
    >>> mg.roll(mg.tensor([1, 2, 3]), 1)
    tensor([3, 1, 2])
    """
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
    """Turned by k quarter turns in the plane of two axes, from the first towards the second.

    >>> import minigrad as mg
    >>> mg.rot90(mg.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
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
    """The lower triangle of the last two axes, with the k-th diagonal; zeros above it.

    >>> import minigrad as mg
    >>> mg.tril(mg.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return _tril(as_tensor(x), k=k)


def triu(x: Any, k: int = 0) -> Tensor:
    """The upper triangle of the last two axes, with the k-th diagonal; zeros below it.

    >>> import minigrad as mg
    >>> mg.triu(mg.ones(2, 2))
    tensor([[1., 1.],
            [0., 1.]])
    """
    return _triu(as_tensor(x), k=k)
