"""The normalizations, each as one node: shift and scale to mean 0 and variance 1, then affinely.

    x_hat = (x - mean) / sqrt(var + eps)        y = x_hat * weight + bias

They differ in the numbers that share a mean and a variance, which a `Layout` tells. RMSNorm
leaves the mean out, so that var is the mean of the squares. Each equals a composition of plain
operations, and its tests compare the two.

The formulas stand here for any axes, on arrays and on Tensors; and once more on arrays for the
columns of a matrix (batch norm) and for its rows (layer norm), in the steps that take least time.

Forward and backward together, on 64 rows of float32 of width 32 (128), take 0.24 (0.27) of the
time of the composition for batch norm and 0.25 (0.16) for layer norm. The price is memory: beside
its input and its output, a layer keeps the centred input and the slope, two arrays of that size.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.ops.table import op
from minigrad.tensor import Tensor


class Layout:
    """What a normalization knows of its input before it sees the numbers.

    Attributes:
        view: the shape in which to see the input.
        axes: those of `view` along which numbers share a mean and a variance.
        size: how many numbers share one.
        count, eps: `size` and `size` times eps, as arrays of one number: beside a small array
            they take half the time of Python's.
        centred: is the mean subtracted?
        per: the shape of weight and bias against `view`.
        repeats: the axes of `view` along which weight and bias are repeated.
    """

    def __init__(
        self,
        view: tuple[int, ...],
        axes: tuple[int, ...],
        own: tuple[int, ...],
        eps: float,
        xp: Any,
        dtype: Any,
        centred: bool = True,
    ) -> None:
        """`own`: the axes of `view` along which weight and bias have numbers of their own."""
        self.view, self.axes, self.centred = view, axes, centred
        self.size = math.prod([view[a] for a in axes])
        self.count = xp.full((), self.size, dtype)
        self.eps = xp.full((), self.size * eps, dtype)
        self.per = tuple([n if a in own else 1 for a, n in enumerate(view)])
        self.repeats = tuple([a for a in range(len(view)) if a not in own])

    def total(self, values: Any) -> Any:
        return values.sum(axis=self.axes, keepdims=True)


class MatrixLayout(Layout):
    """Of a matrix whose columns (axis 0) or rows (axis 1) are normalized.

    Attributes:
        down: a one per row: down.dot(matrix) has the sum of each column.
        along: a column of ones: matrix.dot(along) has the sum of each row.
        repeat: a column of ones: repeat.dot(row) has that row once per row of the input.
    """

    def __init__(
        self,
        view: tuple[int, int],
        axis: int,
        eps: float,
        xp: Any,
        dtype: Any,
        centred: bool = True,
    ) -> None:
        super().__init__(view, (axis,), (1,), eps, xp, dtype, centred)
        self.down = xp.ones(view[0], dtype)
        self.along = xp.ones((view[1], 1), dtype)
        self.repeat = xp.ones((view[0], 1), dtype)


class Memo:
    """What a forward leaves behind.

    Attributes:
        mean: of the numbers that are normalized together.
        squares: the sum of the squares of their differences from it.
        kept: what the ordinary backward needs.
    """

    __slots__ = ("kept", "mean", "squares")

    mean: Any
    squares: Any
    kept: tuple[Any, ...]


# -- any axes --------------------------------------------------------------------------------------


def _standardize(x: Any, layout: Layout, memo: Memo) -> tuple[Any, Any]:
    """x_hat and 1 / sqrt(var + eps), of an array or a Tensor."""
    x = x.reshape(layout.view)
    if layout.centred:
        memo.mean = layout.total(x) / layout.count
        x = x - memo.mean
    memo.squares = layout.total(x * x)
    scale = (layout.count / (memo.squares + layout.eps)) ** 0.5
    return x * scale, scale


def _forward(xp: Any, x: Any, weight: Any, bias: Any, *, layout: Layout, memo: Memo) -> Any:
    x_hat, _ = memo.kept = _standardize(x, layout, memo)
    # A copy, because what is kept must survive writing to the output.
    out = x_hat.copy() if weight is None else x_hat * weight.reshape(layout.per)
    if bias is not None:
        out = out + bias.reshape(layout.per)
    return out.reshape(x.shape)


def _rule(
    g: Any, needs: Any, x: Any, weight: Any, bias_shape: Any, layout: Layout, memo: Memo
) -> Any:
    """dL/dx = (h - mean(h) - x_hat mean(h x_hat)) / sqrt(var + eps), where h = g weight."""
    # To a second derivative what `memo` keeps would be constants.
    x_hat, scale = _standardize(x, layout, Memo()) if isinstance(g, Tensor) else memo.kept
    g = g.reshape(layout.view)
    gx = gw = gb = None
    if needs[2]:
        gb = g.sum(axis=layout.repeats).reshape(bias_shape)
    if needs[1]:
        gw = (g * x_hat).sum(axis=layout.repeats).reshape(weight.shape)
    if needs[0]:
        h = g if weight is None else g * weight.reshape(layout.per)
        gx = h - x_hat * (layout.total(h * x_hat) / layout.count)
        if layout.centred:
            gx = gx - layout.total(h) / layout.count
        gx = (gx * scale).reshape(x.shape)
    return gx, gw, gb


batch_norm = op("batch_norm", _forward, _rule)
instance_norm = op("instance_norm", _forward, _rule)
group_norm = op("group_norm", _forward, _rule)
layer_norm = op("layer_norm", _forward, _rule)
rms_norm = op("rms_norm", _forward, _rule)


# -- the columns or the rows of a matrix -----------------------------------------------------------
#
# What NumPy takes for 64 x 32 numbers, in microseconds: matrix * matrix 0.4, matrix * row or column
# 1.1, row * row 0.2, column.dot(row) 0.6, a sum along an axis 1.7, but as a product with ones 0.3.
# So what x is multiplied by is made a matrix, once for both ways:
#
#     y = centred * slope + bias        centred = x - mean
#     slope = scale weight              scale = 1 / sqrt(var + eps) = sqrt(size / spread)


def _columns_forward(
    xp: Any, x: Any, weight: Any, bias: Any, *, layout: MatrixLayout, memo: Memo
) -> Any:
    memo.mean = mean = layout.down.dot(x) / layout.count
    centred = x - mean
    memo.squares = squares = layout.down.dot(centred * centred)
    spread = squares + layout.eps
    scale = xp.sqrt(layout.count / spread)
    slope = layout.repeat.dot((scale if weight is None else scale * weight)[None])
    memo.kept = centred, spread, scale, slope
    out = centred * slope
    return out if bias is None else out + bias


def _columns_rule(
    g: Any, needs: Any, xp: Any, x: Any, weight: Any, layout: MatrixLayout, memo: Memo
) -> Any:
    """dL/dx = (g - mean(g) - centred sum(g centred) / spread) slope."""
    if isinstance(g, Tensor):
        return _rule(g, needs, x, weight, layout.view[1:], layout, memo)
    centred, spread, scale, slope = memo.kept
    shift = layout.down.dot(g)
    product = g * centred
    stretch = layout.down.dot(product)
    gx = None
    if needs[0]:
        away = xp.multiply(centred, stretch / spread, product)  # in memory that is free by now
        away += shift / layout.count
        gx = xp.subtract(g, away, away)
        gx *= slope
    return gx, stretch * scale if needs[1] else None, shift


columns_batch_norm = op("batch_norm", _columns_forward, _columns_rule)


def _rows_forward(
    xp: Any, x: Any, weight: Any, bias: Any, *, layout: MatrixLayout, memo: Memo
) -> Any:
    centred = x if x.ndim == 2 else x.reshape(layout.view)
    if layout.centred:
        # Long rows NumPy sums by pairs, which rounds less than a product does.
        long = layout.size > 128
        sums = centred.sum(axis=1, keepdims=True) if long else centred.dot(layout.along)
        centred = centred - sums / layout.count
    spread = (centred * centred).dot(layout.along) + layout.eps
    scale = xp.sqrt(layout.count / spread)
    slope = scale if weight is None else scale.dot(weight[None])
    memo.kept = centred, spread, scale, slope
    out = centred * slope
    if bias is not None:
        out = out + bias
    return out if x.ndim == 2 else out.reshape(x.shape)


def _rows_rule(
    g: Any, needs: Any, xp: Any, x: Any, weight: Any, layout: MatrixLayout, memo: Memo
) -> Any:
    """dL/dx = h - mean(h) - centred scale sum(g weight centred) / spread, where h = g slope."""
    if isinstance(g, Tensor):
        return _rule(g, needs, x, weight, layout.view[1:], layout, memo)
    centred, spread, scale, slope = memo.kept
    if g.ndim != 2:
        g = g.reshape(layout.view)
    product = g * centred
    gx = gw = gb = None
    if needs[2]:
        gb = layout.down.dot(g)
    if needs[1]:
        gw = scale[:, 0].dot(product)
    if needs[0]:
        gx = g * slope
        stretch = product.dot(layout.along if weight is None else weight[:, None]) * scale
        away = xp.multiply(centred, stretch / spread, product)  # in memory that is free by now
        if layout.centred:
            away += gx.dot(layout.along) / layout.count
        gx -= away
        if x.ndim != 2:
            gx = gx.reshape(x.shape)
    return gx, gw, gb


rows_layer_norm = op("layer_norm", _rows_forward, _rows_rule)
rows_rms_norm = op("rms_norm", _rows_forward, _rows_rule)
weight_standardization = op("weight_standardization", _rows_forward, _rows_rule)


# -- of weights ------------------------------------------------------------------------------------


def _weight_norm_rule(g: Any, needs: Any, v: Any, gain: Any, axes: Any) -> Any:
    """What is along v changes its length, which does not matter; only what is across is left."""
    length = _length(v, axes)
    direction = v / length
    along = (g * direction).sum(axis=axes, keepdims=True)
    return (g - direction * along) * (gain / length), along


def _length(v: Any, axes: Any) -> Any:
    return (v * v).sum(axis=axes, keepdims=True) ** 0.5


# gain v / |v|, with the gain of the shape of |v| with its folded axes kept.
weight_norm = op(
    "weight_norm",
    lambda xp, v, gain, *, axes: v * (gain / _length(v, axes)),
    _weight_norm_rule,
)


# W / sigma with sigma = u^T W v = sum(W uv), where uv is the outer product u v^T, a constant: so
# that d(sigma)/dW = uv.
spectral_norm = op(
    "spectral_norm",
    lambda xp, weight, uv: weight / (weight * uv).sum(),
    weight=lambda g, weight, uv, out: (g - (g * out).sum() * uv) / (weight * uv).sum(),
)
