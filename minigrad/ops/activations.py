"""The nonlinearities of networks, each beside its derivative.

relu'(0) = 0. Every formula is written so that no exponential can overflow.
"""

from __future__ import annotations

from typing import Any

from minigrad.ops.creation import as_tensor
from minigrad.ops.spelling import one_axis, torch_names
from minigrad.ops.table import op
from minigrad.tensor import Tensor


def _sigmoid_forward(xp: Any, x: Any) -> Any:
    # 1 / (1 + exp(-x)) would overflow at large negative x, and 0.5 + 0.5 tanh(x/2) would round
    # small results to 0, where a lesson wants to see them. So with e = exp(-|x|), at most 1:
    # 1 / (1 + e) from 0 on, e / (1 + e) below. `where` would be far slower than `maximum`.
    e = xp.exp(-xp.abs(x))
    return xp.maximum(e, x >= 0) / (1 + e)


sigmoid = op("sigmoid", _sigmoid_forward, x=lambda g, out: g * (out * (1 - out)))
sigmoid.__doc__ = """1 / (1 + exp(-x)), elementwise, without overflow."""

relu = op(
    "relu",
    # `maximum` is two to three times slower against a single 0.
    lambda xp, x: xp.maximum(x, xp.zeros(x.shape, x.dtype)),
    x=lambda g, out: g * (out > 0),
)
relu.__doc__ = """max(x, 0), elementwise; at 0 the derivative is 0."""


def _softmax_forward(xp: Any, x: Any, *, axis: int) -> Any:
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)


def _log_softmax_forward(xp: Any, x: Any, *, axis: int) -> Any:
    shifted = x - xp.max(x, axis=axis, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=axis, keepdims=True))


# The op behind `softmax`, whose axis must lie on the front; other rules use it too.
softmax_on = op(
    "softmax",
    _softmax_forward,
    x=lambda g, out, axis: out * (g - (g * out).sum(axis=axis, keepdims=True)),
)
_log_softmax = op(
    "log_softmax",
    _log_softmax_forward,
    x=lambda g, xp, out, axis: g - xp.exp(out) * g.sum(axis=axis, keepdims=True),
)


@torch_names
def softmax(x: Any, axis: int = -1) -> Tensor:
    """exp(x) / sum(exp(x)) along `axis`: positive numbers that add up to 1.

    Arguments:
        x: any shape with at least one axis.
        axis: the axis to normalize along (`dim=` is the same).

    Returns:
        The shape of `x`.

    Raises:
        ShapeError: there is no such axis.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.softmax(mg.tensor([[0.0, 0.0], [1000.0, 0.0]]), axis=1)
    tensor([[0.5, 0.5],
            [1. , 0. ]])
    """
    x = as_tensor(x)
    return softmax_on(x, axis=one_axis("softmax", axis, x.ndim))


@torch_names
def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """log(softmax(x)) = x - log(sum(exp(x))) along `axis`, exact where softmax rounds to 0.

    Arguments, result and errors as for `softmax`.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.log_softmax(mg.tensor([0.0, -1000.0]))
    tensor([    0., -1000.])
    """
    x = as_tensor(x)
    return _log_softmax(x, axis=one_axis("log_softmax", axis, x.ndim))
