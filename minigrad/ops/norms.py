"""Norms of vectors and matrices. The gradient of a norm at 0 is 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops.creation import as_tensor
from minigrad.ops.factorizations import singular_values
from minigrad.ops.matrices import matrices
from minigrad.ops.piecewise import abs, sign
from minigrad.ops.shaping import moveaxis
from minigrad.ops.spelling import listed, one_axis, torch_names
from minigrad.ops.table import op
from minigrad.tensor import Tensor

Axes = tuple[int, ...]
_MATRIX_ORDERS = ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)


@torch_names
def norm(
    x: Any,
    ord: float | str | None = None,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
) -> Tensor:
    """The size of vectors or matrices; by default sqrt(sum(x^2)) over all elements.

    Of a vector: sum(|x|^p)^(1/p) for a number p; max|x| for inf, min|x| for -inf, and for 0 the
    number of elements that are not 0. Of a matrix: "fro" sqrt(sum(x^2)), "nuc" the sum of its
    singular values, 2 and -2 the largest and smallest of them, 1 and -1 the largest and smallest
    column sum of |x|, inf and -inf row sum. Where a norm has a kink at 0 its derivative there
    is 0, and ties share a gradient equally.

    Squares and powers are taken of x divided by its largest element, so that tiny and huge
    numbers count: in float32 the norm of [1e-30, 1e-30] is not 0, as it is in NumPy.

    Arguments:
        x: any shape if `ord` and `axis` are None; else 1-D or 2-D, unless `axis` says more.
        ord: which norm, as above. None is 2 for vectors, "fro" for matrices.
        axis: one axis for the norms of vectors along it, two (rows, columns) for matrices.
        keepdims: keep the folded axes, with size 1.

    Returns:
        A tensor without the folded axes; float64 for integers.

    Raises:
        ArgumentError: a norm that vectors or matrices do not have.
        ShapeError: more than two axes to fold, or one that is not there.

    >>> import minigrad as mg
    >>> x = mg.tensor([3.0, -4.0])
    >>> mg.linalg.norm(x), mg.linalg.norm(x, 1)
    (tensor(5.), tensor(7.))
    """
    x = as_tensor(x)
    if x.dtype.kind != "f":
        x = x.astype(np.float64)
    if axis is None:
        axes: Axes = tuple(range(x.ndim))
        if ord is None:
            out = _powers(x, 2, axes)
            return out if keepdims else out.reshape(())
    else:
        axes = tuple(one_axis("norm", a, x.ndim) for a in listed(axis))
    if len(set(axes)) not in (1, 2) or len(set(axes)) != len(axes):
        raise ShapeError(
            f"norm: works on vectors (one axis) or matrices (two axes), got axes {axes} of shape "
            f"{x.shape}; say which with axis="
        )
    out = _vector_norm(x, ord, axes) if len(axes) == 1 else _matrix_norm(x, ord, axes)
    return out if keepdims else out.squeeze(axes)


def _vector_norm(x: Tensor, ord: Any, axes: Axes) -> Tensor:
    if isinstance(ord, str):
        raise ArgumentError(
            f"norm: unknown ord {ord!r} for vectors (axis {axes} of shape {x.shape}); valid: None, "
            "a number, inf, -inf"
        )
    if ord == math.inf:
        return abs(x).max(axes, keepdims=True)
    if ord == -math.inf:
        return abs(x).min(axes, keepdims=True)
    if ord == 0:
        return abs(sign(x)).sum(axes, keepdims=True)
    return _powers(x, 2 if ord is None else ord, axes)


def _powers(x: Tensor, p: float, axes: Axes) -> Tensor:
    """sum(|x|^p)^(1/p), the axes kept."""
    return abs(x).sum(axes, keepdims=True) if p == 1 else _power_norm(x, p=p, axes=axes)


def _power_norm_forward(xp: Any, x: Any, *, p: float, axes: Axes) -> Any:
    size = xp.abs(x)
    if size.size == 0:
        return size.sum(axis=axes, keepdims=True)
    # The element that decides becomes 1, so that its power neither underflows nor overflows.
    scale = (xp.max if p > 0 else xp.min)(size, axis=axes, keepdims=True)
    scale = xp.where((scale == 0) | ~xp.isfinite(scale), 1, scale)
    size = size / scale
    if p == 2:
        return scale * xp.sqrt(xp.sum(size * size, axis=axes, keepdims=True))
    zero = size == 0
    powers = xp.where(zero, 0.0 if p > 0 else math.inf, xp.where(zero, 1, size) ** p)
    return scale * xp.sum(powers, axis=axes, keepdims=True) ** (1 / p)


def _power_norm_rule(g: Any, xp: Any, x: Any, out: Any, p: float) -> Any:
    # d|x|/dx_i = sign(x_i) (|x_i| / |x|)^(p - 1)
    flat = out == 0
    share = xp.where(flat, 0, x / xp.where(flat, 1, out))
    if p > 0 and p % 2 == 0:
        return g * share ** (p - 1)  # smooth also where an element is 0
    zero = share == 0
    return g * xp.sign(share) * xp.where(zero, 1, xp.abs(share)) ** (p - 1)


_power_norm = op("norm", _power_norm_forward, x=_power_norm_rule)


def _matrix_norm(x: Tensor, ord: Any, axes: Axes) -> Tensor:
    if ord is None or ord == "fro":
        return _powers(x, 2, axes)
    if ord not in _MATRIX_ORDERS:
        valid = ", ".join(map(repr, _MATRIX_ORDERS))
        raise ArgumentError(
            f"norm: unknown ord {ord!r} for matrices (axes {axes} of shape {x.shape}); valid: "
            f"None, {valid}; for the norms of vectors give one axis"
        )
    x = moveaxis(x, axes, (-2, -1))
    if ord in ("nuc", 2, -2):
        # abs: they are not negative, but a zero one is a kink, with derivative 0.
        sizes = abs(singular_values(matrices("norm", x)))
        folded = sizes.sum(-1) if ord == "nuc" else sizes.max(-1) if ord == 2 else sizes.min(-1)
    else:
        sums = abs(x).sum(-2 if ord in (1, -1) else -1)
        folded = sums.max(-1) if ord > 0 else sums.min(-1)
    return folded.expand_dims(axes)
