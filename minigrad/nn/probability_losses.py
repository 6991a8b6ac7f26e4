"""Losses between probabilities: of yes or no, and of whole distributions."""

from __future__ import annotations

from typing import Any

from minigrad import ops
from minigrad.errors import ArgumentError, ShapeError
from minigrad.nn.losses import REDUCTIONS, check_reduction, check_same_shape, reduce
from minigrad.ops import as_tensor
from minigrad.ops.activations import logsigmoid
from minigrad.ops.table import op
from minigrad.tensor import Tensor


def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Tensor:
    """-(pos_weight t log sigmoid(x) + (1 - t) log(1 - sigmoid(x))), for answers yes or no.

    Its derivative by x is sigmoid(x) - t (with pos_weight 1): it never dies on a wrong answer,
    as that of a squared error behind a sigmoid does.

    Arguments:
        input: scores x (logits), any shape.
        target: t, probabilities of yes, 0 to 1; the same shape.
        weight: of the items; broadcasts to the input.
        reduction: "mean" over all elements, "sum" or "none".
        pos_weight: how much more yes weighs than no; broadcasts to the input.

    Returns:
        One number; with "none", the shape of `input`.

    Raises:
        ShapeError: shapes that do not fit, or an empty batch to take the mean of.
        ArgumentError: a target outside of [0, 1], or an unknown reduction.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> x, t = mg.tensor([-1e4, 0.0, 1e4]), mg.tensor([0.0, 1.0, 0.0])
    >>> F.binary_cross_entropy_with_logits(x, t, reduction="none")
    tensor([0.0000e+00, 6.9315e-01, 1.0000e+04])
    """
    name = "binary_cross_entropy_with_logits"
    x, t = _pair(name, input, target)
    check_reduction(name, reduction, x.size)
    check_probabilities(name, "target", t)
    # log(1 - sigmoid(x)) = log sigmoid(-x). As x - log sigmoid(x) it would round to 0.
    yes = t if pos_weight is None else t * _fitting(name, "pos_weight", pos_weight, x)
    loss = -(yes * logsigmoid(x) + (1 - t) * logsigmoid(-x))
    return reduce(_times(name, loss, weight), reduction)


# Logarithms never below this, as in PyTorch: one wrong answer must not make all infinite.
_LEAST = -100.0


def _log(xp: Any, p: Any) -> Any:
    inside = p > 0
    return xp.where(inside, xp.maximum(xp.log(xp.where(inside, p, 1)), _LEAST), _LEAST)


def _log_of_rest(xp: Any, p: Any) -> Any:
    """log(1 - p); where p < 1 it is far from the least."""
    inside = p < 1
    return xp.where(inside, xp.log1p(-xp.where(inside, p, 0)), _LEAST)


def _bce_by_input(g: Any, xp: Any, p: Any, t: Any) -> Any:
    return g * (p - t) / xp.maximum(p * (1 - p), 1e-12)


_bce = op(
    "binary_cross_entropy",
    lambda xp, p, t: -(t * _log(xp, p) + (1 - t) * _log_of_rest(xp, p)),
    p=_bce_by_input,
    t=lambda g, xp, p: g * (_log_of_rest(xp, p) - _log(xp, p)),
)


def binary_cross_entropy(
    input: Any, target: Any, weight: Any = None, *, reduction: str = "mean"
) -> Tensor:
    """-(t log p + (1 - t) log(1 - p)), for answers yes or no given as probabilities.

    Logarithms are limited to -100, as in PyTorch. The cross-entropy of scores,
    `binary_cross_entropy_with_logits`, is exact where a sigmoid has rounded to 0 or 1.

    Arguments:
        input: p, probabilities of yes, 0 to 1, as sigmoid gives them; any shape.
        target: t, 0 to 1; the same shape.
        weight: of the items; broadcasts to the input.
        reduction: "mean" over all elements, "sum" or "none".

    Returns:
        One number; with "none", the shape of `input`.

    Raises:
        ArgumentError: input or target outside of [0, 1], or an unknown reduction.
        ShapeError: shapes that do not fit, or an empty batch to take the mean of.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.binary_cross_entropy(mg.tensor([0.5, 0.0]), mg.tensor([1.0, 1.0]), reduction="none")
    tensor([  0.6931, 100.    ])
    """
    name = "binary_cross_entropy"
    p, t = _pair(name, input, target)
    check_reduction(name, reduction, p.size)
    cure = "; put a sigmoid before it, or use binary_cross_entropy_with_logits"
    check_probabilities(name, "input", p, cure)
    check_probabilities(name, "target", t)
    return reduce(_times(name, _bce(p, t), weight), reduction)


def _kl_forward(xp: Any, x: Any, t: Any) -> Any:
    seen = t > 0  # what never happens adds nothing, though its logarithms may be infinite
    return t * (xp.log(xp.where(seen, t, 1)) - xp.where(seen, x, 0))


_kl = op(
    "kl_div",
    _kl_forward,
    x=lambda g, t: -g * t,
    t=lambda g, xp, x, t: g * (xp.log(xp.where(t > 0, t, 1)) + (t > 0) - x),
)


def kl_div(input: Any, target: Any, *, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """t (log t - input): summed, the Kullback-Leibler divergence of exp(input) from t.

    The model's distribution comes first and as logarithms, against the order of KL(t || q) on
    paper. "mean" divides by the number of elements; the divergence per item is "batchmean".

    Arguments:
        input: log-probabilities, as `log_softmax` gives them; any shape.
        target: t, probabilities, or with log_target their logarithms; the same shape.
        reduction: "batchmean" (the sum divided by the size of axis 0), "mean", "sum" or "none".

    Returns:
        One number; with "none", the shape of `input`.

    Raises:
        ArgumentError: a probability outside of [0, 1], or an unknown reduction.
        ShapeError: shapes that do not fit, or an empty batch to take the mean of.

    Source: Kullback & Leibler (1951), equation 2.4.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> q = mg.tensor([[0.5, 0.5]])
    >>> F.kl_div(q.log(), mg.tensor([[1.0, 0.0]]), reduction="batchmean")  # log 2
    tensor(0.6931)
    """
    x, t = _pair("kl_div", input, target)
    check_reduction("kl_div", reduction, x.size, (*REDUCTIONS, "batchmean"))
    if log_target:
        loss = ops.exp(t) * (t - x)
    else:
        cure = "; for logarithms say log_target=True"
        check_probabilities("kl_div", "target", t, cure)
        loss = _kl(x, t)
    if reduction == "batchmean":
        return loss.sum() / (x.shape[0] if x.ndim else 1)
    return reduce(loss, reduction)


# -- shared --------------------------------------------------------------------------------------


def _pair(name: str, input: Any, target: Any) -> tuple[Tensor, Tensor]:
    x, t = as_tensor(input), as_tensor(target)
    check_same_shape(name, x, t)
    # Answers 0 and 1 as integers would make float64 of float32.
    return x, t if t.dtype.kind == "f" else t.astype(x.dtype)


def check_probabilities(name: str, argument: str, p: Tensor, cure: str = "") -> None:
    """Refuse numbers outside of [0, 1], but for what rounding may add."""
    values = p.data
    if values.size and not (values.min() >= -1e-5 and values.max() <= 1 + 1e-5):
        wrong = values[~((values >= 0) & (values <= 1))].reshape(-1)[0]
        raise ArgumentError(
            f"{name}: {argument} must hold probabilities, 0 to 1, but it has {wrong:.4g}{cure}"
        )


def _fitting(name: str, argument: str, value: Any, x: Tensor) -> Tensor:
    """`value` as a Tensor that broadcasts to `x`."""
    given = as_tensor(value)
    sizes = zip(reversed(given.shape), reversed(x.shape), strict=False)
    if given.ndim > x.ndim or any(n not in (1, m) for n, m in sizes):
        raise ShapeError(
            f"{name}: {argument} of shape {given.shape} does not broadcast to the input's shape "
            f"{x.shape}"
        )
    return given.detach().astype(x.dtype)


def _times(name: str, loss: Tensor, weight: Any) -> Tensor:
    return loss if weight is None else loss * _fitting(name, "weight", weight, loss)
