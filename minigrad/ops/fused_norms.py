"""The normalizations, each as one node: shift and scale to mean 0 and variance 1, then affinely.

    x_hat = (x - mean) / sqrt(var + eps)        y = x_hat * weight + bias

They differ in the numbers that share a mean and a variance, which a `Layout` tells. RMSNorm
leaves the mean out, so that var is the mean of the squares. Each equals a composition of plain
operations, and its tests compare the two.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.ops.table import op
from minigrad.tensor import Tensor


class Layout:
    """How the input is looked at.

    Attributes:
        view: the shape in which to see it.
        axes: those of `view` along which numbers share a mean and a variance.
        count: how many numbers share one.
        per: the shape of weight and bias against `view`.
        repeats: the axes of `view` along which weight and bias are repeated.
    """

    __slots__ = ("axes", "count", "per", "repeats", "view")

    def __init__(
        self, view: tuple[int, ...], axes: tuple[int, ...], own: tuple[int, ...] = ()
    ) -> None:
        """`own`: the axes of `view` along which weight and bias have numbers of their own."""
        self.view, self.axes = view, axes
        self.count = math.prod([view[a] for a in axes])
        self.per = tuple([n if a in own else 1 for a, n in enumerate(view)])
        self.repeats = tuple([a for a in range(len(view)) if a not in own])

    def mean(self, values: Any) -> Any:
        return values.sum(axis=self.axes, keepdims=True) / self.count


class Memo:
    """What a forward leaves for the ordinary backward, and for running statistics.

    Attributes:
        mean, var: of the numbers that are normalized together, shaped to broadcast.
        scale: 1 / sqrt(var + eps).
        x_hat: the input, normalized.
    """

    __slots__ = ("mean", "scale", "var", "x_hat")

    mean: Any
    var: Any
    scale: Any
    x_hat: Any


def _standardize(x: Any, layout: Layout, eps: float, centred: bool, memo: Memo) -> None:
    """Fill `memo` from x, an array or a Tensor."""
    x = x.reshape(layout.view)
    if centred:
        memo.mean = layout.mean(x)
        x = x - memo.mean
    memo.var = layout.mean(x * x)
    memo.scale = 1 / (memo.var + eps) ** 0.5
    memo.x_hat = x * memo.scale


def _forward(
    xp: Any,
    x: Any,
    weight: Any,
    bias: Any,
    *,
    layout: Layout,
    eps: float,
    memo: Memo,
    centred: bool = True,
) -> Any:
    _standardize(x, layout, eps, centred, memo)
    out = memo.x_hat
    if weight is not None:
        out = out * weight.reshape(layout.per)
    if bias is not None:
        out = out + bias.reshape(layout.per)
    return out.reshape(x.shape)


def _rule(
    g: Any,
    needs: Any,
    x: Any,
    weight: Any,
    bias_shape: Any,
    layout: Layout,
    eps: float,
    memo: Memo,
    centred: bool,
) -> Any:
    """dL/dx = (h - mean(h) - x_hat mean(h x_hat)) / sqrt(var + eps), where h = g weight."""
    if isinstance(g, Tensor):
        # To a second derivative the arrays in `memo` would be constants.
        memo = Memo()
        _standardize(x, layout, eps, centred, memo)
    g, x_hat = g.reshape(layout.view), memo.x_hat
    gx = gw = gb = None
    if needs[2]:
        gb = g.sum(axis=layout.repeats).reshape(bias_shape)
    if needs[1]:
        gw = (g * x_hat).sum(axis=layout.repeats).reshape(weight.shape)
    if needs[0]:
        h = g if weight is None else g * weight.reshape(layout.per)
        gx = h - x_hat * layout.mean(h * x_hat)
        if centred:
            gx = gx - layout.mean(h)
        gx = (gx * memo.scale).reshape(x.shape)
    return gx, gw, gb


batch_norm = op("batch_norm", _forward, _rule)
layer_norm = op("layer_norm", _forward, _rule)
rms_norm = op("rms_norm", _forward, _rule)
group_norm = op("group_norm", _forward, _rule)
instance_norm = op("instance_norm", _forward, _rule)
weight_standardization = op("weight_standardization", _forward, _rule)


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
