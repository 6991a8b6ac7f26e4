"""Normalizations as functions: shift and scale to mean 0 and variance 1, then by what is learned.

    y = (x - mean) / sqrt(var + eps) * weight + bias

They differ in the axes that mean and (biased) variance are taken over. Of an input with axes
(n, channels, length):

    batch_norm      n and length: one mean per channel
    layer_norm      channels and length, say: one mean per example
    group_norm      length and the channels of a group: one mean per example and group
    instance_norm   length: one mean per example and channel
    rms_norm        as layer_norm, without the mean
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.backend import device
from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.nn.arguments import check_count
from minigrad.ops import as_tensor, fused_norms
from minigrad.ops.fused_norms import Layout, MatrixLayout, Memo
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
    x = _floating("batch_norm", input)
    if x.ndim < 2:
        raise ShapeError(
            f"batch_norm: input has shape {x.shape}; it takes (n, features), or more axes after"
        )
    _check_channels("batch_norm", x, running_mean, running_var, weight, bias)
    if not training:
        return _as_they_are("batch_norm", x, running_mean, running_var, weight, bias, eps)
    if x.dtype == np.float16:
        return _in_single(
            batch_norm, x, running_mean, running_var, weight, bias, training, momentum, eps
        )
    layout = _over_examples(x.shape, eps, x.device.name, x.dtype)
    norm = fused_norms.columns_batch_norm if x.ndim == 2 else fused_norms.batch_norm
    memo = Memo()
    out = norm(x, weight, bias, layout=layout, memo=memo)
    if running_mean is not None:
        _move(running_mean, momentum, memo.mean)
    if running_var is not None:
        _move(running_var, momentum, memo.squares, layout.size - 1)
    return out


def instance_norm(
    input: Any,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize each channel of each example over the axes after the channels.

    Arguments:
        input: shape (n, channels, length) or (n, channels, ...).
        running_mean, running_var: shape (channels,), or None. They move as in `batch_norm`,
            towards the mean over the examples.
        weight, bias: shape (channels,), or None.
        use_input_stats: with False, normalize by the running statistics as they are.

    Returns:
        The shape of `input`.

    Raises:
        ShapeError: channels that do not fit; one value per channel.
        ArgumentError: neither `use_input_stats` nor running statistics.

    Source: Ulyanov, Vedaldi & Lempitsky (2016), equation 3.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.instance_norm(mg.tensor([[[1.0, 3.0], [10.0, 30.0]]]), eps=0.0)
    tensor([[[-1.,  1.],
             [-1.,  1.]]])
    """
    x = _floating("instance_norm", input)
    if x.ndim < 3:
        raise ShapeError(
            f"instance_norm: input has shape {x.shape}; it takes (n, channels, length), or more "
            "axes after"
        )
    _check_channels("instance_norm", x, running_mean, running_var, weight, bias)
    if not use_input_stats:
        return _as_they_are("instance_norm", x, running_mean, running_var, weight, bias, eps)
    if x.dtype == np.float16:
        return _in_single(
            instance_norm,
            x,
            running_mean,
            running_var,
            weight,
            bias,
            use_input_stats,
            momentum,
            eps,
        )
    layout = _over_length(x.shape, eps, x.device.name, x.dtype)
    memo = Memo()
    out = fused_norms.instance_norm(x, weight, bias, layout=layout, memo=memo)
    if running_mean is not None and len(x):
        _move(running_mean, momentum, memo.mean.mean(axis=0))
    if running_var is not None and len(x):
        _move(running_var, momentum, memo.squares.mean(axis=0), layout.size - 1)
    return out


def group_norm(
    input: Any,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize each example over groups of neighbouring channels (and any axes after them).

    Arguments:
        input: shape (n, channels) or (n, channels, ...).
        num_groups: into how many groups the channels are cut; 1 normalizes over all of them.
            Where a group holds a single number, the output is `bias` whatever the input.
        weight, bias: shape (channels,), or None.

    Returns:
        The shape of `input`.

    Raises:
        ShapeError: channels that the groups do not divide, or that do not fit.

    Source: Wu & He (2018), equations 1, 2 and 7.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.group_norm(mg.tensor([[1.0, 3.0, 10.0, 30.0]]), num_groups=2, eps=0.0)
    tensor([[-1.,  1., -1.,  1.]])
    """
    x = _floating("group_norm", input)
    groups = check_count("group_norm", "num_groups", num_groups)
    if x.ndim < 2 or x.shape[1] % groups or x.shape[1] == 0:
        raise ShapeError(
            f"group_norm: input has shape {x.shape}; it takes (n, channels), or more axes after, "
            f"with channels a multiple of num_groups={groups}"
        )
    _check_channels("group_norm", x, None, None, weight, bias)
    if x.dtype == np.float16:
        return _in_single(group_norm, x, groups, weight, bias, eps)
    layout = _over_groups(x.shape, groups, eps, x.device.name, x.dtype)
    return fused_norms.group_norm(x, weight, bias, layout=layout, memo=Memo())


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
    x = _floating("layer_norm", input)
    last = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if x.dtype == np.float16:
        return _in_single(layer_norm, x, last, weight, bias, eps)
    layout = _over_last_axes("layer_norm", x.shape, last, eps, x.device.name, x.dtype)
    _check_elements("layer_norm", last, weight, bias)
    norm = fused_norms.rows_layer_norm if len(last) == 1 else fused_norms.layer_norm
    return norm(x, weight, bias, layout=layout, memo=Memo())


def rms_norm(
    input: Any,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight, the mean being that of each example's own features.

    Arguments:
        input: shape (..., *normalized_shape).
        normalized_shape: the last axes, over which to normalize.
        weight: of `normalized_shape`, or None.
        eps: None takes the machine precision of the input's dtype, as PyTorch does.

    Returns:
        The shape of `input`.

    Raises:
        ShapeError: the input does not end in `normalized_shape`, or weight differs.

    Source: Zhang & Sennrich (2019), equation 4.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.rms_norm(mg.tensor([1.0, -7.0]), 2)
    tensor([ 0.2, -1.4])
    """
    x = _floating("rms_norm", input)
    last = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    if x.dtype == np.float16:
        return _in_single(rms_norm, x, last, weight, eps)
    layout = _over_last_axes("rms_norm", x.shape, last, eps, x.device.name, x.dtype)
    _check_elements("rms_norm", last, weight)
    norm = fused_norms.rows_rms_norm if len(last) == 1 else fused_norms.rms_norm
    return norm(x, weight, None, layout=layout, memo=Memo())


def _in_single(normalize: Callable[..., Tensor], x: Tensor, *arguments: Any) -> Tensor:
    """`normalize(x, ...)` of half precision, whose sums of squares would overflow."""
    return normalize(x.astype(np.float32), *arguments).astype(x.dtype)


def _floating(name: str, input: Any) -> Tensor:
    x = as_tensor(input)
    if x.dtype.kind != "f":
        raise DtypeError(
            f"{name}: input holds {x.dtype}; convert it first, e.g. x.astype(mg.float32)"
        )
    return x


def _check_elements(name: str, shape: tuple[int, ...], *tensors: Tensor | None) -> None:
    """`tensors`: weight and bias."""
    for tensor in tensors:
        if tensor is not None and tensor._data.shape != shape:
            role = "weight" if tensor is tensors[0] else "bias"
            raise ShapeError(f"{name}: {role} has shape {tensor.shape}, it must be {shape}")


def _check_channels(name: str, x: Tensor, *tensors: Tensor | None) -> None:
    """`tensors`: running_mean, running_var, weight and bias."""
    channels = x.shape[1:2]
    for tensor in tensors:
        if tensor is not None and tensor._data.shape != channels:
            roles = zip(("running_mean", "running_var", "weight", "bias"), tensors, strict=True)
            role = next(role for role, t in roles if t is tensor)
            raise ShapeError(
                f"{name}: input of shape {x.shape} has {x.shape[1]} features on axis 1, but "
                f"{role} has shape {tensor.shape}; give the layer "
                f"{'num_channels' if name == 'group_norm' else 'num_features'}={x.shape[1]}"
            )


def _as_they_are(
    name: str,
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Tensor:
    """Normalize by the running statistics: per channel one factor and one summand."""
    if running_mean is None or running_var is None:
        raise ArgumentError(
            f"{name}: outside of training it needs running_mean and running_var; give both, "
            f"or {'training' if name == 'batch_norm' else 'use_input_stats'}=True to use the "
            "batch's own"
        )
    per_channel = (1, x.shape[1], *(1,) * (x.ndim - 2))
    out = (x - running_mean.reshape(per_channel)) / ops.sqrt(running_var + eps).reshape(per_channel)
    if weight is not None:
        out = out * weight.reshape(per_channel)
    return out if bias is None else out + bias.reshape(per_channel)


def _move(running: Tensor, momentum: float, total: Any, count: int = 1) -> None:
    """Let a running statistic follow that of this batch, total / count."""
    if total.ndim > 1:
        total = total.reshape(-1)
    data = running._data
    kept, share = _shares(momentum, count, running.device.name, data.dtype)
    running.device.xp.add(data * kept, total * share, data)
    running.mark_written()


# -- what depends on shapes and settings alone is made once ----------------------------------------


@lru_cache(maxsize=64)
def _shares(momentum: float, count: int, place: str, dtype: np.dtype) -> tuple[Any, Any]:
    """How much a running statistic keeps of itself, and takes of the total over `count`."""
    full = device(place).xp.full
    return full((), 1 - momentum, dtype), full((), momentum / count, dtype)


@lru_cache(maxsize=64)
def _over_examples(shape: tuple[int, ...], eps: float, place: str, dtype: np.dtype) -> Layout:
    axes, xp = (0, *range(2, len(shape))), device(place).xp
    size = math.prod([shape[a] for a in axes])
    if size < 2:
        raise ShapeError(
            f"batch_norm: in training, input of shape {shape} has {size} value per feature, which "
            "has no variance; use batches of 2 or more, or model.eval()"
        )
    if len(shape) == 2:
        return MatrixLayout(shape, 0, eps, xp, dtype)
    return Layout(shape, axes, (1,), eps, xp, dtype)


@lru_cache(maxsize=64)
def _over_length(shape: tuple[int, ...], eps: float, place: str, dtype: np.dtype) -> Layout:
    layout = Layout(shape, tuple(range(2, len(shape))), (1,), eps, device(place).xp, dtype)
    if layout.size < 2:
        raise ShapeError(
            f"instance_norm: input of shape {shape} has {layout.size} value per channel, which "
            "has no variance; use a longer input, or layer_norm"
        )
    return layout


@lru_cache(maxsize=64)
def _over_groups(
    shape: tuple[int, ...], groups: int, eps: float, place: str, dtype: np.dtype
) -> Layout:
    view = (shape[0], groups, shape[1] // groups, *shape[2:])
    return Layout(view, tuple(range(2, len(view))), (1, 2), eps, device(place).xp, dtype)


@lru_cache(maxsize=64)
def _over_last_axes(
    name: str,
    shape: tuple[int, ...],
    last: tuple[int, ...],
    eps: float,
    place: str,
    dtype: np.dtype,
) -> Layout:
    size, first = math.prod(last), len(shape) - len(last)
    if not last or shape[max(first, 0) :] != last or size == 0:
        raise ShapeError(f"{name}: input of shape {shape} does not end in normalized_shape {last}")
    xp, centred = device(place).xp, name != "rms_norm"
    if len(last) == 1:
        return MatrixLayout((math.prod(shape[:-1]), size), 1, eps, xp, dtype, centred)
    axes = tuple(range(first, len(shape)))
    return Layout(shape, axes, axes, eps, xp, dtype, centred)
