"""Transforms that give gradients another size, whatever size they had."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from minigrad.backend import Array
from minigrad.errors import ArgumentError
from minigrad.nn.utils.norms import (
    check_not_negative,
    gradients,
    scale,
    total_norm,
    unit_norms,
    write,
)
from minigrad.tensor import Tensor

_ORDERS = {"l2": 2.0, "linf": math.inf}


def normalize_grad_(
    parameters: Any,
    norm: Literal["l2", "linf"] = "l2",
    per: Literal["tensor", "global", "unit"] = "tensor",
    eps: float = 0.0,
) -> None:
    """Divide gradients by their norm: g <- g / (|g| + eps), and 0 where |g| = 0.

    The step keeps its direction (per="global") but no longer shrinks near a minimum: lower the
    learning rate there. Gradients that are not finite have no direction: where the norm is NaN
    they become NaN, where it is infinite 0 and NaN.

    Arguments:
        parameters: one Tensor or several; those whose gradient is None are passed over.
        norm: "l2" sqrt(sum g_i^2), or "linf" max |g_i|.
        per: what has norm 1 afterwards: each "tensor", all of them together ("global"), or each
            "unit": every row of a weight (out_features, in_features), and a bias as a whole.
        eps: added to the norm; keeps gradients that are much smaller small.

    Raises:
        ArgumentError: no parameters, a negative eps, an unknown norm or part.

    Source: Nesterov (1984), normalized gradient descent; Hazan, Levy & Shalev-Shwartz (2015).

    >>> import minigrad as mg
    >>> w = mg.ones(2, requires_grad=True)
    >>> (w * mg.tensor([3e-9, 4e-9])).sum().backward()
    >>> normalize_grad_([w])
    >>> w.grad
    tensor([0.6, 0.8])
    """
    name = "normalize_grad_"
    check_not_negative(name, eps=eps)
    if norm not in _ORDERS:
        raise ArgumentError(f"{name}: unknown norm {norm!r}; valid: 'l2', 'linf'")
    p = _ORDERS[norm]
    grads = gradients(name, parameters)
    if per == "tensor":
        sizes = [total_norm(name, [g], p) for g in grads]
    elif per == "unit":
        sizes = [unit_norms(g, p) for g in grads]
    elif per == "global":
        sizes = [total_norm(name, grads, p)] * len(grads)
    else:
        raise ArgumentError(f"{name}: unknown per={per!r}; valid: 'tensor', 'global', 'unit'")
    for g, size in zip(grads, sizes, strict=True):
        _divide(g, size, eps)


def sqrt_normalize_grad_(parameters: Any) -> None:
    """Take the root of every element's size: g_i <- sign(g_i) sqrt(|g_i|), and 0 at 0.

    It draws gradients together: 1e-8 becomes 1e-4, and 1e8 becomes 1e4. The same as
    g_i / sqrt(|g_i|), without its 0/0.

    Arguments:
        parameters: one Tensor or several; those whose gradient is None are passed over.

    >>> import minigrad as mg
    >>> w = mg.ones(3, requires_grad=True)
    >>> (w * mg.tensor([-4.0, 0.0, 1e-8])).sum().backward()
    >>> sqrt_normalize_grad_([w])
    >>> w.grad
    tensor([-2.e+00,  0.e+00,  1.e-04])
    """
    for g in gradients("sqrt_normalize_grad_", parameters):
        xp = g.device.xp
        write(g, xp.sign(g._data) * xp.sqrt(xp.abs(g._data)))


def sign_grad_(parameters: Any) -> None:
    """Keep only the sign of every element: g_i <- sign(g_i), and 0 at 0; NaN stays.

    Arguments:
        parameters: one Tensor or several; those whose gradient is None are passed over.

    Source: Bernstein, Wang, Azizzadenesheli & Anandkumar (2018), algorithm 1.

    >>> import minigrad as mg
    >>> w = mg.ones(3, requires_grad=True)
    >>> (w * mg.tensor([-4.0, 0.0, 1e-8])).sum().backward()
    >>> sign_grad_([w])
    >>> w.grad
    tensor([-1.,  0.,  1.])
    """
    for g in gradients("sign_grad_", parameters):
        write(g, g.device.xp.sign(g._data))


def centralize_grad_(parameters: Any) -> None:
    """Take from each unit's gradient its mean: g_ij <- g_ij - mean_j g_ij.

    Row i of a weight (out_features, in_features) is what comes into unit i; with more axes, the
    mean is over all but the first. Biases and other tensors with fewer than two axes stay.

    Arguments:
        parameters: one Tensor or several; those whose gradient is None are passed over.

    Source: Yong, Huang, Hua & Zhang (2020), equation 1.

    >>> import minigrad as mg
    >>> w = mg.ones(2, 2, requires_grad=True)
    >>> (w * mg.tensor([[1.0, 3.0], [5.0, 5.0]])).sum().backward()
    >>> centralize_grad_([w])
    >>> w.grad
    tensor([[-1.,  1.],
            [ 0.,  0.]])
    """
    for g in gradients("centralize_grad_", parameters):
        if g.ndim > 1:
            write(g, g._data - g._data.mean(axis=tuple(range(1, g.ndim)), keepdims=True))


def scale_grad_(parameters: Any, factor: float) -> None:
    """Multiply all gradients by a number: g <- factor * g.

    Under SGD that is the same as changing the learning rate; to Adam it is nothing at all.

    Arguments:
        parameters: one Tensor or several; those whose gradient is None are passed over.
        factor: a finite number, of any sign.

    Raises:
        ArgumentError: no parameters, or a factor that is infinite or NaN.

    >>> import minigrad as mg
    >>> w = mg.ones(2, requires_grad=True)
    >>> w.sum().backward()
    >>> scale_grad_([w], 0.5)
    >>> w.grad
    tensor([0.5, 0.5])
    """
    if not math.isfinite(factor):
        raise ArgumentError(f"scale_grad_: factor must be a finite number, got {factor}")
    for g in gradients("scale_grad_", parameters):
        scale(g, float(factor))


def _divide(g: Tensor, size: float | Array, eps: float) -> None:
    xp = g.device.xp
    size = xp.asarray(size, dtype=np.float64)
    # Not times the reciprocal: that of a tiny norm is infinite.
    with np.errstate(invalid="ignore"):  # infinity by infinity: NaN, as documented
        write(g, g._data / xp.where(size == 0, 1.0, size + eps))
