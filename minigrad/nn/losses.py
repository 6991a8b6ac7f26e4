"""What training makes small. All take `reduction`: "mean" (over all items), "sum" or "none"."""

from __future__ import annotations

from typing import Any

from minigrad import ops
from minigrad.errors import ArgumentError, DtypeError, OutOfRangeError, ShapeError
from minigrad.ops import as_tensor, fused
from minigrad.tensor import Tensor


def cross_entropy(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """-log softmax(input)[target]: how surprised a classifier is by the right answers.

    Its derivative by the input is (softmax(input) - one_hot(target)), divided by n for "mean".
    It takes raw scores; a softmax before it would be applied twice.

    Arguments:
        input: scores (logits), floating point, shape (n, classes), (classes,) or
            (n, classes, ...).
        target: class numbers 0 to classes - 1, integers; the input's shape without the class
            axis.
        reduction: "mean", "sum" or "none".

    Returns:
        One number; with "none", the shape of `target`.

    Raises:
        DtypeError: targets that are not integers.
        ShapeError: shapes that do not fit, or an empty batch to take the mean of.
        OutOfRangeError: a class number outside of 0 to classes - 1.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.cross_entropy(mg.zeros(5, 10), mg.tensor([0, 1, 2, 3, 9]))  # log(10): no idea at all
    tensor(2.3026)
    """
    scores, labels, shape = _by_class("cross_entropy", input, target, reduction)
    loss = fused.cross_entropy(scores, labels, reduction=reduction)
    return loss.reshape(shape) if reduction == "none" else loss


def nll_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """-input[target]: the cross-entropy of log-probabilities, as `log_softmax` gives them.

    Arguments, result and errors as for `cross_entropy`, with log-probabilities as input.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.nll_loss(mg.tensor([[-0.5, -2.0]]), mg.tensor([1]))
    tensor(2.)
    """
    rows, labels, shape = _by_class("nll_loss", input, target, reduction)
    loss = -rows[ops.arange(len(rows), device=rows.device), labels]
    return _reduce(loss.reshape(shape), reduction)


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """(input - target)^2, the squared error.

    Arguments:
        input, target: the same shape; here nothing broadcasts.
        reduction: "mean" over all elements, "sum" or "none".

    Returns:
        One number; with "none", the shape of `input`.

    Raises:
        ShapeError: the two shapes differ.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.mse_loss(mg.tensor([1.0, 2.0]), mg.tensor([1.0, 4.0]))
    tensor(2.)
    """
    return _reduce(ops.square(_difference("mse_loss", input, target, reduction)), reduction)


def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """|input - target|, the absolute error. Arguments and errors as for `mse_loss`.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.l1_loss(mg.tensor([1.0, 2.0]), mg.tensor([1.0, 4.0]), reduction="sum")
    tensor(2.)
    """
    return _reduce(ops.abs(_difference("l1_loss", input, target, reduction)), reduction)


def _check_reduction(name: str, reduction: str, items: int) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ArgumentError(f"{name}: unknown reduction {reduction!r}; valid: mean, sum, none")
    if reduction == "mean" and items == 0:
        raise ShapeError(f"{name}: an empty batch has no mean; skip it, or use reduction='sum'")


def _reduce(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    return ops.mean(loss) if reduction == "mean" else ops.sum(loss)


def _difference(name: str, input: Any, target: Any, reduction: str) -> Tensor:
    x, y = as_tensor(input), as_tensor(target)
    if x.shape != y.shape:
        # (n, 1) against (n,) would broadcast to (n, n) and compare everything with everything.
        raise ShapeError(
            f"{name}: input has shape {x.shape}, target {y.shape}; they must be equal. "
            + (
                f"Reshape one, e.g. target.reshape({', '.join(map(str, x.shape))})"
                if x.size == y.size
                else "Compare a prediction with one target for each of its numbers"
            )
        )
    _check_reduction(name, reduction, x.size)
    return x - y


def _by_class(
    name: str, input: Any, target: Any, reduction: str
) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Scores as rows (n, classes), the labels, checked, as (n,), and the shape they came in."""
    scores, labels = as_tensor(input), as_tensor(target)
    if scores.ndim == 0:
        raise ShapeError(f"{name}: input is a single number; it needs one score per class")
    class_axis = min(1, scores.ndim - 1)
    classes = scores.shape[class_axis]
    if labels.dtype.kind not in "iu":
        raise DtypeError(
            f"{name}: target holds {labels.dtype}, but it must hold class numbers, integers 0 to "
            f"{classes - 1}; "
            + (
                "from one-hot rows make them with target.argmax(axis=1)"
                if labels.shape == scores.shape
                else "convert it with target.astype(mg.int64)"
            )
        )
    expected = scores.shape[:class_axis] + scores.shape[class_axis + 1 :]
    if labels.shape != expected:
        raise ShapeError(
            f"{name}: input of shape {scores.shape} ({classes} classes on axis {class_axis}) "
            f"takes a target of shape {expected}, got {labels.shape}"
            + (f"; use target.reshape{expected}" if labels.size * classes == scores.size else "")
        )
    _check_reduction(name, reduction, labels.size)
    _check_labels(name, labels, classes)
    if scores.ndim == 2:
        return scores, labels, expected
    rows = scores.moveaxis(class_axis, -1).reshape(labels.size, classes)
    return rows, labels.reshape(-1), expected


def _check_labels(name: str, labels: Tensor, classes: int) -> None:
    values = labels.data
    if values.size and (values.min() < 0 or values.max() >= classes):
        wrong = values[(values < 0) | (values >= classes)].reshape(-1)[0]
        raise OutOfRangeError(
            f"{name}: target has class {int(wrong)}, but the input has {classes} classes, 0 to "
            f"{classes - 1}; count classes from 0, or give the last layer one output per class"
        )
