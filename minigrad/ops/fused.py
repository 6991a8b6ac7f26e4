"""The few operations worth a node of their own, for speed.

Each equals a composition of plain operations, and its tests compare the two. What that buys,
forward and backward together on 64 rows of float32, as a share of the composition's time:

    linear           0.53 of x @ W.T + b at width 32, 0.79 at 128
    cross_entropy    0.70 of log_softmax, indexing and mean, for 10 classes
    column_sums      0.25 of x.sum(axis=0) on the array, at width 32
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.ops.activations import softmax_on
from minigrad.ops.table import op, use
from minigrad.tensor import Tensor

column_sums = op(
    "column_sums",
    lambda xp, x: xp.column_sums(x),
    x=lambda g, xp, x_shape: xp.broadcast_to(g, x_shape),
)


def _linear_forward(xp: Any, x: Any, weight: Any, bias: Any) -> Any:
    if weight.ndim != 2 or (bias is not None and bias.shape != weight.shape[:1]):
        raise ValueError
    # On two matrices the method `dot` is the fastest of the spellings.
    out = x.dot(weight.T) if x.ndim == 2 else xp.matmul(x, weight.T)
    if bias is None:
        return out
    if bias.dtype != out.dtype:
        return out + bias
    out += bias
    return out


def _linear_rule(g: Any, needs: Any, xp: Any, x: Any, weight: Any) -> Any:
    rows, inputs = g, x
    if g.ndim != 2:
        rows, inputs = g.reshape((-1, g.shape[-1])), x.reshape((-1, x.shape[-1]))
    return (
        g.dot(weight) if needs[0] else None,
        rows.T.dot(inputs) if needs[1] else None,
        xp.column_sums(rows) if needs[2] else None,
    )


def _linear_misfit(x: Any, weight: Any, bias: Any) -> str:
    if weight.ndim != 2:
        return f"the weight must have shape (out_features, in_features), got {weight.shape}"
    if x.ndim > 2 and math.prod(x.shape[1:]) == weight.shape[-1]:
        return (
            f"the input has shape {x.shape}, but a weight of shape {weight.shape} takes "
            f"{weight.shape[-1]} features on one axis; flatten it: x.reshape({x.shape[0]}, -1)"
        )
    if x.ndim == 0 or x.shape[-1] != weight.shape[-1]:
        return (
            f"the input has shape {x.shape}, but a weight of shape {weight.shape} takes "
            f"{weight.shape[-1]} features on the input's last axis; reshape the input, or make "
            f"in_features {x.shape[-1] if x.ndim else 1}"
        )
    return (
        f"a bias of shape {bias.shape} does not fit a weight of shape {weight.shape}; it must have "
        f"shape ({weight.shape[0]},)"
    )


_linear = op("linear", _linear_forward, _linear_rule, explain=_linear_misfit)


def linear(input: Any, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x W^T + b, PyTorch's `F.linear`: one node instead of three.

    Arguments:
        input: shape (..., in_features).
        weight: shape (out_features, in_features).
        bias: shape (out_features,), or None.

    Returns:
        Shape (..., out_features).

    Raises:
        ShapeError: the input's last axis is not in_features.

    >>> import minigrad as mg
    >>> mg.linear(mg.ones(2, 3), mg.ones(1, 3), mg.ones(1))
    tensor([[4.],
            [4.]])
    """
    return _linear(input, weight, bias)


def _cross_entropy_forward(
    xp: Any, x: Any, target: Any, *, reduction: str, softmax: list[Any]
) -> Any:
    shifted = x - x.max(axis=1, keepdims=True)  # exp cannot overflow
    e = xp.exp(shifted)
    sums = e.sum(axis=1)
    softmax.append(e / sums[:, None])
    loss = xp.log(sums) - shifted[xp.arange(len(x)), target]
    if reduction == "none":
        return loss
    return loss.sum() if reduction == "sum" else loss.sum() / len(x)


def _cross_entropy_rule(
    g: Any, xp: Any, x: Any, target: Any, reduction: str, softmax: list[Any]
) -> Any:
    """(softmax(x) - one_hot(target)) g, and g / n where the loss is a mean."""
    # To a second derivative what the forward left in `softmax` would be a constant.
    p = softmax_on(x, axis=1) if isinstance(g, Tensor) else softmax[0]
    if reduction == "mean":
        g = g / x.shape[0]
    elif reduction == "none":
        g = g[:, None]
    return (p - use(xp, _is_class, target, classes=x.shape[1])) * g


_is_class = op("one_hot", lambda xp, target, *, classes: target[:, None] == xp.arange(classes))

_cross_entropy = op("cross_entropy", _cross_entropy_forward, x=_cross_entropy_rule)


def cross_entropy(x: Tensor, target: Tensor, reduction: str) -> Tensor:
    """-log softmax(x)[target]; `nn.functional.cross_entropy` is its face.

    Arguments:
        x: shape (n, classes).
        target: shape (n,), class numbers that were checked.
        reduction: "mean", "sum" or "none".
    """
    return _cross_entropy(x, target, reduction=reduction, softmax=[])
