"""Losses that measure a distance, and what all losses share.

Every loss takes `reduction`: "mean" (over all items), "sum" or "none". What stands behind the `*`
must be named, since PyTorch has outdated arguments between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad import ops
from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops import as_tensor
from minigrad.ops.table import op
from minigrad.tensor import Tensor

REDUCTIONS = ("mean", "sum", "none")


def mse_loss(input: Any, target: Any, *, reduction: str = "mean") -> Tensor:
    """(input - target)^2, the squared error.

    Arguments:
        input, target: the same shape; here nothing broadcasts.
        reduction: "mean" over all elements, "sum" or "none".

    Returns:
        One number; with "none", the shape of `input`.

    Raises:
        ShapeError: the two shapes differ, or an empty batch to take the mean of.
        ArgumentError: an unknown reduction.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.mse_loss(mg.tensor([1.0, 2.0]), mg.tensor([1.0, 4.0]))
    tensor(2.)
    """
    return reduce(ops.square(_difference("mse_loss", input, target, reduction)), reduction)


def l1_loss(input: Any, target: Any, *, reduction: str = "mean") -> Tensor:
    """|input - target|, the absolute error. Arguments and errors as for `mse_loss`.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.l1_loss(mg.tensor([1.0, 2.0]), mg.tensor([1.0, 4.0]), reduction="sum")
    tensor(2.)
    """
    return reduce(ops.abs(_difference("l1_loss", input, target, reduction)), reduction)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """d^2 / 2 where |d| < delta, delta (|d| - delta / 2) beyond, with d = input - target.

    Its derivative is d limited to [-delta, delta], so that no item pulls harder than delta.

    Arguments:
        input, target, reduction: as for `mse_loss`.
        delta: above 0.

    Raises:
        ArgumentError: a delta that is not above 0; else as `mse_loss`.

    Source: Huber (1964), "Robust estimation of a location parameter".

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.huber_loss(mg.tensor([1.0, 10.0]), mg.zeros(2), reduction="none")
    tensor([0.5, 9.5])
    """
    if not delta > 0:
        raise ArgumentError(f"huber_loss: delta must be above 0, got {delta!r}")
    d = _difference("huber_loss", input, target, reduction)
    return reduce(_huber(d, delta=delta), reduction)


def smooth_l1_loss(
    input: Any, target: Any, *, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """d^2 / (2 beta) where |d| < beta, |d| - beta / 2 beyond, with d = input - target.

    The Huber loss divided by its delta: the slope stays within [-1, 1] for every beta, and
    beta = 0 is `l1_loss`.

    Arguments:
        input, target, reduction: as for `mse_loss`.
        beta: 0 or more.

    Raises:
        ArgumentError: a negative beta; else as `mse_loss`.

    Source: Girshick (2015), "Fast R-CNN", equation 3 (there beta = 1).

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.smooth_l1_loss(mg.tensor([1.0, 10.0]), mg.zeros(2), reduction="none", beta=2.0)
    tensor([0.25, 9.  ])
    """
    if not beta >= 0:
        raise ArgumentError(f"smooth_l1_loss: beta must not be negative, got {beta!r}")
    d = _difference("smooth_l1_loss", input, target, reduction)
    return reduce(_huber(d, delta=beta) / beta if beta > 0 else ops.abs(d), reduction)


def _huber_forward(xp: Any, d: Any, *, delta: float) -> Any:
    # Both branches at once: c is d inside, and +-delta beyond, where c (d - c/2) is a line.
    c = xp.clip(d, -delta, delta)
    return c * (d - 0.5 * c)


# A row of its own: its rule has no d - c/2 to be infinite where the difference overflows.
_huber = op("huber_loss", _huber_forward, d=lambda g, xp, d, delta: g * xp.clip(d, -delta, delta))


def hinge_embedding_loss(
    input: Any, target: Any, margin: float = 1.0, *, reduction: str = "mean"
) -> Tensor:
    """x where the target is 1, max(0, margin - x) where it is -1.

    For a distance x between two items: alike ones are pulled together, others pushed apart until
    the margin lies between them.

    Arguments:
        input: any shape.
        target: 1 or -1 for each element, the same shape.
        reduction: as for `mse_loss`.

    Raises:
        ArgumentError: a target that is neither 1 nor -1; else as `mse_loss`.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.hinge_embedding_loss(mg.tensor([0.2, 0.2]), mg.tensor([1, -1]), reduction="none")
    tensor([0.2, 0.8])
    """
    x, y = as_tensor(input), as_tensor(target)
    check_same_shape("hinge_embedding_loss", x, y)
    check_reduction("hinge_embedding_loss", reduction, x.size)
    alike = y.data == 1
    if not (alike | (y.data == -1)).all():
        raise ArgumentError(
            "hinge_embedding_loss: targets must be 1 (alike) or -1 (not alike); from labels 0 and "
            "1 make them with 2 * target - 1"
        )
    return reduce(ops.where(alike, x, ops.clip(margin - x, min=0)), reduction)


# -- shared by all losses ------------------------------------------------------------------------


def check_reduction(
    name: str, reduction: str, items: int, valid: Sequence[str] = REDUCTIONS
) -> None:
    """Refuse an unknown reduction, and the mean of nothing."""
    if reduction not in valid:
        raise ArgumentError(f"{name}: unknown reduction {reduction!r}; valid: {', '.join(valid)}")
    if "mean" in reduction and items == 0:
        raise ShapeError(f"{name}: an empty batch has no mean; skip it, or use reduction='sum'")


def check_same_shape(name: str, x: Tensor, y: Tensor) -> None:
    """Refuse what would broadcast: (n, 1) against (n,) would compare everything with everything."""
    if x.shape != y.shape:
        raise ShapeError(
            f"{name}: input has shape {x.shape}, target {y.shape}; they must be equal. "
            + (
                f"Reshape one, e.g. target.reshape({', '.join(map(str, x.shape))})"
                if x.size == y.size
                else "Compare a prediction with one target for each of its numbers"
            )
        )


def reduce(loss: Tensor, reduction: str) -> Tensor:
    """The losses of all items, or their mean or sum."""
    if reduction == "none":
        return loss
    return ops.mean(loss) if reduction == "mean" else ops.sum(loss)


def _difference(name: str, input: Any, target: Any, reduction: str) -> Tensor:
    x, y = as_tensor(input), as_tensor(target)
    check_same_shape(name, x, y)
    check_reduction(name, reduction, x.size)
    return x - y
