"""Clipping: gradients above a threshold are made smaller, the others left alone."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, GraphError
from minigrad.nn.utils.norms import (
    check_not_negative,
    check_positive,
    gradients,
    listed,
    scale,
    tensors_in,
    total_norm,
    unit_norms,
    write,
)
from minigrad.ops import tensor
from minigrad.tensor import Tensor


def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """The norm of all elements of all tensors: (sum |x|^p)^(1/p), or max |x| for p = inf.

    Sums are taken in float64 and never overflow on the way, so elements of 1e30 in float32 have
    the right norm.

    Arguments:
        tensors: one Tensor or several, of any shapes; gradients, say. The norm of none is 0.
        norm_type: p > 0, or inf.
        error_if_nonfinite: raise for a norm that is infinite or NaN.

    Returns:
        A 0-d Tensor of the tensors' dtype.

    Raises:
        GraphError: a norm that is not finite, if asked for.
        ArgumentError: p <= 0, or tensors on several devices.

    >>> import minigrad as mg
    >>> get_total_norm([mg.tensor([3.0]), mg.tensor([[4.0]])])
    tensor(5.)
    """
    several = [t for t in tensors_in("get_total_norm", tensors) if t.size]
    total = _measured("get_total_norm", several, norm_type, error_if_nonfinite)
    return _as_tensor(total, several)


def _measured(
    name: str, tensors: Sequence[Tensor], norm_type: float, error_if_nonfinite: bool
) -> float:
    norm_type = float(norm_type)  # PyTorch takes the string "inf" as well
    check_positive(name, norm_type=norm_type)
    total = total_norm(name, tensors, norm_type)
    if error_if_nonfinite and not np.isfinite(total):
        bad = next(
            (f"; tensor {i}, of shape {t.shape}, is the first that holds such numbers"
             for i, t in enumerate(tensors) if not t.device.xp.isfinite(t._data).all()), ""
        )  # fmt: skip
        raise GraphError(
            f"{name}: the total norm is {total}, and nothing was changed{bad}. Lower the "
            "learning rate or clip at a smaller norm earlier in training, or pass "
            "error_if_nonfinite=False to go on with NaN"
        )
    return total


def _as_tensor(total: float, like: Sequence[Tensor]) -> Tensor:
    dtype = np.result_type(*[t.dtype for t in like]) if like else np.dtype(np.float32)
    with np.errstate(over="ignore"):  # a norm that the dtype cannot hold is rightly infinite
        return tensor(total, dtype=dtype, device=like[0].device if like else "cpu")


def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Shrink all gradients by one factor, so that their total norm is at most `max_norm`.

        g <- g * min(1, max_norm / (norm + 1e-6))        norm: over all parameters together

    The direction of the step stays. Call it between `backward()` and `step()`.

    Arguments:
        parameters: one Tensor or several; those whose gradient is None are passed over. For
            thresholds per group call it once for each `group["params"]`.
        max_norm: the threshold; inf only measures.
        norm_type: p of the p-norm, > 0 or inf.
        error_if_nonfinite: raise for a norm that is infinite or NaN. By default, as in PyTorch,
            the formula is applied: gradients become NaN (NaN norm), or 0 and NaN (infinite).

    Returns:
        The total norm before, a 0-d Tensor.

    Raises:
        GraphError: a norm that is not finite, if asked for; nothing is changed then.
        ArgumentError: no parameters, a negative threshold, p <= 0.

    Source: Pascanu, Mikolov & Bengio (2013), algorithm 1; the 1e-6 is PyTorch's.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0, 1.0], requires_grad=True)
    >>> (w * mg.tensor([3.0, 4.0])).sum().backward()
    >>> clip_grad_norm_([w], max_norm=1.0)
    tensor(5.)
    >>> w.grad
    tensor([0.6, 0.8])
    """
    check_not_negative("clip_grad_norm_", max_norm=max_norm)
    grads = gradients("clip_grad_norm_", parameters)
    total = _measured("clip_grad_norm_", grads, norm_type, error_if_nonfinite)
    _shrink(grads, max_norm, total)
    return _as_tensor(total, grads)


def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Tensor | float) -> None:
    """The second half of `clip_grad_norm_`, for a total norm that is known already.

    Arguments:
        parameters: one Tensor or several; those whose gradient is None are passed over.
        max_norm: the threshold.
        total_norm: as `get_total_norm` returns it.

    >>> import minigrad as mg
    >>> w = mg.ones(1, requires_grad=True)
    >>> (w * 8).sum().backward()
    >>> clip_grads_with_norm_([w], max_norm=1.0, total_norm=2.0)
    >>> w.grad
    tensor([4.])
    """
    check_not_negative("clip_grads_with_norm_", max_norm=max_norm)
    _shrink(gradients("clip_grads_with_norm_", parameters), max_norm, float(total_norm))


def _shrink(grads: Sequence[Tensor], max_norm: float, total: float) -> None:
    factor = max_norm / (total + 1e-6)
    if not factor >= 1:  # NaN goes on
        for g in grads:
            scale(g, factor)


def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Limit every element of every gradient: g_i <- min(max(g_i, -c), c).

    The direction of the step changes. An infinite element becomes the limit, NaN stays.

    Arguments:
        parameters: one Tensor or several; those whose gradient is None are passed over.
        clip_value: the limit c >= 0.

    Source: Mikolov (2012), doctoral thesis.

    >>> import minigrad as mg
    >>> w = mg.ones(3, requires_grad=True)
    >>> (w * mg.tensor([-5.0, 0.5, 2.0])).sum().backward()
    >>> clip_grad_value_([w], 1.0)
    >>> w.grad
    tensor([-1. ,  0.5,  1. ])
    """
    check_not_negative("clip_grad_value_", clip_value=clip_value)
    for g in gradients("clip_grad_value_", parameters):
        write(g, g.device.xp.clip(g._data, -clip_value, clip_value))


def adaptive_clip_grad_(parameters: Any, clip_factor: float = 0.01, eps: float = 1e-3) -> None:
    """Limit each unit's gradient to a fraction of the unit's own weights.

        g_i <- g_i * c max(|w_i|, eps) / |g_i|        where |g_i| > c max(|w_i|, eps)

    with the 2-norms of row i, which is what comes into unit i. A bias counts as one unit.

    Arguments:
        parameters: one Tensor or several; those whose gradient is None are passed over. The
            paper leaves the last layer out.
        clip_factor: c, the largest |g_i| / |w_i|.
        eps: stands in for the norm of weights that are smaller, so that zeros can learn.

    Source: Brock, De, Smith & Simonyan (2021), equation 3.

    >>> import minigrad as mg
    >>> w = mg.tensor([[3.0, 4.0], [3.0, 4.0]], requires_grad=True)
    >>> (w * mg.tensor([[10.0, 0.0], [0.01, 0.0]])).sum().backward()
    >>> adaptive_clip_grad_([w])
    >>> w.grad
    tensor([[0.05, 0.  ],
            [0.01, 0.  ]])
    """
    check_positive("adaptive_clip_grad_", clip_factor=clip_factor, eps=eps)
    for p in listed("adaptive_clip_grad_", parameters):
        g = p.grad
        if g is None or not g.size:
            continue
        xp = g.device.xp
        limit = clip_factor * xp.maximum(unit_norms(p), eps)
        size = unit_norms(g)
        within = size <= limit
        scale(g, xp.where(within, 1.0, limit / xp.where(within, 1.0, size)))


def clip_grad_percentile_(
    parameters: Any,
    percentile: float,
    history: MutableSequence[float],
    norm_type: float = 2.0,
) -> Tensor:
    """Clip the total norm at a percentile of the norms seen so far, this one included.

    The threshold follows the scale of the gradients, which no fixed number suits.

    Arguments:
        parameters: one Tensor or several; those whose gradient is None are passed over.
        percentile: 0 to 100; 10, as in the paper, clips most steps, 90 only outliers.
        history: the norms so far; the one of this step is appended, unless it is not finite.
            Start with an empty list, or with `collections.deque(maxlen=1000)` to forget old ones.
        norm_type: p of the p-norm, > 0 or inf.

    Returns:
        The total norm before, a 0-d Tensor.

    Raises:
        ArgumentError: no parameters, a percentile outside of [0, 100], p <= 0.

    Source: Seetharaman, Wichern, Pardo & Le Roux (2020), AutoClip.

    >>> import minigrad as mg
    >>> w = mg.ones(1, requires_grad=True)
    >>> norms = []
    >>> for size in (2.0, 2.0, 100.0):
    ...     w.grad = mg.tensor([size])
    ...     _ = clip_grad_percentile_([w], 50, norms)
    >>> w.grad, norms
    (tensor([2.]), [2.0, 2.0, 100.0])
    """
    name = "clip_grad_percentile_"
    if not 0 <= percentile <= 100:
        raise ArgumentError(f"{name}: percentile must lie in [0, 100], got {percentile}")
    grads = gradients(name, parameters)
    total = _measured(name, grads, norm_type, error_if_nonfinite=False)
    if grads and np.isfinite(total):
        history.append(total)
    if history:
        _shrink(grads, float(np.percentile(list(history), percentile)), total)
    return _as_tensor(total, grads)
