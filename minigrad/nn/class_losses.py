"""Losses of classifiers: scores for each class against class numbers or class probabilities.

Scores have shape (n, classes), (classes,) for a single item, or (n, classes, ...) for several
items each; targets that are class numbers have that shape without the class axis.
"""

from __future__ import annotations

from typing import Any

from minigrad import ops
from minigrad.errors import ArgumentError, DtypeError, OutOfRangeError, ShapeError
from minigrad.nn.losses import check_reduction, reduce
from minigrad.nn.probability_losses import check_probabilities
from minigrad.ops import as_tensor, fused
from minigrad.tensor import Tensor


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(input)[target]: how surprised a classifier is by the right answers.

    Its derivative by the input is (softmax(input) - one_hot(target)), divided by n for "mean".
    It takes raw scores; a softmax before it would be applied twice.

    With all options, where q is the wanted distribution over the c classes:

        loss = -sum_k weight[k] q[k] log softmax(input)[k]
        q = (1 - label_smoothing) one_hot(target) + label_smoothing / c

    and "mean" divides the sum over items by the sum of their weight[target].

    Arguments:
        input: scores (logits), floating point, shape (n, classes), (classes,) or
            (n, classes, ...).
        target: class numbers 0 to classes - 1, integers, the input's shape without the class
            axis; or probabilities of the classes, floating point, the input's shape, which then
            stand for one_hot(target), and "mean" divides by the number of items.
        weight: one for each class, shape (classes,).
        ignore_index: items with this class number count for nothing.
        reduction: "mean", "sum" or "none".
        label_smoothing: 0 to 1.

    Returns:
        One number; with "none", one per item, in the shape of class numbers.

    Raises:
        DtypeError: targets that are neither class numbers nor probabilities.
        ShapeError: shapes that do not fit, or an empty batch to take the mean of.
        OutOfRangeError: a class number outside of 0 to classes - 1.
        ArgumentError: a probability or label_smoothing outside of [0, 1]; no item with a weight
            to take the mean of; ignore_index together with probabilities.

    Source of label smoothing: Szegedy et al. (2016), section 7.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.cross_entropy(mg.zeros(5, 10), mg.tensor([0, 1, 2, 3, 9]))  # log(10): no idea at all
    tensor(2.3026)
    """
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(
            f"cross_entropy: label_smoothing must lie in [0, 1], got {label_smoothing!r}"
        )
    x, y = as_tensor(input), as_tensor(target)
    if y.dtype.kind == "f" and y.shape == x.shape and x.ndim > 0:
        return _cross_entropy_of_probabilities(
            x, y, weight, ignore_index, reduction, label_smoothing
        )
    scores, labels, shape = _by_class("cross_entropy", x, y, reduction, ignore_index)
    plain = weight is None and label_smoothing == 0
    if plain and not (labels.data == ignore_index).any():
        loss = fused.cross_entropy(scores, labels, reduction)
        return loss.reshape(shape) if reduction == "none" else loss

    log_p = ops.log_softmax(scores, 1)
    weights = _class_weights("cross_entropy", weight, scores)
    loss, share = _picked(log_p, labels, weights, ignore_index)
    if label_smoothing:
        spread = -(log_p if weights is None else log_p * weights).mean(axis=1)
        spread = ops.where(labels.data == ignore_index, 0, spread)
        loss = (1 - label_smoothing) * loss + label_smoothing * spread
    return _weighted("cross_entropy", loss, share, shape, reduction)


def _cross_entropy_of_probabilities(
    x: Tensor, q: Tensor, weight: Any, ignore_index: int, reduction: str, label_smoothing: float
) -> Tensor:
    if ignore_index >= 0:
        raise ArgumentError(
            f"cross_entropy: ignore_index={ignore_index} needs class numbers as target, got "
            "probabilities; leave it out"
        )
    axis = min(1, x.ndim - 1)
    classes = x.shape[axis]
    check_reduction("cross_entropy", reduction, x.size)
    check_probabilities("cross_entropy", "target", q)
    if label_smoothing:
        q = (1 - label_smoothing) * q + label_smoothing / classes
    weights = _class_weights("cross_entropy", weight, x, axis)
    if weights is not None:
        q = q * weights.reshape((classes, *(1,) * (x.ndim - axis - 1)))
    return reduce(-(ops.log_softmax(x, axis) * q).sum(axis=axis), reduction)


def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-weight[target] input[target]: the cross-entropy of log-probabilities.

    `log_softmax` gives such an input. "mean" divides the sum over items by the sum of their
    weight[target].

    Arguments, result and errors as for `cross_entropy`, with log-probabilities as input and
    class numbers as target.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.nll_loss(mg.tensor([[-0.5, -2.0]]), mg.tensor([1]))
    tensor(2.)
    """
    rows, labels, shape = _by_class(
        "nll_loss", as_tensor(input), as_tensor(target), reduction, ignore_index
    )
    loss, share = _picked(rows, labels, _class_weights("nll_loss", weight, rows), ignore_index)
    return _weighted("nll_loss", loss, share, shape, reduction)


def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    *,
    reduction: str = "mean",
) -> Tensor:
    """sum over k != target of weight[target] max(0, margin - x[target] + x[k])^p / classes.

    The hinge loss of several classes: 0 when the right class leads every other by the margin.

    Arguments:
        input: scores x, as for `cross_entropy`.
        target: class numbers, as for `cross_entropy`.
        p: 1 or 2.
        weight: one for each class, shape (classes,); "mean" still divides by n.

    Returns:
        As `cross_entropy`.

    Raises:
        ArgumentError: another p, or an unknown reduction; else as `cross_entropy`.

    Source: Crammer & Singer (2001), there with the largest term in place of the sum.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.multi_margin_loss(mg.tensor([[3.0, 2.5, 0.0]]), mg.tensor([0])).item()  # 0.5 / 3
    0.1666666716337204
    """
    if p not in (1, 2):
        raise ArgumentError(f"multi_margin_loss: p must be 1 or 2, got {p!r}")
    x, labels, shape = _by_class(
        "multi_margin_loss", as_tensor(input), as_tensor(target), reduction
    )
    right = labels.data[:, None] == x.device.xp.arange(x.shape[1])
    lead = x[_places(labels), labels].reshape(-1, 1)
    short = ops.where(right, 0, ops.relu(margin - lead + x) ** p)
    weights = _class_weights("multi_margin_loss", weight, x)
    loss = short.mean(axis=1) if weights is None else short.mean(axis=1) * weights[labels]
    return reduce(loss.reshape(shape), reduction)


# -- shared --------------------------------------------------------------------------------------


def _places(labels: Tensor) -> Tensor:
    return ops.arange(len(labels), device=labels.device)


def _picked(
    rows: Tensor, labels: Tensor, weights: Tensor | None, ignore_index: int
) -> tuple[Tensor, Tensor]:
    """Per item -weight[target] rows[target], and weight[target]; both 0 where it is ignored."""
    ignored = labels.data == ignore_index
    safe = ops.where(ignored, 0, labels)
    share = ops.ones_like(labels, dtype=rows.dtype) if weights is None else weights[safe]
    share = ops.where(ignored, 0, share)
    # Chosen, not multiplied by 0: an ignored item may have an infinite loss.
    return ops.where(ignored, 0, -rows[_places(labels), safe]) * share, share


def _weighted(
    name: str, loss: Tensor, share: Tensor, shape: tuple[int, ...], reduction: str
) -> Tensor:
    if reduction != "mean":
        return reduce(loss.reshape(shape), reduction)
    total = share.sum()
    if total.item() == 0:
        raise ArgumentError(
            f"{name}: no item is left to take the mean of: each target is ignore_index, or its "
            "class has weight 0; skip this batch, or use reduction='sum'"
        )
    return loss.sum() / total


def _class_weights(name: str, weight: Any, scores: Tensor, axis: int = 1) -> Tensor | None:
    if weight is None:
        return None
    weights = as_tensor(weight).detach().astype(scores.dtype)
    if weights.shape != (scores.shape[axis],):
        raise ShapeError(
            f"{name}: weight has shape {weights.shape}, but there are {scores.shape[axis]} "
            f"classes; give one weight for each class, shape ({scores.shape[axis]},)"
        )
    return weights


def _by_class(
    name: str, scores: Tensor, labels: Tensor, reduction: str, ignore_index: int | None = None
) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Scores as rows (n, classes), the labels, checked, as (n,), and the shape they came in."""
    if scores.ndim == 0:
        raise ShapeError(f"{name}: input is a single number; it needs one score per class")
    class_axis = min(1, scores.ndim - 1)
    classes = scores.shape[class_axis]
    if labels.dtype.kind not in "iu":
        raise DtypeError(
            f"{name}: target holds {labels.dtype}, but it must hold class numbers, integers 0 to "
            f"{classes - 1}; "
            + (
                f"from one-hot rows make them with target.argmax(axis={class_axis})"
                if labels.shape == scores.shape
                else "convert it with target.astype(mg.int64)"
            )
        )
    expected = scores.shape[:class_axis] + scores.shape[class_axis + 1 :]
    if labels.shape != expected:
        raise ShapeError(
            f"{name}: input of shape {scores.shape} ({classes} classes on axis {class_axis}) "
            f"takes a target of shape {expected}, got {labels.shape}"
            + (
                f"; from one-hot rows make class numbers with target.argmax(axis={class_axis})"
                if labels.shape == scores.shape
                else f"; use target.reshape{expected}"
                if labels.size * classes == scores.size
                else ""
            )
        )
    check_reduction(name, reduction, labels.size)
    _check_labels(name, labels, classes, ignore_index)
    if scores.ndim == 2:
        return scores, labels, expected
    rows = scores.moveaxis(class_axis, -1).reshape(labels.size, classes)
    return rows, labels.reshape(-1), expected


def _check_labels(name: str, labels: Tensor, classes: int, ignore_index: int | None) -> None:
    values = labels.data
    if not values.size or (values.min() >= 0 and values.max() < classes):
        return
    wrong = values[((values < 0) | (values >= classes)) & (values != ignore_index)].reshape(-1)
    if wrong.size:
        raise OutOfRangeError(
            f"{name}: target has class {int(wrong[0])}, but the input has {classes} classes, 0 to "
            f"{classes - 1}; count classes from 0, or give the last layer one output per class"
        )
