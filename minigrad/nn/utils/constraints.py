"""Constraints on weights, to be called after `step()`: what is too large is put back in place."""

from __future__ import annotations

from typing import Any

from minigrad.nn.utils.norms import check_not_negative, listed, scale, unit_norms, write


def clip_weight_(parameters: Any, clip_value: float) -> None:
    """Limit every element of every parameter: w_i <- min(max(w_i, -c), c).

    Arguments:
        parameters: one Tensor or several.
        clip_value: the limit c >= 0.

    Raises:
        ArgumentError: no parameters, or a negative limit.

    Source: Arjovsky, Chintala & Bottou (2017), algorithm 1.

    >>> import minigrad as mg
    >>> w = mg.tensor([-3.0, 0.5], requires_grad=True)
    >>> clip_weight_([w], 1.0)
    >>> w
    tensor([-1. ,  0.5], requires_grad=True)
    """
    check_not_negative("clip_weight_", clip_value=clip_value)
    for p in listed("clip_weight_", parameters):
        write(p, p.device.xp.clip(p._data, -clip_value, clip_value))


def max_norm_(parameters: Any, max_norm: float) -> None:
    """Shrink the weights into each unit to a norm of at most c: w_i <- w_i min(1, c / |w_i|).

    Row i of a weight (out_features, in_features) is what comes into unit i. Biases and other
    tensors with fewer than two axes stay as they are.

    Arguments:
        parameters: one Tensor or several.
        max_norm: the largest 2-norm c >= 0; the paper has 3 to 4 with dropout.

    Raises:
        ArgumentError: no parameters, or a negative norm.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov (2014), section 5.1.

    >>> import minigrad as mg
    >>> w = mg.tensor([[3.0, 4.0], [0.3, 0.4]], requires_grad=True)
    >>> max_norm_([w], 1.0)
    >>> w
    tensor([[0.6, 0.8],
            [0.3, 0.4]], requires_grad=True)
    """
    check_not_negative("max_norm_", max_norm=max_norm)
    for p in listed("max_norm_", parameters):
        if p.ndim < 2 or not p.size:
            continue
        xp, size = p.device.xp, unit_norms(p)
        within = size <= max_norm
        scale(p, xp.where(within, 1.0, max_norm / xp.where(within, 1.0, size)))
