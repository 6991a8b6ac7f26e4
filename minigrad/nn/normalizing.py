"""Normalizations as functions: shift and scale to mean 0 and variance 1, then by what is learned.

    y = (x - mean) / sqrt(var + eps) * weight + bias

They differ in the axes that mean and variance are taken over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minigrad import ops
from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops import as_tensor
from minigrad.tape import no_grad
from minigrad.tensor import Tensor


def batch_norm(
    input: Any,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize each feature over the batch (and any axes after the features).

    In training, mean and the biased variance (divided by n) of the batch are used, and the
    running statistics move towards them:

        running = (1 - momentum) * running + momentum * of_batch

    with the unbiased variance (divided by n - 1), as in PyTorch. Else the running statistics
    are used as they are.

    Arguments:
        input: shape (n, features) or (n, features, ...).
        running_mean, running_var: shape (features,), written in place in training; None there
            keeps none.
        weight, bias: shape (features,), or None.

    Returns:
        The shape of `input`.

    Raises:
        ShapeError: features that do not fit; one value per feature in training.
        ArgumentError: no running statistics, and not in training.

    Source: Ioffe & Szegedy (2015), algorithm 1.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.batch_norm(mg.tensor([[1.0], [3.0]]), None, None, training=True, eps=0.0)
    tensor([[-1.],
            [ 1.]])
    """
    x = as_tensor(input)
    _check_features(x, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    axes = (0, *range(2, x.ndim))
    per_feature = (1, x.shape[1], *(1,) * (x.ndim - 2))
    if training:
        n = x.size // max(x.shape[1], 1)
        if n < 2:
            raise ShapeError(
                f"batch_norm: in training, input of shape {x.shape} has {n} value per feature, "
                "which has no variance; use batches of 2 or more, or model.eval()"
            )
        mean = ops.mean(x, axes, keepdims=True)
        centred = x - mean
        var = ops.mean(ops.square(centred), axes, keepdims=True)
        _move(running_mean, mean, momentum)
        _move(running_var, var * (n / (n - 1)), momentum)
    elif running_mean is None or running_var is None:
        raise ArgumentError(
            "batch_norm: outside of training it needs running_mean and running_var; give both, "
            "or training=True to use the batch's own"
        )
    else:
        centred = x - running_mean.reshape(per_feature)
        var = running_var.reshape(per_feature)
    return _scale(centred / ops.sqrt(var + eps), weight, bias, per_feature)


def layer_norm(
    input: Any,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize each example by the mean and (biased) variance of its own features.

    Arguments:
        input: shape (..., *normalized_shape).
        normalized_shape: the last axes, over which to normalize.
        weight, bias: of `normalized_shape`, or None.

    Returns:
        The shape of `input`.

    Raises:
        ShapeError: the input does not end in `normalized_shape`, or weight or bias differ.

    Source: Ba, Kiros & Hinton (2016), equations 3 and 4.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.layer_norm(mg.tensor([[1.0, 3.0], [10.0, 30.0]]), 2, eps=0.0)
    tensor([[-1.,  1.],
            [-1.,  1.]])
    """
    x = as_tensor(input)
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape or math.prod(shape) == 0:
        raise ShapeError(
            f"layer_norm: input of shape {x.shape} does not end in normalized_shape {shape}"
        )
    for name, tensor in {"weight": weight, "bias": bias}.items():
        if tensor is not None and tensor.shape != shape:
            raise ShapeError(f"layer_norm: {name} has shape {tensor.shape}, it must be {shape}")
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    centred = x - ops.mean(x, axes, keepdims=True)
    var = ops.mean(ops.square(centred), axes, keepdims=True)
    return _scale(centred / ops.sqrt(var + eps), weight, bias, shape)


def _scale(x: Tensor, weight: Tensor | None, bias: Tensor | None, shape: tuple[int, ...]) -> Tensor:
    if weight is not None:
        x = x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


def _move(running: Tensor | None, now: Tensor, momentum: float) -> None:
    """Let a running statistic follow that of this batch."""
    if running is not None:
        with no_grad():
            running.copy_((1 - momentum) * running + momentum * now.reshape(running.shape))


def _check_features(x: Tensor, **per_feature: Tensor | None) -> None:
    if x.ndim < 2:
        raise ShapeError(
            f"batch_norm: input has shape {x.shape}; it takes (n, features), or more axes after"
        )
    for name, tensor in per_feature.items():
        if tensor is not None and tensor.shape != (x.shape[1],):
            raise ShapeError(
                f"batch_norm: input of shape {x.shape} has {x.shape[1]} features on axis 1, but "
                f"{name} has shape {tensor.shape}; give the layer num_features={x.shape[1]}"
            )
